"""The GPU path equals the readable norm: on torch's CPU device, and on a GPU where one is.

Triton's kernel runs on a GPU, and in Triton's interpreter where Triton is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.formats import WeightFormat
from slipway.deploy.gpu import GpuEngine
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.models import MODELS
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse, from_matrix
from slipway.deploy.trace import Stimulus, Trace
from slipway.errors import MissingDependency, UsageError

from ..conformance.compare import first_difference
from ..conformance.networks import random_case as conformance_case
from ..house.tree import ROOT
from .random_programs import random_case
from .test_engine import at_each_step

torch = pytest.importorskip("torch")
from slipway.deploy.gpu import counting, plan, products, runner, synapses  # noqa: E402
from slipway.deploy.gpu.neurons import STEPS  # noqa: E402

Case = tuple[Program, Stimulus]

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=gpu)]
on_each_device = pytest.mark.parametrize("device", DEVICES)
MAKERS = {"any": random_case, "within all bounds": conformance_case}
BLOCK = 20


def assert_equal(program: Program, stimulus: Stimulus, device: str, what: str = "") -> Trace:
    """With and without recording; the trace without."""
    norm = reference.execute(program, stimulus, record=True)
    engine = GpuEngine(program, device)
    recorded = engine.run(stimulus, record=True)
    assert first_difference(norm, recorded) == "", what
    for name, raster in norm.rasters.items():
        assert recorded.rasters[name].s.dtype == raster.s.dtype, what
    trace = engine.run(stimulus)
    assert trace.rasters == {}
    assert first_difference(replace(norm, rasters={}), trace) == "", what
    return trace


@on_each_device
@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("maker", MAKERS)
def test_random_networks_equal_the_norm(maker: str, block: int, device: str) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        assert_equal(*MAKERS[maker](seed), device, f"{maker}, seed {seed}")


def test_every_model_has_a_step() -> None:
    assert STEPS.keys() == MODELS.keys()


TRITON = """
import sys
from tests.deploy.test_gpu import *
for maker in MAKERS.values():
    for seed in range(10):
        assert_equal(*maker(seed), "cpu", f"seed {seed}")
prepared = runner.Runner(network(), "cpu", None).prepared
print([type(neurons).__name__ for neurons in prepared.neurons.values()])
"""


def test_the_triton_kernel_equals_the_norm_in_tritons_interpreter() -> None:
    # The interpreter of older ones fails with numpy 2.4.
    pytest.importorskip("triton", minversion="3.7")
    done = subprocess.run(
        [sys.executable, "-c", TRITON],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.stdout.strip() == "['FusedNeurons']", done.stderr


@gpu
def test_a_gpu_with_triton_fuses() -> None:
    pytest.importorskip("triton")
    (neurons,) = runner.Runner(network(), "cuda", None).prepared.neurons.values()
    assert type(neurons).__name__ == "FusedNeurons"


def one(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def integrator(**parameters: Any) -> CubaLif:
    """Without leak, and u is the current of the step; it never spikes, unless told to."""
    given = {"threshold": one(131071), "bias_mantissa": one(0), **parameters}
    return CubaLif(one(4095), one(0), initial_voltage=one(0), **given)


def network(
    synapse: Synapse | None = None,
    *,
    spec: Input | None = None,
    shape: tuple[int, ...] | None = None,
    neuron: Any = None,
    steps: int = 6,
    more: tuple[Projection, ...] = (),
) -> Program:
    """An input, a projection into one population, and further projections."""
    synapse = synapse or Dense(np.array([[2]], np.int16), WeightFormat())
    spec = spec or Input("input", (synapse.in_size,), False, 1.0, 0, 1)
    population = Population("p", "IF", shape or (synapse.out_size,), neuron or integrator(), 1)
    projections = (Projection("a", "input", "p", synapse), *more)
    output = Output("out", "p", "last")
    return Program("fixed", 1e-3, steps, (spec,), (population,), projections, (output,))


def spikes(program: Program, samples: int = 3, rate: float = 0.4) -> Stimulus:
    rng = np.random.default_rng(0)
    shape = (samples, program.steps, program.inputs[0].size)
    return Stimulus({"input": (rng.random(shape) < rate).astype(np.uint8)}, program.steps)


def values(program: Program, samples: int = 3) -> Stimulus:
    rng, spec = np.random.default_rng(0), program.inputs[0]
    shape = (samples, program.steps, spec.size)
    drawn = rng.integers(int(spec.minimum), int(spec.maximum) + 1, shape, np.int32)
    drawn[0, 0], drawn[0, 1] = spec.minimum, spec.maximum
    return Stimulus({"input": drawn}, program.steps)


@on_each_device
@pytest.mark.parametrize(
    "low_high", [(0, 1), (-128, 127), (-129, 128), (-40000, 40000), (-(2**23), 2**23 - 1)]
)
def test_messages_of_any_size_are_exact(low_high: tuple[int, int], device: str) -> None:
    low, high = low_high
    weight = np.array([[2, -2, 0, 4], [-256, 254, 2, -2], [0, 0, 0, 0]], np.int16)
    exponent = -7 if high > 2**15 else -1
    spec = Input("input", (4,), True, 1.0, low, high)
    program = network(Dense(weight, WeightFormat(exponent=exponent)), spec=spec)
    assert_equal(program, values(program), device)


@on_each_device
@pytest.mark.parametrize("graded", [False, True])
def test_odd_weights_of_one_sign_are_exact(graded: bool, device: str) -> None:
    rng = np.random.default_rng(1)
    for sign_mode, sign in (("excitatory", 1), ("inhibitory", -1)):
        weight = (sign * rng.integers(0, 256, (9, 21))).astype(np.int16)
        weight[0] = sign * 255
        form = WeightFormat(sign_mode=sign_mode)  # type: ignore[arg-type]
        spec = Input("input", (21,), graded, 1.0, -300 if graded else 0, 300 if graded else 1)
        program = network(Dense(weight, form), spec=spec)
        assert_equal(program, values(program), device)


@on_each_device
def test_the_largest_sums_are_exact(device: str) -> None:
    # Everything at its limit, and every partial sum of one sign.
    for weight, message in ((-256, 1), (254, 127), (-256, -128)):
        matrix = np.full((17, 3000), weight, np.int16)
        spec = Input("input", (3000,), message != 1, 1.0, min(message, 0), max(message, 0))
        program = network(Dense(matrix, WeightFormat(exponent=-6)), spec=spec, steps=2)
        frame = np.full((2, 3000), message, np.int32)
        assert_equal(program, Stimulus({"input": frame}, 2), device)


def test_too_large_sums_are_refused() -> None:
    matrix = np.full((1, 2**17), 254, np.int16)
    matrix[0, 0] = 255
    with pytest.raises(
        UsageError, match="the weights of one neuron add up to 33292289"
    ) as info:
        GpuEngine(network(Dense(matrix, WeightFormat(sign_mode="excitatory"))), "cpu")
    assert info.value.problems[0].where == "projection a"
    assert "--device cpu" in info.value.problems[0].remedy


@on_each_device
def test_synapses_of_one_place_add_up(device: str) -> None:
    row, column = np.zeros(3, np.int32), np.zeros(3, np.int32)
    synapse = Sparse(np.array([254, 254, 254], np.int16), row, column, (1, 1), WeightFormat())
    program = network(synapse)
    assert_equal(program, spikes(program), device)


@on_each_device
def test_listed_synapses_equal_a_matrix(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    weight = np.where(rng.random((40, 30)) < 0.2, 2 * rng.integers(-100, 100, (40, 30)), 0)
    delay = rng.integers(0, 5, weight.shape)
    spec = Input("input", (30,), True, 1.0, -500, 500)
    synapse = from_matrix(weight.astype(np.int16), WeightFormat(exponent=-3), delay)
    program = network(synapse, spec=spec, steps=9)
    kinds = assert_equal(program, values(program), device).kernels["a"]
    assert kinds == {"int8": 3 * 10}
    monkeypatch.setattr(synapses, "MATRIX", 0)
    kinds = assert_equal(program, values(program), device).kernels["a"]
    assert kinds == {"listed": 3 * 10}
    # One frame, and a few synapses, at a time.
    monkeypatch.setattr(plan, "SCRATCH", 160)
    assert_equal(program, values(program), device)


@on_each_device
@pytest.mark.parametrize("channels", [(1, 3), (2, 8), (4, 16), (8, 24), (16, 5)])
def test_convolutions_of_all_widths(channels: tuple[int, int], device: str) -> None:
    rng = np.random.default_rng(3)
    n_in, n_out = channels
    for groups in {1, np.gcd(n_in, n_out)}:
        weight = (2 * rng.integers(-64, 64, (n_out, n_in // groups, 3, 2))).astype(np.int16)
        for stride, padding, dilation in (
            ((1, 1), (0, 0), (1, 1)),
            ((2, 3), (1, 2), (1, 2)),
            ((1, 2), (2, 0), (2, 1)),
        ):
            synapse = Conv2d(
                weight, (n_in, 7, 6), stride, padding, dilation, int(groups), WeightFormat()
            )
            spec = Input("input", (n_in, 7, 6), False, 1.0, 0, 1)
            program = network(synapse, spec=spec, shape=synapse.output_shape)
            assert_equal(program, spikes(program), device, f"{groups} {stride} {padding}")


def looped(delay: int, own: int) -> Program:
    """A population whose spikes come back to it, by a matrix and by synapses of their own."""
    rng = np.random.default_rng(4)
    weight = (2 * rng.integers(-100, 127, (12, 12))).astype(np.int16)
    sparse = from_matrix(weight, WeightFormat(), np.full(weight.shape, own))
    back = (
        Projection("b", "p", "p", Dense(weight, WeightFormat(exponent=-1)), delay),
        Projection("c", "p", "p", sparse),
    )
    dense = Dense((2 * rng.integers(0, 127, (12, 5))).astype(np.int16), WeightFormat())
    return network(dense, neuron=integrator(threshold=one(300)), steps=20, more=back)


@on_each_device
@pytest.mark.parametrize(("delay", "own", "block"), [(0, 0, 1), (2, 3, 3), (5, 1, 2)])
def test_a_loop_advances_by_its_shortest_delay(
    delay: int, own: int, block: int, device: str
) -> None:
    program = looped(delay, own)
    assert plan.components(program) == [plan.Component(("p",), block)]
    assert assert_equal(program, spikes(program), device).messages["p"].any()


def test_components_stand_behind_what_feeds_them() -> None:
    for seed in range(100):
        program, _ = conformance_case(seed)
        found = plan.components(program)
        names = [name for component in found for name in component.populations]
        assert sorted(names) == sorted(p.name for p in program.populations)
        place = {n: i for i, each in enumerate(found) for n in each.populations}
        for projection in program.projections:
            if projection.source in place:
                assert place[projection.source] <= place[projection.target]


@on_each_device
@pytest.mark.parametrize("maker", MAKERS)
def test_parts_give_what_all_at_once_gives(
    maker: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of samples and of steps: states, delays, counts and outputs go on across the seams."""
    monkeypatch.setattr(plan, "LEAST_SAMPLES", 2)
    divided = 0
    for seed in range(30):
        program, stimulus = MAKERS[maker](seed)
        many = {k: np.concatenate([v] * 3) for k, v in stimulus.values.items()}
        stimulus = Stimulus(many, stimulus.steps)
        samples, steps = stimulus.samples, program.run_steps(stimulus.steps)
        norm = reference.execute(program, stimulus, record=True)
        engine = GpuEngine(program, device, memory=memory_for(program, samples, steps))
        wide = 4 if engine._runner.fused else 8
        size = plan.portion(program, engine.memory, samples, steps, record=True, wide=wide)
        divided += size.steps < steps and size.samples < samples
        finished: list[int] = []
        trace = engine.run(stimulus, record=True, progress=finished.append)
        assert first_difference(norm, trace) == "", f"seed {seed}, {size}"
        assert finished == [*range(size.samples, samples, size.samples), samples]
    assert divided > 15


def memory_for(program: Program, samples: int, steps: int) -> int:
    """Enough for two samples and a third of their steps."""
    memory = 1
    while True:
        try:
            size = plan.portion(program, memory, samples, steps, record=True, wide=8)
        except UsageError:
            size = None
        if size and size.samples >= min(samples, 2) and size.steps >= max(steps // 3, 1):
            return memory
        memory += max(memory // 8, 1)


def test_a_portion_stays_within_its_memory() -> None:
    program = looped(0, 0)
    for memory in (10**5, 10**6, 10**8):
        size = plan.portion(program, memory, 10**5, 1000, record=False, wide=8)
        assert 1 <= size.samples <= 25000
        assert size.samples * size.steps * 12 < 2**31
        each, moment = plan._bytes(program, False, 8, 1000)
        assert size.samples * (each + size.steps * moment) + 3 * size.scratch <= memory
    with pytest.raises(UsageError, match=r"one step of one sample needs \d+ bytes; the limit"):
        plan.portion(program, 1000, 1, 1000, record=False, wide=8)


@on_each_device
def test_weighted_totals_are_what_the_messages_sum_up_to(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "ROWS", 40)  # several pieces
    monkeypatch.setattr(plan, "LEAST_SAMPLES", 1)  # and parts
    for seed in range(6):
        program, stimulus = random_case(seed)
        norm = reference.execute(program, stimulus, record=True)
        rng = np.random.default_rng(seed)
        fans = {  # the last leaves float64
            name: rng.integers(
                0, [2, 5000, 2**60 // norm.executed_steps // m.shape[1]], (m.shape[1], 3)
            )
            for name, m in norm.messages.items()
        }
        trace = GpuEngine(program, device).run(stimulus, fans=fans)
        assert trace.messages == {}
        for name, fan in fans.items():
            np.testing.assert_array_equal(trace.totals[name], norm.messages[name] @ fan)
            elements = norm.messages[name].sum(axis=0)
            np.testing.assert_array_equal(trace.element_messages[name], elements)
            sent = at_each_step(norm, stimulus, name)
            np.testing.assert_array_equal(trace.step_totals[name], sent @ fan)


@on_each_device
def test_frames_are_the_same_message_at_every_step(device: str) -> None:
    for seed in range(20):
        program, stimulus = random_case(seed)
        frames = {k: v if v.ndim == 2 else v[:, 0] for k, v in stimulus.values.items()}
        assert_equal(program, Stimulus(frames, stimulus.steps), device, f"seed {seed}")


@on_each_device
def test_a_presentation_may_be_shorter_than_the_program(device: str) -> None:
    for seed in range(20):
        program, stimulus = random_case(seed)
        short = {k: v if v.ndim == 2 else v[:, :2] for k, v in stimulus.values.items()}
        assert_equal(program, Stimulus(short, 2), device, f"seed {seed}")


@on_each_device
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.bool_, np.int16, np.int64])
def test_samples_may_have_any_type(kind: Any, device: str) -> None:
    program = looped(0, 0)
    stimulus = spikes(program)
    given = stimulus.values["input"].astype(kind)
    given.flags.writeable = False
    norm = reference.execute(program, stimulus)
    other = Stimulus({"input": given}, stimulus.steps)
    assert first_difference(norm, GpuEngine(program, device).run(other)) == ""


@on_each_device
def test_a_device_that_multiplies_wrong_is_found_out(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch._int_mm did on some GPUs and CPUs: float64 takes over, and the run says so."""
    right: Callable[..., Any] = torch._int_mm

    def wrong(a: Any, b: Any, **options: Any) -> Any:
        return right(a, b, **options).clamp_(-(2**15), 2**15 - 1)  # sums in 16 bits

    def none(a: Any, b: Any, **options: Any) -> Any:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED")

    for product in (wrong, none):
        monkeypatch.setattr(torch, "_int_mm", product)
        for program in (looped(2, 3), network(Dense(np.full((9, 700), 254, np.int16)))):
            trace = assert_equal(program, spikes(program), device)
            assert trace.kernels["a"].keys() == {"float64"}


def test_digits_are_what_they_stand_for() -> None:
    edges = [
        0,
        1,
        -1,
        127,
        128,
        -128,
        -129,
        255,
        256,
        32639,
        32640,
        -32896,
        -32897,
        2**23,
        -(2**23),
    ]
    for edge in edges:
        found = products.digits(torch.tensor([edge, 0], dtype=torch.int32))
        whole = sum((d.long() << 8 * i for i, d in enumerate(found)), torch.zeros(2).long())
        assert whole.tolist() == [edge, 0]
        assert len(found) == sum(abs(edge) > 0 and not fits(edge, n) for n in range(4))


def fits(value: int, count: int) -> bool:
    """Whether so many balanced digits hold it."""
    ones = (256**count - 1) // 255
    return bool(-128 * ones <= value <= 127 * ones)


def test_more_than_32_bits_of_digits_vanish() -> None:
    matrix = products.Matrix(np.array([[2**20 + 1]]), torch.device("cpu"), "here")
    total = torch.zeros((1, 1), dtype=torch.int32)
    factor = torch.tensor([[1000]], dtype=torch.int32)
    filled = [torch.nn.functional.pad(d, (0, 15)) for d in products.digits(factor)]
    matrix.times(filled, total)
    assert int(total) == (2**20 + 1) * 1000


def test_what_a_gpu_cannot_run_is_refused() -> None:
    floating = replace(network(), precision="float")
    with pytest.raises(UsageError, match="this program has precision float") as info:
        GpuEngine(floating, "cpu")
    assert "--device cpu" in info.value.problems[0].remedy
    for name in ("gpu", "cuda:", "cuda:x", "mps", ""):
        with pytest.raises(UsageError, match=f"there is no device '{name}'") as info:
            GpuEngine(network(), name)
        assert info.value.problems[0].remedy == "use cpu, cuda or cuda:N"


def test_a_missing_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"there is no device 'cuda': torch .* finds no CUDA"):
        GpuEngine(network())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="no device 'cuda:2'; the last one is cuda:1"):
        GpuEngine(network(), "cuda:2")


def test_out_of_memory_is_a_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **named: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    program = network()
    engine = GpuEngine(program, "cpu")
    monkeypatch.setattr(runner, "Batch", full)
    with pytest.raises(UsageError, match="the GPU is out of memory") as info:
        engine.run(spikes(program))
    assert info.value.problems[0].where == "device cpu"


def test_a_missing_torch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependency, match="needs torch, which is not installed") as info:
        GpuEngine(network(), "cpu")
    assert info.value.problems[0].remedy == "pip install 'torch>=2.3'"


def test_importing_imports_neither_torch_nor_triton() -> None:
    code = (
        "import sys, slipway.deploy.gpu\n"
        "print([m for m in ('torch', 'triton', 'numba') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


@on_each_device
def test_an_encoder_sends_large_changes(device: str) -> None:
    """Graded messages of two digits and more between populations."""
    encoder = SigmaDelta(one(0), one(0), "identity", accumulate=False, input_exponent=3)
    dense = Dense(np.array([[254, 2], [-256, 4]], np.int16), WeightFormat())
    spec = Input("input", (2,), True, 1.0, -300, 300)
    after = Population("q", "IF", (2,), integrator(), 2)
    program = network(dense, spec=spec, neuron=encoder)
    program = replace(
        program,
        populations=(*program.populations, after),
        projections=(
            *program.projections,
            Projection("b", "p", "q", Dense(dense.weight, WeightFormat(exponent=-7))),
        ),
        outputs=(Output("out", "q", "mean"), Output("sent", "p", "count")),
    )
    trace = assert_equal(program, values(program), device)
    assert np.abs(trace.outputs["sent"]).max() > 2**15
