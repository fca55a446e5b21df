"""The honest baseline: the same network, dense and of 8 bits, under one memory model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from .costs import CostModel, load_cost_model
from .counts import Counts, Layer, Stream, counts_of
from .estimate import price
from .memory import QUEUE_BYTES, access, work_of
from .remarks import RATE_LIMIT, RATE_LIMIT_STRICT, SPIKES_PER_SYNAPSE
from .terms import Band, total

MEMORY_MODEL = "lemaire22"
ARITHMETIC_MODEL = "ops45_int8"
BITS = 8
STATE_BITS = 24

ASSUMPTIONS = (
    "Both networks are priced with the memories of lemaire22 and the INT8 arithmetic of ops45: "
    "every weight, value and potential is one access to a memory of the size that all of them "
    "take; nothing is on a chip with cores, so no messages, no static power, no time.",
    "The dense network has weights, inputs and outputs of 8 bits, works once through every "
    "layer and skips no zero. The spiking network has its own weight bits, potentials of "
    "24 bits, and a queue of 1000 messages of 32 bits.",
    "A graded message costs a multiply-accumulate at each synapse, a spike an accumulate; a "
    "neuron reads and writes its potential at every step and for every operation.",
)
NOT_PRICED = (
    "sensor, analog-to-digital conversion, scaling, clipping and rounding of the input",
    "on the spiking side: presenting the same frame again at every step, where a host does it",
)


def baseline_of(run: Mapping[str, Any], models: Sequence[CostModel] = ()) -> dict[str, Any]:
    """The dense network beside the spiking one, and where they break even. JSON values.

    Keys: `dense` {macs, parameters, joule, parts}, `spiking` {joule, fixed_joule, parts} in
    joule per inference; `ratio` spiking / dense; `cheaper`; `break_even` {spike_rate,
    spikes_per_synapse, factor on the spikes, measured of both, reason}; `encoding` of the
    layers that analog input reaches; `models`, `assumptions`, `not_priced`.

    With E = fixed + spikes x slope, break-even is where the spiking network costs what the
    dense one does if every population's rate is scaled alike.

    Args:
        run: a checked run.json.
        models: cost models under which the encoding layer is priced, too.
    """
    counts = counts_of(run)
    memory, arithmetic = load_cost_model(MEMORY_MODEL), load_cost_model(ARITHMETIC_MODEL)
    add = arithmetic.constants["accumulate"].price
    both = arithmetic.constants["multiply_accumulate_message"].price
    dense = [_dense(run, counts, s, memory, add, both) for s in counts.streams]
    fixed, moving = _spiking(counts, memory, add, both)
    whole = total(dense_layer["energy"] for dense_layer in dense)
    spiking = total((fixed, moving))
    return {
        "dense": {
            "bits": BITS,
            "macs": sum(layer["macs"] for layer in dense),
            "parameters": sum(s.weights for s in counts.streams),
            "joule": whole.as_json(),
            "layers": [{**layer, "energy": layer["energy"].as_json()} for layer in dense],
        },
        "spiking": {
            "joule": spiking.as_json(),
            "fixed_joule": fixed.as_json(),
            "accumulates": sum(_per_inference(counts, False)),
            "macs": sum(_per_inference(counts, True)),
        },
        "ratio": spiking.nominal / whole.nominal if whole.nominal else None,
        "cheaper": "spiking" if spiking.nominal < whole.nominal else "dense",
        "break_even": _break_even(counts, whole.nominal, fixed.nominal, moving.nominal),
        "encoding": _encoding(run, counts, models),
        "models": {
            m.name: {"title": m.title, "sha256": m.sha256} for m in (memory, arithmetic)
        },
        "assumptions": list(ASSUMPTIONS),
        "not_priced": list(NOT_PRICED),
    }


def _per_inference(counts: Counts, graded: bool) -> Iterable[float]:
    return (s.synops / counts.samples for s in counts.streams if s.graded == graded)


def macs_of(stream: Stream) -> int:
    """Multiply-accumulates of the dense layer: every output with its whole kernel or row.

    Dense: N_in x N_out; convolution: outputs x C_in / groups x prod(K), its zero padding
    included; sparse, or without geometry: the stored synapses.
    """
    found = stream.geometry
    if stream.form == "convolution" and "kernel" in found:
        outputs = prod(found["output_shape"])
        return int(
            outputs * (found["input_shape"][0] // found["groups"]) * prod(found["kernel"])
        )
    return stream.synapses_all


def _size(run: Mapping[str, Any], name: str) -> int:
    found = run["populations"].get(name) or (run.get("inputs") or {}).get(name) or {}
    return int(found.get("neurons", 0))


def _dense(
    run: Mapping[str, Any],
    counts: Counts,
    stream: Stream,
    memory: CostModel,
    add: Band,
    both: Band,
) -> dict[str, Any]:
    """One layer of the dense network, once."""
    macs = macs_of(stream)
    inputs, outputs = _size(run, stream.source), _size(run, stream.target)
    conv = stream.form == "convolution"
    reads = macs if conv else inputs
    kernel = prod(stream.geometry.get("kernel", [1])) * _channels(stream, outputs)
    addresses = inputs + outputs + (kernel if conv else 0)
    parts = {
        "memory": (
            access(memory, stream.weights * BITS / 8).scaled(macs),
            access(memory, inputs * BITS / 8).scaled(reads),
            access(memory, outputs * BITS / 8).scaled(outputs),
        ),
        "operations": (both.scaled(macs),),
        "addressing": (add.scaled(addresses),),
    }
    return {
        "name": stream.name,
        "macs": macs,
        "energy": total(band for bands in parts.values() for band in bands),
        "parts": {key: total(bands).as_json() for key, bands in parts.items()},
    }


def _channels(stream: Stream, outputs: int) -> int:
    shape = stream.geometry.get("output_shape")
    return int(shape[0]) if shape else outputs


def _spiking(counts: Counts, memory: CostModel, add: Band, both: Band) -> tuple[Band, Band]:
    """Energy of an inference that spikes do not change, and that which grows with them."""
    fixed: list[Band] = []
    moving: list[Band] = []
    scale = 1 / counts.samples
    potential = {
        layer.name: access(memory, layer.neurons * STATE_BITS / 8) for layer in counts.layers
    }
    queue = access(memory, QUEUE_BYTES)
    for stream in counts.streams:
        work = work_of(stream)
        weights = access(memory, stream.weights * (stream.weight_bits or BITS) / 8)
        bands = (
            weights.scaled(work.fan_out * scale),
            potential[stream.target].scaled(2 * work.fan_out * scale),
            queue.scaled(work.messages * scale),
            (both if stream.graded else add).scaled(work.operations * scale),
            add.scaled(work.fan_out * scale),
            both.scaled(work.multiplications * scale),
        )
        (fixed if _given(counts, stream) else moving).extend(bands)
    for layer in counts.layers:
        leaks = _leaks(layer, memory)
        fixed.append(potential[layer.name].scaled(2 * layer.updates * scale))
        fixed.append(both.scaled(leaks * layer.updates * scale))
        moving.append(total((queue, add)).scaled(layer.spikes * scale))
    return total(fixed), total(moving)


def _given(counts: Counts, stream: Stream) -> bool:
    """Whether the source is analog input, which the network's spikes do not change."""
    return stream.graded and all(layer.name != stream.source for layer in counts.layers)


def _leaks(layer: Layer, memory: CostModel) -> int:
    table = memory.neuron_operations
    return table.get(layer.kind, table["default"])["multiply_accumulate"]


def _break_even(counts: Counts, dense: float, fixed: float, moving: float) -> dict[str, Any]:
    spiking = [layer for layer in counts.layers if layer.spiking]
    updates = sum(layer.updates for layer in spiking)
    rate = sum(layer.spikes for layer in spiking) / updates if updates else None
    binary = [s for s in counts.streams if not s.graded]
    synapses = sum(s.synapses for s in binary)
    per_synapse = (
        sum(s.synops for s in binary) / (synapses * counts.samples) if synapses else None
    )
    factor, reason = None, ""
    if not moving:
        reason = "no spike was counted, so nothing says how they would spread over the layers"
    elif fixed >= dense:
        reason = (
            "the potentials that are read and written at every step, and analog input, alone "
            "cost more than the dense network: no spike rate is low enough"
        )
    else:
        factor = (dense - fixed) / moving
    return {
        "factor": factor,
        "spike_rate": rate * factor if factor is not None and rate is not None else None,
        "spikes_per_synapse": (
            per_synapse * factor if factor is not None and per_synapse is not None else None
        ),
        "measured_spike_rate": rate,
        "measured_spikes_per_synapse": per_synapse,
        "side": "spiking" if fixed + moving < dense else "dense",
        "reason": reason,
        "published": {
            "spike_rate": {
                **_published(rate, RATE_LIMIT_STRICT, RATE_LIMIT),
                "source": "Yan et al., arXiv 2409.08290: 5.7 % (v4, T = 5), 6.4 % (v2-v3)",
            },
            "spikes_per_synapse": {
                **_published(per_synapse, *SPIKES_PER_SYNAPSE),
                "source": "Dampfhoffer et al., TETCI 7(3):731, 2023: IF neurons",
            },
        },
    }


def _published(value: float | None, low: float, high: float) -> dict[str, Any]:
    """A published range below which the spiking network wins, and the side of this one."""
    if value is None:
        side = None
    else:
        side = "spiking" if value < low else "within the range" if value <= high else "dense"
    return {"low": low, "high": high, "side": side}


def _encoding(
    run: Mapping[str, Any], counts: Counts, models: Sequence[CostModel]
) -> dict[str, Any]:
    """What the layers cost that analog input reaches: inside the totals, not on top of them."""
    streams = [s for s in counts.streams if _given(counts, s)]
    energy = {}
    for model in models:
        if model.method == "orientation":
            continue
        found = price(counts, model)
        part = total(found.projections[s.name] for s in streams)
        share = part.nominal / found.dynamic.nominal if found.dynamic.nominal else 0.0
        energy[model.name] = {**part.as_json(), "share_of_dynamic": share}
    return {
        "projections": [s.name for s in streams],
        "inputs": {
            name: {"graded": bool(entry.get("graded")), "messages": entry.get("messages")}
            for name, entry in (run.get("inputs") or {}).items()
        },
        "macs_per_inference": sum(s.synops for s in streams) / counts.samples,
        "energy": energy,
    }
