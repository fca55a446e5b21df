"""The fast executor equals the readable norm: on random networks, and at what these miss."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.engine import Engine, execute
from slipway.deploy.engine.packing import UPDATES
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.models import MODELS
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse, from_matrix
from slipway.deploy.trace import Stimulus, Trace

from .random_programs import as_float, random_case

RUNNER = sys.modules["slipway.deploy.engine.execute"]
BLOCKS, BLOCK = 10, 30


def arrays(trace: Trace) -> dict[str, np.ndarray[Any, Any]]:
    """Everything in a trace, by a name for messages."""
    found = {f"output {name}": values for name, values in trace.outputs.items()}
    found |= {f"messages of {name}": values for name, values in trace.messages.items()}
    found |= {f"saturation of {name}": values for name, values in trace.saturated.items()}
    for name, raster in trace.rasters.items():
        found[f"s of {name}"] = raster.s
        found |= {f"{state} of {name}": values for state, values in raster.states.items()}
    return found


def assert_same(norm: Trace, fast: Trace, what: str, tolerance: float = 0.0) -> None:
    expected, found = arrays(norm), arrays(fast)
    assert expected.keys() == found.keys(), what
    assert norm.executed_steps == fast.executed_steps, what
    for name, values in expected.items():
        scale = float(np.abs(values.astype(np.float64)).max(initial=1.0))
        np.testing.assert_allclose(
            found[name], values, rtol=0, atol=tolerance * scale, err_msg=f"{what}: {name}"
        )
        if name.startswith("s of"):
            assert found[name].dtype == values.dtype, f"{what}: {name}"


def case(seed: int) -> tuple[Program, Stimulus, Trace]:
    """A random network, its stimulus and the norm's trace, which int32 can hold."""
    program, stimulus = random_case(seed)
    norm = reference.execute(program, stimulus, record=True)
    for projection in program.projections:
        sent = stimulus.values.get(projection.source)
        if sent is None:
            sent = norm.rasters[projection.source].s.astype(np.int64)
        most = int(np.abs(sent).max(initial=0)) * int(np.abs(projection.synapse.weight).sum())
        assert most < 2**31, f"seed {seed}: the sum of {projection.name} is not bounded"
    for name, raster in norm.rasters.items():
        for state, values in raster.states.items():
            assert np.abs(values).max(initial=0) < 2**31, f"seed {seed}: {state} of {name}"
    return program, stimulus, norm


@pytest.mark.parametrize("block", range(BLOCKS))
def test_fixed_equals_the_norm_bit_for_bit(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        program, stimulus, norm = case(seed)
        assert_same(norm, execute(program, stimulus, record=True), f"seed {seed}")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_float_equals_the_norm(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        program, stimulus = as_float(*random_case(seed), seed)
        norm = reference.execute(program, stimulus, record=True)
        assert_same(norm, execute(program, stimulus, record=True), f"seed {seed}", 1e-9)


def options(neuron: Any) -> set[str]:
    """The options that choose another way through a model's kernel."""
    kind = type(neuron).__name__
    found = set()
    for name in ("reset", "activation"):
        if hasattr(neuron, name):
            found.add(f"{kind} {getattr(neuron, name)}")
    for name in ("refractory", "reset_interval", "onset", "exact", "accumulate"):
        if hasattr(neuron, name):
            found.add(f"{kind} {name} {bool(getattr(neuron, name))}")
    return found


def test_the_random_networks_cover_what_they_claim() -> None:
    seen: Counter[str] = Counter()
    active: Counter[str] = Counter()
    for seed in range(BLOCKS * BLOCK):
        program, stimulus = random_case(seed)
        trace = execute(program, stimulus)
        for population in program.populations:
            kind = type(population.neuron).__name__
            seen.update(options(population.neuron))
            active[kind] += bool(trace.messages[population.name].any())
            active[f"{kind} saturated"] += bool(trace.saturated[population.name].any())
        for p in program.projections:
            kind = type(p.synapse).__name__
            seen[kind] += 1
            seen[f"{kind} shift right"] += p.exponent < 0
            seen[f"{kind} shift left"] += p.exponent > 0
            seen["own delays, shift right"] += p.exponent < 0 and p.longest_delay > p.delay
            seen["longest delay"] += p.longest_delay >= 60
            seen["to itself"] += p.source == p.target
            seen[f"port {p.port}"] += 1
        seen[f"{len(program.inputs)} inputs"] += 1
        seen[f"{len(program.outputs)} outputs"] += 1
        ranks = {values.ndim for values in stimulus.values.values()}
        seen["frames and over time at once"] += len(ranks) == 2
        seen.update(o.readout for o in program.outputs)
    wanted = {
        *(f"CubaLif {reset}" for reset in ("zero", "value", "subtract")),
        *(f"CubaLif {name} True" for name in ("refractory", "reset_interval", "onset")),
        *(f"SigmaDelta {name}" for name in ("relu", "identity")),
        *(f"SigmaDelta {n} {on}" for n in ("exact", "accumulate") for on in (True, False)),
        *(f"Resonator {reset}" for reset in ("none", "izhikevich")),
        *(
            f"{k} shift {way}"
            for k in ("Dense", "Sparse", "Conv2d")
            for way in ("left", "right")
        ),
        *("own delays, shift right", "longest delay", "to itself"),
        *("port real", "port imaginary", "3 inputs", "3 outputs"),
        *("frames and over time at once", "count", "last", "mean"),
    }
    assert {name for name in wanted if seen[name] < 10} == set()
    kinds = {model.__name__ for model in MODELS}
    assert {kind for kind in kinds if active[kind] < 20} == set()
    # A SigmaDelta has no limit, and a TernaryLif spikes before it gets there.
    clipped = ("CubaLif", "AdaptiveLif", "FirstSpike")
    assert {kind for kind in clipped if active[f"{kind} saturated"] < 4} == set()


def test_every_model_has_a_kernel() -> None:
    assert UPDATES.keys() == MODELS.keys()


def one(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def silent(**parameters: Any) -> CubaLif:
    """An integrator without leak that never spikes, whose u is the current of the step."""
    given = {"threshold": one(131071), "bias_mantissa": one(0), **parameters}
    return CubaLif(one(4095), one(0), initial_voltage=one(0), **given)


def network(
    *projections: Projection,
    neuron: Any,
    size: int = 1,
    inputs: tuple[Input, ...] = (Input("input", (1,), True, 1.0, -99, 99),),
    readout: Any = "last",
    steps: int = 4,
) -> Program:
    population = Population("p", "LIF", (size,), neuron, 1)
    output = Output("out", "p", readout)
    return Program("fixed", 1e-3, steps, inputs, (population,), projections, (output,))


def states(program: Program, stimulus: Stimulus, name: str = "v") -> list[int]:
    trace = execute(program, stimulus, record=True)
    return [int(v) for v in trace.rasters["p"].states[name][0, :, 0]]


def test_each_own_delay_is_floored_by_itself() -> None:
    # Two synapses of weight 2 and exponent -2: 2 >> 2 twice is 0, (2 + 2) >> 2 is 1.
    row, column = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    pair = (Input("input", (2,), False, 1.0, 0, 1),)
    stimulus = Stimulus({"input": np.array([[[1, 1], [0, 0], [0, 0], [0, 0]]], np.int32)}, 4)
    weight, form = np.array([2, 2], np.int16), WeightFormat(exponent=-2)
    for delay, expected in ((None, [0, 64, 64, 64, 64]), (np.array([0, 1], np.uint8), [0] * 5)):
        synapse = Sparse(weight, row, column, (1, 2), form, delay)
        program = network(Projection("a", "input", "p", synapse), neuron=silent(), inputs=pair)
        assert states(program, stimulus) == expected


def test_own_delays_add_to_the_projections() -> None:
    synapse = from_matrix(np.array([[2, 4]], np.int16), WeightFormat(), np.array([[0, 2]]))
    pair = (Input("input", (2,), False, 1.0, 0, 1),)
    program = network(
        Projection("a", "input", "p", synapse, delay=1), neuron=silent(), inputs=pair, steps=6
    )
    frames = np.zeros((1, 6, 2), np.int32)
    frames[0, 0] = 1
    u = states(program, Stimulus({"input": frames}, 6), "u")
    assert u == [0, 0, 2 << 6, 0, 4 << 6, 0, 0]


def test_saturation_is_counted_at_both_limits() -> None:
    weight = Dense(np.array([[254]], np.int16), WeightFormat(exponent=7))
    spiking = silent(threshold=one(0), reset="subtract")  # at threshold 0 takes nothing away
    for message, neuron, limit in ((99, spiking, 2**23 - 1), (-99, silent(), 1 - 2**23)):
        program = network(Projection("a", "input", "p", weight), neuron=neuron)
        stimulus = Stimulus({"input": np.array([[message]], np.int32)}, 4)
        trace = execute(program, stimulus, record=True)
        # 254 * 99 << 13 is far beyond the limit, at each of the steps 2 to 5.
        assert trace.rasters["p"].states["v"][0, :, 0].tolist() == [0] + [limit] * 4
        assert trace.outputs["out"].tolist() == [[limit]]
        assert trace.saturated["p"].tolist() == [4]


def test_both_parts_of_a_resonator_saturate_by_themselves() -> None:
    weight = Dense(np.array([[254]], np.int16), WeightFormat(exponent=7))
    still = Resonator(one(0), one(0), one(131071), state_exponent=6)  # forgets at once
    ports = [
        Projection(port, "input", "p", weight, port=port) for port in ("real", "imaginary")
    ]
    stimulus = Stimulus({"input": np.array([[99]], np.int32)}, 4)
    assert execute(network(*ports, neuron=still), stimulus).saturated["p"].tolist() == [8]
    assert execute(network(ports[0], neuron=still), stimulus).saturated["p"].tolist() == [4]


def test_graded_messages_carry_their_value_and_count_once() -> None:
    encoder = SigmaDelta(one(0), one(0), "identity", accumulate=False)
    dense = Projection("a", "input", "p", Dense(one(2).reshape(1, 1), WeightFormat()))
    program = network(dense, neuron=encoder, readout="count", steps=5)
    values = np.array([[3, 3, -7, 0, 0]], np.int32)[..., None]
    trace = execute(program, Stimulus({"input": values}, 5), record=True)
    assert trace.rasters["p"].s[0, :, 0].tolist() == [0, 6, 0, -20, 14, 0]
    assert trace.rasters["p"].s.dtype == np.int32
    assert trace.messages["p"].tolist() == [[3]]
    assert trace.outputs["out"].tolist() == [[0]]


def test_several_inputs_and_ports() -> None:
    neuron = Resonator(one(0), one(4096), one(131071))  # a quarter of a turn each step
    inputs = tuple(Input(n, (1,), True, 1.0, -99, 99) for n in ("x", "y"))
    weight = Dense(one(2).reshape(1, 1), WeightFormat())
    program = network(
        Projection("a", "x", "p", weight, port="real"),
        Projection("b", "y", "p", weight, port="imaginary"),
        neuron=neuron,
        inputs=inputs,
        steps=3,
    )
    over_time = np.array([[1, 0, 0]], np.int32)[..., None]
    trace = execute(program, Stimulus({"x": over_time, "y": one(5)[None]}, 3), record=True)
    parts = trace.rasters["p"].states
    assert parts["real"][0, :, 0].tolist() == [0, 2, -10, -12]
    assert parts["imaginary"][0, :, 0].tolist() == [0, 10, 12, 0]
    assert trace.messages["x"].tolist() == [[1]]
    assert trace.messages["y"].tolist() == [[3]]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("seed", range(12))
def test_batches_give_what_all_samples_at_once_give(
    seed: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, stimulus = random_case(seed)
    values = {k: np.concatenate([v] * 3) for k, v in stimulus.values.items()}
    stimulus = Stimulus(values, stimulus.steps)
    whole = execute(program, stimulus, record=True)
    monkeypatch.setattr(RUNNER, "BATCH_SAMPLES", 2)
    monkeypatch.setattr(RUNNER, "SERIAL", 1)
    monkeypatch.setattr(RUNNER, "cores", lambda: threads)
    finished: list[int] = []
    engine = Engine(program)
    parts = engine.run(stimulus, record=True, progress=finished.append)
    assert_same(whole, parts, f"seed {seed}")
    last, sizes = stimulus.samples, engine.sizes(stimulus, record=True)
    assert sizes.threads == min(threads, last)
    assert sizes.samples <= 2
    assert finished == [*range(sizes.samples, last, sizes.samples), last]


def test_an_interruption_leaves_the_batches_that_have_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program, stimulus = random_case(0)
    many = Stimulus({k: np.concatenate([v] * 500) for k, v in stimulus.values.items()}, 3)
    monkeypatch.setattr(RUNNER, "BATCH_SAMPLES", 1)
    monkeypatch.setattr(RUNNER, "cores", lambda: 2)
    monkeypatch.setattr(RUNNER, "SERIAL", 1)
    begun: list[int] = []
    run = Engine._run

    def counted(engine: Any, result: Any, start: int, *others: Any) -> None:
        begun.append(start)
        run(engine, result, start, *others)

    def interrupted(samples: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "_run", counted)
    with pytest.raises(KeyboardInterrupt):
        execute(program, many, progress=interrupted)
    assert 1 <= len(begun) < many.samples


@pytest.mark.parametrize("seed", range(24))
def test_little_memory_means_small_batches_and_few_steps_at_a_time(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, stimulus = random_case(seed)
    whole = execute(program, stimulus)
    monkeypatch.setattr(RUNNER, "LEAST_STEPS", 1)
    frames = frozenset(name for name, values in stimulus.values.items() if values.ndim == 2)
    of_sample, _, of_step = Engine(program).bytes_needed(frames)
    for steps in (1, 2, 5):
        memory = of_sample + steps * of_step
        engine = Engine(program, memory=memory)
        sizes = engine.sizes(stimulus)
        assert (sizes.samples, sizes.steps) == (1, min(steps, whole.executed_steps))
        assert_same(whole, engine.run(stimulus), f"seed {seed}, {steps} steps at a time")


def test_long_delays_need_memory() -> None:
    matrix = np.full((8, 4), 2, np.int16)
    source = (Input("input", (4,), False, 1.0, 0, 1),)
    sizes = []
    for longest in (0, 62):
        delay = np.zeros(matrix.shape, np.uint8)
        delay[0, 0] = longest
        synapse = from_matrix(matrix, WeightFormat(exponent=-1), delay)
        program = network(
            Projection("a", "input", "p", synapse), neuron=silent(), size=8, inputs=source
        )
        sizes.append(Engine(program).bytes_needed()[0])
    assert sizes[1] - sizes[0] == 62 * 8  # one word of bits for each step more


@pytest.mark.parametrize("precision", ["fixed", "float"])
def test_a_frame_is_the_same_message_at_every_step(precision: str) -> None:
    for seed in range(20):
        program, stimulus = random_case(seed)
        if precision == "float":
            program, stimulus = as_float(program, stimulus, seed)
        frames = {k: v if v.ndim == 2 else v[:, 0] for k, v in stimulus.values.items()}
        repeated = {k: np.repeat(v[:, None], stimulus.steps, 1) for k, v in frames.items()}
        once = execute(program, Stimulus(frames, stimulus.steps), record=True)
        again = execute(program, Stimulus(repeated, stimulus.steps), record=True)
        assert_same(once, again, f"seed {seed}", 0.0 if precision == "fixed" else 1e-9)


def test_a_presentation_may_be_shorter_than_the_program() -> None:
    for seed in range(20):
        program, stimulus = random_case(seed)
        values = {k: v if v.ndim == 2 else v[:, :2] for k, v in stimulus.values.items()}
        short = Stimulus(values, 2)
        norm = reference.execute(program, short, record=True)
        assert_same(norm, execute(program, short, record=True), f"seed {seed}")


def test_totals_are_what_the_messages_of_each_element_sum_up_to() -> None:
    for seed in range(12):
        program, stimulus = random_case(seed)
        trace = execute(program, stimulus, record=True)
        rng = np.random.default_rng(seed)
        # The last is so large that two products together leave 32 bits.
        largest = (2, 5000, 2**31 // trace.executed_steps)
        fans = {
            name: np.stack([rng.integers(1, most, m.shape[1]) for most in largest], axis=1)
            for name, m in trace.messages.items()
        }
        totals = Engine(program).run(stimulus, fans=fans)
        assert totals.messages == {}
        assert trace.totals == trace.element_messages == trace.step_totals == {}
        for name, fan in fans.items():
            np.testing.assert_array_equal(totals.totals[name], trace.messages[name] @ fan)
            elements = totals.element_messages[name]
            assert elements.dtype == np.int64
            np.testing.assert_array_equal(elements, trace.messages[name].sum(axis=0))
            sent = at_each_step(trace, stimulus, name)
            np.testing.assert_array_equal(totals.step_totals[name], sent @ fan)


def at_each_step(trace: Trace, stimulus: Stimulus, source: str) -> Any:
    """(executed steps, n): messages of each element, of all samples."""
    if source in trace.rasters:
        return (trace.rasters[source].s != 0).sum(axis=0)
    steps = range(1, trace.executed_steps + 1)
    return np.stack([(stimulus.at(source, t) != 0).sum(axis=0) for t in steps])


def test_loops_of_several_populations_run_in_the_order_of_the_graph() -> None:
    found = {False: 0, True: 0}
    for seed in range(60):
        program, _ = random_case(seed)
        components = Engine(program).plan.components
        order = [p.population.name for c in components for p in c.layers]
        assert sorted(order) == sorted(p.name for p in program.populations)
        place = {
            name: k
            for k, c in enumerate(components)
            for name in (layer.population.name for layer in c.layers)
        }
        for projection in program.projections:
            if projection.source in place:
                assert place[projection.source] <= place[projection.target]
        for component in components:
            found[component.block is not None] += 1
    assert min(found.values()) > 10
