"""All figures of one network, as JSON values; docs/benchmarks.md says what they mean."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from slipway.deploy.counts import fan_outs
from slipway.deploy.engine import Engine
from slipway.deploy.program import Program
from slipway.deploy.trace import Stimulus, Trace

from . import equality, lava, peak
from .networks import RATE_BAND, Network, rates
from .timing import REPETITIONS, Contender, extra, in_turns

BATCHES = (1, 32, 256)
DATA_SECONDS = 1.5
"""How long the engine shall take for the whole data set."""
DATA_BYTES = 2**29
"""Most memory for the data set and for what the engine counts of each sample and neuron."""
COUNTED_SHARE = 8
"""One part in so many of the data set is enough to tell what counting costs."""
CHECKED_NEURONS = 30_000
"""Networks larger than this are compared on one sample, others on two."""
SPIKES_BAND = (0.9, 1.1)
"""Spikes of a float framework per spike of the engine, for its time to be comparable."""

FLOATS = ("snntorch", "spikingjelly", "norse")
"""Distributions of the frameworks of frameworks.py, which imports torch."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Work:
    """A contender's call, and how many steps of samples it does."""

    call: Contender
    sample_steps: int


def measure(
    network: Network,
    integer_adds: float,
    *,
    batches: Sequence[int] = BATCHES,
    data_seconds: float = DATA_SECONDS,
    repetitions: int = REPETITIONS,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Time everything on one network, in turns, and compare bits.

    Args:
        network: what is measured.
        integer_adds: additions a second that the machine can do, see limits.py.
        batches: samples that the engine is given at once, 1 among them.
        data_seconds: how long the engine shall take for the data set.
        repetitions: turns.
        progress: told what is going on.

    Raises:
        ValueError: a layer's rate lies outside the band, or a framework's spikes have nothing
            to do with the engine's: the times would be those of unlike work.
    """
    program = network.program
    started = time.perf_counter()
    engine = Engine(program)
    engine.run(network.stimulus(1, network.steps))
    first_run = time.perf_counter() - started
    data = _data_set(network, engine, max(*batches, network.float_batch), data_seconds)
    timed = engine.run(data)
    found = rates(program, timed, data.steps)
    _check_rates(network, found)
    works = _engine_works(network, engine, data, batches)
    progress(f"{network.key}: {data.samples} samples, float frameworks")
    floats, float_spikes = _float_works(network, data, timed)
    works |= floats
    if lava.usable():
        works |= _lava_works(network)
    progress(f"{network.key}: {', '.join(works)} in turns")
    times = in_turns({name: work.call for name, work in works.items()}, repetitions)
    milliseconds = {n: 1e3 * times[n].seconds / works[n].sample_steps for n in works}
    progress(f"{network.key}: counting")
    counting = _counting(engine, data)
    progress(f"{network.key}: bits")
    checked = 1 if _neurons(program) > CHECKED_NEURONS else 2
    bits = equality.check(engine, data.part(0, checked), timed, lava.usable())
    events = _events(program, timed)
    per_second = events / times["engine_data_set"].seconds
    return {
        "title": network.title,
        "neurons": _neurons(program),
        "synapses": sum(int(p.synapse.fan_out(False).sum()) for p in program.projections),
        "steps": network.steps,
        "latency_steps": program.latency,
        "samples": data.samples,
        "equal_bits": bits.pop("equal_bits"),
        "compared": bits,
        **_ratios(network, milliseconds),
        **counting,
        "synaptic_events_per_second": per_second,
        "synaptic_events_per_sample_step": events / (data.samples * data.steps),
        "share_of_limit": per_second / integer_adds,
        "peak_bytes": peak.peak_bytes(program, data),
        "first_run_seconds": first_run,
        "cold_run_seconds": peak.cold_seconds(program, network.stimulus(1, network.steps)),
        "milliseconds_per_sample_step": milliseconds,
        "spread": {name: each.spread for name, each in times.items()},
        "rates": found,
        "float_spikes": float_spikes,
        "kernels": {name: dict(kinds) for name, kinds in timed.kernels.items()},
    }


def _neurons(program: Program) -> int:
    return sum(population.size for population in program.populations)


def _data_set(network: Network, engine: Engine, least: int, seconds: float) -> Stimulus:
    """As many samples as take the engine about that long, within DATA_BYTES."""
    trial = network.stimulus(least, network.steps)
    engine.run(trial)
    started = time.perf_counter()
    trace = engine.run(trial)
    wanted = least * seconds / (time.perf_counter() - started)
    held = sum(values.nbytes for values in (*trial.values.values(), *trace.messages.values()))
    samples = int(min(wanted, least * DATA_BYTES / held))
    return network.stimulus(samples, network.steps) if samples > least else trial


def _check_rates(network: Network, found: Mapping[str, float]) -> None:
    low, high = RATE_BAND
    wrong = {name: rate for name, rate in found.items() if not low <= rate <= high}
    wrong.pop(network.program.inputs[0].name, None)
    if network.calibrated and wrong:
        raise ValueError(f"network {network.key}: rates {wrong} are not within {RATE_BAND}")


def _engine_works(
    network: Network, engine: Engine, data: Stimulus, batches: Sequence[int]
) -> dict[str, _Work]:
    """The engine on one long sample, on batches, on what the frameworks get, on all samples."""
    sizes = (*batches, network.float_batch)
    stimuli = {f"engine_{size}": data.part(0, size) for size in sizes}
    stimuli["engine_1"] = network.stimulus(1, network.alone_steps)
    stimuli["engine_data_set"] = data
    works, fans = {}, fan_outs(engine.program)
    for name, stimulus in stimuli.items():
        call = engine_call(engine, stimulus, fans)
        call()  # nothing is timed at its first call
        works[name] = _Work(call, stimulus.samples * stimulus.steps)
    return works


def _counting(engine: Engine, data: Stimulus) -> dict[str, Any]:
    """What counting costs: runs with all counts, and without any.

    Of one engine: two would differ in where their arrays lie, and so in what the cache holds.
    """
    part = data.part(0, max(data.samples // COUNTED_SHARE, 1))
    call = engine_call(engine, part, fan_outs(engine.program))
    found = extra(call, lambda: engine.run(part, counting=False))
    return {
        "counting_cost": found.processor,
        "counting_cost_by_clock": found.clock,
        "counting_cost_spread": found.spread,
    }


def engine_call(engine: Engine, stimulus: Stimulus, fans: Mapping[str, Any]) -> Contender:
    """A run as `slipway run` makes it: with all counts that its result holds.

    The `fan_outs` are the same arrays in every call: the engine prepares them once.
    """

    def call() -> None:
        engine.run(stimulus, fans=fans)

    return call


def _lava_works(network: Network) -> dict[str, _Work]:
    """Each way in which Lava can be asked; it says itself what a step of one sample took."""
    stimulus = network.stimulus(1, network.steps)
    return {
        name: _Work(
            partial(
                lava.seconds_per_step,
                network.program,
                stimulus,
                network.lava_steps,
                convolution,
            ),
            1,
        )
        for name, convolution in lava.ways(network.program).items()
    }


def _float_works(
    network: Network, data: Stimulus, timed: Trace
) -> tuple[dict[str, _Work], dict[str, float]]:
    """Each installed framework in each way; and its spikes per spike of the engine."""
    installed = [name for name in FLOATS if importlib.util.find_spec(name)]
    if not installed:
        return {}, {}
    from .float_calls import calls

    part = data.part(0, network.float_batch)
    spiking = [p.name for p in network.program.populations]
    ours = sum(int(timed.messages[name][: part.samples].sum()) for name in spiking)
    works, ratios = {}, {}
    for name, call, spikes in calls(network.program, part, installed):
        works[name] = _Work(call, part.samples * part.steps)
        ratios[name] = spikes / ours
        low, high = SPIKES_BAND
        if network.calibrated and not low <= ratios[name] <= high:
            raise ValueError(
                f"network {network.key}: {name} sends {ratios[name]:.2f} times the engine's "
                f"spikes, not within {SPIKES_BAND}"
            )
    return works, ratios


def _events(program: Program, trace: Trace) -> int:
    """Synaptic events: messages times fan-out, over all stored synapses."""
    return sum(
        int(trace.messages[p.source].sum(axis=0) @ p.synapse.fan_out(False))
        for p in program.projections
    )


def _ratios(network: Network, milliseconds: Mapping[str, float]) -> dict[str, Any]:
    """Time of the others by time of the engine. None where they did not run."""

    def against_lava(name: str, ours: str, steps: int) -> float | None:
        if name not in milliseconds:
            return None
        # Lava's time is that of an executed step; the engine's that of a presented one.
        executed = network.program.run_steps(steps) / steps
        return milliseconds[name] * executed / milliseconds[ours]

    floats = {name: time for name, time in milliseconds.items() if name.split(".")[0] in FLOATS}
    best = min(floats, key=lambda name: floats[name], default=None)
    ours = milliseconds[f"engine_{network.float_batch}"]
    many, one = "engine_data_set", "engine_1"
    return {
        "lava_throughput_ratio": against_lava("lava", many, network.steps),
        "lava_b1_ratio": against_lava("lava", one, network.alone_steps),
        "lava_sparse_throughput_ratio": against_lava("lava_sparse", many, network.steps),
        "lava_sparse_b1_ratio": against_lava("lava_sparse", one, network.alone_steps),
        "best_float_framework": best.split(".")[0] if best else None,
        "best_float_framework_ratio": floats[best] / ours if best else None,
        "float_batch": network.float_batch,
    }
