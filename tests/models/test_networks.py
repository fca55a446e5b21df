"""Sizes of the networks against the tables of the papers and their code; all of them learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from slipway.errors import UsageError
from slipway.models.counting import Layer, layers_of, parameters_of
from slipway.models.networks import NETWORKS, build, sizes
from slipway.models.sequence import run_sequence
from slipway.models.students.mskd import MskdStudent
from slipway.models.students.resemotenet_abc import (
    deployable_a,
    deployable_b,
    deployable_c,
    mini_resemotenet,
)
from slipway.models.students.spiking_resnet import SpikingResNet18
from slipway.models.students.transfer import TransferPair
from slipway.models.students.vgg_snn import VggSnn
from slipway.models.teachers.resemotenet import ResEmoteNet
from slipway.models.teachers.resnet import ResNet18
from slipway.models.teachers.seen import HybridTeacher, Seen
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def on_meta(kind: Any, **options: Any) -> Any:
    with torch.device("meta"):
        return kind(**options)


def macs_by_torch(model: nn.Module, *shapes: tuple[int, ...]) -> float:
    """Multiply-accumulates as torch's own counter sees them, two operations each."""
    inputs = [torch.zeros(shape, device="meta") for shape in shapes]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(*inputs)
    return int(counter.get_total_flops()) / 2


PARAMETERS = {
    "resemotenet": 80_238_599,
    "mini-resemotenet-a": 20_069_383,
    "mini-resemotenet-b": 5_022_215,
    "mini-resemotenet-c": 1_257_991,
    "seen": 6_078_655,
    "mskd-student": 6_057_159,
    "ckd-vgg-snn": 9_688_165,
}


def test_parameters_of_the_named_networks() -> None:
    found = sizes()
    assert set(found) == set(NETWORKS)
    assert {name: found[name]["parameters"] for name in PARAMETERS} == PARAMETERS
    assert all(entry["paper"] for entry in found.values())


def test_the_table_in_the_docs_is_this_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "students.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:6] for line in text.splitlines() if line.startswith("| `")]
    found = {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}
    assert set(NETWORKS) <= set(found)
    for name, entry in sizes().items():
        parameters, macs, neurons, shape = found[name]
        assert parameters == f"{entry['parameters']:,}"
        if name in ("seen", "mskd-teacher"):
            continue  # two inputs: counted in tests of their own
        size, _, channels = shape.split(",")[0].split("x")
        with torch.device("meta"):
            layers = layers_of(build(name), (int(channels), int(size), int(size)))
        counted = sum(layer.macs for layer in layers) / 1e6
        said = macs.split(" M")[0].replace(",", "")
        assert round(counted, len(said.partition(".")[2])) == float(said), name
        if neurons:
            assert neurons == f"{sum(layer.neurons for layer in layers):,}"


def test_parameters_are_counted_without_memory() -> None:
    with torch.device("meta"):
        model = build("resemotenet")
    assert {p.device.type for p in model.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"head": "kept"}, (21_086_983, 6_032_519, 2_135_623)),
        ({"channels": 1}, (20_068_807, 5_021_927, 1_257_847)),
    ],
)
def test_parameters_of_the_other_students(options: Any, expected: tuple[int, ...]) -> None:
    made = [on_meta(ResEmoteNet, divisor=divisor, **options) for divisor in (2, 4, 8)]
    assert tuple(map(parameters_of, made)) == expected


def test_parameters_of_the_grey_teacher() -> None:
    assert parameters_of(on_meta(ResEmoteNet, channels=1)) == 80_237_447


STAGES = {
    "1": ("conv1", "bn1"),
    "2": ("conv2", "bn2"),
    "3": ("conv3", "bn3"),
    "se": ("se",),
    "block1": ("res_block1",),
    "block2": ("res_block2",),
    "block3": ("res_block3",),
    "fc": ("fc1", "fc2", "fc3", "fc4"),
}
# Divisor -> parameters and multiply-accumulates of each stage: students.md 4.1.
TABLE: dict[int, dict[str, tuple[int, float]]] = {
    1: {
        "1": (1_920, 7.08),
        "2": (74_112, 75.50),
        "3": (295_680, 75.50),
        "se": (8_192, 0.01),
        "block1": (3_674_624, 58.72),
        "block2": (14_689_280, 58.72),
        "block3": (58_738_688, 58.72),
        "fc": (2_756_103, 2.75),
    },
    2: {
        "1": (960, 3.54),
        "2": (18_624, 18.87),
        "3": (74_112, 18.87),
        "se": (2_048, 0.0),
        "block1": (919_808, 14.68),
        "block2": (3_674_624, 14.68),
        "block3": (14_689_280, 14.68),
        "fc": (689_927, 0.69),
    },
    4: {
        "1": (480, 1.77),
        "2": (4_704, 4.72),
        "3": (18_624, 4.72),
        "se": (512, 0.0),
        "block1": (230_528, 3.67),
        "block2": (919_808, 3.67),
        "block3": (3_674_624, 3.67),
        "fc": (172_935, 0.17),
    },
    8: {
        "1": (240, 0.88),
        "2": (1_200, 1.18),
        "3": (4_704, 1.18),
        "se": (128, 0.0),
        "block1": (57_920, 0.92),
        "block2": (230_528, 0.92),
        "block3": (919_808, 0.92),
        "fc": (43_463, 0.04),
    },
}


def stage(layers: tuple[Layer, ...], names: tuple[str, ...]) -> tuple[int, float]:
    own = [layer for layer in layers if layer.name.split(".")[0] in names]
    return sum(layer.parameters for layer in own), sum(layer.macs for layer in own) / 1e6


@pytest.mark.parametrize("divisor", TABLE)
def test_each_layer_of_resemotenet_is_as_large_as_in_the_table(divisor: int) -> None:
    layers = layers_of(on_meta(ResEmoteNet, divisor=divisor), (3, 64, 64))
    found = {name: stage(layers, names) for name, names in STAGES.items()}
    expected = TABLE[divisor]
    assert {k: v[0] for k, v in found.items()} == {k: v[0] for k, v in expected.items()}
    for name, (_, macs) in expected.items():
        assert found[name][1] == pytest.approx(macs, abs=0.0051), name


@pytest.mark.parametrize(
    ("divisor", "head", "shape", "macs", "neurons"),
    [
        (1, "scaled", (3, 64, 64), 337.0, 489_216),
        (2, "scaled", (3, 64, 64), 86.0, 244_608),
        (4, "scaled", (3, 64, 64), 22.4, 122_304),
        (8, "scaled", (3, 64, 64), 6.04, 61_152),
        (2, "kept", (3, 64, 64), 87.0, 245_504),
        (4, "kept", (3, 64, 64), 23.4, 123_648),
        (8, "kept", (3, 64, 64), 6.92, 62_720),
        (1, "scaled", (1, 48, 48), 239.5, 281_344),
        (2, "scaled", (1, 48, 48), 60.2, 140_672),
        (4, "scaled", (1, 48, 48), 15.2, 70_336),
        (8, "scaled", (1, 48, 48), 3.89, 35_168),
    ],
)
def test_macs_and_neurons_of_resemotenet(
    divisor: int, head: str, shape: tuple[int, ...], macs: float, neurons: int
) -> None:
    model = on_meta(ResEmoteNet, divisor=divisor, head=head, channels=shape[0])
    layers = layers_of(model, shape)
    counted = sum(layer.macs for layer in layers)
    digits = 0.051 if macs >= 10 else 0.0051
    assert counted / 1e6 == pytest.approx(macs, abs=digits)
    assert counted == macs_by_torch(model, (1, *shape))
    assert sum(layer.neurons for layer in layers) == neurons


def test_maps_shrink_as_in_the_table() -> None:
    for size, heights in ((64, [64, 32, 16, 8, 4, 2, 1]), (48, [48, 24, 12, 6, 3, 2, 1])):
        layers = layers_of(on_meta(ResEmoteNet), (3, size, size))
        places = ("conv1", "conv2", "conv3", "se", "res_block1.relu2", "res_block2.relu2")
        shapes = {layer.name: layer.output for layer in layers}
        found = [shapes[name][-1] for name in (*places, "res_block3.relu2")]
        assert found == heights


VGG = [  # parameters with batch norm, MMAC, neurons of each level: students.md 3.1
    (1_280, 2.65, 147_456),
    (73_984, 169.87, 294_912),
    (295_424, 169.87, 147_456),
    (590_336, 339.74, 147_456),
    (1_180_672, 169.87, 73_728),
    (2_360_320, 339.74, 73_728),
    (2_360_320, 84.93, 18_432),
    (2_360_320, 84.93, 18_432),
]


def test_each_layer_of_vgg_snn_is_as_large_as_in_the_table() -> None:
    model = on_meta(VggSnn)
    layers = layers_of(model, (2, 48, 48))
    for level, (parameters, macs, neurons) in enumerate(VGG, 1):
        names = {f"features.{kind}{level}" for kind in ("conv", "bn", "lif")}
        own = [layer for layer in layers if layer.name in names]
        assert sum(layer.parameters for layer in own) == parameters
        assert sum(layer.macs for layer in own) / 1e6 == pytest.approx(macs, abs=0.0051)
        assert sum(layer.neurons for layer in own) == neurons
    head = layers[-1]
    assert (head.name, head.parameters, head.macs) == ("fc", 465_509, 465_408)
    assert sum(layer.macs for layer in layers) == macs_by_torch(model, (1, 2, 48, 48))
    assert sum(layer.macs for layer in layers) / 1e9 == pytest.approx(1.362, abs=0.0005)
    assert sum(layer.neurons for layer in layers) == 921_600


def test_training_adds_a_head_and_the_weights_of_the_steps_only() -> None:
    student = on_meta(VggSnn)
    with torch.device("meta"):
        pair, shared = TransferPair(student, heads=2), TransferPair(student)
    assert parameters_of(pair) == 9_688_165 + 465_509 + 10
    assert parameters_of(shared) == 9_688_165 + 10


def test_each_layer_of_the_mskd_student() -> None:
    model = on_meta(MskdStudent)
    layers = layers_of(model, (3, 90, 90))
    made = {layer.name.removeprefix("layers."): layer for layer in layers}
    parameters = {"conv1": 9_408, "conv2": 147_456, "conv3": 1_179_648}
    parameters |= {"fc1": 4_718_848, "fc2": 1_799}
    assert {k: v.parameters for k, v in made.items() if v.parameters} == parameters
    macs = {"conv1": 19.05, "conv2": 78.00, "conv3": 42.47, "fc1": 4.72}
    assert {k: round(made[k].macs / 1e6, 2) for k in macs} == macs
    assert sum(layer.macs for layer in layers) / 1e6 == pytest.approx(144.24, abs=0.0051)
    assert sum(layer.macs for layer in layers) == macs_by_torch(model, (1, 3, 90, 90))
    sizes_of = [made[f"lif{i}"].neurons for i in (1, 2, 3, 4)] + [made["output"].neurons]
    assert sizes_of == [129_600, 135_424, 18_432, 256, 7]
    assert sum(sizes_of) == 283_719


def test_each_layer_of_seen() -> None:
    model = on_meta(Seen)
    own = {name: parameters_of(child) for name, child in model.named_children()}
    attention = sum(own.pop(f"mlp_f{i}") for i in (1, 2, 3))
    assert attention == 1_635
    assert {name: count for name, count in own.items() if count} == {
        "conv0": 21,
        "conv1_f2": 1_792,
        "conv1_f3": 4_864,
        "conv1_f4": 9_472,
        "conv1_cat": 12_352,
        "conv2_f2": 147_712,
        "conv3_f2": 1_180_160,
        "head": 4_718_848 + 1_799,
    }


def test_macs_of_seen() -> None:
    model = on_meta(Seen)
    frames, event = (1, 6, 90, 90), (1, 1, 3, 90, 90)
    four = macs_by_torch(model, frames, (4, *event[1:]))
    one = macs_by_torch(model, frames, event)
    each = (four - one) / 3
    assert each / 1e6 == pytest.approx(182.35, abs=0.0051)
    # The attention's 1x1 convolutions on one pixel, 1,560 in all, are in the counter's total.
    assert (one - each) / 1e6 == pytest.approx(177.77, abs=0.0051)
    assert four / 1e9 == pytest.approx(0.907, abs=0.0005)


def test_resnet18_is_the_known_one() -> None:
    model = on_meta(ResNet18, stem="imagenet", classes=1000, size=224)
    assert parameters_of(model) == 11_689_512
    # 1.814 GMAC: what torchvision states for its resnet18.
    assert macs_by_torch(model, (1, 3, 224, 224)) / 1e9 == pytest.approx(1.814, abs=0.0005)
    names = set(model.state_dict())
    assert {"conv1.weight", "layer1.0.bn2.weight", "layer4.1.conv2.weight"} <= names
    assert {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias", "fc.bias"} <= names


def blocks(pre: bool) -> int:
    """Parameters of the eight blocks, by hand: convolutions and batch norms."""
    total, given = 0, 64
    for made in (64, 64, 128, 128, 256, 256, 512, 512):
        total += 9 * given * made + 9 * made * made
        total += 2 * ((given if pre else made) + made)  # bn1 and bn2
        if given != made:
            total += given * made + 2 * (given if pre else made)
        given = made
    return total


@pytest.mark.parametrize("activation", ["pre", "post"])
def test_spiking_resnet18_by_hand(activation: str) -> None:
    pre = activation == "pre"
    model = on_meta(SpikingResNet18, activation=activation)
    first, last = 2 * 64 * 9, 512 * 20 + 20
    norm = 2 * (512 if pre else 64)
    assert parameters_of(model) == first + norm + blocks(pre) + last
    layers = layers_of(model, (2, 48, 48))
    cells = sum(layer.kind == "Lif" for layer in layers)
    assert cells == (19 if pre else 17)
    assert sum(layer.macs for layer in layers) == macs_by_torch(model, (1, 2, 48, 48))


def learns(model: nn.Module, loss: Tensor, *but: str) -> None:
    """Every parameter but those named gets a finite gradient, somewhere not zero."""
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        if name.startswith(but):
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("squeeze", ["sigmoid", "hard-sigmoid", "frozen", "none"])
@pytest.mark.parametrize("pooling", ["max", "average", "stride"])
def test_resemotenet_learns(squeeze: Any, pooling: Any) -> None:
    torch.manual_seed(0)
    model = ResEmoteNet(channels=1, size=48, divisor=4, squeeze=squeeze, pooling=pooling)
    logits = model(torch.rand(6, 1, 48, 48))
    assert logits.shape == (6, 7)
    labels = torch.arange(6)
    learns(model, nn.functional.cross_entropy(logits, labels))


def test_the_defaults_are_the_papers() -> None:
    model = on_meta(ResEmoteNet)
    assert isinstance(model.pool1, nn.MaxPool2d)
    assert [type(layer) for layer in model.se.fc][-1] is nn.Sigmoid
    assert (model.dropout1.p, model.dropout2.p) == (0.2, 0.5)
    assert model.sample_shape == (3, 64, 64)


def test_the_deployable_students() -> None:
    for make, student in ((deployable_a, "a"), (deployable_b, "b"), (deployable_c, "c")):
        with torch.device("meta"):
            model, whole = make(), mini_resemotenet(student, channels=1)
        assert model.sample_shape == (1, 48, 48)
        gate = parameters_of(whole.se)
        assert parameters_of(model) == parameters_of(whole) - gate
        layers = layers_of(model, model.sample_shape)
        assert not {"MaxPool2d", "Sigmoid"} & {layer.kind for layer in layers}


def test_wrong_options_are_all_named() -> None:
    with pytest.raises(UsageError) as caught:
        ResEmoteNet(divisor=3, head="wide", squeeze="soft", pooling="min", dropout=(0.2, 1.0))  # type: ignore[arg-type]
    assert len(caught.value.problems) == 5
    with pytest.raises(UsageError, match="size is 50"):
        VggSnn(size=50)
    with pytest.raises(UsageError, match=r"did you mean 'ckd-vgg-snn'\?"):
        build("ckd-vgg")


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("readout", ["integrator", "membrane"])
def test_the_mskd_student_learns(norm: Any, readout: Any) -> None:
    torch.manual_seed(1)
    options: dict[str, Any] = {"channels": (8, 12, 16), "hidden": 12}
    model = MskdStudent(size=48, inputs=1, norm=norm, readout=readout, **options)
    strength = 4.0 if norm == "batch" else 30.0  # as torch draws them, the weights are weak
    done = run_sequence(model, strength * torch.rand(4, 3, 1, 48, 48))
    assert done.output.shape == (4, 3, 7)
    learns(model, nn.functional.cross_entropy(done.output.mean(dim=0), torch.arange(3)))


@pytest.mark.parametrize("heads", [1, 2])
def test_vgg_snn_learns_from_both_streams(heads: Any) -> None:
    torch.manual_seed(2)
    student = VggSnn(size=16, divisor=16, classes=5, time_steps=3)
    pair = TransferPair(student, heads=heads)
    streams = pair(*(2 * torch.rand(2, 3, 4, 2, 16, 16)))
    assert streams.static_logits.shape == streams.event_logits.shape == (3, 4, 5)
    assert streams.static_features.shape == (3, 4, 32 * 2 * 2)  # lif8's, before its pooling
    loss = streams.static_logits.square().mean() + streams.event_logits.square().mean()
    learns(pair, loss, "coefficients")


@pytest.mark.parametrize("activation", ["pre", "post"])
def test_spiking_resnet18_learns(activation: Any) -> None:
    torch.manual_seed(3)
    student = SpikingResNet18(activation=activation, size=16, width=4, classes=5, time_steps=3)
    pair = TransferPair(student, heads=2)
    streams = pair(*(2 * torch.rand(2, 3, 6, 2, 16, 16)))
    assert streams.event_features.shape == (3, 6, 32)
    loss = streams.static_logits.square().mean() + streams.event_logits.square().mean()
    learns(pair, loss, "coefficients")


@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_resnet18_learns(stem: Any) -> None:
    torch.manual_seed(4)
    model = ResNet18(stem=stem, width=8, classes=5)
    logits = model(torch.rand(5, 3, 48, 48))
    assert logits.shape == (5, 5)
    learns(model, nn.functional.cross_entropy(logits, torch.arange(5)))


@pytest.mark.parametrize("stem", ["small", "imagenet"])
@pytest.mark.parametrize("size", [48, 90])
def test_the_hybrid_teacher_learns_from_both_branches(stem: Any, size: int) -> None:
    torch.manual_seed(5)
    model = HybridTeacher(size=size, channels=(8, 12, 16), hidden=12, stem=stem)
    logits = model(3 * torch.rand(3, 6, size, size), 4 * torch.rand(2, 3, 3, size, size))
    assert logits.shape == (2, 3, 7)
    learns(model, nn.functional.cross_entropy(logits.mean(dim=0), torch.arange(3)))


@pytest.mark.parametrize("detach", [True, False])
def test_seen_learns_and_detaches_as_the_official_code_does(detach: bool) -> None:
    torch.manual_seed(6)
    model = Seen(size=32, detach=detach)
    frames, events = 8 * torch.randn(3, 6, 32, 32), 8 * torch.randn(2, 3, 3, 32, 32)
    logits = model(frames, events)
    assert logits.shape == (2, 3, 7)
    learns(model, nn.functional.cross_entropy(logits.mean(dim=0), torch.arange(3)))
    model.zero_grad()
    with torch.no_grad():
        _, w = model.frame_branch(frames)
    spikes = model.event_branch(events, w)
    assert 0 < float(spikes.detach().mean()) < 1
    assert spikes.requires_grad is not detach
    if not detach:
        (spikes * torch.randn_like(spikes)).sum().backward()  # type: ignore[no-untyped-call]
        kernels = (model.conv1_f2, model.conv1_cat, model.conv2_f2, model.conv3_f2)
        assert all(layer.weight.grad is not None for layer in kernels)
