"""Unfinished runs: what is kept of them, what is refused, and that going on changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy import executors
from slipway.deploy.counts import Counts, join
from slipway.deploy.partial import HEADER, Partial, folder_of, identity_of, open_partial
from slipway.deploy.program import Program
from slipway.deploy.run import Run, run
from slipway.deploy.samples import Samples
from slipway.errors import FileError, UsageError

from ..conformance.networks import random_case
from .random_programs import as_float
from .test_run import same, samples_for

IDENTITY = {"program": "a" * 64, "data": "b" * 64, "engine": "fast", "samples": 9}


def counts(samples: int, seed: int = 0) -> Counts:
    """Some counts, with names that no file could have."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Any:
        return rng.integers(0, 2**40, (samples, *shape))

    return Counts(
        outputs={"out/put": some(3), "späte\n": some(2) / 7},
        messages={"in": some(), "p": some()},
        synops={"in->p": some()},
        synops_all={"in->p": some()},
        saturated={"p": some()},
        traffic={"in": some(6), "p": some(6)},
        elements={"in": rng.integers(0, 2**40, 5), "p": rng.integers(0, 2**40, 7)},
        step_totals={"in": rng.integers(0, 2**40, (4, 9)), "p": rng.integers(0, 2**40, (4, 7))},
        clipped=some(),
        kernels={"in->p": {"event": 3 + seed, "dense": 7}},
        seconds=0.1 + seed,
    )


def opened(folder: Path, *, resume: bool = True, **changed: Any) -> Partial:
    return open_partial(folder, {**IDENTITY, **changed}, "slipway run", resume=resume)


def kept(folder: Path, *sections: Counts) -> Partial:
    """A folder with these sections."""
    partial = opened(folder)
    for section in sections:
        partial.save(section)
    return partial


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run.json")
    assert folder == tmp_path / "run.json.partial"
    first, second = counts(4), counts(2, 1)
    partial = kept(folder, first, second)
    assert (partial.samples, partial.finished) == (6, ())
    found = opened(folder)
    assert found.samples == 6
    assert [same(*pair) for pair in zip(found.finished, (first, second), strict=True)] == [
        True,
        True,
    ]
    assert found.finished[1].kernels == second.kernels
    whole = join(found.finished)
    assert whole.kernels == {"in->p": {"event": 7, "dense": 14}}
    assert whole.seconds == pytest.approx(1.2)
    assert whole.outputs["späte\n"].dtype == np.float64
    assert (whole.elements["p"] == first.elements["p"] + second.elements["p"]).all()
    found.save(counts(3, 2))
    assert opened(folder).samples == 9
    found.remove()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    partial = opened(tmp_path / "a.partial", resume=False)
    assert list(tmp_path.iterdir()) == []
    partial.remove()


def test_an_unfinished_run_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    kept(folder, counts(4))
    with pytest.raises(UsageError) as caught:
        opened(folder, resume=False)
    assert str(caught.value) == (
        "an unfinished run is kept: 4 of 9 samples\n"
        f"  where: {folder}, of the command: slipway run\n"
        "  to do: go on with --resume; or, if no process is still at it, start again: "
        f"rm -r {folder}"
    )
    assert opened(folder).samples == 4


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"program": "c" * 64}, "program: sha256 aaaaaaaa, now sha256 cccccccc"),
        ({"data": "c" * 64}, "data: sha256 bbbbbbbb, now sha256 cccccccc"),
        ({"engine": "lava"}, "engine: fast, now lava"),
        ({"samples": 10}, "samples: 9, now 10"),
        ({"numpy": "9.0"}, "numpy: None, now 9.0"),
        ({"placement": "d" * 64}, "placement: None, now sha256 dddddddd"),
    ],
)
def test_the_sections_of_another_run_are_refused(
    tmp_path: Path, changed: dict[str, Any], text: str
) -> None:
    folder = tmp_path / "a.partial"
    kept(folder, counts(4))
    with pytest.raises(UsageError) as caught:
        opened(folder, **changed)
    assert str(caught.value) == (
        f"the unfinished run is of another {text}\n"
        f"  where: {folder}, of the command: slipway run\n"
        "  to do: go on with what it was started with, or give another output"
    )
    with pytest.raises(UsageError) as caught:
        opened(folder, **{**changed, "slipway": "0"})
    assert len(caught.value.problems) == 2
    assert opened(folder).samples == 4


def test_an_identity_knows_files_options_and_versions() -> None:
    provenance = {
        "slipway": "1.2",
        "program": {"sha256": "a" * 64},
        "data": {"sha256": "b" * 64},
    }
    known = identity_of(provenance, "fast", 9)
    assert IDENTITY.items() <= known.items()
    assert known["slipway"] == "1.2"
    assert known["numpy"] == np.__version__


def test_a_run_killed_before_its_first_section_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    kept(folder, counts(4))
    (section,) = folder.glob("0*")
    section.rename(folder / ".section.123.tmp")  # killed while it was written
    assert opened(folder, resume=False, engine="lava").samples == 0
    assert list(tmp_path.iterdir()) == []
    folder.mkdir()  # killed before the header
    opened(folder, resume=False)
    assert list(tmp_path.iterdir()) == []


def test_what_was_half_removed_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    kept(folder, counts(4))
    (folder / HEADER).unlink()
    assert opened(folder, resume=False).samples == 0
    assert list(tmp_path.iterdir()) == []


def test_sections_behind_a_gap_do_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    kept(folder, counts(4), counts(2), counts(1))
    (folder / "000000000004-000000000006.safetensors").unlink()
    found = opened(folder)
    assert found.samples == 4
    found.save(counts(5))  # another size of section, because of another --memory
    assert opened(folder).samples == 9


def test_damage_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    kept(folder, counts(4), counts(2))
    second = folder / "000000000004-000000000006.safetensors"
    whole = second.read_bytes()
    for hurt in (whole[:50], whole[:-1], b"", b"\x08" + b"\0" * 7 + b"{}      "):
        second.write_bytes(hurt)
        with pytest.raises(FileError) as caught:
            opened(folder)
        assert f"{second} of an unfinished run cannot be read: " in str(caught.value)
        assert caught.value.problems[0].remedy == (
            f"do without the samples in it and behind it: rm {second}"
        )
    second.unlink()
    assert opened(folder).samples == 4
    other = json.dumps({"format": 9, "identity": {}})
    for text, reason in (
        ("{", "Expecting property name"),
        ("[]", "list indices"),
        ("{}", "'format'"),
        (other, "its format is 9, not 3"),
    ):
        (folder / HEADER).write_text(text)
        with pytest.raises(FileError, match=reason) as caught:
            opened(folder)
        assert caught.value.problems[0].remedy == f"start again: rm -r {folder}"


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    folder.write_text("mine")
    with pytest.raises(FileError, match="is no folder of an unfinished run"):
        opened(folder)
    assert folder.read_text() == "mine"
    folder.unlink()
    folder.mkdir()
    (folder / "my-own.safetensors").write_text("mine")
    with pytest.raises(FileError, match="move it away, or choose another output"):
        opened(folder)
    assert [path.name for path in folder.iterdir()] == ["my-own.safetensors"]


def test_two_runs_do_not_mix(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "a.partial"), opened(tmp_path / "a.partial")
    one.save(counts(4))
    with pytest.raises(FileError, match=r"cannot make the folder .*: File exists") as caught:
        other.save(counts(4))
    assert caught.value.problems[0].remedy == (
        "another run may be writing to it; if not, remove it"
    )


class Stop(Exception):
    """Ends a run from within."""


def cases() -> list[tuple[str, Program, Samples]]:
    """Several inputs over time, frames beside films, one input, floating point."""
    several, stimulus = random_case(3)
    single = next(p for p in (random_case(s)[0] for s in range(99)) if len(p.inputs) == 1)
    films = samples_for(several, 3, count=9)
    mixed = {k: v if n else v[:, 0] for n, (k, v) in enumerate(films.items())}
    floating, _ = as_float(several, stimulus, 3)
    assert len(several.inputs) > 1
    return [
        ("films", several, films),
        ("mixed", several, mixed),
        ("frames", single, samples_for(single, 4, count=9)[single.inputs[0].name][:, 0]),
        ("float", floating, films),
    ]


CASES = cases()


@pytest.mark.parametrize(("_name", "program", "x"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("stop", [0, 2, 5, 9])
def test_a_run_that_is_continued_equals_one_in_a_piece(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _name: str,
    program: Program,
    x: Samples,
    labelled: bool,
    stop: int,
) -> None:
    """It stops in any section, and goes on in sections of another size."""
    labels = np.arange(9) % 2 if labelled else None
    folder = tmp_path / "a.partial"

    def go(size: int, progress: Callable[[int], None] | None = None) -> Run:
        monkeypatch.setattr(executors, "SECTION_SAMPLES", size)
        partial = opened(folder)
        done = run(program, x, labels, engine="reference", progress=progress, partial=partial)
        partial.remove()
        return done

    def stopping(count: int) -> None:
        if count > stop:
            raise Stop

    whole = go(9)
    assert list(tmp_path.iterdir()) == []
    if stop < 9:
        with pytest.raises(Stop):
            go(2, stopping)
    finished = stop // 2 * 2 if stop < 9 else 0
    assert opened(folder).samples == finished
    seen: list[int] = []
    continued = go(3, seen.append)
    assert same(whole.counts, continued.counts)
    assert seen == [*([finished] if finished else []), *range(finished + 3, 9, 3), 9]
    one, other = whole.as_json(), continued.as_json()
    for facts in (one, other):
        del facts["seconds"], facts["sample_steps_per_second"]
    assert one == other
    assert list(tmp_path.iterdir()) == []


def test_the_time_of_all_parts_is_added(tmp_path: Path) -> None:
    program = CASES[0][1]
    x = CASES[0][2]
    first = run(program, {k: v[:4] for k, v in x.items()}, engine="reference")  # type: ignore[union-attr]
    partial = opened(tmp_path / "a.partial")
    partial.save(replace(first.counts, seconds=1000.0))
    done = run(program, x, engine="reference", partial=opened(tmp_path / "a.partial"))
    assert 1000 < done.seconds < 1060
    assert done.as_json()["sample_steps_per_second"] < 1
