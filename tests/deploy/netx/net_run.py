"""lava-dl's netx runs one sample of a .net file: net_run.py JOB.

JOB/settings.json names the file and the arguments of netx's Network; JOB/stimulus.npy are
messages (steps, n) in C, H, W order. Writes JOB/net.npz: what each layer sends at each step,
and its states after the last one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from slipway.tests.deploy.netx.lava_dl import import_netx

netx = import_netx()
from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.proc.conv import utils  # noqa: E402
from lava.proc.io.sink import RingBuffer as Sink  # noqa: E402
from lava.proc.io.source import RingBuffer as Source  # noqa: E402

utils.TORCH_IS_AVAILABLE = False  # as lava-dl's own tests have it


def images(flat: Any, shape: tuple[int, ...]) -> Any:
    """(steps, n) in C, H, W order -> Lava's (W, H, C, steps), or (n, steps)."""
    if len(shape) == 1:
        return flat.T
    return flat.reshape(-1, *shape[::-1]).transpose(3, 2, 1, 0)


def flat(values: Any) -> Any:
    """The reverse, with or without the axis of steps."""
    if values.ndim in (2, 4):
        return np.stack([flat(values[..., t]) for t in range(values.shape[-1])])
    return np.ravel(values.transpose(2, 1, 0) if values.ndim == 3 else values)


job = Path(sys.argv[1])
settings = json.loads((job / "settings.json").read_text())
net = netx.Network(net_config=settings["file"], **settings["arguments"])
stimulus = np.load(job / "stimulus.npy")
steps = len(stimulus)
# The port of an Input block leads nowhere: what it should see is given to its neuron.
entry = net.in_layer.neuron.a_in if settings["values"] else net.inp
source = Source(data=images(stimulus, entry.shape).astype(np.int32))
source.s_out.connect(entry)
sinks = []
for layer in net.layers:
    sinks.append(Sink(shape=layer.out.shape, buffer=steps))
    layer.out.connect(sinks[-1].a_in)
source.run(RunSteps(num_steps=steps), Loihi2SimCfg(select_tag="fixed_pt"))
results: dict[str, Any] = {}
for k, (layer, sink) in enumerate(zip(net.layers, sinks, strict=True)):
    results[f"{k}.s"] = flat(sink.data.get())
    for state in ("u", "v", "sigma", "real", "imag"):
        if hasattr(layer.neuron, state):
            results[f"{k}.{state}"] = flat(getattr(layer.neuron, state).get())
source.stop()
np.savez(job / "net.npz", **results)
