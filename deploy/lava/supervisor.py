"""Runs the worker in a session of its own and leaves nothing behind, whatever happens."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import DataError, FileError, LavaError, LavaTimeout, Problem, UnsupportedNode
from ..program import Program
from ..trace import Stimulus, Trace
from .environment import require_lava
from .job import read_trace, save_network, unlink_segments
from .network import Convolution
from .processes import problems_of

DEFAULT_TIMEOUT = 600.0
"""Seconds a call may take when the caller gives no timeout."""

# What is run with the job's folder as its last argument; tests replace it.
WORKER = (sys.executable, "-m", "slipway.deploy.lava.worker")

_LOG_TAIL = 2000
"""Characters of the log that are shown when nothing better is known."""
_GLANCE = 0.25
"""Seconds between two looks at whether the guard itself is still there."""


def execute(
    program: Program,
    stimulus: Stimulus,
    *,
    record: bool = False,
    timeout: float | None = None,
    convolution: Convolution = "auto",
) -> Trace:
    """Run a network on Lava's own processes, all samples as one stream.

    Each sample starts from the fresh state, so that it equals a run of its own.

    Args:
        program: the network.
        stimulus: its encoded input.
        record: keep s, u and v of every population and step.
        timeout: seconds until the run is stopped; None means DEFAULT_TIMEOUT.
        convolution: Lava process for a Conv2d: "auto" the faster one, "conv" its Conv where
            that computes the same, "sparse" its Sparse with the unrolled matrix.

    Raises:
        MissingDependency: Lava is not installed; says the command.
        LavaTimeout: the run took too long and was stopped.
        LavaError: a ProcessModel failed; carries its traceback.
        DataError: the stimulus does not fit the network.
        UnsupportedNode: Lava's processes cannot take something; names all of it.
    """
    return execute_many(
        [(program, stimulus)], record=record, timeout=timeout, convolution=convolution
    )[0]


def execute_many(
    jobs: Sequence[tuple[Program, Stimulus]],
    *,
    record: bool = False,
    timeout: float | None = None,
    convolution: Convolution = "auto",
) -> list[Trace]:
    """Run many networks one after the other in one worker process; arguments as `execute`.

    The timeout holds for all of them together.
    """
    require_lava()
    _check(jobs)
    if not jobs:
        return []
    with _folder() as job:
        settings = {"networks": len(jobs), "record": record, "convolution": convolution}
        (job / "settings.json").write_text(json.dumps(settings))
        for index, (program, stimulus) in enumerate(jobs):
            save_network(job / str(index), program, stimulus, record)
        _supervise(job, DEFAULT_TIMEOUT if timeout is None else timeout, jobs)
        return [
            read_trace(job / str(index), program, stimulus, record)
            for index, (program, stimulus) in enumerate(jobs)
        ]


def _check(jobs: Sequence[tuple[Program, Stimulus]]) -> None:
    problems, refused = [], []
    for index, (program, stimulus) in enumerate(jobs):
        of_many = f" of network {index}" if len(jobs) > 1 else ""
        refused += [
            replace(problem, where=problem.where + of_many) for problem in problems_of(program)
        ]
        for source in program.inputs:
            where = f"stimulus of input {source.name}{of_many}"
            values = stimulus.values.get(source.name)
            sizes = (
                (stimulus.samples, source.size),
                (
                    stimulus.samples,
                    stimulus.steps,
                    source.size,
                ),
            )
            if values is None:
                what = f"there is none; there are {', '.join(sorted(stimulus.values))}"
            elif values.shape not in sizes:
                what = f"shape {values.shape} is neither {sizes[0]} nor {sizes[1]}"
            elif program.precision == "fixed" and not np.issubdtype(values.dtype, np.integer):
                what = f"a fixed program needs integer messages, these are {values.dtype}"
            else:
                continue
            problems.append(Problem(what, where, "encode the data for this program"))
    if problems:
        raise DataError(*problems)
    if refused:
        raise UnsupportedNode(*refused)


@contextmanager
def _folder() -> Iterator[Path]:
    """A job folder that disappears, also when writing to it fails."""
    try:
        job = Path(tempfile.mkdtemp(prefix="slipway-lava-"))
    except OSError as error:
        raise FileError(
            f"cannot make a temporary folder: {error.strerror}",
            where=str(error.filename or tempfile.gettempdir()),
            remedy="set TMPDIR to a folder with space",
        ) from error
    try:
        yield job
    except OSError as error:
        raise FileError(
            f"cannot use the temporary folder: {error.strerror or error}",
            where=str(error.filename or job),
            remedy="set TMPDIR to a folder with more space",
        ) from error
    finally:
        with _uninterrupted():
            unlink_segments(job)
            shutil.rmtree(job, ignore_errors=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C must not stop the cleaning up after the first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _environment(job: Path) -> dict[str, str]:
    values = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    # Lava's parallelism is one process a population and projection.
    values |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    values["TMPDIR"] = str(job)
    # The worker's current folder is the job's: what is relative here must still be found.
    found = values.get("PYTHONPATH", "").split(os.pathsep)
    package = Path(sys.modules[__name__.partition(".")[0]].__file__ or "").parent
    if package.name == "slipway" and package.parent.name != "site-packages":
        # Found over sys.path, not installed.
        found = [str(package.parent), *found]
    values["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in found if part)
    return values


def _supervise(job: Path, timeout: float, jobs: Sequence[tuple[Program, Stimulus]]) -> None:
    """Start the worker, wait for its word, end its whole session."""
    start = time.monotonic()
    worker = subprocess.Popen(
        [*WORKER, str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=job,
        env=_environment(job),
        start_new_session=True,
    )
    try:
        word = _await_word(worker, start + timeout)
    finally:
        with _uninterrupted():
            with suppress(ProcessLookupError):
                # The guard is not reaped yet, so that its number is still its own.
                os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()
    if word == "done":
        return
    if word == "timeout":
        raise _timed_out(job, timeout, jobs)
    raise _failed(job, word, jobs)


def _await_word(worker: subprocess.Popen[bytes], deadline: float) -> str:
    """The first line that the worker says, "timeout", or what became of it."""
    assert worker.stdout is not None
    said = b""
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([worker.stdout], [], [], min(left, _GLANCE))
        if ready:
            chunk = os.read(worker.stdout.fileno(), 4096)
            said += chunk
            if b"\n" in said or not chunk:
                return said.partition(b"\n")[0].decode() or "died"
        elif os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return "died"
    return "timeout"


def _place(jobs: Sequence[tuple[Program, Stimulus]], index: int) -> str:
    program, stimulus = jobs[index]
    which = f"network {index + 1} of {len(jobs)}: " if len(jobs) > 1 else ""
    entries = ", ".join(source.name for source in program.inputs)
    exits = ", ".join(dict.fromkeys(output.population for output in program.outputs))
    return (
        f"{which}{entries} to {exits}, "
        f"{len(program.populations)} populations, {len(program.projections)} projections, "
        f"{stimulus.samples} samples of {program.run_steps(stimulus.steps)} steps"
    )


def _progress(job: Path, jobs: Sequence[tuple[Program, Stimulus]]) -> tuple[int, int]:
    """Network that was being run, and its last step."""
    for index in reversed(range(len(jobs))):
        with suppress(OSError, ValueError):
            return index, int(np.load(job / str(index) / "progress.0.npy")[0])
    return 0, 0


def _timed_out(
    job: Path, timeout: float, jobs: Sequence[tuple[Program, Stimulus]]
) -> LavaTimeout:
    index, reached = _progress(job, jobs)
    program, stimulus = jobs[index]
    total = stimulus.samples * program.run_steps(stimulus.steps)
    return LavaTimeout(
        f"Lava did not end within {timeout:g} s: stopped at step {reached} of {total}",
        where=_place(jobs, index),
        remedy="give fewer samples or steps, a longer timeout, or use the fast engine",
    )


def _failed(job: Path, word: str, jobs: Sequence[tuple[Program, Stimulus]]) -> LavaError:
    index, reached = _progress(job, jobs)
    try:
        failure = json.loads((job / "failure.json").read_text())
    except OSError:
        log = (job / "log").read_text(errors="replace") if (job / "log").exists() else ""
        code = word.partition(" ")[2] or "unknown"
        return LavaError(
            f"Lava's worker died at step {reached} without giving a reason"
            f" (exit code {code})\n{log[-_LOG_TAIL:]}".rstrip(),
            where=_place(jobs, index),
            remedy="it may have been killed for its memory: give fewer samples, or use the "
            "fast engine",
        )
    process = failure["process"]
    subject = f"Lava's process {process!r}" if process else "Lava"
    return LavaError(
        f"{subject} failed:\n{failure['text'].rstrip()}",
        where=_place(jobs, int(failure["network"])),
        remedy="compile the network again; if it was, please report this as a bug of slipway",
    )
