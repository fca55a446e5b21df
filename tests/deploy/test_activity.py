"""Counts of messages, hops and cores equal a brute-force count; laws of conservation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.activity import steps_json
from slipway.deploy.counts import fan_outs, join, reduce
from slipway.deploy.engine import Engine
from slipway.deploy.placement import Placement
from slipway.deploy.profile import active, observed, profile_of
from slipway.deploy.program import Program, Projection
from slipway.deploy.routes import TRAFFIC, core_counts, link_loads, routes_of
from slipway.deploy.run import run
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.sparse import Sparse
from slipway.deploy.trace import Stimulus, Trace

from .random_programs import random_case

SEEDS = range(40)
# Loihi 1: 128 cores a chip, 4 a tile, 8 x 4 tiles a chip.
PER_CHIP, PER_TILE, COLUMNS, ROWS = 128, 4, 8, 4


def scattered(program: Program, seed: int, most: int = 5, chips: int = 3) -> Placement:
    """Each neuron on some core, whatever fits there."""
    rng = np.random.default_rng(seed)
    core_of = {}
    for population in program.populations:
        some = rng.integers(0, chips * PER_CHIP, rng.integers(1, most + 1))
        core_of[population.name] = rng.choice(some, population.size).astype(np.int32)
    cores = np.unique(np.concatenate(list(core_of.values()))).astype(np.int32)
    return Placement(
        target="loihi1",
        method="scattered",
        seed=seed,
        seconds=0.0,
        core_of=core_of,
        cores=cores,
        used={"neurons": np.ones(len(cores), np.int64)},
        compression={},
    )


def tile(core: int, columns: int) -> tuple[int, int]:
    """Of the tile in the grid of all chips, `columns` chips in a row."""
    chip, inside = divmod(core, PER_CHIP)
    across, down = inside // PER_TILE % COLUMNS, inside // PER_TILE // COLUMNS
    return chip % columns * COLUMNS + across, chip // columns * ROWS + down


def synapses(projection: Projection) -> Iterator[tuple[int, int, int, int]]:
    """Every synapse by definition: source, target, weight, own delay."""
    synapse = projection.synapse
    if isinstance(synapse, Sparse):
        delays = np.zeros(len(synapse.weight), int) if synapse.delay is None else synapse.delay
        for w, row, column, d in zip(
            synapse.weight, synapse.row, synapse.column, delays, strict=True
        ):
            yield int(column), int(row), int(w), int(d)
    elif isinstance(synapse, Conv2d):
        out, height, width = synapse.output_shape
        per_in = synapse.input_shape[0] // synapse.groups
        per_out = out // synapse.groups
        for o, y, x in np.ndindex(out, height, width):
            for c, i, j in np.ndindex(per_in, *synapse.weight.shape[2:]):
                row = y * synapse.stride[0] + i * synapse.dilation[0] - synapse.padding[0]
                column = x * synapse.stride[1] + j * synapse.dilation[1] - synapse.padding[1]
                if 0 <= row < synapse.input_shape[1] and 0 <= column < synapse.input_shape[2]:
                    channel = o // per_out * per_in + c
                    at = (channel * synapse.input_shape[1] + row) * synapse.input_shape[2]
                    target = (o * height + y) * width + x
                    yield at + column, target, int(synapse.weight[o, c, i, j]), 0
    else:
        for (row, column), w in np.ndenumerate(synapse.weight):
            yield column, row, int(w), 0


class Brute:
    """Everything counted one message at a time."""

    def __init__(
        self, program: Program, placement: Placement, sent: dict[str, Any], columns: int
    ) -> None:
        self.traffic: Counter[tuple[str, int, str]] = Counter()
        self.by_step: Counter[tuple[str, int, str]] = Counter()
        self.cores: Counter[tuple[str, int]] = Counter()
        self.links: Counter[tuple[tuple[int, int], tuple[int, int]]] = Counter()
        self.steps: Counter[tuple[str, int, int, int]] = Counter()
        self.touched: set[tuple[str, int, int, int]] = set()
        leaving: dict[str, dict[int, list[tuple[str, int, int, int]]]] = {}
        for projection in program.projections:
            rows = leaving.setdefault(projection.source, {})
            for source, target, weight, delay in synapses(projection):
                entry = (projection.target, target, weight, projection.delay + delay)
                rows.setdefault(source, []).append(entry)
        for name, messages in sent.items():
            inside = not program.is_input(name)
            for sample, step, element in np.argwhere(messages).tolist():
                fan = leaving.get(name, {}).get(element, [])
                reached = {int(placement.core_of[p][n]) for p, n, w, _ in fan if w}
                home = int(placement.core_of[name][element]) if inside else None
                if home is not None:
                    self.at("spikes", sample, step, home)
                self.by_step[name, step, "sent"] += 1
                for p, n, w, delay in fan:
                    self.by_step[name, step, "synops"] += w != 0
                    self.by_step[name, step, "synops_all"] += 1
                    there = int(placement.core_of[p][n])
                    self.cores["syn_ops_all", there] += 1
                    if w:
                        self.at("syn_ops", sample, step, there)
                        self.touched.add((p, sample, step + 1 + delay, n))
                for there in reached:
                    before = Counter({k: self.traffic[name, sample, k] for k in TRAFFIC})
                    self.message(name, sample, step, home, there, columns)
                    for kind in TRAFFIC:
                        more = self.traffic[name, sample, kind] - before[kind]
                        self.by_step[name, step, kind] += more

    def at(self, what: str, sample: int, step: int, core: int) -> None:
        self.cores[what, core] += 1
        self.steps[what, sample, step, core] += 1

    def message(
        self, name: str, sample: int, step: int, home: int | None, there: int, columns: int
    ) -> None:
        self.traffic[name, sample, "messages"] += 1
        self.at("spikes_in", sample, step, there)
        if home is None:
            return
        self.at("axon_out", sample, step, home)
        here, end = tile(home, columns), tile(there, columns)
        chips = home // PER_CHIP, there // PER_CHIP
        self.traffic[name, sample, "messages_other_chip"] += chips[0] != chips[1]
        self.traffic[name, sample, "messages_same_core"] += home == there
        self.traffic[name, sample, "messages_same_tile"] += here == end and home != there
        while here != end:  # one link after another, first along x
            along_x = here[0] != end[0]
            axis = 0 if along_x else 1
            move = 1 if end[axis] > here[axis] else -1
            after = (here[0] + move, here[1]) if along_x else (here[0], here[1] + move)
            self.links[here, after] += 1
            way = "hops_east_west" if along_x else "hops_north_south"
            self.traffic[name, sample, way] += 1
            here = after


def recorded(program: Program, stimulus: Stimulus) -> Trace:
    return reference.execute(program, stimulus, record=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_count_equals_a_count_by_hand(seed: int) -> None:
    program, stimulus = random_case(seed)
    placement = scattered(program, seed)
    routes = routes_of(program, placement)
    trace = recorded(program, stimulus)
    found = observed(program, stimulus, trace)
    brute = Brute(program, placement, dict(found.sent), routes.mesh.chip_columns)

    fans = fan_outs(program, routes)
    clipped = np.zeros(stimulus.samples, np.int64)
    fast = reduce(program, fans, Engine(program).run(stimulus, fans=fans), clipped, 1.0)
    slow = reduce(program, fans, recorded(program, stimulus), clipped, 1.0)
    for counts in (fast, slow):
        for name, values in counts.traffic.items():
            for sample, row in enumerate(values):
                expected = [brute.traffic[name, sample, kind] for kind in TRAFFIC]
                assert row.tolist() == expected, (name, sample)
        by_core = core_counts(routes, counts.elements)
        for what in ("syn_ops", "syn_ops_all", "spikes", "axon_out", "spikes_in"):
            numbers = [brute.cores[what, core] for core in placement.cores.tolist()]
            assert getattr(by_core, what).tolist() == numbers, what
        links = link_loads(routes, counts.elements)
        begin, end = (
            zip(links.x, links.y, strict=True),
            zip(links.to_x, links.to_y, strict=True),
        )
        loads = dict(zip(zip(begin, end, strict=True), links.messages, strict=True))
        assert loads == dict(brute.links)

    by_step = steps_json(program, fast)
    assert not slow.step_totals
    for t in range(trace.executed_steps):
        for name in found.sent:
            if program.is_input(name):
                sent = by_step["inputs"][name]["messages"]
            else:
                sent = by_step["populations"][name]["spikes"]
            assert sent[t] == brute.by_step[name, t, "sent"]
            for key in ("synops", "synops_all"):
                leaving = [p.name for p in program.projections if p.source == name]
                caused = sum(by_step["projections"][p][key][t] for p in leaving)
                assert caused == brute.by_step[name, t, key]
        for key in TRAFFIC:
            travelled = sum(brute.by_step[p.name, t, key] for p in program.populations)
            assert by_step["traffic"][key][t] == travelled

    profile = profile_of(routes, found)
    for what, array in profile.arrays.items():
        expected_steps = {
            (sample, step, core): n
            for (kind, sample, step, core), n in brute.steps.items()
            if kind == what
        }
        places = np.argwhere(array)
        assert expected_steps == {
            (k, t, int(placement.cores[c])): int(array[k, t, c]) for k, t, c in places.tolist()
        }
    for population in program.populations:
        name = population.name
        norm = found.sent[name].copy()
        for p, sample, step, neuron in brute.touched:
            if p == name and step < norm.shape[1]:
                norm[sample, step, neuron] = True
        np.testing.assert_array_equal(active(found, name), norm)
        assert profile.active_updates[name] == norm.sum()
        assert profile.neuron_updates[name] == norm.size
        raster = trace.rasters[name]
        states = np.stack(list(raster.states.values()))
        resting = ~norm & found.at_rest[name]
        assert profile.resting_updates[name] == resting.sum()
        # What rests stays as it is.
        later = resting[:, 1:]
        assert (states[:, :, 1:][:, later] == states[:, :, :-1][:, later]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_sent_arrives(seed: int) -> None:
    program, stimulus = random_case(seed)
    placement = scattered(program, seed + 1000)
    routes = routes_of(program, placement)
    fans = fan_outs(program, routes)
    trace = Engine(program).run(stimulus, fans=fans)
    counts = reduce(program, fans, trace, np.zeros(stimulus.samples, np.int64), 1.0)
    by_core, links = core_counts(routes, counts.elements), link_loads(routes, counts.elements)
    inside = [p.name for p in program.populations]
    total = dict(zip(TRAFFIC, sum(counts.traffic[n].sum(axis=0) for n in inside), strict=True))
    host = sum(int(counts.traffic[i.name][:, 0].sum()) for i in program.inputs)
    assert by_core.axon_out.sum() == total["messages"]
    assert by_core.spikes_in.sum() == total["messages"] + host
    assert links.messages.sum() == total["hops_east_west"] + total["hops_north_south"]
    assert by_core.spikes.sum() == sum(int(counts.messages[n].sum()) for n in inside)
    assert by_core.syn_ops.sum() == sum(int(v.sum()) for v in counts.synops.values())
    assert by_core.syn_ops_all.sum() == sum(int(v.sum()) for v in counts.synops_all.values())
    assert total["messages"] <= by_core.spikes.sum() * routes.cores
    assert by_core.neurons.sum() == sum(p.size for p in program.populations)


def test_on_one_core_nothing_travels() -> None:
    program, stimulus = random_case(5)
    placement = scattered(program, 0, most=1, chips=1)
    alone = {name: np.full_like(cores, 7) for name, cores in placement.core_of.items()}
    one = Placement("loihi1", "one", 0, 0.0, alone, np.array([7], np.int32), {}, {})
    routes = routes_of(program, one)
    fans = fan_outs(program, routes)
    trace = Engine(program).run(stimulus, fans=fans)
    counts = reduce(program, fans, trace, np.zeros(stimulus.samples, np.int64), 1.0)
    links = link_loads(routes, counts.elements)
    assert len(links.messages) == 0
    for name in routes.homes:
        row = dict(zip(TRAFFIC, counts.traffic[name].sum(axis=0).tolist(), strict=True))
        assert row["messages"] == row["messages_same_core"]
        assert not any(row[k] for k in TRAFFIC if k not in ("messages", "messages_same_core"))


def test_sections_add_up() -> None:
    program, stimulus = random_case(12)
    routes = routes_of(program, scattered(program, 3))
    fans = fan_outs(program, routes)

    def counted(part: Stimulus) -> Any:
        trace = Engine(program).run(part, fans=fans)
        return reduce(program, fans, trace, np.zeros(part.samples, np.int64), 1.0)

    whole = counted(stimulus)
    assert stimulus.samples > 1
    parts = join([counted(stimulus.part(k, k + 1)) for k in range(stimulus.samples)])
    for name, values in whole.elements.items():
        np.testing.assert_array_equal(parts.elements[name], values)
        np.testing.assert_array_equal(parts.traffic[name], whole.traffic[name])
        np.testing.assert_array_equal(parts.step_totals[name], whole.step_totals[name])


def test_a_run_tells_all_of_it() -> None:
    program, stimulus = random_case(3)
    placement = scattered(program, 1)
    frames = {name: values for name, values in stimulus.values.items()}
    shaped = {
        spec.name: frames[spec.name].reshape(*frames[spec.name].shape[:-1], *spec.shape)
        / spec.scale
        for spec in program.inputs
    }
    x = shaped if len(shaped) > 1 else next(iter(shaped.values()))
    facts = run(program, x, routes=routes_of(program, placement)).as_json()
    json.dumps(facts, allow_nan=False)
    assert facts["placement"]["cores_used"] == len(placement.cores)
    cores = facts["placement"]["cores"]
    assert sum(c["syn_ops"] for c in cores) == sum(
        p["synops"] for p in facts["projections"].values()
    )
    for kind, by_name in facts["by_step"].items():
        for name, values in by_name.items() if kind != "traffic" else ():
            for key, at_steps in values.items():
                assert len(at_steps) == facts["executed_steps"]
                assert sum(at_steps) == facts[kind][name][key]
    assert sum(facts["by_step"]["traffic"]["messages"]) == facts["traffic"]["messages"]
    traffic = facts["traffic"]
    assert traffic["messages"] == sum(s["messages"] for s in traffic["sources"].values())
    assert traffic["hops"] == sum(link["messages"] for link in facts["placement"]["links"])
    assert traffic["messages_per_sample"]["mean"] * facts["samples"] == pytest.approx(
        traffic["messages"]
    )
