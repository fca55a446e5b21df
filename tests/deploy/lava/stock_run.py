"""Lava without slipway's mixins, one runtime a sample: stock_run.py JOB.

JOB/0 is a network as the supervisor writes it. Writes JOB/stock.npz with the messages of each
population and step, and its states after the last step.
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
from slipway.deploy.lava.processes import states_of

job = Path(sys.argv[1])
lava = import_lava()
from lava.proc.io.sink import RingBuffer  # noqa: E402

program, stimulus = load_network(job / "0")
period = program.run_steps(stimulus.steps)
fixed = program.precision == "fixed"
tag = "fixed_pt" if fixed else "floating_pt"
results: dict[str, Any] = {}
for sample in range(stimulus.samples):
    nodes: dict[str, Any] = {}

    def keep(process: Any, name: str, nodes: dict[str, Any] = nodes) -> None:
        nodes[name] = process

    first = build(lava, program, period, keep, "conv")
    for spec in program.inputs:
        data = np.zeros(nodes[spec.name].data.shape, np.int32 if fixed else float)
        for step in range(stimulus.steps):
            messages = stimulus.at(spec.name, step + 1)[sample]
            data[..., step] = to_lava(messages, data.shape[:-1])
        nodes[spec.name].data.init = data
    sinks = {}
    for p in program.populations:
        sinks[p.name] = RingBuffer(shape=nodes[p.name].s_out.shape, buffer=period)
        nodes[p.name].s_out.connect(sinks[p.name].a_in)
    first.run(lava.RunSteps(num_steps=period), lava.Loihi2SimCfg(select_tag=tag))
    for p in program.populations:
        sent = np.moveaxis(sinks[p.name].data.get(), -1, 0)
        results[f"{p.name}.s.{sample}"] = np.stack([to_program(s) for s in sent])
        for state, attribute in states_of(p, program.precision).items():
            if hasattr(nodes[p.name], attribute):
                values = to_program(getattr(nodes[p.name], attribute).get())
                results[f"{p.name}.{state}.{sample}"] = values
    first.stop()
np.savez(job / "stock.npz", **results)
