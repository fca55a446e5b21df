"""A ReLU network in the integers of --code sigma-delta, with straight-through gradients.

For a still picture every population of the Program computes once. With integer messages m of
its sources, weights W on the grid and its scale S (units of a sum for an activation of 1)::

    sum = round(S b / theta) + W m,   x = clip(sum, 0, ceiling)
    m' = floor((x + 2**(e - 1)) / 2**e) where x >= threshold, else 0

These sums stay within 24 bits, which the choice of S proves, so float32 holds them exactly
whatever the order of additions. In the backward pass rounding is the identity, and the clip has
its own derivative: the gradients are those of the ReLU network in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import dropout2d

from ...errors import CapacityExceeded
from .grid import (
    ACCUMULATOR_MAX,
    EXPONENT_MAX,
    FEW,
    STATE_MAX,
    Ray,
    Sender,
    Values,
    levels_of,
    scales,
    sender_of,
    step_of,
    weight_format,
)
from .straight import Weights, message, whole, whole_precision
from .ways import INPUT, OUTPUT, Stage, Way, stages_of

_FAR = 1.3
"""How far beyond 24 bits a current must be expected for a scale not to be tried."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a source sends, as the populations behind it need to know.

    Attributes:
        unit: message of an activation of 1 of the network's own unit.
        most: largest message in magnitude.
        lowest, highest: what its messages can add up to.
    """

    unit: float
    most: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Integers:
    """One population in integers.

    Attributes:
        scale: S, units of the sum for an activation of 1 in activation scales.
        bias_ratio: units of the sum for a bias of 1.
        weights: of each way into it.
        sender: what it sends; None for the output.
    """

    scale: float
    bias_ratio: float
    weights: tuple[Weights, ...]
    sender: Sender | None


class Changes:
    """The integer form of a deployable network; its parameters stay those of the network."""

    def __init__(
        self,
        network: nn.Module,
        values: Values,
        sample_shape: tuple[int, ...],
        weight_bits: int,
    ) -> None:
        """Read the network.

        Args:
            network: from `deployable`, with its activation scales.
            values: grid of the input.
            sample_shape: of one picture.
            weight_bits: 2 to 8.

        Raises:
            ModelError: a layer that has no place in this scheme.
        """
        self.network, self.values, self.weight_bits = network, values, weight_bits
        self.sample_shape = sample_shape
        self.stages = stages_of(network)

    def __call__(self, x: Tensor) -> Tensor:
        """Pictures (N, *sample_shape) -> logits (N, classes), in the network's own unit."""
        # Sums of whole numbers: neither 16 bits nor the 11 of TF32 hold them.
        with torch.autocast(x.device.type, enabled=False), whole_precision(x.is_cuda):
            return self._run(x.float())

    def _run(self, x: Tensor) -> Tensor:
        scaled = torch.round(x.double() * self.values.scale).to(x.dtype)
        messages = {INPUT: scaled.clamp(self.values.minimum, self.values.maximum)}
        for stage, integers in self.integers():
            total = self._sum(stage, integers, messages)
            if integers.sender is None:
                return total / integers.scale
            messages[stage.name] = message(total, integers.sender)
        raise AssertionError("the last stage is the output")

    def _sum(self, stage: Stage, integers: Integers, messages: dict[str, Tensor]) -> Tensor:
        total: Tensor | None = None
        for way, grid in zip(stage.ways, integers.weights, strict=True):
            layer = self._layer(way)
            seen = self._before(way, messages[way.source], self.network.training)
            part = _apply(layer, seen, grid.rounded(layer.weight))
            total = part if total is None else total + part
        assert total is not None
        bias = self._bias(stage)
        if bias is None:
            return total
        constant = whole(bias, integers.bias_ratio)
        return total + constant.to(total.dtype).reshape(-1, *(1,) * (total.ndim - 2))

    @torch.no_grad()
    def integers(self) -> list[tuple[Stage, Integers]]:
        """Scales and grids that follow from the weights as they are now.

        Raises:
            CapacityExceeded: no scale keeps a population within 24 bits.
        """
        low, high = self.values.minimum, self.values.maximum
        shapes = {INPUT: self.sample_shape}
        sources = {INPUT: Source(self.values.scale, high - low, low, high)}
        found = []
        for stage in self.stages:
            integers, highest, shape = self._fit(stage, sources, shapes)
            found.append((stage, integers))
            sender, shapes[stage.name] = integers.sender, shape
            if sender is not None:
                theta, sent = self._theta(stage), sender.largest
                unit = integers.scale / 2**sender.exponent / theta
                sources[stage.name] = Source(unit, sender.most(highest), 0, sent)
        return found

    @torch.no_grad()
    def snap(self) -> None:
        """Put the weights themselves on the grid, so that the compiler finds these integers.

        A weight that becomes 0 can take the last of its sign with it, which changes the grid:
        then once more.
        """
        for _ in range(8):
            moved = False
            for stage, integers in self.integers():
                for way, grid in zip(stage.ways, integers.weights, strict=True):
                    weight = self._layer(way).weight
                    met = (grid.rounded(weight).double() / grid.ratio).to(weight.dtype)
                    moved |= not torch.equal(met, weight)
                    weight.copy_(met)
            if not moved:
                return

    def _fit(
        self, stage: Stage, sources: dict[str, Source], shapes: dict[str, tuple[int, ...]]
    ) -> tuple[Integers, float, tuple[int, ...]]:
        """The largest scale that keeps every sum within 24 bits; the highest sum; the shape."""
        theta = 1.0 if stage.name == OUTPUT else self._theta(stage)
        ratios, ends, rays = [], [], []
        for way in stage.ways:
            weight = self._layer(way).weight
            lowest, highest = (float(end) for end in torch.aminmax(weight))
            area = self._area(way, shapes[way.source])
            # The weight of one message, for an activation of 1 in activation scales.
            ratio = 1.0 / (area * theta * sources[way.source].unit)
            layout = weight_format(self.weight_bits, lowest, highest)
            largest = max(-lowest, highest)
            levels = levels_of(
                weight.flatten()[:FEW].abs().double().cpu().numpy(),
                largest,
                layout.largest // layout.unit,
                partial(_magnitudes, weight),
            )
            rays.append(Ray(largest * ratio, layout, levels))
            ratios.append(ratio)
            ends.append((lowest, highest, layout))
        known: tuple[float, float] | None = None  # a scale and the current that it leads to
        for scale in scales(rays):
            if known is not None and known[1] * scale / known[0] > _FAR * STATE_MAX:
                continue  # a step is a step: the current falls with the scale
            weights = []
            for ratio, (lowest, highest, layout) in zip(ratios, ends, strict=True):
                scaled = (lowest * ratio * scale, highest * ratio * scale)
                step = step_of(scaled, layout)
                grid = step / layout.unit
                weights.append(
                    Weights(ratio * scale, step, grid * layout.low, grid * layout.high)
                )
            sender = None if stage.name == OUTPUT else sender_of(scale)
            integers = Integers(scale, scale / theta, tuple(weights), sender)
            if sender is not None and sender.ceiling > STATE_MAX:
                continue
            if max(w.step for w in weights) > 2**EXPONENT_MAX * max(e[2].unit for e in ends):
                continue
            current = self._current(stage, integers, sources, shapes, ends)
            known = scale, float(current.max())
            if known[1] <= STATE_MAX:
                top = self._highest(stage, integers, sources, shapes)
                if top is not None:
                    return integers, top, tuple(current.shape[1:])
        raise CapacityExceeded(
            "no scale keeps its sums within 24 bits",
            where=f"population {stage.name}",
            remedy="fewer or smaller weights into it, or more weight_bits",
        )

    def _current(
        self,
        stage: Stage,
        integers: Integers,
        sources: dict[str, Source],
        shapes: dict[str, tuple[int, ...]],
        ends: list[Any],
    ) -> Tensor:
        """The largest current of one step at each neuron; infinite if a sum leaves 32 bits."""
        current = torch.zeros(())
        for way, grid, (_, _, layout) in zip(stage.ways, integers.weights, ends, strict=True):
            layer, source = self._layer(way), sources[way.source]
            weight = grid.rounded(layer.weight).abs_()
            one = torch.full((1, *shapes[way.source]), float(source.most), device=weight.device)
            part = _apply(layer, self._before(way, one, False), weight)
            if float(part.max()) * layout.unit / grid.step > ACCUMULATOR_MAX:
                part = part + torch.inf
            current = current + part
        return current

    def _highest(
        self,
        stage: Stage,
        integers: Integers,
        sources: dict[str, Source],
        shapes: dict[str, tuple[int, ...]],
    ) -> float | None:
        """The highest sum with its bias; None where a sum or the bias leaves 24 bits."""
        high = low = bias = torch.zeros(())
        for way, grid in zip(stage.ways, integers.weights, strict=True):
            layer, source = self._layer(way), sources[way.source]
            weight = grid.rounded(layer.weight)
            one = torch.ones(1, *shapes[way.source], device=weight.device)
            seen = self._before(way, one, False)
            up, down = (_apply(layer, seen, part) for part in (weight.relu(), (-weight).relu()))
            high = high + source.highest * up - source.lowest * down
            low = low + source.lowest * up - source.highest * down
        constant = self._bias(stage)
        if constant is not None:
            bias = whole(constant, integers.bias_ratio).reshape(-1, *(1,) * (high.ndim - 2))
        if stage.name == OUTPUT:  # its bias is in the sum from the beginning
            high, low = bias + high, bias + low
        limits = (high, -low, torch.as_tensor(bias).abs())
        if any(float(each.max()) > STATE_MAX for each in limits):
            return None
        return float((high + bias).max())

    def _before(self, way: Way, x: Tensor, training: bool) -> Tensor:
        """Sums over the windows of pools, not means: their divisor is in the weights."""
        for path in way.before:
            module = self.network.get_submodule(path)
            if isinstance(module, nn.Dropout | nn.Dropout2d):
                drop = functional.dropout if isinstance(module, nn.Dropout) else dropout2d
                x = drop(x, module.p, training)
            elif isinstance(module, nn.Flatten):
                x = x.flatten(1)
            else:
                kernel = _kernel(module, x)
                x = functional.avg_pool2d(x, kernel, divisor_override=1)
        return x

    def _area(self, way: Way, shape: tuple[int, ...]) -> float:
        """Elements of all pooling windows on the way."""
        seen = torch.zeros(1, *shape, device="meta")
        area = 1.0
        for path in way.before:
            module = self.network.get_submodule(path)
            if isinstance(module, nn.AvgPool2d | nn.AdaptiveAvgPool2d):
                kernel = _kernel(module, seen)
                area *= kernel[0] * kernel[1]
                seen = functional.avg_pool2d(seen, kernel)
            elif isinstance(module, nn.Flatten):
                seen = seen.flatten(1)
        return area

    def _bias(self, stage: Stage) -> Tensor | None:
        """What its layers add together; in float64, since it may need all of the 24 bits."""
        known = [bias for way in stage.ways if (bias := self._layer(way).bias) is not None]
        return torch.stack([bias.double() for bias in known]).sum(dim=0) if known else None

    def _theta(self, stage: Stage) -> float:
        relu = self.network.get_submodule(stage.name)
        return float(cast(Tensor, relu.activation_scale))

    def _layer(self, way: Way) -> nn.Conv2d | nn.Linear:
        layer = self.network.get_submodule(way.layer)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        return layer


def _magnitudes(weight: Tensor) -> Any:
    return weight.abs().double().cpu().numpy().ravel()


def _kernel(pool: nn.Module, x: Tensor) -> tuple[int, int]:
    if isinstance(pool, nn.AdaptiveAvgPool2d):
        return x.shape[-2], x.shape[-1]
    assert isinstance(pool, nn.AvgPool2d)
    size = pool.kernel_size
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _apply(layer: nn.Conv2d | nn.Linear, x: Tensor, weight: Tensor) -> Tensor:
    """The layer with other weights and no bias."""
    if isinstance(layer, nn.Linear):
        return functional.linear(x, weight)
    return functional.conv2d(
        x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )
