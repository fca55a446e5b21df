"""Whether a placement keeps every limit: synapse by synapse, from the formulas alone.

Plain Python and NumPy on unrolled matrices; nothing of slipway's placement is used but the
placement itself. Neurons of a core are numbered population by population; those of an image
position by position, channels fastest.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
from slipway.deploy.program import Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.targets import Target

Array = np.ndarray[Any, Any]


def matrices(projection: Projection) -> tuple[Array, Array, Array]:
    """Weights, how many synapses there are (zeros too), and delays: each (n_out, n_in)."""
    synapse = projection.synapse
    if isinstance(synapse, Dense):
        ones = np.ones(synapse.weight.shape, int)
        return np.asarray(synapse.weight, float), ones, 0 * ones
    if isinstance(synapse, Conv2d):
        eye = np.eye(synapse.in_size)
        weight = replace(synapse, weight=synapse.weight.astype(float)).accumulate(eye).T
        taps = replace(synapse, weight=np.ones(synapse.weight.shape)).accumulate(eye).T
        return weight, taps.astype(int), np.zeros(taps.shape, int)
    weight, count = np.zeros(synapse.shape), np.zeros(synapse.shape, int)
    delay = np.zeros(synapse.shape, int)
    weight[synapse.row, synapse.column] = synapse.weight
    count[synapse.row, synapse.column] = 1
    if synapse.delay is not None:
        delay[synapse.row, synapse.column] = synapse.delay
    return weight, count, delay


def compartments(population: Population, target: Target) -> int:
    reset = getattr(population.neuron, "reset", "")
    return target.neurons["reset_by_subtraction"].compartments if reset == "subtract" else 1


def numbering(program: Program, population: Population) -> list[int]:
    """Neurons in the order of their numbers on a core."""
    shape = population.shape
    for projection in program.projections:
        if projection.target == population.name and isinstance(projection.synapse, Conv2d):
            shape = projection.synapse.output_shape
            break
    if len(shape) == 1:
        return list(range(shape[0]))
    channels, rest = shape[0], int(np.prod(shape[1:]))
    return [c * rest + p for p in range(rest) for c in range(channels)]


def bits_for(value: int, legal: tuple[int, ...]) -> int:
    needed = 0
    while 2**needed <= value:
        needed += 1
    return next((width for width in legal if width >= needed), legal[-1])


def nxtf_words(bits: int) -> int:
    return ceil(bits / 64) + (1 if bits % 64 == 0 or bits % 64 >= 59 else 0)


def nxtf_lists(ranks: list[int], weight: int, index: int) -> dict[str, int]:
    """Words of one list in each compression; `weight` bits hold weight and delay."""
    n = len(ranks)
    sparse = ceil(n / 60) * 10 + n * (weight + index)
    entries, filled, length = 0, 0, 0
    runs, run, longest = 0, 0, 0
    for i, rank in enumerate(ranks):
        step = rank - ranks[i - 1] if i else 0
        worth = (step - 1) * weight <= 10 + index
        if i and step > 0 and worth and length + step <= 60:
            length += step
            filled += step
        else:
            entries, length, filled = entries + 1, 1, filled + 1
        if i and 0 < step <= 31 and run < 60:
            run, longest = run + 1, max(longest, step)
        else:
            runs, run = runs + 1, 1
    skip = bits_for(longest, (2, 3, 4, 5))
    return {
        "dense": nxtf_words(entries * (10 + index) + filled * weight),
        "sparse": nxtf_words(sparse),
        "run-length": nxtf_words(runs * (10 + index) + n * (weight + skip)),
    }


def synmem_lists(ranks: list[int], weight: int, index: int) -> dict[str, int]:
    """Units of 32 bit."""
    span = ranks[-1] - ranks[0] + 1
    return {
        "dense": 2 * ceil((span * weight + 32) / 64),
        "sparse": 2 * ceil((len(ranks) * (weight + index) + 32) / 64),
    }


def used_by(
    program: Program, target: Target, core_of: dict[str, Array]
) -> dict[str, dict[int, int]]:
    """Resource -> core -> what is used of it."""
    cores = sorted({int(c) for of in core_of.values() for c in of})
    chip = {core: core // target.mesh.cores_per_chip for core in cores}
    neurons, held = dict.fromkeys(cores, 0), dict.fromkeys(cores, 0)
    number: dict[tuple[str, int], int] = {}
    for population in program.populations:
        for neuron in numbering(program, population):
            core = int(core_of[population.name][neuron])
            number[population.name, neuron] = held[core]
            held[core] += 1
            neurons[core] += compartments(population, target)
    memory, longest = dict.fromkeys(cores, 0), dict.fromkeys(cores, 0)
    reached: dict[tuple[str, int], set[int]] = {}
    for projection in program.projections:
        weight, _, delay = matrices(projection)
        home, name = core_of[projection.target], projection.target
        bits = projection.synapse.format.bits if projection.synapse.format else 8
        width = next((w for w in target.weight_bits if w >= bits), target.weight_bits[-1])
        slow = bits_for(projection.longest_delay, target.memory.delay_bits)
        for core in sorted({int(c) for c in home}):
            here = [i for i in np.flatnonzero(home == core).tolist()]
            here.sort(key=lambda i: number[name, i])
            index = bits_for(max(held[core] - 1, 0), target.memory.index_bits)
            lists = []
            for element in range(weight.shape[1]):
                chosen = [i for i in here if weight[i, element] != 0]
                if chosen:
                    reached.setdefault((projection.source, element), set()).add(core)
                    lists.append(
                        tuple(
                            (number[name, i], weight[i, element], delay[i, element])
                            for i in chosen
                        )
                    )
            if isinstance(projection.synapse, Dense) and target.memory.dense_zeros_stored:
                each = 2 * ceil((len(here) * (width + slow) + 32) / 64)
                memory[core] += each * weight.shape[1]
                continue
            if isinstance(projection.synapse, Conv2d):  # equal lists are stored once
                lists = list(
                    {
                        tuple((rank - one[0][0], w, d) for rank, w, d in one): one
                        for one in lists
                    }.values()
                )
            formula = nxtf_lists if target.memory.formula == "nxtf" else synmem_lists
            options: dict[str, list[int]] = {}
            for one in lists:
                for how, units in formula([r for r, _, _ in one], width + slow, index).items():
                    options.setdefault(how, []).append(units)
            legal = {
                how: units
                for how, units in options.items()
                if "axon_words" not in target.core
                or max(units) <= target.core["axon_words"].value
            }
            if options:
                best = min((legal or options).values(), key=sum)
                memory[core] += sum(best)
                longest[core] = max(longest[core], max(best))
    axons, entries = dict.fromkeys(cores, 0), dict.fromkeys(cores, 0)
    lonely: dict[tuple[int, int], int] = {}
    for (source, element), to in reached.items():
        for core in to:
            axons[core] += 1
        if source in core_of:
            home_core = int(core_of[source][element])
            for core in to:
                if len(to) > 1:
                    entries[home_core] += 1 + (chip[core] != chip[home_core])
                else:
                    lonely[home_core, core] = lonely.get((home_core, core), 0) + 1
    for (home_core, core), n in lonely.items():
        away = int(chip[core] != chip[home_core])
        entries[home_core] += max(n * (1 + away), 2 + away)
    words = target.memory.formula == "nxtf"
    return {
        "neurons": neurons,
        "input_axons": axons,
        "output_axons": entries,
        "synaptic_memory": {core: m * (64 if words else 1) for core, m in memory.items()},
        "axon_words": longest,
    }


def illegal(program: Program, target: Target, core_of: dict[str, Array]) -> list[str]:
    """Every way in which the placement breaks a rule."""
    found = []
    for population in program.populations:
        if core_of[population.name].shape != (population.size,):
            found.append(f"{population.name}: not every neuron has a core")
    for resource, by_core in used_by(program, target, core_of).items():
        if resource in target.core:
            limit = target.core[resource].value
            found += [f"{resource} {n} on core {c}" for c, n in by_core.items() if n > limit]
    cores = {int(c) for of in core_of.values() for c in of}
    for core in cores:
        if core % target.mesh.cores_per_chip >= target.mesh.usable:
            found.append(f"core {core} is reserved")
        if core // target.mesh.cores_per_chip >= target.mesh.chips:
            found.append(f"core {core} does not exist")
        there = [name for name, of in core_of.items() if (of == core).any()]
        if len(there) > 1 and not target.layers_share_cores:
            found.append(f"core {core} is shared by {there}")
    return found
