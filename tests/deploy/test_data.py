"""Data files: read in order, a few samples at a time; refused where they are no use."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy import npz
from slipway.deploy.data import load_data
from slipway.errors import DataError, FileError, SlipwayError

Array = np.ndarray[Any, Any]


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_data_files_that_cannot_be_used(tmp_path: Path) -> None:
    good = np.zeros((2, 3), np.float32)
    cases: list[tuple[Path, type[SlipwayError], str]] = [
        (tmp_path / "gone.npz", FileError, r"there is no file"),
        (write(tmp_path / "nox.npz", y=np.zeros(2)), DataError, r"has no array x; it holds y"),
        (write(tmp_path / "none.npz"), DataError, r"has no array x; it holds nothing"),
        (
            write(tmp_path / "unequal.npz", left=good, right=good[:1]),
            DataError,
            r"unequal numbers of samples: 2 of left, 1 of right",
        ),
        (write(tmp_path / "empty.npz", x=good[:0]), DataError, r"x holds no samples"),
        (write(tmp_path / "flat.npz", x=good[0]), DataError, r"x holds no samples"),
        (write(tmp_path / "scalar.npz", x=good[0, 0]), DataError, r"x holds no samples"),
        (write(tmp_path / "text.npz", x=np.array([["a"]])), DataError, r"x has type <U1"),
        (write(tmp_path / "y.npz", x=good, y=np.zeros(5, int)), DataError, r"y does not fit 2"),
        (write(tmp_path / "yf.npz", x=good, y=np.zeros(2)), DataError, r"y has type float64"),
        (
            write(tmp_path / "object.npz", x=np.array([[print]], object)),
            DataError,
            r"holds Python objects or is no .npz file: x\.npy is made of them",
        ),
    ]
    contents: list[tuple[str, bytes, type[SlipwayError], str]] = [
        ("junk.npz", b"PK\x03\x04 no archive", FileError, r"cannot be read as \.npz"),
        ("void.npz", b"", FileError, r"cannot be read as \.npz: it is empty"),
        ("pickle.npz", b"\x80\x04K\x01.", DataError, r"Python objects or is no \.npz file"),
        ("text.txt", b"1,2,3\n", DataError, r"Python objects or is no \.npz file"),
    ]
    for name, content, kind, text in contents:
        (tmp_path / name).write_bytes(content)
        cases.append((tmp_path / name, kind, text))
    np.save(tmp_path / "bare.npy", good)
    cases.append((tmp_path / "bare.npy", DataError, r"is a bare array"))
    bad = good.copy()
    bad[1, 2] = np.nan
    where = r"array x of shape \(2, 3\), sample 1"
    cases.append(
        (
            write(tmp_path / "nan.npz", x=bad),
            DataError,
            rf"x holds nan at index \(1, 2\)\n.*{where}",
        )
    )
    for path, kind, text in cases:
        with pytest.raises(kind, match=text):
            _ = load_data(path).x
    with pytest.raises(DataError, match=r"9 samples were asked for; the file holds 2"):
        load_data(write(tmp_path / "ok.npz", x=good)).first(9)


def test_what_else_is_in_the_archive_does_no_harm(tmp_path: Path) -> None:
    x = np.arange(6).reshape(2, 3)
    path = write(tmp_path / "a.npz", x=x, notes=np.array([print], object), y=np.array([1, 0]))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    data = load_data(path)
    assert np.array_equal(np.asarray(data.x), x)
    assert data.y is not None
    assert data.y.tolist() == [1, 0]


SHAPES = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)
TYPES = st.sampled_from(["?", "u1", "i1", "<i8", ">i4", "f2", "<f4", ">f8"])


@settings(max_examples=60, deadline=None)
@given(SHAPES, TYPES, st.booleans(), st.booleans(), st.data())
def test_a_file_is_read_as_numpy_reads_it(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    dtype: str,
    compressed: bool,
    fortran: bool,
    drawn: st.DataObject,
) -> None:
    """From any sample on, in pieces of any size, whatever the layout in the file."""
    path = tmp_path_factory.mktemp("any") / "a.npz"
    values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    (np.savez_compressed if compressed else np.savez)(
        path, x=np.asfortranarray(values) if fortran else values
    )
    with np.load(path) as archive:
        whole = archive["x"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npz, "_CHUNK", drawn.draw(st.integers(1, 50)))
        patch.setattr(npz, "_TURNED", drawn.draw(st.integers(1, 500)))
        data = load_data(path)
        assert data.samples == shape[0]
        assert not isinstance(data.rows, dict)
        at = start = drawn.draw(st.integers(0, shape[0] - 1))
        with data.rows.reader(start) as read:  # type: ignore[union-attr]
            while at < shape[0]:
                part = read(drawn.draw(st.integers(1, shape[0] - at)))
                assert part.dtype == whole.dtype
                assert np.array_equal(part, whole[at : at + len(part)])
                at += len(part)
        assert np.array_equal(np.asarray(data.x), whole)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_read_too(tmp_path: Path, method: int) -> None:
    x, buffer = np.arange(12.0).reshape(3, 4), io.BytesIO()
    np.save(buffer, x)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("x.npy", buffer.getvalue())
    assert np.array_equal(np.asarray(load_data(tmp_path / "a.npz").x), x)


def attempt(path: Path) -> Array | SlipwayError:
    try:
        return np.asarray(load_data(path).x)
    except SlipwayError as error:
        return error


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("fortran", [False, True])
def test_damage_is_refused_wherever_it_is(tmp_path: Path, save: Any, fortran: bool) -> None:
    """One byte changed, at every place of the file: refused, or of no effect."""
    x = np.random.default_rng(0).integers(0, 9, (4, 6)).astype(np.uint8)
    y = np.array([0, 1, 0, 1])
    save(tmp_path / "a.npz", x=np.asfortranarray(x) if fortran else x, y=y)
    whole = bytearray((tmp_path / "a.npz").read_bytes())
    path, refused = tmp_path / "b.npz", 0
    for place in range(len(whole)):
        hurt = whole.copy()
        hurt[place] ^= 0xFF if place % 2 else 0x01
        path.write_bytes(hurt)
        found = attempt(path)
        if isinstance(found, SlipwayError):
            refused += 1
            assert str(path) in str(found)
        elif found.dtype == x.dtype:  # else the header is now one of another, legal array
            assert np.array_equal(found, x) or found.shape != x.shape
    assert refused > len(whole) / 2


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.npz", x=np.ones((4, 6)), y=np.array([0, 1, 0, 1])).read_bytes()
    path = tmp_path / "b.npz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises((FileError, DataError), match=r"b\.npz"):
            load_data(path)


def test_a_header_that_promises_too_much(tmp_path: Path) -> None:
    """An archive that is sound, around an array that is not."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 6), np.uint8))
    for name, content, text in (
        ("short", buffer.getvalue()[:-1], r"x\.npy of shape \(4, 6\) and type uint8 needs 24"),
        ("other", b"no array at all", r"cannot be read as \.npz"),
        ("third", b"\x93NUMPY\x03\x00" + buffer.getvalue()[8:], r"has format \(3, 0\)"),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w") as archive:
            archive.writestr("x.npy", content)
        with pytest.raises(FileError, match=text):
            load_data(tmp_path / f"{name}.npz")


def test_no_room_to_turn_an_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.npz", x=np.asfortranarray(np.ones((4, 6))))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(
        FileError, match=r"cannot write a temporary file: No such file"
    ) as caught:
        _ = load_data(path).x
    assert "TMPDIR" in caught.value.problems[0].remedy
    assert "ascontiguousarray" in caught.value.problems[0].remedy
