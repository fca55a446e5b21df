"""The page in a real browser, at the width of a phone and of a desk: measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slipway.profiles.html import render_html
from slipway.profiles.report import build_report

from .browser import Browser, chromium
from .mapped_runs import network
from .placed_runs import placed
from .runs import chain, faces, two_inputs

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium here: install one to test the page in a browser"
)

# What is wrong with the geometry of a page, in words.
LOOK = r"""
(() => {
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  const wide = document.documentElement.clientWidth, wrong = [], texts = [];
  if (document.documentElement.scrollWidth > wide)
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${wide}`);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const scroll = parent.closest('.scroll');
    let box = parent.closest('svg') || parent;
    while (getComputedStyle(box).display === 'inline') box = box.parentElement;
    const around = box.getBoundingClientRect();
    for (const r of range.getClientRects()) {
      if (r.width < 1 || r.height < 1) continue;
      const said = node.data.trim().slice(0, 40);
      if (r.left < around.left - 2 || r.right > around.right + 2)
        wrong.push(`"${said}" leaves its ${box.tagName} (${r.left.toFixed()} to ` +
          `${r.right.toFixed()} in ${around.left.toFixed()} to ${around.right.toFixed()})`);
      if (!scroll && (r.left < -1 || r.right > wide + 1))
        wrong.push(`"${said}" leaves the window (to ${r.right.toFixed()} of ${wide})`);
      // Letters do not fill the whole height of their box.
      const inset = 0.18 * r.height;
      texts.push({said, left: r.left + 1, right: r.right - 1, top: r.top + inset,
                  bottom: r.bottom - inset, node});
    }
  }
  texts.sort((a, b) => a.top - b.top);
  for (let i = 0; i < texts.length; i++)
    for (let j = i + 1; j < texts.length && texts[j].top < texts[i].bottom; j++) {
      const a = texts[i], b = texts[j];
      if (a.node !== b.node && a.left < b.right && b.left < a.right)
        wrong.push(`"${a.said}" lies on "${b.said}"`);
    }
  for (const svg of document.querySelectorAll('svg')) {
    const out = svg.getBoundingClientRect();
    if (!svg.closest('[role=img]')) wrong.push('a drawing is in no chart');
    if (out.width < 40 || out.height < 8)
      wrong.push(`a drawing is ${out.width.toFixed()} x ${out.height.toFixed()} pixels`);
    for (const shape of svg.querySelectorAll('rect, circle, path, line')) {
      const r = shape.getBoundingClientRect();
      if (r.left < out.left - 6 || r.right > out.right + 6 ||
          r.top < out.top - 6 || r.bottom > out.bottom + 6)
        wrong.push(`a ${shape.tagName} leaves its drawing`);
    }
  }
  for (const chart of document.querySelectorAll('[role=img]'))
    if ((chart.getAttribute('aria-label') || '').length < 20)
      wrong.push('a chart has no text alternative');
  return JSON.stringify({wrong: [...new Set(wrong)].slice(0, 60), texts: texts.length,
                         charts: document.querySelectorAll('[role=img]').length});
})()
"""

# The least contrast between a text and what is behind it, and that text.
CONTRAST = r"""
(() => {
  const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => {
    const [r, g, b] = c.slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let worst = [21, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || parent.closest('svg')) continue;
    let behind = parent, ground = [];
    while (behind && (ground.length < 3 || ground[3] === 0)) {
      ground = parse(getComputedStyle(behind).backgroundColor);
      behind = behind.parentElement;
    }
    const [a, b] = [light(parse(getComputedStyle(parent).color)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, walker.currentNode.data.trim().slice(0, 40)];
  }
  return JSON.stringify(worst);
})()
"""

LONG = "a_very_long_layer_name_that_somebody_gave_to_a_layer_of_the_network"


def _renamed(run: dict[str, Any], **names: str) -> dict[str, Any]:
    text = json.dumps(run)
    for old, new in names.items():
        text = text.replace(old, new)
    changed: dict[str, Any] = json.loads(text)
    return changed


def _one_neuron() -> dict[str, Any]:
    return network(1, neurons=1, steps=1, recorded=1, labels=False)


REPORTS = {
    "not placed": lambda: [faces()],
    "placed": lambda: [network()],
    "two chips": lambda: [placed()],
    "silent": lambda: [placed(rate=0.0)],
    "several inputs": lambda: [two_inputs()],
    "no labels": lambda: [faces(labels=False, silent=True, samples=1)],
    "one neuron": lambda: [_one_neuron()],
    "long names": lambda: [network(5, name=LONG), network(5, name=LONG, seed=1)],
    "long words": lambda: [_renamed(faces(), hidden="x" * 300, loihi2="y" * 200)],
    "200 layers": lambda: [chain(200)],
    "200 placed layers": lambda: [network(200, neurons=300, per_core=150, steps=40)],
    "16 chips": lambda: [network(6, neurons=90_000, per_core=135, recorded=1)],
    "many steps": lambda: [network(3, steps=700, recorded=1)],
    "four runs": lambda: [network(4, seed=n, rate=0.02 * (n + 1)) for n in range(4)],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


@pytest.fixture(scope="module", params=REPORTS)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(build_report(REPORTS[request.param]())))
    return path


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overlaps_and_nothing_leaves_its_box(
    browser: Browser, page: Path, width: int
) -> None:
    with browser.open(page, width=width) as tab:
        found = json.loads(tab.evaluate(LOOK))
    assert found["texts"] > 100
    assert found["charts"] >= 8
    assert found["wrong"] == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_in_light_and_dark(
    browser: Browser, tmp_path: Path, dark: bool
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_html(build_report([network()])))
    with browser.open(path, width=1280, dark=dark) as tab:
        ratio, text = json.loads(tab.evaluate(CONTRAST))
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ratio > 4.5, text  # WCAG 2.1, AA
    assert (sum(map(int, ground[4:-1].split(","))) < 384) is dark


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("p{width:2000px;max-width:none}", "the page is"),
        ("p{width:2000px;max-width:none}", "leaves the window"),
        (".rows>b{width:9px}", "leaves its B"),
        (".short li{margin:-16px 0}", "lies on"),
        ("svg rect{transform:translate(80px)}", "a rect leaves its drawing"),
    ],
)
def test_the_checks_see_what_is_wrong(
    browser: Browser, tmp_path: Path, style: str, expected: str
) -> None:
    path = tmp_path / "report.html"
    text = render_html(build_report([faces()]))
    path.write_text(text.replace("</style>", f"{style}</style>"))
    with browser.open(path, width=390) as tab:
        assert expected in " ".join(json.loads(tab.evaluate(LOOK))["wrong"])
    path.write_text(text.replace(" aria-label=", " x="))
    with browser.open(path, width=390) as tab:
        assert json.loads(tab.evaluate(LOOK))["wrong"] == ["a chart has no text alternative"]


def test_prints_on_paper(browser: Browser, tmp_path: Path) -> None:
    path, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    path.write_text(render_html(build_report([network()])))
    with browser.open(path, width=688) as tab:  # A4 within its margins
        tab.call("Emulation.setEmulatedMedia", media="print")
        wide = tab.evaluate("document.documentElement.scrollWidth")
        hidden = tab.evaluate(
            "[...document.querySelectorAll('details td')].filter("
            "cell => cell.getBoundingClientRect().height === 0).length"
        )
        tab.print_to(paper)
    assert hidden == 0  # what is folded on a screen is printed
    assert wide <= 688 * 1.35  # what is wider, a browser shrinks
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    assert 4 <= content.count(b"/Type /Page\n") + content.count(b"/Type/Page\n") <= 30
