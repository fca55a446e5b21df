"""Ways to cut a population into parts: an order of its neurons, cut into ranges.

An image is cut into groups of channels and bands of columns; each is walked row by row, up and
down in turn, so that every range is one piece of the image.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program, Projection
from ..synapses.conv2d import Conv2d
from ..targets import Target
from .order import image_shape, storage_order
from .parts import parts_usage
from .splitter import worst
from .tiles import Axis, axis, tile_usage
from .usage import compartments

Array = npt.NDArray[Any]

FAR = 1.6
"""Times the estimated parts from which on a cut is given up."""
SMALL = 2**14
"""Neurons of an image that may be cut anywhere, without tiles."""
MULTIPLES = (1.0, 1.5, 2.2, 3.3, 5.0, 8.0)
"""Times the fewest parts for which good tiles are looked for."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One way to cut a population.

    Attributes:
        order: flat indices of the neurons, in the order in which they are cut.
        sizes: int64 (items,), neurons that stay together: those of one position, or of one
            row of a band, of a group of channels.
        groups: of channels, that parts keep to where there are enough of them.
        bands: int64, items of each band of columns, within a group; likewise.
        most: neurons that a part may have.
        fewest: parts that it needs at least.
        axons: source elements that a part sees, with that many parts.
        fill: the largest share of a limit that a part then takes.
    """

    order: Array
    sizes: Array
    groups: int
    bands: Array
    most: int
    fewest: int = 1
    axons: float = 0.0
    fill: float = 0.0

    def whole(self, load: Array, parts: int) -> Array:
        """Part of each neuron, int32, in that many parts of about equal load."""
        ends = self._blocks(parts)
        each = self._items(load)
        total = np.add.reduceat(each, np.concatenate(([0], ends[:-1])))
        limit = self._limit()
        shares = apportion(total, np.diff(ends, prepend=0), parts, limit)
        pieces, first, begin = [], 0, 0
        for end, share in zip(ends.tolist(), shares.tolist(), strict=True):
            room = np.full(share, limit, np.int64)
            pieces.append(first + ranges(each[begin:end], np.ones(share), room))
            first, begin = first + share, end
        return self._spread(np.concatenate(pieces))

    def within(self, load: Array, start: float, stop: float, spare: float = np.inf) -> Array:
        """The same where the population lies from `start` to `stop` on a line of cores.

        Part i gets what lies between i and i + 1, and at most `spare` times more neurons than
        its share, beyond that share.
        """
        first, last = int(np.floor(start + 1e-9)), int(np.ceil(stop - 1e-9))
        edges = np.clip(np.arange(first, max(last, first + 1) + 1), start, stop)
        widths = np.maximum(np.diff(edges), 1e-9)
        share = self.sizes.size / max(stop - start, 1e-9) * (1 + spare)
        room = np.ceil(min(self._limit(), share) * widths).astype(np.int64)
        return self._spread(first + ranges(self._items(load), widths, room))

    def _items(self, load: Array) -> Array:
        starts = np.cumsum(self.sizes) - self.sizes
        return np.asarray(np.add.reduceat(load[self.order], starts))

    def _limit(self) -> int:
        """Items that a part may have."""
        return max(1, self.most // int(self.sizes.max()))

    def _blocks(self, parts: int) -> Array:
        """Where the blocks that parts keep to end, in items."""
        per_group = int(self.bands.sum())
        starts = np.arange(self.groups) * per_group
        if parts >= self.groups * self.bands.size:
            inside = np.cumsum(self.bands)
            return np.asarray((starts[:, None] + inside[None, :]).reshape(-1))
        if parts >= self.groups:
            return starts + per_group
        return np.array([self.groups * per_group])

    def _spread(self, part: Array) -> Array:
        result = np.empty(self.order.size, np.int32)
        result[self.order] = np.repeat(part, self.sizes)
        return result


def apportion(load: Array, size: Array, parts: int, most: int) -> Array:
    """How many parts each block gets, at least one: as few as hold it, then by load."""
    shares = np.maximum(1, -(-size // max(most, 1)))
    heap = [
        (-float(total) / int(n), i)
        for i, (total, n) in enumerate(zip(load, shares, strict=True))
    ]
    heap = [entry for entry in heap if shares[entry[1]] < size[entry[1]]]
    heapq.heapify(heap)
    while heap and shares.sum() < parts:
        _, i = heapq.heappop(heap)
        shares[i] += 1
        if shares[i] < size[i]:  # no part is empty
            heapq.heappush(heap, (-float(load[i]) / int(shares[i]), i))
    while shares.sum() > parts:  # too few parts: what does not fit is seen by the caller
        shares[int(np.argmax(shares))] -= 1
    return np.asarray(shares)


def ranges(load: Array, widths: Array, limit: Array) -> Array:
    """Number of the range of each item: loads in proportion to the widths, sizes limited.

    Args:
        load: of each item.
        widths: of each range.
        limit: items of each range; where all of them cannot hold all items, the last has more.
    """
    ends = np.cumsum(load)
    room_behind = np.cumsum(limit[::-1])[::-1]
    width_left = np.cumsum(widths[::-1])[::-1]
    sizes, begin, done = np.empty(widths.size, np.int64), 0, 0.0
    for i in range(widths.size):
        behind = int(room_behind[i + 1]) if i + 1 < widths.size else 0
        wanted = done + (float(ends[-1]) - done) * float(widths[i] / width_left[i])
        # The item that straddles the border goes where the greater part of it lies.
        stop = int(np.searchsorted(ends - load / 2, wanted * (1 + 1e-12), side="right"))
        stop = max(min(stop, begin + int(limit[i])), load.size - behind, begin)
        if i + 1 == widths.size:
            stop = load.size
        sizes[i] = stop - begin
        begin, done = stop, float(ends[stop - 1]) if stop else 0.0
    return np.repeat(np.arange(widths.size), sizes)


def cuts_of(program: Program, target: Target, population: str, load: Array) -> list[Cut]:
    """The ways worth looking at, fewest parts first.

    Empty if not even single neurons fit.
    """
    plain = _plain(program, target, population)
    measured = [_measured(program, target, population, load, cut) for cut in plain]
    if not any(measured):
        order = storage_order(image_shape(program, population))
        measured = [
            _measured(program, target, population, load, _by_neuron(order, plain[0].most))
        ]
    return sorted((cut for cut in measured if cut is not None), key=lambda cut: cut.fewest)


@dataclass(frozen=True, slots=True)
class Tile:
    """Groups of channels and bands of columns, and the most rows of a tile that fit."""

    groups: int
    bands: int
    rows: int

    def parts(self, height: int) -> int:
        """Tiles that an image of that many rows needs."""
        return self.groups * self.bands * -(-height // self.rows)


def _plain(program: Program, target: Target, population: str) -> list[Cut]:
    """Cuts with an estimate of what they need; the most promising ones of an image."""
    shape = image_shape(program, population)
    each = compartments(program.population(population), target)
    most = int(target.capacity("neurons") // each)
    index = np.arange(int(np.prod(shape)), dtype=np.int64)
    into = [p for p in program.into(population) if isinstance(p.synapse, Conv2d)]
    if len(shape) != 3 or not into:
        return [_by_neuron(index, most)]
    channels, height, width = shape
    image = index.reshape(shape)
    flat = _by_neuron(storage_order(shape), most)
    tiles: list[Tile] = []
    for bands in sorted({b for b in (1, 2, 3, 4, 5, 6, 8, 12, 16, width) if b <= width}):
        columns = -(-width // bands)
        across = {p.name: axis(_conv(p), 1, columns) for p in into}
        for groups in _divisors(channels):
            own = channels // groups

            def share(
                rows: int,
                own: int = own,
                columns: int = columns,
                across: dict[str, Axis] = across,
            ) -> float:
                used = {"neurons": float(own * columns * rows * each)}
                for p in into:
                    down = axis(_conv(p), 0, rows)
                    part = tile_usage(p, target, own, down, across[p.name], columns)
                    for name, amount in part.items():
                        used[name] = used.get(name, 0.0) + amount
                return max(used[n] / target.capacity(n) for n in target.core if n in used)

            rows = _most(share, height)
            if rows:
                tiles.append(Tile(groups, bands, rows))
    chosen = _chosen(tiles, into, shape) or [Tile(_divisors(channels)[-1], width, 1)]
    found = [flat] if index.size <= SMALL or not tiles else []
    for tile in chosen:
        found += _tiles(image, tile, most)
    return found


def _chosen(tiles: list[Tile], into: list[Projection], shape: tuple[int, ...]) -> list[Tile]:
    """For the fewest parts, and several times as many, the tiles with the fewest messages."""
    height, width = shape[1:]
    fewest = min((tile.parts(height) for tile in tiles), default=0)
    chosen: list[Tile] = []
    for times in MULTIPLES:
        wanted = int(np.ceil(times * fewest))
        options = []
        for tile in tiles:
            rows = min(tile.rows, max(1, tile.groups * tile.bands * height // wanted))
            parts = tile.groups * tile.bands * -(-height // rows)
            if 0.8 * wanted <= parts <= 1.25 * wanted:
                options.append(
                    (parts * _sources(into, tile, rows, -(-width // tile.bands)), tile)
                )
        if options:
            best = min(options, key=lambda option: option[0])[1]
            chosen += [best] if best not in chosen else []
    return chosen


def _sources(into: list[Projection], tile: Tile, rows: int, columns: int) -> float:
    """Source elements that a tile sees, roughly: the lines that reach it, and all channels."""
    total = 0.0
    for projection in into:
        conv = _conv(projection)
        channels = conv.input_shape[0] // min(conv.groups, tile.groups)
        total += channels * axis(conv, 0, rows).lines * axis(conv, 1, columns).lines
    return total


def _by_neuron(order: Array, most: int) -> Cut:
    """Any number of neurons of that order in a part."""
    return Cut(order, np.ones(order.size, np.int64), 1, np.array([order.size]), most)


def _tiles(image: Array, tile: Tile, most: int) -> list[Cut]:
    """Tiles of whole rows, and of any positions."""
    channels, height, _ = image.shape
    groups, own = tile.groups, channels // tile.groups
    columns = split(image.shape[2], tile.bands)
    order = tiled(image, groups, tile.bands)
    rows = np.tile(np.repeat(columns, height) * own, groups)
    positions = np.full(order.size // own, own)
    found: list[Cut] = []
    for sizes, bands in ((rows, np.full(columns.size, height)), (positions, columns * height)):
        if sizes.max() <= most and not any(cut.sizes.size == sizes.size for cut in found):
            found.append(Cut(order, sizes, groups, bands, most, tile.parts(height)))
    return found


def _conv(projection: Projection) -> Conv2d:
    conv = projection.synapse
    assert isinstance(conv, Conv2d)
    return conv


def split(items: int, parts: int) -> Array:
    """Sizes of about equal parts."""
    return np.diff(np.arange(parts + 1) * items // parts)


def _most(share: Any, height: int) -> int:
    """The most rows of a tile that fit; 0: not even one."""
    if share(1) > 1:
        return 0
    low, high = 1, height + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if share(middle) <= 1 else (low, middle)
    return low


def _divisors(n: int) -> list[int]:
    """Divisors, each at least a third more than the one before."""
    found = [1]
    for d in range(2, n + 1):
        if n % d == 0 and 3 * d >= 4 * found[-1]:
            found.append(d)
    return found


def tiled(image: Array, groups: int, bands: int) -> Array:
    """Group of channels by group, band by band, row by row, channels fastest."""
    pieces = []
    for channels in np.array_split(image, groups):
        edges = np.cumsum(split(image.shape[2], bands))[:-1]
        for number, band in enumerate(np.split(channels, edges, axis=2)):
            rows = band[:, ::-1] if number % 2 else band
            pieces.append(rows.transpose(1, 2, 0).reshape(-1))
    return np.concatenate(pieces)


def _measured(
    program: Program, target: Target, population: str, load: Array, cut: Cut
) -> Cut | None:
    """With the fewest parts that fit, and what such a part sees; None if nothing fits."""
    items = cut.sizes.size
    tried: dict[int, tuple[float, float]] = {}

    def excess(parts: int) -> float:
        if parts not in tried:
            index = cut.whole(load, parts)
            tried[parts] = estimate(program, target, population, index, parts)
        return tried[parts][0]

    least = -(-load.size // cut.most)  # of the neurons alone
    low, high = least - 1, min(max(cut.fewest, least), items)
    while excess(high) > 1:
        if high >= items:
            return None
        if cut.groups * cut.bands.size > 1 and high > FAR * cut.fewest:
            return None  # far more than estimated: another one is better
        more = max(high + 1 + high // 16, int(high * min(excess(high), 3.0)))
        low, high = high, min(items, more)
    while high - low > 1 + high // 64:
        tight = int(np.ceil(high * excess(high)))  # hardly with fewer than that
        middle = max((low + high) // 2, min(tight, high - 1) if tight < 0.95 * high else 0)
        low, high = (low, middle) if excess(middle) <= 1 else (middle, high)
    return replace(cut, fewest=high, axons=tried[high][1], fill=tried[high][0])


def estimate(
    program: Program, target: Target, population: str, index: Array, parts: int
) -> tuple[float, float]:
    """Largest share of a limit, and mean source elements of a part."""
    used = parts_usage(program, target, population, index, parts, sample=True)
    return worst(target, used), float(used["input_axons"].mean())
