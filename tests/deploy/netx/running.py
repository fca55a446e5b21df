"""One sample through netx, and through slipway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.program import Program
from slipway.deploy.trace import Raster, Stimulus

from .lava_dl import VERSION

_SHARED = Path(__file__).parents[4] / "shared" / "data"
DATA = Path(os.environ.get("SLIPWAY_DATA", _SHARED)) / "netx"
SECONDS = 150


def _missing() -> str:
    if sys.version_info[:2] != (3, 10):
        return "lava-dl runs on Python 3.10 only: make test-upstream"
    try:
        found = version("lava-dl")
    except PackageNotFoundError:
        return "lava-dl is not installed: make test-upstream"
    return "" if found == VERSION else f"these tests are for lava-dl {VERSION}, not {found}"


needs_netx = pytest.mark.skipif(bool(_missing()), reason=_missing() or "lava-dl is here")
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"{DATA} is not here; set SLIPWAY_DATA"
)


def run_netx(
    folder: Path,
    net: Path,
    messages: Any,
    arguments: Mapping[str, int] | None = None,
    *,
    values: bool = False,
) -> dict[str, Any]:
    """What netx's layers send, "0.s" (steps, n), and their last states, "0.v" (n,).

    Args:
        folder: an empty one.
        net: the file.
        messages: (steps, n), C, H, W order.
        arguments: of netx's Network.
        values: the file begins with an input layer that has neurons.

    Raises:
        RuntimeError: it failed; carries what it said.
        TimeoutError: Lava hung; it was killed with all its processes.
    """
    settings = {"file": str(net), "values": values, "arguments": dict(arguments or {})}
    (folder / "settings.json").write_text(json.dumps(settings))
    np.save(folder / "stimulus.npy", messages)
    script = Path(__file__).with_name("net_run.py")
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, script, folder],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            code = child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"netx has hung: {(folder / 'log').read_text()}") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if code:
        raise RuntimeError((folder / "log").read_text())
    with np.load(folder / "net.npz") as found:
        return dict(found)


def run_ours(program: Program, messages: Any) -> dict[str, Raster]:
    """Rasters of one sample that is presented for all its steps."""
    stimulus = Stimulus({program.inputs[0].name: messages[None]}, len(messages))
    return dict(reference.execute(program, stimulus, record=True).rasters)


def assert_alike(
    program: Program,
    messages: Any,
    theirs: dict[str, Any],
    *,
    values: bool = False,
    first: int = 0,
    skip: tuple[str, ...] = (),
) -> int:
    """Every layer sends the same at every step; returns the number of messages sent.

    slipway's input layer lies behind a projection and therefore one step later than netx's.

    Args:
        program: what netx's file says.
        messages: (steps, n).
        theirs: what `run_netx` returned.
        values: as there.
        first: 1 where netx's biases act before the first input can have arrived: compared is
            from there on.
        skip: populations that netx does not have.
    """
    rasters = run_ours(program, messages)
    sent, late = 0, int(values)
    populations = [p for p in program.populations if p.name not in skip]
    for k, population in enumerate(populations):
        ours = rasters[population.name].s[0]
        their = theirs[f"{k}.s"]
        steps = len(their) - late
        begin = first * population.depth
        if population.kind == "sigma":  # netx sends the sum at every step
            ours = rasters[population.name].states["sigma"][0]
        np.testing.assert_array_equal(
            ours[late + begin : late + steps], their[begin:steps], err_msg=population.name
        )
        sent += int(np.count_nonzero(their))
    return sent
