from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import DataError, FileError, MissingDependency
from slipway.models.events.files import (
    read_aedat2,
    read_aedat4,
    read_mat,
    read_nmnist,
    write_nmnist,
)
from slipway.models.events.recording import as_events

from .miniatures import aedat2, aedat4, events_of


@pytest.fixture(scope="module")
def samples(data_folder: Path) -> Path:
    folder = data_folder / "events"
    if not (folder / "nmnist_sample.bin").is_file():
        pytest.skip(f"the real recordings are not in {folder}: set SLIPWAY_DATA")
    return folder


def test_a_real_n_mnist_recording(samples: Path) -> None:
    """Expected values: README of the sample."""
    recording = read_nmnist(samples / "nmnist_sample.bin", (34, 34))
    events = recording.events
    assert (len(events), int(events["p"].sum())) == (4325, 2145)
    assert events[:3].tolist() == [(7, 15, 654, 1), (19, 18, 2999, 0), (21, 17, 3017, 0)]
    assert (events["x"].max(), events["y"].max(), events["t"][-1]) == (33, 33, 311_175)


def test_a_real_aedat4_recording(samples: Path) -> None:
    pytest.importorskip("aedat", reason="aedat is not installed")
    recording = read_aedat4(samples / "dvs_sample.aedat4")
    events = recording.events
    assert (len(events), int(events["p"].sum())) == (111_954, 55_023)
    assert (recording.height, recording.width) == (240, 320)
    assert events["t"][0] == 0
    assert events["t"][-1] == 1605537494308262 - 1605537493718345
    assert np.all(np.diff(events["t"]) >= 0)


def test_five_bytes_come_back_as_they_were(samples: Path, tmp_path: Path) -> None:
    """Written again, a real recording is the same file, byte for byte."""
    source = samples / "nmnist_sample.bin"
    write_nmnist(tmp_path / "again.bin", read_nmnist(source, (34, 34)).events)
    assert (tmp_path / "again.bin").read_bytes() == source.read_bytes()


def test_without_a_size_the_events_are_moved_to_the_corner(tmp_path: Path) -> None:
    events = as_events([20, 25], [7, 9], [1, 2], [0, 1])
    write_nmnist(tmp_path / "a.bin", events)
    recording = read_nmnist(tmp_path / "a.bin")
    assert (recording.height, recording.width) == (3, 6)
    assert recording.events.tolist() == [(0, 0, 1, 0), (5, 2, 2, 1)]


def test_a_carry_of_the_clock(tmp_path: Path) -> None:
    rows = [(1, 2, 0x80, 0, 5), (0, 240, 0, 0, 0), (3, 4, 0, 0, 5)]
    (tmp_path / "a.bin").write_bytes(bytes(value for row in rows for value in row))
    events = read_nmnist(tmp_path / "a.bin", (34, 34)).events
    assert events.tolist() == [(1, 2, 5, 1), (3, 4, 8197, 0)]


def test_aedat2_is_turned_upright_and_special_entries_are_left_out(tmp_path: Path) -> None:
    events = events_of(5, 3, 128)
    aedat2(tmp_path / "a.aedat", events)
    found = read_aedat2(tmp_path / "a.aedat")
    assert (found.height, found.width) == (128, 128)
    for name in "xyp":
        np.testing.assert_array_equal(found.events[name], events[name])
    np.testing.assert_array_equal(found.events["t"], events["t"] - events["t"][0])


def test_aedat4_from_several_packets(tmp_path: Path) -> None:
    pytest.importorskip("aedat", reason="aedat is not installed")
    events = events_of(5, 3, 90)
    aedat4(tmp_path / "a.aedat4", events, (90, 100))
    found = read_aedat4(tmp_path / "a.aedat4")
    assert (found.height, found.width) == (90, 100)
    for name in "xyp":
        np.testing.assert_array_equal(found.events[name], events[name])
    np.testing.assert_array_equal(found.events["t"], events["t"] - events["t"][0])


def test_mat_files_of_both_polarity_signs(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io", reason="scipy is not installed")
    for low in (-1, 0):
        columns = {"x": [[3, 1]], "y": [[0, 2]], "ts": [[20, 10]], "p": [[1, low]]}
        scipy.savemat(tmp_path / "a.mat", columns)
        found = read_mat(tmp_path / "a.mat")
        assert (found.height, found.width) == (3, 4)
        assert found.events.tolist() == [(1, 2, 10, 0), (3, 0, 20, 1)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.bin", b"1234567", "7 bytes, expected a multiple of 5"),
        ("a.bin", b"", "0 bytes, expected a multiple of 5, not 0"),
        ("a.aedat", b"#!AER-DAT3.1\r\n", r"begins with '#!AER-DAT3.1\\r\\n', expected"),
        ("a.aedat", b"#!AER-DAT2.0\r\n123", "3 bytes of events, expected a multiple of 8"),
        ("a.aedat", b"#!AER-DAT2.0", "0 bytes of events"),
        ("a.aedat4", b"no such format", "no readable AEDAT 4 file"),
        ("a.mat", b"no such format", "no readable MATLAB file"),
    ],
)
def test_what_is_no_event_file_is_told(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    readers = {"bin": read_nmnist, "aedat": read_aedat2, "aedat4": read_aedat4, "mat": read_mat}
    path = tmp_path / name
    reader = readers[name.partition(".")[2]]
    for module in {"a.aedat4": ["aedat"], "a.mat": ["scipy.io"]}.get(name, []):
        pytest.importorskip(module, reason=f"{module} is not installed")
    with pytest.raises(FileError, match=r"cannot be read \(No such file") as caught:
        reader(path)
    assert str(path) in str(caught.value)
    path.write_bytes(content)
    with pytest.raises(FileError, match=told) as caught:
        reader(path)
    assert caught.value.problems[0].where == str(path)
    assert "copy it again" in caught.value.problems[0].remedy


def test_a_cut_aedat4_and_one_without_events(tmp_path: Path) -> None:
    pytest.importorskip("aedat", reason="aedat is not installed")
    path = tmp_path / "a.aedat4"
    aedat4(path, events_of(5, 3, 90))
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(FileError, match="no readable AEDAT 4 file"):
        read_aedat4(path)
    path.write_bytes(content[: content.index(b"</dv>") + 8])
    with pytest.raises(FileError, match="there are no events in the file"):
        read_aedat4(path)


def test_a_mat_file_without_a_variable(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io", reason="scipy is not installed")
    scipy.savemat(tmp_path / "a.mat", {"x": [1], "ts": [1]})
    with pytest.raises(FileError, match="no variable y, p"):
        read_mat(tmp_path / "a.mat")


def test_events_outside_the_sensor(tmp_path: Path) -> None:
    write_nmnist(tmp_path / "a.bin", as_events([40], [9], [1], [0]))
    with pytest.raises(FileError, match="column 40, row 9; the sensor has 34x34 pixels"):
        read_nmnist(tmp_path / "a.bin", (34, 34))


def test_what_does_not_fit_into_five_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"x = 300, limit 0\.\.255") as caught:
        write_nmnist(tmp_path / "a.bin", as_events([300], [240], [2**23], [0]))
    assert "t = 8388608, limit 0..8388607" in str(caught.value)
    assert "y = 240, limit 0..239" in str(caught.value)
    assert not (tmp_path / "a.bin").exists()


def test_columns_that_do_not_belong_together() -> None:
    with pytest.raises(DataError, match="differ in length: x 2, y 1, t 2, p 2"):
        as_events([1, 2], [1], [1, 2], [0, 1])
    with pytest.raises(DataError, match=r"x runs from -1 to 2, limit 0\.\.65535") as caught:
        as_events([-1, 2], [1, 1], [1, 2], [0, 7])
    assert "p runs from 0 to 7, limit -1..1" in str(caught.value)


@pytest.mark.parametrize(
    ("module", "name", "package"),
    [("aedat", "a.aedat4", "aedat"), ("scipy.io", "a.mat", "scipy")],
)
def test_a_missing_package_is_told_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    reader = read_aedat4 if name.endswith("4") else read_mat
    with pytest.raises(MissingDependency, match=f"{package} is needed to read") as caught:
        reader(tmp_path / name)
    assert "pip install 'slipway[data]'" in str(caught.value)
