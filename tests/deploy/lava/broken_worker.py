"""The worker, with neuron models that misbehave at step 5: broken_worker.py HOW JOB."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slipway.deploy.lava import models, worker

how, job = sys.argv[1], Path(sys.argv[2])
original = models.WatchedNeuron.note


def hang() -> None:
    (job / "hangs").touch()
    while True:
        time.sleep(3600)


def fail() -> None:
    raise ZeroDivisionError("the model's own words")


HOW: dict[str, Callable[[], Any]] = {
    "hang": hang,
    "fail": fail,
    "kill model": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "kill Lava": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "kill guard": lambda: os.kill(os.getsid(0), signal.SIGKILL),
}


def note(self: Any, plan: models.Plan, sample: int, step: int) -> None:
    original(self, plan, sample, step)
    if self.time_step == 5 and plan.name == "a":
        HOW[how]()
        hang()


models.WatchedNeuron.note = note  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(worker.main(job))
