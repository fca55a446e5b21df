"""Lava without slipway's mixins, one runtime a sample: stock_run.py JOB.

JOB/0 is a network as the supervisor writes it. Writes JOB/stock.npz with the spikes of each
population and step, and u and v after the last step.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from slipway.deploy.lava.compatibility import import_lava
from slipway.deploy.lava.job import load_network
from slipway.deploy.lava.models import to_lava, to_program
from slipway.deploy.lava.network import build

job = Path(sys.argv[1])
lava = import_lava()
from lava.proc.io.sink import RingBuffer  # noqa: E402

program, stimulus = load_network(job / "0")
period = program.run_steps(stimulus.steps)
results: dict[str, Any] = {}
for sample, values in enumerate(stimulus.values):
    nodes: dict[str, Any] = {}

    def keep(process: Any, name: str, nodes: dict[str, Any] = nodes) -> None:
        nodes[name] = process

    source = build(lava, program, period, keep, "conv")
    data = np.zeros(source.data.shape, np.int32)
    for step, messages in enumerate(values):
        data[..., step] = to_lava(messages, data.shape[:-1])
    source.data.init = data
    sinks = {}
    for p in program.populations:
        sinks[p.name] = RingBuffer(shape=nodes[p.name].s_out.shape, buffer=period)
        nodes[p.name].s_out.connect(sinks[p.name].a_in)
    source.run(lava.RunSteps(num_steps=period), lava.Loihi2SimCfg(select_tag="fixed_pt"))
    for p in program.populations:
        spikes = np.moveaxis(sinks[p.name].data.get(), -1, 0)
        results[f"{p.name}.s.{sample}"] = np.stack([to_program(s) for s in spikes])
        results[f"{p.name}.u.{sample}"] = to_program(nodes[p.name].u.get())
        results[f"{p.name}.v.{sample}"] = to_program(nodes[p.name].v.get())
    source.stop()
np.savez(job / "stock.npz", **results)
