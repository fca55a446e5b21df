"""The page: one file, safe with any name, readable without its charts."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from slipway.profiles.html import render_html
from slipway.profiles.report import build_report

from .mapped_runs import network
from .placed_runs import placed
from .runs import chain, faces, two_inputs

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>1</script>",
    "</title></svg>{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
    "\x1b[31mred\u202e\x00",
    "x" * 3000,
]


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.charts: list[str] = []
        self.bare: list[str] = []
        self.inside = 0
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        found = dict(attrs)
        if found.get("role") == "img":
            self.charts.append(found.get("aria-label") or "")
            self.inside = len(self.open) + 1
        if tag == "svg" and not (self.inside and found.get("aria-hidden") == "true"):
            self.bare.append(str(found))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if len(self.open) < self.inside:
            self.inside = 0

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(*runs: dict[str, Any]) -> tuple[str, Page]:
    text = render_html(build_report(runs or [faces()]))
    page = Page(text)
    assert page.open == []
    return text, page


def renamed(name: str) -> dict[str, Any]:
    """The run of faces with a population, a target and a file of that name."""
    text = json.dumps(faces()).replace('"hidden"', '"NAME"').replace("hidden->", "NAME->")
    run: dict[str, Any] = json.loads(text.replace("NAME", json.dumps(name)[1:-1]))
    run["target"] = run["provenance"]["program"]["file"] = name
    run["provenance"]["command"] = run["provenance"]["platform"] = name
    run["engine"] = run["populations"][name]["kind"] = name
    run["compile"]["warnings"] = [name]
    run["compile"]["populations"][name] = {"kind": name, "scale": name, "bounds": {"v": [name]}}
    run["projections"]["frames->conv1"]["kind"] = name
    run["inputs"][name] = run["inputs"].pop("frames")
    run["outputs"][name] = {"population": name, "readout": name, "predictions": []}
    return run


def test_is_one_page_without_any_reference() -> None:
    text, page = page_of()
    assert text.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not [a for a in page.attributes if a[1] in ("src", "srcset", "action")]
    # Links lead to places on the page, and each of these is there.
    targets = {value for _, name, value in page.attributes if name == "id"}
    links = [value for _, name, value in page.attributes if name == "href"]
    assert len(links) > 5
    assert {link.removeprefix("#") for link in links} <= targets
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert not re.findall(r"https?://[^\s\"'<]+", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    ("run", "limit"),
    [
        (faces(), 90_000),
        (network(), 130_000),
        (chain(40), 250_000),
        (chain(200), 900_000),
        (network(200, neurons=400, per_core=30, steps=64), 1_000_000),
        (network(8, neurons=60_000, per_core=100, recorded=1), 1_000_000),
    ],
)
def test_size(run: dict[str, Any], limit: int) -> None:
    assert len(page_of(run)[0].encode()) < limit


def test_forty_long_names_stay_below_the_budget() -> None:
    assert len(page_of(chain(40, name="a_very_long_layer_name" * 20))[0].encode()) < 300_000


@pytest.mark.parametrize("run", [faces(), network(), placed(), network(70)])
def test_charts_have_text_alternatives(run: dict[str, Any]) -> None:
    _, page = page_of(run, faces())
    assert page.bare == []  # every drawing is within a chart that says what it shows
    assert len(page.charts) > 8
    for label in page.charts:
        title, _, told = label.partition(". ")
        assert len(title) > 5
        assert told.endswith(".")
        assert re.search(r"\d|nothing to draw|no labels", told), label
    assert len(set(page.charts)) == len(page.charts)
    identifiers = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("run", [faces(), network(), placed()])
def test_every_figure_of_a_chart_is_in_its_text_and_in_a_table(run: dict[str, Any]) -> None:
    text, page = page_of(run)
    cells = html.unescape(" ".join(re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", text, re.S)))
    shown = [html.unescape(t) for t in re.findall(r"</span><b>([^<]*)</b><svg", text)]
    assert len(shown) > 15
    for figure in shown:
        assert any(figure in label for label in page.charts), figure
        if " spikes of " not in figure:  # the raster's own
            for part in re.split(r", | of ", figure):
                assert part in cells or not re.search(r"\d", part), part


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(name: str) -> None:
    _, plain = page_of()
    text, page = page_of(renamed(name))
    assert set(page.tags) == set(plain.tags)
    assert not [a for a in page.attributes if a[1] in ("src", "onerror")]
    assert {v[0] for _, key, v in page.attributes if key == "href"} == {"#"}
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    if len(name) < 60 and name.isprintable():
        assert name in page.text


def test_headline_carries_the_badge_and_the_band() -> None:
    page = Page(render_html(build_report([faces()], ["loihi1_davies", "ops45"])))
    words = page.text.replace("\u00a0", " ")
    for expected in (
        "63.4 %",
        "65 \u00b5J",
        "31 to 790 \u00b5J",
        "779,000",
        "pre-silicon prices",
        "Total, partial",
        "not priced",
        "the placement is not known",
        "slipway run student.slip --data test.npz -o run.json",
        "Loihi 1 has no graded spikes",
        "IEEE Micro",
    ):
        assert expected in words, expected
    assert words.count("estimate, not a measurement") >= 4


def test_compile_report_is_there_and_folded() -> None:
    _, page = page_of()
    folded = page.tags.count("details")
    # All but what the main model leaves out, which nobody should have to look for.
    assert len([a for a in page.attributes if a[:2] == ("details", "open")]) == 1
    assert "hidden: 3 weights were rounded to zero" in page.text
    assert "-3,000,000 to 4,000,000" in page.text
    run = faces()
    run["compile"] = {}
    page = page_of(run)[1]
    assert "Compile report" not in page.text
    assert page.tags.count("details") == folded - 1


def test_silent_and_unlabelled() -> None:
    _, page = page_of(faces(silent=True, labels=False))
    assert "no labels" in page.text
    run = faces(silent=True)
    for entry in run["projections"].values():
        entry["synops"] = entry["synops_all"] = 0
    assert "Static power" in page_of(run)[1].text


def test_more_layers_than_charts_show() -> None:
    _, page = page_of(chain(70))
    said = "The charts show the 40 layers that cost most; the table has all 70 layers."
    assert said in page.text
    assert "layer_69" in page.text
    told = next(label for label in page.charts if label.startswith("Dynamic energy"))
    # Each layer of this chain spikes less than the one before it.
    assert [f"layer_{n:02d}:" in told for n in (0, 39, 40, 69)] == [True, True, False, False]
    assert "All 70 layers" in page.text
    assert "All 40 layers" not in page_of(chain(40))[1].text


def test_bias_neurons_are_in_the_table_only() -> None:
    run = network(4)
    run["populations"]["layer_2"]["kind"] = "bias"
    _, page = page_of(run)
    told = [label for label in page.charts if "layer_1" in label]
    assert len(told) >= 4
    assert not any("layer_2" in label for label in told)
    assert "layer_2" in page.text
    assert "The charts leave out 1 bias neuron; the table has all 4 layers." in page.text
    assert "bias neuron" not in page_of(network(4))[1].text


def test_runs_beside_each_other() -> None:
    other = faces()
    other["engine"], other["precision"], other["accuracy"] = "lava", "float", 0.7
    _, page = page_of(faces(), other)
    assert "Lava, floating point" in page.text
    assert "Runs side by side" in page.text
    assert "Runs side by side" not in page_of(faces())[1].text
    other["provenance"]["data"]["sha256"] = "00"
    assert "no: do not compare" in page_of(faces(), other)[1].text
    assert "the first 30" in page_of(faces(), faces(samples=30))[1].text


def test_dark_phone_and_print_are_cared_for() -> None:
    text, _ = page_of()
    for rule in ("prefers-color-scheme:dark", "max-width:600px", "@media print", "viewport"):
        assert rule in text


def test_no_placeholder_is_left() -> None:
    _, page = page_of()
    for word in ("None", "nan", "{{", "Undefined", "Traceback"):
        assert word not in page.text


def test_names_every_input_and_output_and_what_carries_values() -> None:
    _, page = page_of(two_inputs())
    words = " ".join(page.text.split())  # the cells of a row without blanks between them
    assert "frames1 x 48 x 48graded18,400 " in words
    assert "sound64spikes40.0 " in words
    assert "outputclassesmean" in words
    assert "exitconv2count" in words
    assert "Of the 1,610 messages 610 carry a value" in words
    assert "sends values" in words
    assert "carry a value" not in page_of(faces())[1].text


@pytest.mark.parametrize("run", [faces(), placed(rate=0.0), network()])
def test_no_total_stands_without_its_badge_and_what_it_lacks(run: dict[str, Any]) -> None:
    report = build_report([run])
    text, page = page_of(run)
    words = " ".join(page.text.split())
    for model, energy in report["energy"].items():
        assert f"{model}: not priced, and assumed" in words
        section = text.split(f"<h3>{model}</h3>")[1].split("</section>")[0]
        badges = re.findall(r"<li[^>]*>([^<]*)</li>", section)
        assert badges[0] == "estimate, not a measurement"
        assert "partial" in badges
        for badge in energy["badges"]:
            assert html.escape(badge) in section
        assert energy["uncertainty"] in html.unescape(section)
    for entry in report["unpriced"]:
        assert " ".join(entry["reason"].split()) in words


def test_a_silent_network_shows_what_it_still_costs() -> None:
    _, page = page_of(placed(rate=0.0))
    terms = next(label for label in page.charts if "by term, loihi1_davies" in label)
    assert re.search(r"Neurons: [\d.]+\xa0[pnu\u00b5]J", terms)
    assert re.search(r"Static power: [\d.]+\xa0[pnmu\u00b5]J", terms)
    assert "Barrier" in page.text
    steps = next(label for label in page.charts if "Time of each step" in label)
    assert re.search(r"mean [\d.]+\xa0[pn\u00b5]s", steps)


@pytest.mark.parametrize(
    ("per_core", "words", "squares"),
    [
        (100, "of each core. ", 60),
        (6, "a square is a tile", 250),
        (1, "a square is a chip", 47),
    ],
)
def test_maps_of_large_boards_are_coarser(
    monkeypatch: pytest.MonkeyPatch, per_core: int, words: str, squares: int
) -> None:
    monkeypatch.setattr("slipway.profiles.charts.mesh.MOST_SQUARES", 300)
    run = network(1, neurons=6000, per_core=per_core, recorded=1, steps=2)
    text, page = page_of(run)
    told = next(label for label in page.charts if label.startswith("How full"))
    assert words in told
    drawing = text.split("How full")[-1].split("</svg>")[0]
    shaded = re.findall(r'<path class="(?:h\d|none)" d="([^"]*)"', drawing)
    assert sum(path.count("M") for path in shaded) == squares
