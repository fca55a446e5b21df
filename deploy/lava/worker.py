"""The process in which Lava runs: `python -m slipway.deploy.lava.worker JOB`.

It forks at once. The child runs Lava. The parent, the guard, waits for the child to end or for
standard input to close, which means that slipway itself died: then it ends everything and
cleans up. Standard output carries lines for the supervisor: `done`, `failed` (failure.json says
why) or `died CODE`. What Lava prints goes to JOB/log.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import traceback
from dataclasses import replace
from multiprocessing import current_process, shared_memory
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..neurons.models import model_of
from ..program import Program
from .compatibility import import_lava
from .job import (
    files_of,
    load_network,
    note_segment,
    output_field,
    report_failure,
    unlink_segments,
)
from .models import PLAN, Plan, Read, watched
from .network import Convolution, build
from .processes import states_of


def _note_segments(job: Path) -> None:
    """Note the name of each shared memory segment before it exists."""
    original = shared_memory._make_filename  # type: ignore[attr-defined]

    def make_filename() -> str:
        name: str = original()
        note_segment(job, name)
        return name

    shared_memory._make_filename = make_filename  # type: ignore[attr-defined]


def _short_addresses() -> None:
    """Put multiprocessing's sockets into the current folder, by a relative name.

    It would make them in TMPDIR, and the name of a socket may have 107 bytes at most.
    """
    current_process()._config["tempdir"] = "."  # type: ignore[attr-defined]


def _watch_actors(folder: Path, status: int, runtime: Any, names: list[str]) -> None:
    """Report a ProcessModel's process that was killed: Lava would wait for it for ever."""
    actors = runtime._messaging_infrastructure.actors
    names = names + ["runtime service"] * (len(actors) - len(names))

    def look(*_: Any) -> None:
        for actor, name in zip(actors, names, strict=True):
            code = None if actor._closed else actor.exitcode
            if code:
                text = f"the process that ran it ended with exit code {code}"
                report_failure(folder, status, name, text)

    signal.signal(signal.SIGCHLD, look)
    look()


def _notes(program: Program, name: str, presented: int) -> dict[str, Any]:
    """What a population's Plan holds beyond that of an input."""
    population = program.population(name)
    model, states = model_of(population.neuron), states_of(population, program.precision)
    reads = []
    for output in program.outputs:
        if output.population == name:
            state = "" if output.readout == "count" else states[model.membrane]
            first, last = program.window(output, presented)
            field = output_field(program, output)
            reads.append(Read(field, state, first, last, output.readout != "last"))
    clipped = model.clipped if program.precision == "fixed" else ()
    return {
        "states": states,
        "clipped": tuple(states[state] for state in clipped),
        "reads": tuple(reads),
    }


def run_network(
    lava: SimpleNamespace, folder: Path, status: int, record: bool, convolution: Convolution
) -> None:
    """Run all samples of one network as one stream; results go to the folder."""
    program, stimulus = load_network(folder)
    period = program.run_steps(stimulus.steps)
    if not stimulus.samples * period:
        return
    files = files_of(program, stimulus, record)

    def annotate(process: Any, name: str) -> None:
        plan = Plan(name, folder, status, period, stimulus.steps, {})
        if not hasattr(process, "a_out"):
            plan = replace(plan, files=files[name])
            if not program.is_input(name):
                plan = replace(plan, **_notes(program, name, stimulus.steps))
        process.proc_params[PLAN] = plan

    source = build(lava, program, period, annotate, convolution)
    models = {p: watched(p, model) for p, model in lava.models[program.precision].items()}
    settings = lava.Loihi2SimCfg(
        select_tag="fixed_pt" if program.precision == "fixed" else "floating_pt",
        exception_proc_model_map=models,
    )
    source.create_runtime(run_cfg=settings)
    names = [p.proc_params[PLAN].name for p in source.runtime._executable.proc_builders]
    _watch_actors(folder, status, source.runtime, names)
    source.run(lava.RunSteps(num_steps=stimulus.samples * period))
    source.stop()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def run_job(job: Path, status: int) -> int:
    """Run the networks of a job one after the other. Returns the exit code."""
    settings = json.loads((job / "settings.json").read_text())
    folder = job / "0"
    try:
        _short_addresses()
        _note_segments(job)
        lava = import_lava()
        for index in range(settings["networks"]):
            folder = job / str(index)
            run_network(lava, folder, status, settings["record"], settings["convolution"])
    except BaseException:
        report_failure(folder, status, "", traceback.format_exc())
        return 1
    os.write(status, b"done\n")
    return 0


def guard(child: int, job: Path, status: int) -> int:
    """Wait for the child, or for the end of the supervisor; returns the exit code."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    while True:
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            os.write(status, f"died {os.waitstatus_to_exitcode(code)}\n".encode())
            return 0
        ready, _, _ = select.select([sys.stdin.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1):
            _clean_up(child, job)


def _clean_up(child: int, job: Path) -> None:
    """The supervisor died: end the group, remove what it would have removed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    os.waitpid(child, 0)
    unlink_segments(job)
    shutil.rmtree(job, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main(job: Path) -> int:
    """Fork into guard and Lava."""
    status = os.dup(sys.stdout.fileno())
    log = os.open(job / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    child = os.fork()
    if child:
        return guard(child, job, status)
    code = 1
    try:
        code = run_job(job, status)
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
