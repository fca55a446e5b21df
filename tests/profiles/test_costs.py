"""Cost models: what ships, and what is said of a file that is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from slipway.errors import FileError, UsageError
from slipway.profiles import costs
from slipway.profiles.cost_reader import GRADES
from slipway.profiles.costs import list_cost_models, load_cost_model
from slipway.profiles.estimate import estimate
from slipway.profiles.terms import EVIDENCE, TERMS

from .runs import faces

SHIPPED = Path(costs.__file__).parent / "costs"

# Copied from the references by hand: constant -> (low, value, high), in pJ, ns or W.
HOPS = {"hop_east_west": (2.31, 3.0, 4.69), "hop_north_south": (3.08, 4.0, 6.25)}
POWER = {"static_power": (0.030, 0.104, 0.180)}
BARRIER_OF_CHIPS = {
    "barrier_32_chips": (465, 5800, 5800),
    "barrier_256_chips": (14300, 14300, 14300),
    "barrier_768_chips": (16200, 16200, 16200),
}
EXPECTED: dict[str, dict[str, tuple[float, float, float]]] = {
    "loihi1_davies": {
        "synop": (23.6, 23.6, 36.9),
        "neuron_active": (81, 81, 81),
        "neuron_inactive": (52, 52, 52),
        "spike_in_tile": (1.31, 1.7, 2.66),
        **HOPS,
        **POWER,
        "time_synop": (2.69, 3.5, 3.5),
        "time_neuron_active": (8.4, 8.4, 8.4),
        "time_neuron_inactive": (5.3, 5.3, 5.3),
        "barrier_1_tile": (113, 113, 113),
        "barrier_32_tiles": (465, 465, 465),
        **BARRIER_OF_CHIPS,
    },
    "loihi2_derived": {
        "synop": (11.8, 23.6, 35.4),
        "neuron_active": (40.5, 81, 121.5),
        "neuron_inactive": (26, 52, 78),
        "spike_in_tile": (0.85, 1.7, 2.55),
        "hop_east_west": (1.5, 3.0, 4.5),
        "hop_north_south": (2.0, 4.0, 6.0),
        "static_power": (0.170, 0.240, 0.340),
        "time_synop": (0.66, 1.02, 1.03),
        "time_pass": (2, 4, 6),
        "barrier_1_chip": (100, 200, 1000),
        "barrier_chips": (5000, 10000, 15000),
    },
    "ops45": {
        "accumulate": (0.03, 0.1, 0.9),
        "multiply_accumulate_message": (0.23, 0.3, 4.6),
        "multiply_accumulate_state": (0.23, 3.2, 4.6),
    },
}
# Values alone, where the band is a rule of the file.
VALUES: dict[str, dict[str, float]] = {
    "loihi1_sanafe": {
        **{"synop_dense": 35.5, "synop_sparse": 33.6, "synop_convolution": 24.0},
        **{"soma_access": 51.2, "soma_update": 21.6, "soma_spike": 69.3, "message": 111.0},
        **{"hop_east_west": 3.0, "hop_north_south": 4.2, "static_power": 0.104},
        **{"time_synop_dense": 3.8, "time_synop_sparse": 4.7, "time_synop_convolution": 3.1},
        **{"time_soma_access": 6.0, "time_soma_update": 3.7, "time_soma_spike": 30.0},
        **{"time_message_out": 5.1, "time_message_in": 16.0, "barrier_768_chips": 16200},
        **{"barrier_32_chips": 5800, "barrier_256_chips": 14300},
        **{"barrier_1_tile": 600, "barrier_2_tiles": 1000, "barrier_4_tiles": 1400},
        "barrier_29_tiles": 1800,
    },
    "truenorth_affine": {"synop": 2.30, "hop": 2.3, "static_power": 0.0644, "step": 1e6},
    "odin_affine": {
        **{"synop": 8.43, "static_power": 27.3e-6, "clock_power": 133.5e-6},
        "time_synop": 26.7,
    },
    "spinnaker1": {"synop": 13.3e3, "neuron_update": 26e3},
    "spinnaker2": {"synop": 450, "neuron_update": 2190},
    "ops45_fp32": dict(
        accumulate=0.9, multiply_accumulate_message=4.6, multiply_accumulate_state=4.6
    ),
    "ops45_fp16": dict(
        accumulate=0.4, multiply_accumulate_message=1.5, multiply_accumulate_state=1.5
    ),
    "ops45_int32": dict(
        accumulate=0.1, multiply_accumulate_message=3.2, multiply_accumulate_state=3.2
    ),
    "ops45_int8": dict(
        accumulate=0.03, multiply_accumulate_message=0.23, multiply_accumulate_state=0.23
    ),
    "lemaire22": {
        **{"add": 0.1, "multiply": 3.1},
        **{"access_8_kib": 10, "access_32_kib": 20, "access_1_mib": 100},
    },
    "step": {"add": 0.9, "multiply": 3.7, "access": 99.84},
    "orientation": {},
}
SCALE = {"joule": 1e-12, "second": 1e-9, "watt": 1.0}


def test_every_shipped_model_is_checked_here() -> None:
    assert {*EXPECTED, *VALUES} == set(list_cost_models())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_shipped_constants(name: str) -> None:
    found = load_cost_model(name).constants
    assert set(found) == set(EXPECTED[name])
    for key, c in found.items():
        band = tuple(end / SCALE[c.unit] for end in (c.low, c.value, c.high))
        assert band == pytest.approx(EXPECTED[name][key], rel=1e-9), key


@pytest.mark.parametrize("name", sorted(VALUES))
def test_shipped_values(name: str) -> None:
    found = load_cost_model(name).constants
    values = {key: c.value / SCALE[c.unit] for key, c in found.items()}
    assert values == pytest.approx(VALUES[name], rel=1e-9)


def test_published_powers_of_the_affine_models() -> None:
    """The operating points that the constants were fitted to come out again."""
    found = load_cost_model("truenorth_affine").constants
    for rate, watt in ((11.58, 0.068), (20.07, 0.071), (95.93, 0.094)):
        synops = rate * 2**20 * 128
        power = found["static_power"].value + found["synop"].value * synops
        assert power == pytest.approx(watt, rel=0.01)
    found = load_cost_model("odin_affine").constants
    power = found["static_power"].value + found["clock_power"].value
    power += found["synop"].value / found["time_synop"].value
    assert power == pytest.approx(477e-6, rel=0.003)


def test_all_in_figures_are_only_for_reading() -> None:
    figures = load_cost_model("truenorth_affine").orientation
    assert figures["synop_all_in"].scope == "all_in"
    assert figures["synop_all_in"].value == pytest.approx(26e-12)
    for name in list_cost_models():
        model = load_cost_model(name)
        assert all(c.scope == "per_term" for c in model.constants.values())


def test_a_model_of_all_in_figures_is_refused() -> None:
    model = load_cost_model("orientation")
    assert model.orientation["gpu_mac"].value == pytest.approx(0.3e-9)
    with pytest.raises(UsageError, match="must not be multiplied with counts"):
        estimate(faces(), model)


@pytest.mark.parametrize("name", list_cost_models())
def test_every_shipped_constant_says_where_it_is_from(name: str) -> None:
    model = load_cost_model(name)
    assert model.sha256 == hashlib.sha256((SHIPPED / f"{name}.toml").read_bytes()).hexdigest()
    for constant in (*model.constants.values(), *model.orientation.values()):
        assert constant.evidence in EVIDENCE
        assert constant.source
        assert constant.voltage
        assert any(word in constant.band for word in ("published", "assumed", "computed"))
        assert constant.grade in GRADES
        assert constant.low <= constant.value <= constant.high


def test_terms_are_priced_or_have_a_reason() -> None:
    for name in list_cost_models():
        model = load_cost_model(name)
        if model.method == "orientation":
            continue
        found = estimate(faces(), model)
        assert set(found.terms) == set(TERMS)
        for term, entry in found.terms.items():
            assert entry.priced != bool(entry.reason), (name, term)
        assert all(model.unpriced.values())


def test_list() -> None:
    assert {"loihi1_davies", "ops45"} <= set(list_cost_models())


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(UsageError, match="unknown cost model 'loihi1_davis'") as caught:
        load_cost_model("loihi1_davis")
    text = str(caught.value)
    assert "did you mean loihi1_davies?" in text
    assert "loihi1_davies, loihi1_sanafe" in text


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
        ('counts = "synops"', "", "constants.synop.counts is missing; known are synops"),
        ('counts = "synops"', 'counts = "synopses"', "constants.synop.counts is 'synopses'"),
        ('term = "synapse"', 'term = "latency"', "constants.synop.term is 'latency'; known"),
        ('term = "static"', 'term = "neuron"', "static_power.term must be 'static' for a"),
        ("tiles = 1\n", "", "constants.barrier_1_tile must have either tiles or chips"),
        ("tiles = 1\n", "tiles = 0\n", "constants.barrier_1_tile.tiles must be an integer"),
        ('core_time = "sum"', 'core_time = "half"', "core_time is 'half'; known are sum"),
        ('core_time = "sum"', "", "core_time is missing"),
        ('grade = "secondary quote"', 'grade = "good"', "constants.synop.grade is 'good'"),
        ('unit = "watt"', 'unit = "joule"', "constants.static_power.counts is missing"),
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
        ("[constants.accumulate]", "[constants.x]", "constants.accumulate is missing; method"),
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
