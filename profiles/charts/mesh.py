"""The cores as they lie on the chips: how full, how busy, and which links are hot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isqrt
from typing import Any

from markupsafe import Markup

from ..figures import number, percent
from .frame import LEVELS, digits, frame, legend

_CORE, _GAP, _CHIP_GAP = 10, 5, 16
# The letters of a chip's number must be readable on a phone, where the map is this wide.
_PHONE = 358
_LETTER = 10
# Cores, tiles or chips that a map draws.
MOST_SQUARES = 5000
# Chips that carry a number.
MOST_NUMBERS = 64


@dataclass(frozen=True, slots=True)
class _Board:
    """Geometry of the chips in use, in units of the drawing."""

    columns: int
    rows: int
    chip_columns: int
    side: int
    chips: tuple[int, ...]

    @property
    def tile(self) -> int:
        """Side of a tile, with the gap to the next."""
        return self.side * _CORE + _GAP

    @property
    def width(self) -> int:
        across = min(self.chip_columns, max(self.chips, default=0) + 1)
        return across * (self.columns * self.tile + _CHIP_GAP) - _CHIP_GAP

    @property
    def letter(self) -> float:
        """Height of a chip's number; no number where there is one chip, or too many."""
        numbered = 1 < len(self.chips) <= MOST_NUMBERS
        return _LETTER * self.width / _PHONE if numbered else 0.0

    @property
    def chip_height(self) -> float:
        return self.rows * self.tile + _CHIP_GAP + 1.5 * self.letter

    @property
    def height(self) -> float:
        down = max(self.chips, default=0) // self.chip_columns + 1
        return down * self.chip_height - _CHIP_GAP

    def corner(self, x: int, y: int) -> tuple[float, float]:
        """Top left of the tile at (x, y) of the grid over all chips."""
        across, down = x // self.columns, y // self.rows
        left = x * self.tile + across * _CHIP_GAP
        return left, y % self.rows * self.tile + down * self.chip_height + 1.5 * self.letter


def core_maps(placement: Mapping[str, Any]) -> list[Markup]:
    """Two maps: how full each core is, and how busy, with the links that carry most."""
    mesh, cores = placement["mesh"], placement["cores"]
    board = _Board(
        columns=mesh["columns"],
        rows=mesh["rows"],
        chip_columns=mesh["chip_columns"],
        side=ceil(mesh["cores_per_tile"] ** 0.5),
        chips=tuple(sorted({core["chip_idx"] for core in cores})),
    )
    grain = _grain(cores)
    coarse = "" if grain == "core" else f"; a square is a {grain}, as its most loaded core"
    busiest = max((core["load"].get("syn_ops", 0.0) for core in cores), default=0.0)
    fullest = max((core["utilisation"] for core in cores), default=0.0)
    full = _map(
        board,
        mesh,
        cores,
        lambda core: _level(core["utilisation"], 1.0),
        f"How full: the fullest resource of each core{coarse}",
        [
            f"{len(cores)} cores in use; the fullest is at {percent(fullest, 2)} of a limit, "
            f"{_words(cores, 'utilisation')}"
        ],
        _shades("1/6", "half", "full"),
        (),
    )
    links = sorted(placement["links"], key=lambda link: -link["messages"])
    load = placement["balance"]["syn_ops"]
    told = [] if load is None else [_load(load)]
    if links:
        told.append(_hot(placement["hottest_link"]))
    busy = _map(
        board,
        mesh,
        cores,
        lambda core: _level(core["load"].get("syn_ops", 0.0), busiest),
        f"How busy: synops of each core, and messages on the links{coarse}",
        told,
        _shades("1/6", "half", "busiest core") + ([("link", "hottest links")] if links else []),
        links,
    )
    return [full, busy]


def _load(load: Mapping[str, Any]) -> str:
    place = load["busiest"]
    return (
        f"busiest is core {place['core_idx']} of chip {place['chip_idx']} with "
        f"{number(load['maximum_per_inference'])} synops per inference, mean over cores "
        f"{number(load['mean_per_inference'])}"
    )


def _hot(link: Mapping[str, Any]) -> str:
    (x, y), (to_x, to_y) = link["from"], link["to"]
    return (
        f"hottest link, tile {x}, {y} to tile {to_x}, {to_y}: "
        f"{number(link['per_inference'])} messages per inference"
    )


def _words(cores: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [core[key] for core in cores]
    return f"mean {percent(sum(values) / len(values), 2)}" if values else "no cores"


def _shades(low: str, middle: str, high: str) -> list[tuple[str, str]]:
    return [("h1", f"up to {low}"), (f"h{LEVELS // 2}", middle), (f"h{LEVELS}", high)]


def _level(value: float, most: float) -> int:
    return 0 if value <= 0 or most <= 0 else min(LEVELS, max(1, ceil(LEVELS * value / most)))


def _map(
    board: _Board,
    mesh: Mapping[str, Any],
    cores: Sequence[Mapping[str, Any]],
    level: Callable[[Mapping[str, Any]], int],
    title: str,
    told: Sequence[str],
    keys: Sequence[tuple[str, str]],
    links: Sequence[Mapping[str, Any]],
) -> Markup:
    paths: dict[str, list[str]] = {"idle": _idle(board, mesh)}
    for x, y, across, down, members in _squares(board, mesh, cores):
        shade = max(map(level, members))
        path = f"M{digits(x)} {digits(y)}h{across}v{down}h-{across}z"
        paths.setdefault(f"h{shade}" if shade else "none", []).append(path)
    drawn = [
        Markup('<path class="{}" d="{}"/>').format(style, "".join(parts))
        for style, parts in paths.items()
    ]
    drawn += _links(board, links) + _numbers(board)
    body = Markup(
        '<svg class="map" aria-hidden="true" viewBox="-2 -2 {} {}" '
        'style="max-width:{}px">{}</svg>'
    ).format(
        digits(board.width + 4),
        digits(board.height + 4),
        min(1000, max(300, 2 * board.width)),
        Markup("").join(drawn),
    )
    return frame(title, told, [body], style="whole", legend=legend(keys))


_Square = tuple[float, float, str, str, Sequence[Mapping[str, Any]]]


def _squares(
    board: _Board, mesh: Mapping[str, Any], cores: Sequence[Mapping[str, Any]]
) -> list[_Square]:
    """x, y, width, height and cores of each square: a core, else a tile, else a chip.

    The finest of which there are at most MOST_SQUARES, so that the page stays small.
    """
    grain = _grain(cores)
    if grain == "core":
        return [(*_place(board, mesh, core), "8.6", "8.6", [core]) for core in cores]
    homes: dict[tuple[int, ...], list[Mapping[str, Any]]] = {}
    for core in cores:
        at = (core["x"], core["y"]) if grain == "tile" else (core["chip_idx"],)
        homes.setdefault(at, []).append(core)
    if grain == "tile":
        side = digits(board.side * _CORE - 1.4)
        return [(*board.corner(*at), side, side, held) for at, held in homes.items()]
    across, down = (digits(n * board.tile - 6) for n in (board.columns, board.rows))
    return [(*_chip(board, chip), across, down, held) for (chip,), held in homes.items()]


def _grain(cores: Sequence[Mapping[str, Any]]) -> str:
    """What a square of the map is: the finest of which there are few enough."""
    if len(cores) <= MOST_SQUARES:
        return "core"
    tiles = {(core["x"], core["y"]) for core in cores}
    return "tile" if len(tiles) <= MOST_SQUARES else "chip"


def _chip(board: _Board, chip: int) -> tuple[float, float]:
    """Top left of a chip."""
    return board.corner(
        chip % board.chip_columns * board.columns, chip // board.chip_columns * board.rows
    )


def _place(
    board: _Board, mesh: Mapping[str, Any], core: Mapping[str, Any]
) -> tuple[float, float]:
    """Top left of a core."""
    left, top = board.corner(core["x"], core["y"])
    part = core["core_idx"] % mesh["cores_per_tile"]
    return left + part % board.side * _CORE, top + part // board.side * _CORE


def _idle(board: _Board, mesh: Mapping[str, Any]) -> list[str]:
    """Every core of the chips in use, as a faint square."""
    side = digits(board.side * _CORE - 1.4)
    tiles = ceil(mesh["cores_per_chip"] / mesh["cores_per_tile"])
    if len(board.chips) * tiles > MOST_SQUARES:
        return []
    found = []
    for chip in board.chips:
        left, top = _chip(board, chip)
        for tile in range(tiles):
            x, y = tile % board.columns * board.tile, tile // board.columns * board.tile
            found.append(f"M{digits(left + x)} {digits(top + y)}h{side}v{side}h-{side}z")
    return found


def _links(board: _Board, links: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """The hottest tenth, from 3 to 40: width by the root of the messages."""
    kept = links[: min(40, max(3, len(links) // 10))]
    most = kept[0]["messages"] if kept else 0
    half = (board.side * _CORE - 1.4) / 2
    found = []
    for link in kept:
        (x0, y0), (x1, y1) = (board.corner(*link[end]) for end in ("from", "to"))
        # The two directions of a link lie beside each other.
        aside = half / 2.4
        dx, dy = (0.0, aside if x1 > x0 else -aside) if y0 == y1 else (aside, 0.0)
        if y0 != y1 and y1 < y0:
            dx = -aside
        width = 0.8 + 2.4 * isqrt(int(10_000 * link["messages"] / most)) / 100 if most else 1.0
        found.append(
            Markup('<path class="link" stroke-width="{}" d="M{} {}L{} {}"/>').format(
                digits(width),
                *map(digits, (x0 + half + dx, y0 + half + dy, x1 + half + dx, y1 + half + dy)),
            )
        )
    return found


def _numbers(board: _Board) -> list[Markup]:
    if not board.letter:
        return []
    found = []
    for chip in board.chips:
        x, y = _chip(board, chip)
        found.append(
            Markup('<text x="{}" y="{}" style="font-size:{}px">chip {}</text>').format(
                digits(x), digits(y - 0.45 * board.letter), digits(board.letter), chip
            )
        )
    return found
