"""Cost models: what ships, and what is said of a file that is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from slipway.errors import FileError, UsageError
from slipway.profiles import costs
from slipway.profiles.costs import list_cost_models, load_cost_model
from slipway.profiles.terms import EVIDENCE, TERMS

SHIPPED = Path(costs.__file__).parent / "costs"

# Copied from the references by hand: constant -> (low, value, high).
DAVIES = {
    "synop": (23.6e-12, 23.6e-12, 36.9e-12),
    "neuron_active": (81e-12, 81e-12, 81e-12),
    "neuron_inactive": (52e-12, 52e-12, 52e-12),
    "spike_in_tile": (1.31e-12, 1.7e-12, 2.66e-12),
    "hop_east_west": (2.31e-12, 3.0e-12, 4.69e-12),
    "hop_north_south": (3.08e-12, 4.0e-12, 6.25e-12),
    "static_power": (0.030, 0.104, 0.180),
    "time_synop": (2.69e-9, 3.5e-9, 3.5e-9),
    "time_neuron_active": (8.4e-9, 8.4e-9, 8.4e-9),
    "time_neuron_inactive": (5.3e-9, 5.3e-9, 5.3e-9),
    "time_barrier": (113e-9, 289e-9, 465e-9),
}
OPS45 = {
    "accumulate": (0.03e-12, 0.1e-12, 0.9e-12),
    "multiply_accumulate_message": (0.23e-12, 0.3e-12, 4.6e-12),
    "multiply_accumulate_state": (0.23e-12, 3.2e-12, 4.6e-12),
}


@pytest.mark.parametrize(("name", "expected"), [("loihi1_davies", DAVIES), ("ops45", OPS45)])
def test_shipped_constants(name: str, expected: dict[str, tuple[float, float, float]]) -> None:
    model = load_cost_model(name)
    assert {k: (c.low, c.value, c.high) for k, c in model.constants.items()} == expected


@pytest.mark.parametrize("name", list_cost_models())
def test_every_shipped_constant_says_where_it_is_from(name: str) -> None:
    model = load_cost_model(name)
    assert model.sha256 == hashlib.sha256((SHIPPED / f"{name}.toml").read_bytes()).hexdigest()
    for constant in model.constants.values():
        assert constant.evidence in EVIDENCE
        assert constant.source
        assert constant.voltage
        published = "published" in constant.band
        assert published or "assumed" in constant.band


def test_terms_are_priced_or_have_a_reason() -> None:
    for name in list_cost_models():
        model = load_cost_model(name)
        priced = {"synapse", "neuron"} | ({"static"} if model.timed else set())
        assert set(TERMS) - priced <= set(model.unpriced)
        assert all(model.unpriced.values())


def test_list() -> None:
    assert {"loihi1_davies", "ops45"} <= set(list_cost_models())


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(UsageError, match="unknown cost model 'loihi1_davis'") as caught:
        load_cost_model("loihi1_davis")
    text = str(caught.value)
    assert "did you mean loihi1_davies?" in text
    assert "loihi1_davies, ops45" in text


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((SHIPPED / "ops45.toml").read_text())
    model = load_cost_model(path)
    assert model.name == "mine"
    assert model.file == str(path)
    assert model.constants == load_cost_model("ops45").constants


def broken(tmp_path: Path, old: str, new: str, name: str = "loihi1_davies") -> str:
    """The text of the error that a change of a shipped file causes."""
    text = (SHIPPED / f"{name}.toml").read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FileError) as caught:
        load_cost_model(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("format = 1", "format = 2", "format must be 1, is 2"),
        ('method = "events"', 'method = "magic"', "method is 'magic'; known are events"),
        ('method = "events"', "", "method is missing"),
        ("value = 23.6e-12\n", "", "constants.synop.value is missing"),
        ("value = 23.6e-12", "value = -1.0", "constants.synop.value must be finite and not"),
        ("value = 23.6e-12", "value = inf", "constants.synop.value must be finite and not"),
        ("value = 23.6e-12", 'value = "much"', "constants.synop.value must be a number"),
        ("value = 23.6e-12", "value = true", "constants.synop.value must be a number"),
        ("high = 36.9e-12", "high = 1e-12", "constants.synop must have low <= value <= high"),
        ('unit = "joule"', 'unit = "calorie"', "constants.synop.unit is 'calorie'; known are"),
        ('unit = "joule"\n', "", "constants.synop.unit is missing"),
        ('scope = "per_term"', 'scope = "all_in"', "must not be multiplied with counts"),
        ('evidence = "simulated"', 'evidence = "hope"', "constants.synop.evidence is 'hope'"),
        ('voltage = "0.75 V"', "voltage = 0.75", "constants.synop.voltage must be text"),
        (
            "[constants.synop]",
            "[constants.other]",
            "constants.synop is missing; method",
        ),
        ("[constants.time_barrier]", "[constants.x]", "constants.time_barrier is missing"),
        ("[constants.static_power]", "[constants.x]", "unpriced.static is missing"),
        ('io = "no energy', 'oi = "no energy', "unpriced.io is missing: the term has no price"),
        (
            "[unpriced]",
            '[unpriced]\nsynapse = "x"',
            "the term has a price, too",
        ),
        ("neurons_per_core = 1024", "neurons_per_core = 0", "layout.neurons_per_core must be"),
        ("[layout]", "[outlay]", "layout is missing"),
        ("[unpriced]", "[x]", "unpriced is missing"),
        ('badges = ["pre-silicon prices"]', "badges = 3", "badges must be a list of texts"),
        ("[constants.synop]", "[constants]\nsynap = 3\n[constants.synop]", "must be a table"),
    ],
)
def test_wrong_file_names_the_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in broken(tmp_path, old, new)


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = broken(tmp_path, "[constants.synop]\nterm", "[constants.synop]\nstem")
    text += broken(tmp_path, 'title = "', 'title = ""\nx = "')
    assert "constants.synop.term is missing" in text
    assert "title must be text" in text
    path = tmp_path / "empty.toml"
    path.write_text("")
    with pytest.raises(FileError) as caught:
        load_cost_model(path)
    assert len(caught.value.problems) >= 5


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("default = {", "fallback = {", "neuron_operations.default is missing"),
        ("accumulate = 2", "accumulate = -2", "neuron_operations.IF.accumulate must be an"),
        ("IF = { accumulate = 2, multiply_accumulate = 0 }", "IF = 2", "IF must be a table"),
    ],
)
def test_wrong_operations(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in broken(tmp_path, old, new, "ops45")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read the cost model"):
        load_cost_model(tmp_path / "absent.toml")
    path = tmp_path / "bad.toml"
    path.write_text("value = = 3")
    with pytest.raises(FileError, match=r"is no TOML: .*line 1"):
        load_cost_model(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="is no TOML"):
        load_cost_model(path)
