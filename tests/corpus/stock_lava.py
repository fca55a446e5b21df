"""A compiled Program as a network of plain Lava processes, beside slipway's fast engine.

    stock_lava.py PROGRAM.slip DATA.npz [SAMPLES] [--conv]

Shares nothing with slipway's own Lava executor but the repairs of Lava's import: the processes
are built here from the Program's integers, no mixin of ours records, and what is compared is
what Lava's own sinks have received. Prints a JSON line: messages compared, mismatches, the
first of them, processes used. Leaves with 1 at any mismatch, with 2 where a population needs
more than Lava has.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.data import encode, load_data
from slipway.deploy.lava.compatibility import import_lava
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.models import model_of
from slipway.deploy.program import Input, Population, Program, Projection
from slipway.deploy.storage import load_program
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse

Array = npt.NDArray[Any]
GRADED_BITS = 24
INT8_MAX = 127
"""Lava's Conv keeps its geometry in int8."""


def beyond_stock(population: Population) -> str:
    """Why Lava has no process for this population in integers; "" if it has."""
    neuron = population.neuron
    if not isinstance(neuron, CubaLif):
        return f"{population.name} is {type(neuron).__name__}"
    if neuron.reset != "zero" or neuron.refractory:
        return f"{population.name} has reset {neuron.reset}, refractory {neuron.refractory}"
    return ""


def neurons(lava: Any, population: Population, steps: int) -> Any:
    """LIF; or LIFReset where the states are cleared before a step."""
    neuron, size = population.neuron, population.size
    assert isinstance(neuron, CubaLif)

    def full(values: Array) -> Array:
        return np.array(np.broadcast_to(values, (size,)), np.int64)

    arguments = {
        "shape": (size,),
        "v": full(neuron.initial_voltage),
        "du": full(neuron.current_decay),
        "dv": full(neuron.voltage_decay),
        "vth": full(neuron.threshold),
        "bias_mant": full(neuron.bias_mantissa),
        "bias_exp": neuron.bias_exponent,
    }
    if neuron.reset_interval:
        interval, offset = neuron.reset_interval, neuron.onset % neuron.reset_interval
    elif neuron.onset:
        interval, offset = steps + neuron.onset, neuron.onset
    else:
        return lava.LIF(**arguments)
    return lava.LIFReset(**arguments, reset_interval=interval, reset_offset=offset)


def matrix_of(synapse: Any) -> Array:
    """Mantissas (n_out, n_in), by asking the synapse for its answer to each input alone."""
    return np.asarray(synapse.accumulate(np.eye(synapse.in_size, dtype=np.int64)).T)


def synapses(
    lava: Any, program: Program, projection: Projection, conv: bool
) -> tuple[Any, Any]:
    """The process, and (C, H, W) in and out where it is a convolution."""
    from scipy.sparse import csr_matrix

    synapse, source = projection.synapse, program.source(projection.source)
    assert synapse.format is not None
    if isinstance(source, Input):
        binary = not source.graded
    else:
        binary = model_of(source.neuron).message == "spike"
    how = {
        "weight_exp": synapse.format.exponent,
        "num_weight_bits": synapse.format.bits,
        "sign_mode": lava.SignMode[synapse.format.sign_mode.upper()],
        "num_message_bits": 0 if binary else GRADED_BITS,
    }
    whole = not projection.delay and synapse.format.exponent >= 0
    if conv and whole and isinstance(synapse, Conv2d) and synapse.groups <= INT8_MAX:
        # torch correlates, Lava convolves; (O, C, H, W) -> (O, W, H, C). It has no exponent.
        kernel = synapse.weight.astype(np.int32) << synapse.format.exponent
        process = lava.Conv(
            weight=np.ascontiguousarray(kernel[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)),
            input_shape=synapse.input_shape[::-1],
            stride=synapse.stride[::-1],
            padding=synapse.padding[::-1],
            dilation=synapse.dilation[::-1],
            groups=synapse.groups,
            num_message_bits=how["num_message_bits"],
        )
        return process, (synapse.input_shape, synapse.output_shape)
    if (isinstance(synapse, Sparse) and synapse.longest_delay) or projection.delay:
        weights = np.zeros((synapse.out_size, synapse.in_size), np.int32)
        delays = np.zeros(weights.shape, np.int64)
        bins = synapse.bins() if isinstance(synapse, Sparse) else [(0, synapse)]
        for steps, part in bins:
            mantissas = matrix_of(part)
            weights += mantissas.astype(np.int32)
            delays[mantissas != 0] = steps + projection.delay
        places = np.nonzero(weights)  # Lava wants a delay, if only 0, where a weight is
        matrices = [
            csr_matrix((values[places], places), weights.shape) for values in (weights, delays)
        ]
        process = lava.DelaySparse(weights=matrices[0], delays=matrices[1], **how)
        return process, None
    weights = matrix_of(synapse).astype(np.int32)
    if isinstance(synapse, Dense):
        return lava.Dense(weights=weights, **how), None
    return lava.Sparse(weights=csr_matrix(weights), **how), None


def connect(source: Any, process: Any, target: Any, images: Any) -> None:
    """Flat ports; Lava's Conv wants (W, H, C)."""
    if images is None:
        source.s_out.connect(process.s_in)
        process.a_out.connect(target.a_in)
        return
    given, made = images
    source.s_out.reshape(given).transpose((2, 1, 0)).connect(process.s_in)
    flat = (int(np.prod(made)),)
    process.a_out.transpose((2, 1, 0)).reshape(flat).connect(target.a_in)


def run_lava(
    program: Program, frames: dict[str, Array], conv: bool
) -> tuple[dict[str, Array], Counter[str]]:
    """Messages (steps, n) of every population for one sample, and the processes that made them.

    frames: input name -> messages (steps, n).
    """
    lava = import_lava()
    from lava.proc.io.sink import RingBuffer as Sink

    steps = len(next(iter(frames.values())))
    nodes = {name: lava.RingBuffer(data=x.T.astype(np.int32)) for name, x in frames.items()}
    nodes |= {p.name: neurons(lava, p, steps) for p in program.populations}
    used = Counter(type(node).__name__ for node in nodes.values())
    for projection in program.projections:
        process, images = synapses(lava, program, projection, conv)
        used[type(process).__name__] += 1
        connect(nodes[projection.source], process, nodes[projection.target], images)
    sinks = {p.name: Sink(shape=(p.size,), buffer=steps) for p in program.populations}
    for name, sink in sinks.items():
        nodes[name].s_out.connect(sink.a_in)
    first = nodes[program.inputs[0].name]
    first.run(lava.RunSteps(num_steps=steps), lava.Loihi2SimCfg(select_tag="fixed_pt"))
    received = {name: sink.data.get().T.copy() for name, sink in sinks.items()}
    first.stop()
    return received, used


def main(path: Path, data: Path, samples: int, conv: bool) -> int:
    """Compare; see the module."""
    program = load_program(path)
    reasons = [reason for p in program.populations if (reason := beyond_stock(p))]
    if reasons:
        print(json.dumps({"beyond_stock": reasons}))
        return 2
    given = load_data(data).first(samples)
    stimulus, _ = encode(program, given.x)
    period = program.run_steps(stimulus.steps)
    heard, used = [], Counter[str]()
    for sample in range(stimulus.samples):
        frames = {
            i.name: np.stack([stimulus.at(i.name, t)[sample] for t in range(1, period + 1)])
            for i in program.inputs
        }
        received, used = run_lava(program, frames, conv)
        heard.append(received)
    from slipway.deploy.engine import execute  # numba's threads and Lava's forks do not mix

    ours = execute(program, stimulus, record=True)
    compared, wrong, first = 0, 0, None
    for sample, populations in enumerate(heard):
        for name, messages in populations.items():
            expected = ours.rasters[name].s[sample].astype(np.int64)
            bad = np.argwhere(messages != expected)
            compared, wrong = compared + expected.size, wrong + len(bad)
            if len(bad) and first is None:
                first = {"sample": sample, "population": name, "step": int(bad[0][0]) + 1}
    spikes = sum(int(r.s.sum()) for r in ours.rasters.values())
    facts = {"compared": compared, "mismatches": wrong, "spikes": spikes, "first": first}
    print(json.dumps({**facts, "processes": dict(used)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    positional = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    count = int(positional[2]) if len(positional) > 2 else 2
    sys.exit(main(Path(positional[0]), Path(positional[1]), count, "--conv" in sys.argv))
