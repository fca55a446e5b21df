"""A training that is killed and goes on: a real process, a real SIGKILL."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from slipway.models.training.checkpoint import weights_of

RECIPE = "mini-resemotenet-small"
CHANGES = (
    "training.checkpoint_seconds=0.0",
    "training.epochs=6",
    "training.threads=1",
    "data.limit=400",
    "augmentation.flip=true",
    "augmentation.shift=0.1",
    "network.dropout=[0.1, 0.1]",
    "method.alpha=0.0",
    "baseline=false",
)
SAME = ("war", "uar", "f1", "loss", "confusion", "validation", "history", "best_epoch")


def command(folder: Path, *more: str) -> list[str]:
    changes = [word for change in CHANGES for word in ("--set", change)]
    verb = ["-m", "slipway.cli", "train", RECIPE, "-o", str(folder), "-q", "--device", "cpu"]
    return [sys.executable, *verb, *changes, *more]


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_at_a_random_moment_it_ends_the_same(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command(whole), check=True, capture_output=True, timeout=300)
    moment = random.Random(6)
    kills = 0
    for _ in range(2):
        process = subprocess.Popen(
            command(cut, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before = _written(cut)
        end = time.monotonic() + 200
        while _written(cut) == before and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(moment.uniform(0.0, 0.4))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
    assert kills >= 1
    assert (cut / "checkpoint.pt").is_file()
    assert not (cut / "metrics.json").exists()
    subprocess.run(command(cut, "--resume"), check=True, capture_output=True, timeout=300)
    found, expected = metrics(cut), metrics(whole)
    assert found["resumed"] == kills
    assert {key: found[key] for key in SAME} == {key: expected[key] for key in SAME}
    ours, theirs = weights_of(cut), weights_of(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def _written(folder: Path) -> int:
    try:
        return (folder / "checkpoint.pt").stat().st_mtime_ns
    except OSError:
        return 0
