"""A written graph is whole or absent."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import nir
import numpy as np
import pytest
from slipway.converters.write import write_graph
from slipway.errors import FileError, GraphError
from slipway.files import write_bytes


def graph(name: str = "fc", size: int = 4) -> nir.NIRGraph:
    rng = np.random.default_rng(0)
    return nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([size])}),
            name: nir.Affine(rng.normal(size=(size, size)), np.zeros(size)),
            "output": nir.Output({"output": np.array([size])}),
        },
        [("input", name), (name, "output")],
        metadata={"dt": 1e-3},
    )


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    for size in (4, 7):
        write_graph(graph(size=size), path)
        assert nir.read(path).nodes["fc"].weight.shape == (size, size)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nir"]


def test_folders_that_take_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="it is a folder"):
        write_graph(graph(), tmp_path)
    for path in (tmp_path / "none" / "a.nir", Path("/proc/slipway.nir")):
        if path.parent == Path("/proc") and not path.parent.is_dir():
            continue
        with pytest.raises(FileError) as caught:
            write_graph(graph(), path)
        assert "cannot write" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "choose a folder that exists, is writable and has room" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into a read-only folder")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="Permission denied"):
        write_graph(graph(), tmp_path / "a.nir")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    write_graph(graph(), path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(FileError, match="cannot write"):
            write_bytes(path, os.urandom(20000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nir"]


def test_a_failed_rename_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileError, match="No space left on device"):
        write_graph(graph(), tmp_path / "a.nir")
    assert list(tmp_path.iterdir()) == []


def test_names_that_hdf5_would_split(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="'a/b' cannot be a node name in HDF5"):
        write_graph(graph("a/b"), tmp_path / "a.nir")
    assert list(tmp_path.iterdir()) == []
