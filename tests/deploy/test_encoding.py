"""Samples as messages: checked all over, encoded in sections, the same as in one piece."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy import executors
from slipway.deploy.data import encode, load_data
from slipway.deploy.encoding import encoding_of
from slipway.deploy.lava import probe
from slipway.deploy.program import Program
from slipway.deploy.run import run
from slipway.deploy.samples import Samples, as_data
from slipway.deploy.trace import Stimulus
from slipway.deploy.verify import verify
from slipway.errors import DataError, FileError

from .test_run import image_program, same, two_inputs

Array = np.ndarray[Any, Any]


def film(program: Program, samples: int, steps: int, seed: int = 0) -> Array:
    """Random values over time that fit the first input."""
    spec, rng = program.inputs[0], np.random.default_rng(seed)
    shape = (samples, steps, *spec.shape)
    return rng.random(shape) if spec.graded else (rng.random(shape) < 0.4).astype(np.uint8)


def test_spikes_are_bytes_and_values_are_integers() -> None:
    spikes, values = image_program(graded=False), image_program(graded=True)
    for x in (
        film(spikes, 2, 3),
        film(spikes, 2, 3).astype(np.float32),
        film(spikes, 2, 3) > 0,
    ):
        messages = encode(spikes, x)[0].values["input"]
        assert messages.dtype == np.uint8
        assert np.array_equal(messages, np.asarray(x, np.uint8).reshape(2, 3, 18))
    assert encode(values, film(values, 2, 3))[0].values["input"].dtype == np.int32
    # changes of spikes may be -1
    changing = replace(spikes, inputs=(replace(spikes.inputs[0], delta=True),))
    x = film(spikes, 4, 5)
    messages = encode(changing, x)[0].values["input"]
    assert messages.min() == -1
    assert np.array_equal(messages.cumsum(axis=1), x.reshape(4, 5, 18))


@pytest.mark.parametrize("engine", ["reference", "fast", "lava"])
def test_bytes_never_overflow(engine: str) -> None:
    """18 inputs that spike at every step: sums and counts beyond 255 on every executor."""
    if engine == "lava" and not probe().lava_usable:
        pytest.skip(f"Lava: {probe().lava_reason}")
    program = image_program(graded=False)
    (projection,) = program.projections
    heavy = replace(projection.synapse, weight=np.full((2, 1, 3, 3), 200, np.int16))
    program = replace(program, steps=260, projections=(replace(projection, synapse=heavy),))
    frames, films = np.ones((1, 2, 3, 3)), np.ones((1, 260, 2, 3, 3))
    make, norm = executors.EXECUTORS[engine], executors.EXECUTORS["reference"]
    for x in (frames, films):
        stimulus, _ = encode(program, x)
        wide = Stimulus({k: v.astype(np.int32) for k, v in stimulus.values.items()}, 260)
        narrow = make(program, memory=2**28, timeout=60).run(stimulus)
        other = norm(program, memory=2**28, timeout=None).run(wide)
        assert narrow.messages["input"].tolist() == [[260] * 18]
        for name, values in other.messages.items():
            assert np.array_equal(narrow.messages[name], values)
        for name, values in other.outputs.items():
            assert np.array_equal(narrow.outputs[name], values)
        assert narrow.outputs["output"].min() > 255


@pytest.mark.parametrize("precision", ["fixed", "float"])
@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("block", [1, 2000])
def test_sections_equal_the_whole(
    precision: Any, delta: bool, graded: bool, steps: int, block: int, tmp_path: Path
) -> None:
    """Frames (0 steps) and films, in memory and in a file, whatever the size of a block."""
    program = image_program(graded)
    spec = replace(program.inputs[0], delta=delta)
    program = replace(program, precision=precision, inputs=(spec,))
    x = film(program, 9, max(steps, 1))
    x = x if steps else x[:, 0]
    x[3].flat[0] = 1 if not graded else 1.02 if precision == "fixed" else 1
    np.savez(tmp_path / "a.npz", x=x)
    whole, clipped = encode(program, x)
    assert clipped.any() == (graded and precision == "fixed")
    for data in (as_data(x), load_data(tmp_path / "a.npz")):
        encoding = encoding_of(program, data, block)
        encoding.check()
        for start in (0, 4):
            with encoding.encoder(start) as take:
                at = start
                for size in (1, 3, 5 - start):
                    part, outside = take(size)
                    expected = whole.part(at, at + size)
                    assert part.steps == expected.steps
                    assert part.values["input"].dtype == expected.values["input"].dtype
                    assert np.array_equal(part.values["input"], expected.values["input"])
                    assert np.array_equal(outside, clipped[at : at + size])
                    at += size
            assert at == 9


def refusal(program: Program, x: Samples, **options: Any) -> str:
    """What is said of samples before any of them is run."""
    encoding = encoding_of(program, as_data(x), 1)
    with pytest.raises(DataError) as caught:
        encoding.check()
    return str(caught.value)


def test_bad_values_are_found_wherever_they_are() -> None:
    """In the last sample as in the first, and before anything is run."""
    spikes, values = image_program(graded=False), image_program(graded=True)
    x = film(spikes, 7, 5)
    x[6, 2, 1, 0, 2] = 2
    assert refusal(spikes, x) == (
        "the input takes spikes (0 or 1), but x holds 2\n"
        "  where: input input, sample 6, index (2, 1, 0, 2)\n"
        "  to do: export with --input-encoding current for graded values"
    )
    assert "but x holds -1" in refusal(spikes, x.astype(np.int8) * np.int8(-1))
    x = film(values, 7, 5)
    x[6, 2, 1, 0, 2] = np.inf
    assert refusal(values, x) == (
        "x holds inf at index (6, 2, 1, 0, 2)\n"
        "  where: array x of shape (7, 5, 2, 3, 3), sample 6\n"
        "  to do: replace values that are not finite"
    )
    x[6, 2, 1, 0, 2] = -np.inf
    x[5, 0, 0, 0, 0] = np.nan
    assert "x holds nan at index (5, 0, 0, 0, 0)" in refusal(values, x)
    assert "x holds nan" in refusal(replace(values, precision="float"), x)


def test_bad_values_of_all_inputs_are_told() -> None:
    program = two_inputs()
    x = {"input": np.ones((2, 2, 3, 3)), "right": np.full((2, 2, 3, 3), np.nan)}
    x["input"][1] = 7
    told = refusal(program, x)
    assert "50.0 % of the values lie outside the calibrated range 0 to 1" in told
    assert "right holds nan at index (0, 0, 0, 0)" in told


def test_the_share_of_clipped_values_is_that_of_all_samples() -> None:
    """One bad sample among many good ones is no error, whatever the size of a block."""
    program = image_program(graded=True)
    x = np.full((200, 2, 3, 3), 0.5)
    x[150] = 1.5
    encoding = encoding_of(program, as_data(x), 1)
    encoding.check()
    counts = run(program, x, memory=2**20).counts
    assert counts.clipped.sum() == counts.clipped[150] == 18
    x[151:153] = -0.5
    assert refusal(program, x) == (
        "1.5 % of the values lie outside the calibrated range 0 to 1; the limit is 1 %\n"
        "  where: input input, sample 150\n"
        "  to do: scale the data as in training, or calibrate with data like these"
    )


def test_unequal_numbers_of_samples_in_memory() -> None:
    x = {"input": np.ones((2, 2, 3, 3)), "right": np.ones((3, 2, 3, 3))}
    with pytest.raises(DataError, match=r"unequal numbers of samples: 2 of input, 3 of right"):
        run(two_inputs(), x)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_runs_as_its_arrays_do(tmp_path: Path, save: Any, monkeypatch: Any) -> None:
    """Several inputs, frames beside a film, with and without labels, and a prefix of them."""
    program, rng = two_inputs(), np.random.default_rng(0)
    x = {"input": rng.random((7, 2, 3, 3)), "right": rng.random((7, 4, 2, 3, 3))}
    labels = np.array([0, 1, 0, 1, 1, 0, 0])
    save(tmp_path / "a.npz", **x, unused=np.ones((7, 1)), y=labels)
    monkeypatch.setattr(executors, "SECTION_SAMPLES", 3)
    data = load_data(tmp_path / "a.npz")
    held, read = run(program, x, labels), run(program, data)
    assert same(held.counts, read.counts)
    assert read.accuracy == held.accuracy
    assert read.accuracy is not None
    assert run(program, x).accuracy is None
    first = run(program, data.first(4))
    assert first.as_json()["labels"] == [0, 1, 0, 1]
    assert np.array_equal(first.predictions, held.predictions[:4])
    assert verify(program, data.first(4), engines=("fast", "reference")).equal


def test_a_damaged_file_ends_a_run_before_it_starts(tmp_path: Path, monkeypatch: Any) -> None:
    program = image_program(graded=False)
    path = tmp_path / "a.npz"
    np.savez(path, x=film(program, 50, 5))
    content = bytearray(path.read_bytes())
    content[-400] ^= 1  # in the last sample
    path.write_bytes(content)

    class Never:
        def __init__(self, program: Program, **options: Any) -> None: ...

        def samples_at_once(self, steps: int) -> int:
            return 1

        def run(self, stimulus: Stimulus, **options: Any) -> Any:
            pytest.fail("a sample was run before all of them were read")

    monkeypatch.setitem(executors.EXECUTORS, "fast", Never)
    with pytest.raises(FileError, match=r"a\.npz cannot be read as \.npz: Bad CRC-32"):
        run(program, load_data(path))
