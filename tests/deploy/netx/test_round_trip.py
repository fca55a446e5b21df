"""A Program that was written and read again is the same Program."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from slipway.deploy.netx import read_net, write_net
from slipway.deploy.program import Program

from .programs import programs, writable
from .running import DATA, needs_data


def assert_same(one: Program, other: Program) -> None:
    """Equal in everything that runs: all but report and provenance."""
    parts = ("precision", "dt", "steps", "inputs", "populations", "projections", "outputs")
    for part in parts:
        _same(getattr(one, part), getattr(other, part), part)


def _same(one: Any, other: Any, place: str) -> None:
    assert type(one) is type(other), place
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=place)
    elif isinstance(one, tuple):
        assert len(one) == len(other), place
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            _same(a, b, f"{place}[{index}]")
    elif hasattr(one, "__dataclass_fields__"):
        for name in one.__dataclass_fields__:
            _same(getattr(one, name), getattr(other, name), f"{place}.{name}")
    else:
        assert one == other, place


def again(program: Program, **options: Any) -> Program:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.net"
        write_net(program, path)
        return read_net(path, **options)


@settings(max_examples=60, deadline=None)
@given(programs().filter(writable))
def test_a_program_comes_back(program: Program) -> None:
    interval = {p.neuron.reset_interval for p in program.populations}.pop()  # type: ignore[union-attr]
    assert_same(again(program, reset_interval=interval or None), program)


@needs_data
def test_real_files_come_back() -> None:
    for path in sorted(DATA.glob("*.net")):
        program = read_net(path, steps=20)
        assert_same(again(program), program)
        assert asdict(program.outputs[0])["readout"] == "count"
