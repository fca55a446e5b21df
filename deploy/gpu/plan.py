"""In which order a Program's populations are evaluated, and how much of a run at once.

A projection takes at least one step, so a population without a way back to itself can be
evaluated over all steps before the next one begins. Populations in a loop advance together, as
many steps at a time as the shortest projection among them takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from ..components import components as strongly_connected
from ..neurons.models import model_of
from ..program import Input, Population, Program, Projection
from ..synapses.sparse import Sparse

Array = npt.NDArray[Any]

ELEMENTS = 2**31 - 1
"""Most elements of one array: indices of 32 bits reach them all."""
PARTS = 4
"""Parts that many samples are divided into, so that copies go on beside the work."""
LEAST_SAMPLES = 64
"""Samples at once that keep a GPU busy; rather fewer steps at once than fewer samples."""
SCRATCH = 2**28
"""Most bytes of unfolded images at a time, and one part in SCRATCH_SHARE of the memory."""
SCRATCH_SHARE = 8


@dataclass(frozen=True, slots=True)
class Component:
    """Populations that are evaluated together.

    Attributes:
        populations: names, in the Program's order.
        block: steps that can be evaluated at once; None: any number, there is no loop.
    """

    populations: tuple[str, ...]
    block: int | None


def components(program: Program) -> list[Component]:
    """The strongly connected components, each behind all that feed it."""
    return [_component(program, members) for members in strongly_connected(program)]


def _component(program: Program, members: list[str]) -> Component:
    inner = [p for p in program.projections if p.source in members and p.target in members]
    block = min((1 + p.delay + _shortest(p) for p in inner), default=None)
    return Component(tuple(members), block)


def _shortest(projection: Projection) -> int:
    synapse = projection.synapse
    delays = synapse.delay if isinstance(synapse, Sparse) else None
    return int(delays.min()) if delays is not None and len(delays) else 0


def channels_last(shape: tuple[int, ...]) -> Array:
    """Flat indices of (C, H, W), or (C, L), in the order H, W, C: flat[..., these]."""
    index = np.arange(int(np.prod(shape))).reshape(shape)
    return np.moveaxis(index, 0, -1).reshape(-1)


def history(program: Program, source: str) -> int:
    """How many steps back the messages of that source are needed."""
    leaving = (p for p in program.projections if p.source == source)
    return max((1 + p.longest_delay for p in leaving), default=0)


def message_bytes(source: Input | Population) -> int:
    """Bytes of one message: spikes and signed spikes take one, values four."""
    if isinstance(source, Input):
        return 4 if source.graded else 1
    return 4 if model_of(source.neuron).message == "graded" else 1


def taped(program: Program, record: bool) -> set[str]:
    """Populations whose states are kept at every step: recorded, or read as a membrane."""
    read = {o.population for o in program.outputs if o.readout != "count"}
    return {p.name for p in program.populations if record or p.name in read}


@dataclass(frozen=True, slots=True)
class Portion:
    """How much is evaluated at once.

    Attributes:
        samples, steps: of the stimulus and of the run.
        scratch: bytes that one projection may take while it is evaluated.
    """

    samples: int
    steps: int
    scratch: int


def portion(
    program: Program, memory: int, samples: int, steps: int, *, record: bool, wide: int
) -> Portion:
    """The largest portion that fits, all steps if possible.

    Args:
        program: what runs.
        memory: bytes for everything but the weights.
        samples: how many there are.
        steps: how many are executed.
        record: whether all states are kept.
        wide: bytes of one state while it is stepped.

    Raises:
        UsageError: not even one step of one sample fits.
    """
    scratch = min(SCRATCH, memory // SCRATCH_SHARE)
    free = memory - 3 * scratch  # unfolded images, their padded source, and their products
    each, moment = _bytes(program, record, wide, steps)
    sources: list[Input | Population] = [*program.inputs, *program.populations]
    widest = max(source.size for source in sources)
    if each + moment > free:
        needed = (each + moment) * SCRATCH_SHARE // (SCRATCH_SHARE - 3) + 1
        raise UsageError(
            f"one step of one sample needs {needed} bytes; the limit is {memory}",
            where="the device's memory",
            remedy="allow more memory, or use --device cpu",
        )
    parts = max(-(-samples // PARTS), min(samples, LEAST_SAMPLES))
    count = min(parts, free // (each + moment * steps), ELEMENTS // (widest * steps))
    if count >= min(samples, LEAST_SAMPLES):
        return Portion(int(count), steps, scratch)
    count = max(min(samples, LEAST_SAMPLES, free // (each + moment)), 1)
    length = min((free - count * each) // (count * moment), ELEMENTS // (widest * count))
    return Portion(int(count), int(np.clip(length, 1, steps)), scratch)


def _bytes(program: Program, record: bool, wide: int, steps: int) -> tuple[int, int]:
    """Bytes that a sample needs throughout, and for each step that is evaluated at once."""
    kept = taped(program, record)
    each = moment = 0
    for spec in program.inputs:
        # Those of the next samples are on their way in while these are evaluated.
        each += (2 * steps + history(program, spec.name)) * spec.size * message_bytes(spec)
        moment += 2 * spec.size * message_bytes(spec)
    for population in program.populations:
        size, model = population.size, model_of(population.neuron)
        states = len(model.states(population.neuron))
        each += size * (wide * (states + 8) + 8)
        each += history(program, population.name) * size * message_bytes(population)
        each += sum(16 * size for o in program.outputs if o.population == population.name)
        moment += size * message_bytes(population)
        moment += 8 * size * (states + 1) if population.name in kept else 0
    from_inputs = [p for p in program.projections if program.is_input(p.source)]
    each += sum(4 * p.synapse.out_size for p in from_inputs)  # of frames: the same every step
    arriving = (
        sum(_arriving(program, program.population(name)) for name in component.populations)
        for component in components(program)
    )
    return each, moment + max(arriving)


def _arriving(program: Program, population: Population) -> int:
    """Bytes of the sums that reach a population, and of what they are added to."""
    arrays = len(model_of(population.neuron).ports)
    arrays += 2 * (len(program.into(population.name)) > 1)
    return 4 * arrays * population.size
