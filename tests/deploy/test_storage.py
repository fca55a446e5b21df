"""The .slip file: exact round trip; damaged files are refused."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from slipway.deploy.storage import as_json, load_program, save_program
from slipway.errors import FileError

from ..conformance.networks import random_case


def same(one: Any, other: Any) -> bool:
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
        )
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32 - 1))
def test_round_trip(tmp_path: Path, seed: int) -> None:
    program, _ = random_case(seed)
    save_program(program, tmp_path / "a.slip")
    assert same(program, load_program(tmp_path / "a.slip"))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.slip"]


def test_its_description_is_json() -> None:
    program, _ = random_case(0)
    described = json.loads(json.dumps(as_json(program)))
    assert described["precision"] == "fixed"
    assert set(described["populations"]) == {p.name for p in program.populations}


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"there is no file .*nowhere\.slip"):
        load_program(tmp_path / "nowhere.slip")


def test_a_truncated_file(tmp_path: Path) -> None:
    program, _ = random_case(0)
    path = tmp_path / "a.slip"
    save_program(program, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileError, match=r"no slipway Program, or it is truncated"):
        load_program(path)


def test_a_foreign_file(tmp_path: Path) -> None:
    path = tmp_path / "a.slip"
    save_file({"w": np.zeros(3, np.float32)}, path)
    with pytest.raises(FileError, match=r"holds tensors but no slipway Program"):
        load_program(path)


def test_another_format(tmp_path: Path) -> None:
    path = tmp_path / "a.slip"
    save_file({"w": np.zeros(3)}, path, metadata={"slipway": json.dumps({"format": 99})})
    with pytest.raises(FileError, match=r"has format 99; this slipway reads format 2"):
        load_program(path)


def test_a_header_that_misses_an_array(tmp_path: Path) -> None:
    path = tmp_path / "a.slip"
    header = {"format": 2, "program": {"type": "Dense", "weight": {"array": "gone"}}}
    save_file({"w": np.zeros(3)}, path, metadata={"slipway": json.dumps(header)})
    with pytest.raises(FileError, match=r"is damaged: KeyError\('gone'\)"):
        load_program(path)


def test_an_unwritable_place(tmp_path: Path) -> None:
    program, _ = random_case(0)
    with pytest.raises(FileError, match=r"the folder .* does not exist"):
        save_program(program, tmp_path / "missing" / "a.slip")
    with pytest.raises(FileError, match=r"it is a folder"):
        save_program(program, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    program, _ = random_case(0)
    with pytest.raises(FileError, match=r"cannot write /dev/full"):
        save_program(program, full)
    assert full.exists()
