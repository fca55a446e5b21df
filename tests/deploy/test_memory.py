"""Memory follows the budget and not the data: measured on the whole of a process."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.storage import save_program
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense

from ..peak import PEAK

# A run in a process of its own; prints its largest memory in bytes, and what it counted.
MEASURED = (
    PEAK
    + """
import json, sys
from pathlib import Path
from slipway.deploy.data import load_data
from slipway.deploy.run import run
from slipway.deploy.storage import load_program
program, data, samples, memory = sys.argv[1:]
given = load_data(Path(data)).first(int(samples))
facts = run(load_program(Path(program)), given, memory=int(memory)).as_json()
spikes = [p["spikes"] for p in facts["populations"].values()]
print(json.dumps({"peak": peak(), "spikes": spikes, "seconds": facts["seconds"]}))
"""
)


def lif(fan: int) -> CubaLif:
    one = np.ones(1, np.int64)
    return CubaLif(4095 * one, 400 * one, 0 * one, (int(1.4 * fan) + 40) * one, 0 * one)


def small_convolution(steps: int) -> Program:
    """Two convolutions with stride 2 behind events of 34 x 34 places, and 10 classes."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return (rng.integers(-32, 34, shape) * 2).astype(np.int16)

    first = Conv2d(weights(16, 2, 3, 3), (2, 34, 34), (2, 2), (1, 1))
    second = Conv2d(weights(32, 16, 3, 3), (16, 17, 17), (2, 2), (1, 1))
    return Program(
        "fixed",
        1e-3,
        steps,
        (Input("input", (2, 34, 34), False, 1.0, 0, 1),),
        (
            Population("p1", "LIF", (16, 17, 17), lif(18), 1),
            Population("p2", "LIF", (32, 9, 9), lif(144), 2),
            Population("p3", "LIF", (10,), lif(2592), 3),
        ),
        (
            Projection("input->p1", "input", "p1", first),
            Projection("p1->p2", "p1", "p2", second),
            Projection("p2->p3", "p2", "p3", Dense(weights(10, 2592))),
        ),
        (Output("output", "p3", "count"),),
    )


def write_spikes(path: Path, samples: int, steps: int, *, compressed: bool = False) -> None:
    """Spikes at 10 % of all places, a block of samples repeated; never whole in memory."""
    block = (np.random.default_rng(1).random((20, steps, 2, 34, 34)) < 0.1).astype(np.uint8)
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    shape = (samples, *block.shape[1:])
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with (
        zipfile.ZipFile(path, "w", method, compresslevel=1) as archive,
        archive.open("x.npy", "w", force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, header)
        for first in range(0, samples, len(block)):
            stream.write(block[: samples - first].tobytes())


def measured(program: Path, data: Path, samples: int, memory: int) -> dict[str, Any]:
    command = [sys.executable, "-c", MEASURED, program, data, samples, memory]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("compressed", [False, True])
def test_memory_follows_the_budget(tmp_path: Path, compressed: bool) -> None:
    """Data are several times as large as the budget, and so are samples x neurons."""
    steps, samples, memory = 20, 7_000, 2**26
    save_program(small_convolution(steps), tmp_path / "b.slip")
    write_spikes(tmp_path / "b.npz", samples, steps, compressed=compressed)
    assert samples * steps * 2 * 34 * 34 > 4 * memory
    assert samples * 8 * (2 * 34 * 34 + 16 * 17 * 17 + 32 * 9 * 9) > 4 * memory
    least = measured(tmp_path / "b.slip", tmp_path / "b.npz", 20, memory)
    found = measured(tmp_path / "b.slip", tmp_path / "b.npz", samples, memory)
    # The 20 samples are the interpreter, its packages, the compiled code and the Program.
    assert found["peak"] - least["peak"] < memory
    assert found["spikes"] == [spikes * samples // 20 for spikes in least["spikes"]]
    assert min(least["spikes"]) > 0
