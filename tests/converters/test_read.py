"""Files that must not be read, each refused for its own reason before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slipway.converters import hdf5_safety
from slipway.converters.read import read_graph
from slipway.converters.write import write_graph
from slipway.errors import (
    FileError,
    GraphError,
    SlipwayError,
    UnsafeFileError,
    UnsupportedNode,
    UsageError,
)

N = 3


def lif(n: int = N, tau: float = 0.02, r: float = 1.0) -> nir.LIF:
    one = np.ones(n)
    return nir.LIF(tau * one, r * one, 0 * one, one)


def graph(**metadata: Any) -> nir.NIRGraph:
    return nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([2])}),
            "fc": nir.Affine(np.ones((N, 2), np.float32), np.zeros(N, np.float32)),
            "lif": lif(),
            "output": nir.Output({"output": np.array([N])}),
        },
        [("input", "fc"), ("fc", "lif"), ("lif", "output")],
        metadata=metadata,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound file without any dt."""
    target = tmp_path / "net.nir"
    write_graph(graph(), target)
    return target


def refused(kind: type[SlipwayError], path: Path, dt: float | None = 1e-3) -> str:
    with pytest.raises(SlipwayError) as caught:
        read_graph(path, dt=dt)
    assert type(caught.value) is kind, caught.value
    assert all(str(path) in p.where for p in caught.value.problems)
    return str(caught.value)


def put(file: h5py.File, place: str, value: Any) -> None:
    if place in file:
        del file[place]
    file[place] = value


def test_reads_and_completes(path: Path) -> None:
    found = read_graph(path, dt=1e-3)
    assert found.metadata == {
        "slipway_format": 1,
        "reset": "zero",
        "reset_from": "default",
        "dialect": "nir",
        "source": "nir",
        "input_encoding": "current",
        "dt": 1e-3,
        "readout": "count",
    }
    assert list(found.nodes) == ["input", "fc", "lif", "output"]
    assert all(type(v) in (str, int, float) for v in found.metadata.values())


def test_keeps_metadata(tmp_path: Path) -> None:
    known = {
        "dt": 0.002,
        "steps": 7,
        "readout": "mean",
        "input_encoding": "spikes",
        "note": "x",
        "reset": "subtract",
    }
    write_graph(graph(**known), tmp_path / "a.nir")
    found = read_graph(tmp_path / "a.nir").metadata
    assert {key: found[key] for key in known} == known
    assert "reset_from" not in found
    write_graph(graph(dt=0.002), tmp_path / "b.nir")
    again = read_graph(tmp_path / "b.nir")
    write_graph(again, tmp_path / "c.nir")
    assert read_graph(tmp_path / "c.nir").metadata["reset_from"] == "default"


@pytest.mark.parametrize(
    ("metadata", "kind", "text"),
    [
        ({"slipway_format": 2}, FileError, "slipway_format 2, known is 1"),
        (
            {"reset": "none"},
            UnsupportedNode,
            "metadata state reset 'none'; known are 'zero' and 'subtract'",
        ),
        ({"dialect": "sinabs"}, UnsupportedNode, "dialect 'sinabs'; only 'nir' is read"),
        ({"readout": "max"}, UsageError, "metadata readout is 'max'"),
        ({"input_encoding": "x"}, UsageError, "metadata input_encoding is 'x'"),
        ({"steps": 0}, UsageError, "metadata steps must be a whole number, it is 0"),
        ({"dt": -1.0}, UsageError, "dt must be positive seconds, it is -1.0"),
        ({"dt": "1 ms"}, UsageError, "dt must be positive seconds, it is '1 ms'"),
    ],
)
def test_metadata(
    tmp_path: Path, metadata: dict[str, Any], kind: type[SlipwayError], text: str
) -> None:
    write_graph(graph(**metadata), tmp_path / "a.nir")
    assert text in refused(kind, tmp_path / "a.nir", None if "dt" in metadata else 1e-3)


def test_what_is_no_file(tmp_path: Path, path: Path) -> None:
    assert "there is no such file" in refused(FileError, tmp_path / "none.nir")
    assert "this is a folder, not a NIR file" in refused(FileError, tmp_path)
    (tmp_path / "empty.nir").touch()
    assert "the file is empty" in refused(FileError, tmp_path / "empty.nir")
    (tmp_path / "text.nir").write_text("no HDF5 at all")
    assert "cannot be read as an HDF5 file of 14 bytes" in refused(
        FileError, tmp_path / "text.nir"
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "it is truncated, damaged or of another kind" in refused(FileError, path)


def test_hdf5_of_another_kind(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["data"] = [1, 2]
    assert "holds no NIR graph: its groups are ['data']" in refused(FileError, other)
    with h5py.File(path, "a") as file:
        put(file, "node/type", "LIF")
    assert "its node is of type 'LIF'" in refused(FileError, path)
    with h5py.File(path, "a") as file:
        del file["node/type"]
    assert "its node states no type" in refused(FileError, path)


def soft(file: h5py.File) -> None:
    file["node/nodes/fc/extra"] = h5py.SoftLink("/node/nodes/lif")


def external(file: h5py.File) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc/weight"] = h5py.ExternalLink("secret.h5", "/w")


def circle(file: h5py.File) -> None:
    file["node/nodes/fc/again"] = file["node"]


def outside(file: h5py.File) -> None:
    del file["node/nodes/fc/bias"]
    file.create_dataset("node/nodes/fc/bias", (N,), "f4", external=[("secret.bin", 0, 12)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((N,), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "w", (N,))
    del file["node/nodes/fc/bias"]
    file.create_virtual_dataset("node/nodes/fc/bias", layout)


def bomb(file: h5py.File) -> None:
    del file["node/nodes/fc/weight"]
    file.create_dataset(
        "node/nodes/fc/weight", (2**15, 2**15), "f4", compression="gzip", chunks=(2**10, 2**10)
    )


def deep(file: h5py.File) -> None:
    file.create_group("node/nodes/fc/" + "/".join("d" * 40))


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (soft, "/node/nodes/fc/extra: a soft link to /node/nodes/lif"),
        (external, "/node/nodes/fc/weight: an external link to secret.h5:/w"),
        (circle, "/node/nodes/fc/again: a second link to an object that was met before"),
        (outside, "/node/nodes/fc/bias: a dataset whose values lie in other files"),
        (virtual, "/node/nodes/fc/bias: a dataset whose values lie in other files"),
        (bomb, f"is /node/nodes/fc/weight with {2**32} bytes"),
        (deep, "groups are nested more than 32 deep"),
    ],
)
def test_unsafe_files(path: Path, spoil: Callable[[h5py.File], None], text: str) -> None:
    with h5py.File(path, "a") as file:
        spoil(file)
    assert text in refused(UnsafeFileError, path)


def test_caps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_safety, "MAX_EDGES", 2)
    assert "/node/edges: 3 edges, the limit is 2" in refused(UnsafeFileError, path)
    monkeypatch.setattr(hdf5_safety, "MAX_OBJECTS", 5)
    assert "more than 5 objects" in refused(UnsafeFileError, path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.ones(N, complex), "values of type complex128; numbers or text are legal"),
        (np.zeros(N, [("a", "f4")]), "numbers or text are legal"),
    ],
)
def test_types(path: Path, value: Any, text: str) -> None:
    with h5py.File(path, "a") as file:
        put(file, "node/nodes/fc/bias", value)
    assert text in refused(FileError, path)


def test_object_references(path: Path) -> None:
    with h5py.File(path, "a") as file:
        reference = np.array([file.ref] * N, h5py.ref_dtype)
        del file["node/nodes/fc/bias"]
        file.create_dataset("node/nodes/fc/bias", data=reference, dtype=h5py.ref_dtype)
        file["node/nodes/fc/kind"] = np.dtype("f4")
    text = refused(FileError, path)
    assert "/node/nodes/fc/bias: values of type object" in text
    assert "/node/nodes/fc/kind: neither a group nor a dataset" in text


NAN = np.array([0, np.nan, 0])
CONV = {
    "type": "Conv2d",
    "input_shape": [4, 4],
    "weight": np.zeros((2, 1, 3, 3)),
    "stride": [1, 1],
    "padding": [0, 0],
    "dilation": [1, 1],
    "groups": 1,
    "bias": np.zeros(2),
}


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        ("fc/type", "MaxPool", "node 'fc' has the unknown type 'MaxPool'"),
        ("fc/extra", 1.0, "node 'fc' (Affine) has unknown fields: extra"),
        ("fc/bias", None, "node 'fc' (Affine) lacks bias"),
        ("fc/bias", NAN, "node 'fc' (Affine): bias is not finite: nan at [1]"),
        ("fc/bias", np.zeros(2), "bias has shape (2,), (3,) is needed"),
        ("fc/bias", "text", "bias must be numbers"),
        ("fc/weight", np.ones((N, 2), np.int8), "weight is int8: quantised weights without"),
        ("fc/weight", np.ones(N), "weight must have 2 axes, its shape is (3,)"),
        ("fc/weight", np.ones((1, N, 2)), "weight must have 2 axes, its shape is (1, 3, 2)"),
        ("lif/tau", np.array([1, 0.0, -1]), "tau must be positive: 0.0 at [1]"),
        ("lif/r", np.array([1, 1, np.inf]), "r is not finite: inf at [2]"),
        ("lif/tau", np.ones(2), "its parameters have unequal shapes: tau (2,), r (3,)"),
        ("input/shape", [1.5], "shape must be whole numbers"),
        ("input/shape", [0], "shape must be positive, it is [0]"),
        ("input/shape", [3], "input sends (3,), but fc (Affine) takes (2,)"),
        ("output/shape", [2], "lif sends (3,), but output (Output) declares (2,)"),
        ("fc/weight", np.ones((2, N)), "bias has shape (3,), (2,) is needed"),
    ],
)
def test_fields_and_values(path: Path, place: str, value: Any, text: str) -> None:
    with h5py.File(path, "a") as file:
        if value is None:
            del file[f"node/nodes/{place}"]
        else:
            put(file, f"node/nodes/{place}", value)
    assert text in refused(GraphError, path)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("stride", [0, 1], "stride must be at least 1, it is [0, 1]"),
        ("stride", [1, 1, 1], "stride has 3 values, 2 are needed"),
        ("padding", [-1, 0], "padding must be at least 0"),
        ("padding", "full", "padding 'full' is unknown"),
        ("groups", 3, "2 output channels cannot be split into 3 groups"),
        ("input_shape", [5, 4], "but fc (Conv2d) takes (1, 5, 4)"),
        ("weight", np.zeros((2, 1, 9, 9)), "its kernel (9, 9) is larger"),
        ("weight", np.zeros((2, 2, 3, 3)), "but fc (Conv2d) takes (2, 4, 4)"),
    ],
)
def test_convolutions(path: Path, field: str, value: Any, text: str) -> None:
    with h5py.File(path, "a") as file:
        del file["node/nodes/fc"]
        for key, item in {**CONV, field: value}.items():
            file[f"node/nodes/fc/{key}"] = item
        put(file, "node/nodes/input/shape", [1, 4, 4])
    assert text in refused(GraphError, path)


def test_same_with_a_stride(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["node/nodes/fc"]
        for key, item in {**CONV, "padding": "same", "stride": [2, 2]}.items():
            file[f"node/nodes/fc/{key}"] = item
    assert "padding 'same' is defined for stride 1 only" in refused(GraphError, path)


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        ([("input", "fc"), ("fc", "lif"), ("lif", "outptu")], "'outptu', which does not exist"),
        ([("input", "fc"), ("fc", "lif")] * 2 + [("lif", "output")], "input -> fc occurs 2"),
        ([("input", "fc"), ("lif", "output")], "nothing leads on from node 'fc' (Affine)"),
        ([("input", "fc"), ("lif", "output")], "the graph falls into 2 parts: "),
        ([("input", "fc"), ("fc", "lif"), ("fc", "output")], "leads on from node 'lif' (LIF)"),
        ([("fc", "lif"), ("lif", "output")], "nothing leads to node 'fc' (Affine)"),
        ([], "nothing leads to node 'lif' (LIF)"),
    ],
)  # fmt: skip
def test_edges(path: Path, edges: list[tuple[str, str]], text: str) -> None:
    with h5py.File(path, "a") as file:
        put(file, "node/edges", edges)
    assert text in refused(GraphError, path)


def test_edges_that_run_backwards(path: Path) -> None:
    with h5py.File(path, "a") as file:
        put(file, "node/edges", [("fc", "input"), ("fc", "lif"), ("output", "lif")])
    text = refused(GraphError, path)
    assert "an edge ends at the input 'input'" in text
    assert "an edge starts at the output 'output'" in text
    with h5py.File(path, "a") as file:
        put(file, "node/edges", np.zeros((2, 3)))
    assert "edges must be pairs of names, they have shape (2, 3)" in refused(GraphError, path)


def test_graphs_without_doors_or_parts(path: Path) -> None:
    with h5py.File(path, "a") as file:
        put(file, "node/nodes/input/type", "Output")
    text = refused(GraphError, path)
    assert "the graph has no Input node" in text
    with h5py.File(path, "a") as file:
        del file["node/edges"]
    assert "the graph lacks edges" in refused(FileError, path)


def nest(path: Path, inner: nir.NIRGraph) -> None:
    """Put a subgraph in the place of the node `lif`."""
    write_graph(inner, path.with_name("inner.nir"))
    with h5py.File(path.with_name("inner.nir")) as source, h5py.File(path, "a") as file:
        del file["node/nodes/lif"]
        source.copy("node", file, "node/nodes/lif")


def recurrent(width: int = N) -> nir.NIRGraph:
    return nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([width])}),
            "cell": lif(),
            "back": nir.Linear(np.eye(N)),
            "output": nir.Output({"output": np.array([N])}),
        },
        [("input", "cell"), ("cell", "back"), ("back", "cell"), ("cell", "output")],
        type_check=False,
    )


@pytest.mark.parametrize("width", [N, 12])
def test_nested_graphs_become_flat(path: Path, width: int) -> None:
    nest(path, recurrent(width))  # the inner Input often states a wrong width
    found = read_graph(path, dt=1e-3)
    assert set(found.nodes) == {"input", "fc", "lif.cell", "lif.back", "output"}
    assert set(found.edges) == {
        ("input", "fc"),
        ("fc", "lif.cell"),
        ("lif.cell", "lif.back"),
        ("lif.back", "lif.cell"),
        ("lif.cell", "output"),
    }


def test_nested_graphs_that_do_not_fit(path: Path) -> None:
    inner = recurrent()
    inner.nodes["back"] = nir.Linear(np.ones((2, N)))
    nest(path, inner)
    text = refused(GraphError, path)
    assert "lif.back sends (2,), but lif.cell (LIF) takes (3,)" in text
    with h5py.File(path, "a") as file:
        put(file, "node/nodes/lif/edges", [("input", "cell"), ("cell", "lost")])
    assert "lif.cell -> lif.lost names 'lost', which does not exist" in refused(
        GraphError, path
    )
    with h5py.File(path, "a") as file:
        put(file, "node/nodes/lif/edges", [("input", "cell"), ("cell", "output")])
        put(file, "node/nodes/lif/nodes/back/type", "Output")
        put(file, "node/nodes/lif/nodes/back/shape", [N])
        del file["node/nodes/lif/nodes/back/weight"]
    text = "lif -> output does not say which of the outputs of the subgraph 'lif' it means: "
    assert text + "back, output" in refused(GraphError, path)
    with h5py.File(path, "a") as file:
        for name in ("back", "output"):
            put(file, f"node/nodes/lif/nodes/{name}/type", "Input")
    assert "the subgraph 'lif' has 3 inputs and 0 outputs" in refused(GraphError, path)


def test_dotted_names_that_meet(path: Path) -> None:
    nest(path, recurrent())
    with h5py.File(path, "a") as file:
        file.copy("node/nodes/fc", file["node/nodes"], "lif.cell")
    assert "two nodes are called 'lif.cell'" in refused(GraphError, path)


def test_single_parameters_are_spread_where_a_weight_tells_the_width(path: Path) -> None:
    with h5py.File(path, "a") as file:
        for key in ("tau", "r", "v_leak"):
            put(file, f"node/nodes/lif/{key}", np.float32(0.02))
        put(file, "node/nodes/lif/v_threshold", np.ones(1))
        del file["node/nodes/lif/v_reset"]  # as before nir 1.0.6
    node = read_graph(path, dt=1e-3).nodes["lif"]
    for key in ("tau", "r", "v_leak", "v_threshold", "v_reset"):
        assert getattr(node, key).shape == (N,)
    np.testing.assert_array_equal(node.v_reset, np.zeros(N))


def test_padding_becomes_numbers(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["node/nodes/fc"]
        changed = {"padding": "same", "weight": np.ones((2, 1, 3, 4)), "groups": 1}
        for key, item in {**CONV, **changed}.items():
            file[f"node/nodes/fc/{key}"] = item
        del file["node/nodes/fc/input_shape"]
        put(file, "node/nodes/input/shape", [1, 4, 5])
        for key in ("tau", "r", "v_leak", "v_threshold", "v_reset"):
            put(file, f"node/nodes/lif/{key}", np.ones((2, 4, 5)))
        put(file, "node/nodes/output/shape", [2, 4, 5])
    conv = read_graph(path, dt=1e-3).nodes["fc"]
    assert (conv.padding, conv.input_shape) == ((1, 2), (4, 5))
    assert conv.weight.shape == (2, 1, 3, 5)
    assert not conv.weight[..., 0].any()


def rewrite(path: Path, tau: float, r: float) -> None:
    with h5py.File(path, "a") as file:
        put(file, "node/nodes/lif/tau", np.full(N, tau, np.float32))
        put(file, "node/nodes/lif/r", np.full(N, r, np.float32))


@pytest.mark.parametrize(
    ("tau", "r", "texts"),
    [
        (0.02, 1.0, ["any dt below 0.02 s; norse's default is 0.001 s", "--dt 0.001"]),
        (1e-5, 1.0, ["norse up to 1.1.0 writes tau too small by the factor dt"]),
        (0.02, 20.0, ["it suggests 0.001 s (tau / r", "snnTorch", "--dt 0.001"]),
        (10.0, 1.0, ["it suggests 1 s (tau from 10 on looks like steps", "--dt 1"]),
    ],
)
def test_an_unknown_dt_is_asked_for(path: Path, tau: float, r: float, texts: list[str]) -> None:
    rewrite(path, tau, r)
    found = refused(UsageError, path, None)
    assert "the file does not state its time step" in found
    for text in texts:
        assert text in found


def integrate(path: Path, r: float) -> None:
    with h5py.File(path, "a") as file:
        put(file, "node/nodes/lif/type", "IF")
        for key in ("tau", "v_leak"):
            del file[f"node/nodes/lif/{key}"]
        put(file, "node/nodes/lif/r", np.full(N, r))


def test_integrators_that_count_steps(path: Path) -> None:
    integrate(path, 1.0)
    text = refused(UsageError, path, None)
    assert "it suggests 1 s (IF nodes with r = 1 and no time constant: v += x per step" in text
    assert "--dt 1" in text
    text = refused(UsageError, path, 1e-3)
    assert "would become v += 0.001 * x" in text
    assert "give --dt 1 to read one step as the unit of time" in text
    assert read_graph(path, dt=1).metadata["dt"] == 1.0


def test_integrators_with_their_own_dt(path: Path) -> None:
    integrate(path, 1e4)
    assert "it suggests 0.0001 s (IF nodes with r = 1 / dt)" in refused(UsageError, path, None)


def test_dt_against_the_file(tmp_path: Path, path: Path) -> None:
    write_graph(graph(dt=1e-3), tmp_path / "b.nir")
    assert read_graph(tmp_path / "b.nir", dt=1e-3).metadata["dt"] == 1e-3
    text = refused(UsageError, tmp_path / "b.nir", 1e-4)
    assert "dt 0.0001 s contradicts the file, which states 0.001 s" in text
    text = refused(GraphError, path, 0.1)
    assert "node 'lif' has a time constant of 0.02 s, below dt = 0.1 s" in text
    assert "give a dt below 0.02 s: --dt" in text
    rewrite(path, 1e-5, 1.0)
    assert "norse up to 1.1.0 writes tau too small" in refused(GraphError, path, 1e-3)


def test_a_heap_that_would_hang_hdf5(path: Path) -> None:
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL")
    content[start + 26] = 0xFF  # the size of the first text in it
    path.write_bytes(content)
    assert f"the text heap at byte {start} is damaged" in refused(FileError, path)


def test_a_text_longer_than_its_heap(path: Path) -> None:
    with h5py.File(path) as file:
        offset = file["node/edges"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset + 3] = 0xFF  # the first name now claims 4 GB
    path.write_bytes(content)
    text = refused(UnsafeFileError, path)
    assert "/node/edges: a text of 4278190085 bytes that its heap does not hold" in text


def test_text_in_pieces(path: Path) -> None:
    with h5py.File(path, "a") as file:
        edges = file["node/edges"][()]
        del file["node/edges"]
        file.create_dataset("node/edges", data=edges, chunks=(1, 2), dtype=h5py.string_dtype())
    assert "text that is not stored in one piece" in refused(UnsafeFileError, path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 20))
def test_damaged_bytes_never_crash(path: Path, place: int, value: int, cut: int) -> None:
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    broken = path.with_name("broken.nir")
    broken.write_bytes(content[: len(content) - cut * 97 if cut > 15 else len(content)])
    try:
        read_graph(broken, dt=1e-3)
    except SlipwayError:
        return
