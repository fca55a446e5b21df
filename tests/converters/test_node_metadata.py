"""Metadata of nodes: kept, checked key by key, and refused where they contradict each other."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slipway.converters.metadata import input_encoding, readout
from slipway.converters.node_metadata import KEYS
from slipway.converters.read import read_graph
from slipway.converters.write import write_graph
from slipway.errors import GraphError

N = 3
ONE = np.ones(N)
DT = 1e-3


def neuron(kind: str = "LIF", **fields: Any) -> Any:
    own = {
        "IF": {"r": ONE},
        "LI": {"tau": 0.02 * ONE, "r": ONE, "v_leak": 0 * ONE},
        "LIF": {"tau": 0.02 * ONE, "r": ONE, "v_leak": 0 * ONE},
        "CubaLIF": {"tau_syn": 0.01 * ONE, "tau_mem": 0.02 * ONE, "r": ONE, "v_leak": 0 * ONE},
    }[kind]
    threshold = {} if kind == "LI" else {"v_threshold": ONE, "v_reset": 0 * ONE}
    return getattr(nir, kind)(**{**own, **threshold, **fields})


def graph(node: Any, metadata: dict[str, Any], **common: Any) -> nir.NIRGraph:
    nodes = {
        "input": nir.Input({"input": np.array([2])}),
        "fc": nir.Linear(np.ones((N, 2), np.float32)),
        "cell": node,
        "output": nir.Output({"output": np.array([N])}),
    }
    nodes["cell"].metadata.update(metadata)
    edges = [("input", "fc"), ("fc", "cell"), ("cell", "output")]
    return nir.NIRGraph(nodes, edges, metadata={"dt": DT, **common})


def unchecked(path: Path, built: nir.NIRGraph) -> Path:
    """As a foreign writer would leave it."""
    nir.write(path, built)
    return path


def refused(path: Path, built: nir.NIRGraph) -> str:
    with pytest.raises(GraphError) as caught:
        read_graph(unchecked(path, built))
    assert all(str(path) in p.where and p.remedy for p in caught.value.problems)
    return str(caught.value)


def per_neuron(low: float, high: float) -> st.SearchStrategy[Any]:
    number = st.floats(low, high)
    return number | st.lists(number, min_size=N, max_size=N).map(np.array)


TERNARY = st.fixed_dictionaries(
    {"negative_threshold": per_neuron(-5, 0.9)}, optional={"reset": st.just("zero")}
)
ADAPTIVE = st.fixed_dictionaries(
    {
        "threshold_step": per_neuron(0, 3),
        "threshold_tau": per_neuron(0.002, 1),
        "refractory_tau": per_neuron(0.002, 1),
    }
)
RESONATOR = st.fixed_dictionaries(
    {"resonator_period": per_neuron(0.003, 1)},
    optional={"resonator_reset": st.sampled_from(["none", "izhikevich"])},
)
PLAIN = st.fixed_dictionaries(
    {"reset_interval": st.integers(1, 99)},
    optional={
        "reset": st.sampled_from(["zero", "subtract"]),
        "refractory": st.just(0.0) | per_neuron(0.001, 0.05),
        "reset_offset": st.integers(0, 99),
        "note": st.text("abc", min_size=1) | st.integers(-5, 5) | st.floats(-1, 1),
    },
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(metadata=st.one_of(TERNARY, ADAPTIVE, RESONATOR, PLAIN))
def test_a_round_trip_keeps_them(tmp_path: Path, metadata: dict[str, Any]) -> None:
    write_graph(graph(neuron(), metadata), tmp_path / "a.nir")
    once = read_graph(tmp_path / "a.nir")
    write_graph(once, tmp_path / "b.nir")
    for found in (once, read_graph(tmp_path / "b.nir")):
        own = found.nodes["cell"].metadata
        assert own.keys() == metadata.keys()
        for key, value in metadata.items():
            np.testing.assert_array_equal(own[key], value)
            assert isinstance(own[key], np.ndarray) == isinstance(value, np.ndarray)
    # the widely used reader sees the same
    theirs = nir.read(tmp_path / "b.nir").nodes["cell"].metadata
    assert theirs.keys() == metadata.keys()


def test_unknown_keys_are_kept_where_they_are_plain(tmp_path: Path) -> None:
    built = graph(neuron(), {"layer": 3, "kind": "x", "list": np.arange(4), "more": {"a": 1}})
    built.nodes["fc"].metadata["trained_by"] = "me"
    found = read_graph(unchecked(tmp_path / "a.nir", built))
    assert found.nodes["cell"].metadata == {"layer": 3, "kind": "x"}
    assert found.nodes["fc"].metadata == {"trained_by": "me"}


def test_arrays_of_one_value_are_numbers(tmp_path: Path) -> None:
    built = graph(neuron(), {"refractory": np.array([0.002], np.float32)})
    own = read_graph(unchecked(tmp_path / "a.nir", built)).nodes["cell"].metadata
    assert own == {"refractory": pytest.approx(0.002)}


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"reset": "none"}, "metadata reset is 'none', allowed is 'zero' or 'subtract'"),
        ({"reset": 1}, "metadata reset is 1, allowed is 'zero' or 'subtract'"),
        ({"refractory": -0.1}, "refractory is -0.1, allowed is finite seconds from 0 on, one"),
        ({"refractory": np.nan}, "metadata refractory is nan, allowed is"),
        ({"refractory": "2 ms"}, "metadata refractory is '2 ms', allowed is"),
        ({"refractory": 1e-5}, "refractory 1e-05 s is less than half a step of dt = 0.001 s"),
        ({"refractory": 0.01 * np.ones(2)}, "refractory has shape (2,), the neurons have (3,)"),
        ({"reset_interval": 0}, "reset_interval is 0, allowed is one whole number from 1 on"),
        (
            {"reset_interval": 2.0},
            "metadata reset_interval is 2.0, allowed is one whole number",
        ),
        (
            {"reset_interval": np.array([1, 2, 3])},
            "reset_interval is [1, 2, 3], allowed is one",
        ),
        ({"reset_interval": True}, "metadata reset_interval is True, allowed is one whole"),
        (
            {"reset_interval": 2, "reset_offset": -1},
            "metadata reset_offset is -1, allowed is one whole number from 0 on",
        ),
        ({"reset_offset": 1}, "metadata reset_offset says nothing without reset_interval"),
        (
            {"negative_threshold": np.inf},
            "metadata negative_threshold is inf, allowed is finite",
        ),
        ({"negative_threshold": 1.0}, "negative_threshold 1 is not below v_threshold 1"),
        (
            {"negative_threshold": np.array([0.0, 2.0, 3.0])},
            "negative_threshold 2 is not below v_threshold 1",
        ),
        ({"threshold_step": 1.0}, "says nothing without threshold_tau and refractory_tau"),
        ({"threshold_tau": 1.0}, "says nothing without threshold_step and refractory_tau"),
        ({"refractory_tau": 0.0}, "refractory_tau is 0.0, allowed is positive finite seconds"),
        (
            {"threshold_step": 1.0, "threshold_tau": 1e-4, "refractory_tau": 1.0},
            "metadata threshold_tau 0.0001 s is below dt = 0.001 s",
        ),
        (
            {"threshold_step": 1.0, "threshold_tau": 1.0, "refractory_tau": 1e-4},
            "metadata refractory_tau 0.0001 s is below dt = 0.001 s",
        ),
        ({"threshold_step": -1.0}, "threshold_step is -1.0, allowed is finite numbers from 0"),
        ({"resonator_period": 0.001}, "resonator_period 0.001 s is below 2 dt = 0.002 s"),
        ({"resonator_reset": "none"}, "resonator_reset says nothing without resonator_period"),
        (
            {"resonator_period": 0.01, "resonator_reset": "zero"},
            "metadata resonator_reset is 'zero', allowed is 'none' or 'izhikevich'",
        ),
        ({"pooling": "max"}, "node 'cell' (LIF): metadata pooling belongs on IF only"),
        ({"readout": "last"}, "metadata readout belongs on Output only"),
        ({"input_encoding": "spikes"}, "metadata input_encoding belongs on Input only"),
    ],
)
def test_keys_that_are_wrong(tmp_path: Path, metadata: dict[str, Any], text: str) -> None:
    assert text in refused(tmp_path / "a.nir", graph(neuron(), metadata))


ADAPT = {"threshold_step": 1.0, "threshold_tau": 0.1, "refractory_tau": 0.1}
TERN, RES = {"negative_threshold": -1.0}, {"resonator_period": 0.01}
TERNARY_NAME = "a ternary neuron (negative_threshold)"
ADAPTIVE_NAME = "an adaptive-threshold neuron (threshold_step, threshold_tau, refractory_tau)"


@pytest.mark.parametrize(
    ("metadata", "texts"),
    [
        ({**TERN, **ADAPT}, [f"metadata threshold_step has no meaning for {TERNARY_NAME}"]),
        ({**TERN, **RES}, [f"metadata resonator_period has no meaning for {TERNARY_NAME}"]),
        ({**TERN, "refractory": 0.01}, [f"refractory has no meaning for {TERNARY_NAME}"]),
        ({**TERN, "reset_interval": 3}, [f"reset_interval has no meaning for {TERNARY_NAME}"]),
        ({**TERN, "reset": "subtract"}, ["reset 'subtract' has no meaning for a ternary"]),
        ({**ADAPT, "reset": "zero"}, [f"metadata reset has no meaning for {ADAPTIVE_NAME}"]),
        ({**ADAPT, "refractory": 0.01}, [f"refractory has no meaning for {ADAPTIVE_NAME}"]),
        ({**ADAPT, **RES}, [f"resonator_period has no meaning for {ADAPTIVE_NAME}"]),
        (
            {**RES, "refractory": 0.01, "reset": "zero"},
            [
                "metadata refractory has no meaning for a resonator (resonator_period)",
                "metadata reset has no meaning for a resonator (resonator_period)",
            ],
        ),
    ],
)
def test_combinations_without_meaning(
    tmp_path: Path, metadata: dict[str, Any], texts: list[str]
) -> None:
    found = refused(tmp_path / "a.nir", graph(neuron(), metadata))
    for text in texts:
        assert text in found


@pytest.mark.parametrize("key", sorted(set(KEYS) - {"input_encoding", "readout"}))
def test_keys_on_a_node_that_is_no_neuron(tmp_path: Path, key: str) -> None:
    built = graph(neuron(), {})
    built.nodes["fc"].metadata[key] = 1
    text = refused(tmp_path / "a.nir", built)
    assert f"node 'fc' (Linear): metadata {key} belongs on {', '.join(KEYS[key].kinds)}" in text


def test_readouts_neurons_do_not_spike(tmp_path: Path) -> None:
    assert "metadata reset belongs on IF, LIF, CubaLIF only" in refused(
        tmp_path / "a.nir", graph(neuron("LI"), {"reset": "zero"})
    )
    built = graph(neuron("LI"), {"reset_interval": 5})
    found = read_graph(unchecked(tmp_path / "b.nir", built))
    assert found.nodes["cell"].metadata == {"reset_interval": 5}
    assert "metadata resonator_period belongs on LIF only" in refused(
        tmp_path / "a.nir", graph(neuron("CubaLIF"), RES)
    )


def test_resets_that_contradict(tmp_path: Path) -> None:
    shifted = neuron(v_reset=np.array([0, 0.25, 0]))
    path = tmp_path / "a.nir"
    text = "reset 'subtract' takes v_threshold off, so v_reset 0.25 would not be used"
    assert text in refused(path, graph(shifted, {"reset": "subtract"}))
    assert text in refused(path, graph(neuron(v_reset=0.25 * ONE), {}, reset="subtract"))
    # the node's own word wins
    built = graph(neuron(v_reset=0.25 * ONE), {"reset": "zero"}, reset="subtract")
    found = read_graph(unchecked(path, built))
    np.testing.assert_array_equal(found.nodes["cell"].v_reset, 0.25 * ONE)
    text = f"the graph's reset 'subtract' has no meaning for {TERNARY_NAME}: state 'zero' here"
    assert text in refused(path, graph(neuron(), TERN, reset="subtract"))
    read_graph(unchecked(path, graph(neuron(), {**TERN, "reset": "zero"}, reset="subtract")))
    text = f"v_reset 0.25 has no meaning for {ADAPTIVE_NAME}"
    assert text in refused(path, graph(neuron(v_reset=0.25 * ONE), ADAPT))


def test_a_reset_to_another_value_is_passed_on(tmp_path: Path) -> None:
    rest = np.array([0.1, -0.2, 0.0])
    path = unchecked(tmp_path / "a.nir", graph(neuron(v_reset=rest), {}))
    np.testing.assert_array_equal(read_graph(path).nodes["cell"].v_reset, rest)


def pooled(first: str = "LIF", **changes: Any) -> nir.NIRGraph:
    """Spikes of 1 x 4 x 4, max-pooled to 1 x 2 x 2."""
    shape, small = (1, 4, 4), (1, 2, 2)
    fields = {"r": 1 / DT, "v_threshold": 0.5, "v_reset": 0.0, **changes}
    one = np.ones(shape)
    kinds = {
        "LIF": nir.LIF(0.02 * one, one, 0 * one, one),
        "LI": nir.LI(0.02 * one, one, 0 * one),
    }
    nodes = {
        "input": nir.Input({"input": np.array(shape)}),
        "first": kinds[first],
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "or": nir.IF(**{k: np.full(small, v) for k, v in fields.items()}),
        "output": nir.Output({"output": np.array(small)}),
    }
    nodes["or"].metadata["pooling"] = "max"
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": DT}, type_check=False)


def test_a_max_pool_is_read(tmp_path: Path) -> None:
    found = read_graph(unchecked(tmp_path / "a.nir", pooled()))
    assert found.nodes["or"].metadata == {"pooling": "max"}
    direct = pooled()
    direct.edges = [e for e in direct.edges if "first" not in e] + [("input", "sum")]
    del direct.nodes["first"]
    assert "needs spikes of 0 and 1, but it pools input" in refused(tmp_path / "b.nir", direct)
    direct.nodes["input"].metadata["input_encoding"] = "spikes"
    read_graph(unchecked(tmp_path / "b.nir", direct))


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (pooled(v_threshold=1.5), "metadata pooling needs 0 <= v_threshold < r * dt: any one"),
        (pooled(r=1.0), "metadata pooling needs 0 <= v_threshold < r * dt: any one spike"),
        (pooled(v_threshold=-0.5), "metadata pooling needs 0 <= v_threshold < r * dt"),
        (pooled(v_reset=0.1), "v_reset 0.1 has no meaning for a max-pool (pooling)"),
        (pooled("LI"), "metadata pooling needs spikes of 0 and 1, but it pools first"),
        (graph(neuron("IF"), {"pooling": "max"}), "needs one SumPool2d before it, it has fc"),
        (
            graph(neuron("IF"), {"pooling_of": "rates"}),
            "metadata pooling_of says nothing without pooling",
        ),
        (
            graph(neuron("IF"), {"pooling": "min"}),
            "metadata pooling is 'min', allowed is 'max'",
        ),
    ],
)
def test_pairs_that_are_no_max_pool(tmp_path: Path, built: nir.NIRGraph, text: str) -> None:
    assert text in refused(tmp_path / "a.nir", built)


def test_a_max_pool_of_ternary_spikes_or_of_two_layers(tmp_path: Path) -> None:
    built = pooled()
    built.nodes["first"].metadata["negative_threshold"] = -1.0
    assert "spikes of 0 and 1, but it pools first" in refused(tmp_path / "a.nir", built)
    built = pooled()
    built.nodes["second"] = nir.LIF(*[np.full((1, 4, 4), 0.5)] * 4)
    built.edges += [("input", "second"), ("second", "sum")]
    assert "but it pools first, second" in refused(tmp_path / "a.nir", built)
    assert "the graph's reset 'subtract' has no meaning for a max-pool (pooling)" in refused(
        tmp_path / "a.nir", soft(pooled())
    )


def soft(built: nir.NIRGraph) -> nir.NIRGraph:
    built.metadata["reset"] = "subtract"
    return built


def test_encodings_and_readouts_of_single_nodes(tmp_path: Path) -> None:
    built = graph(neuron(), {}, input_encoding="current", readout="count")
    built.nodes["extra"] = nir.Input({"input": np.array([N])})
    built.nodes["extra"].metadata["input_encoding"] = "spikes"
    built.nodes["li"] = neuron("LI")
    built.nodes["other"] = nir.Output({"output": np.array([N])})
    built.nodes["other"].metadata["readout"] = "mean"
    built.edges += [("extra", "cell"), ("extra", "li"), ("li", "other")]
    found = read_graph(unchecked(tmp_path / "a.nir", built))
    assert [input_encoding(found, n) for n in ("input", "extra")] == ["current", "spikes"]
    assert [readout(found, n) for n in ("output", "other")] == ["count", "mean"]
    # without any word, each output is read by what it is
    del built.nodes["other"].metadata["readout"], built.metadata["readout"]
    found = read_graph(unchecked(tmp_path / "b.nir", built))
    assert "readout" not in found.metadata
    assert [readout(found, n) for n in ("output", "other")] == ["count", "last"]
    built.nodes["extra"].metadata["input_encoding"] = "rate"
    assert "input_encoding is 'rate', allowed is 'current' or 'spikes'" in refused(
        tmp_path / "c.nir", built
    )


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"reset": "half"}, "node 'cell' (LIF): metadata reset is 'half', allowed is"),
        ({"a/b": 1}, "node 'cell': 'a/b' cannot be a name of metadata in HDF5"),
        ({"x": None}, "node 'cell': metadata x is a NoneType"),
        ({"x": np.array(1.0)}, "metadata x is an array of float64, shape ()"),
        ({"x": {"y": [1]}}, "node 'cell': x: metadata y is a list"),
    ],
)
def test_what_is_not_written(tmp_path: Path, metadata: dict[str, Any], text: str) -> None:
    with pytest.raises(GraphError) as caught:
        write_graph(graph(neuron(), metadata), tmp_path / "a.nir")
    assert text in str(caught.value)
    assert list(tmp_path.iterdir()) == []
