"""Recipes as files: found by name, read, changed, and looked at as a whole."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import Problem, UsageError
from ..networks import NETWORKS
from .catalogue import find, names
from .recipe import (
    Augmentation,
    Data,
    Input,
    Network,
    Optimiser,
    Quantise,
    Recipe,
    Schedule,
    Teacher,
    Training,
)
from .tables import parse_file, parse_value, read_table


@dataclass(frozen=True, slots=True)
class _Head:
    paper: str
    about: str = ""
    seeds: tuple[int, ...] = (0,)
    baseline: bool = False
    deviations: tuple[str, ...] = ()


_TABLES: dict[str, type] = {
    "data": Data,
    "input": Input,
    "teacher": Teacher,
    "optimiser": Optimiser,
    "schedule": Schedule,
    "augmentation": Augmentation,
    "training": Training,
    "quantise": Quantise,
}


def load(recipe: str, changes: tuple[str, ...] = (), beside: Path | None = None) -> Recipe:
    """Read a recipe.

    Args:
        recipe: name of one that comes with slipway, or a .toml file.
        changes: `table.key=value`, which replace what the file says.
        beside: folder from which a file's path counts.

    Raises:
        UsageError: there is no such recipe; or every unknown key and wrong value at once.
        FileError: the file cannot be read.
    """
    path = find(recipe, beside)
    if path is None:
        raise UsageError(
            f"there is no recipe named {recipe!r}", remedy=f"recipes: {', '.join(names())}"
        )
    content = parse_file(path)
    problems: list[Problem] = []
    for change in changes:
        _change(content, change, problems)
    made = _assemble(path, content, problems)
    if problems or made is None:
        raise UsageError(*problems)
    return made


def _change(content: dict[str, Any], change: str, problems: list[Problem]) -> None:
    place, equals, text = change.partition("=")
    keys = place.strip().split(".")
    if not equals or not all(keys) or len(keys) > 2:
        told = f"{change!r} changes nothing"
        problems.append(Problem(told, "--set", "write table.key=value: training.epochs=5"))
        return
    table = content
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = parse_value(text.strip())


def _assemble(path: Path, content: dict[str, Any], problems: list[Problem]) -> Recipe | None:
    from .learners import METHODS, SEES

    file = path.name
    tables = {name: content.pop(name) for name in _TABLES if name in content}
    network = content.pop("network", None)
    method = dict(content.pop("method", {"name": "none"}))
    head = read_table(_Head, content, file, "", problems)
    if "data" not in tables:
        problems.append(Problem("the table [data] is missing", file, "say what to learn from"))
    made: dict[str, Any] = {
        name: read_table(_TABLES[name], table, file, name, problems)
        for name, table in tables.items()
    }
    built = _network(network, file, problems)
    kind = METHODS.get(method.pop("name", None))
    if kind is None:
        told = "[method] has no name that is known"
        problems.append(Problem(told, file, f"one of {', '.join(METHODS)}"))
    taught = kind and read_table(kind, method, file, "method", problems)
    if problems or head is None or built is None or taught is None:
        return None
    recipe = Recipe(
        name=path.stem,
        file=str(path),
        paper=head.paper,
        about=head.about,
        seeds=head.seeds,
        baseline=head.baseline,
        deviations=head.deviations,
        network=built,
        method=taught,
        **made,
    )
    problems += _agree(recipe, SEES[built.name])
    return recipe


def _network(table: Any, file: str, problems: list[Problem]) -> Network | None:
    where = f"{file}, [network]"
    if not isinstance(table, Mapping) or table.get("name") not in NETWORKS:
        told = f"the network is {table.get('name') if isinstance(table, Mapping) else table!r}"
        problems.append(Problem(told, where, f"name one of {', '.join(NETWORKS)}"))
        return None
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
        if key != "name"
    }
    known = builder_options(table["name"])
    unknown = [key for key in given if key not in known]
    for key in unknown:
        told = f"there is no option {key!r} of {table['name']}"
        problems.append(Problem(told, f"{file}, network.{key}", f"options: {', '.join(known)}"))
    return None if unknown else Network(table["name"], given)


def builder_options(network: str) -> list[str]:
    """The options that a network's builder takes."""
    module, _, function = NETWORKS[network].builder.partition(":")
    builder = getattr(importlib.import_module(module), function)
    return list(inspect.signature(builder).parameters)


def _agree(recipe: Recipe, sees: str) -> list[Problem]:
    """What is wrong between the tables."""
    problems, file = [], Path(recipe.file).name
    taught, method = recipe.teacher is not None, recipe.method
    if method.needs_teacher and not taught:
        told = f"the method {method.name} has terms that need a teacher, and there is none"
        remedy = "add [teacher], or set the weights of these terms to 0"
        problems.append(Problem(told, file, remedy))
    if taught and method.name == "none":
        told = "there is a teacher, and the method is none"
        problems.append(Problem(told, file, "method kd, mskd or ckd; or no [teacher]"))
    if recipe.teacher is not None and recipe.teacher.views:
        problems += _viewed(recipe.teacher, recipe)
    if sees not in method.students:
        told = f"the method {method.name} cannot teach {recipe.network.name}: it sees {sees}"
        remedy = f"a network that sees {' or '.join(method.students)}"
        problems.append(Problem(told, f"{file}, method.name", remedy))
    if recipe.baseline and method.name == "none":
        told = "a baseline without teacher is what method none is"
        problems.append(Problem(told, f"{file}, baseline", "leave it out"))
    if recipe.quantise is not None:
        problems += _quantisable(recipe.quantise, recipe, sees)
    if recipe.data.crop and len(recipe.data.crop) != 4:
        told = f"crop has {len(recipe.data.crop)} numbers"
        problems.append(Problem(told, f"{file}, data.crop", "left, top, width, height"))
    if not recipe.seeds or min(recipe.seeds) < 0 or max(recipe.seeds) >= 2**32:
        told = f"seeds are {list(recipe.seeds)}"
        remedy = "give one or more from 0 to 4294967295"
        problems.append(Problem(told, f"{file}, seeds", remedy))
    problems += [
        Problem(f"{key} is 0", f"{file}, input.{key}", "give numbers above 0")
        for key in ("std", "event_std")
        if not _above(getattr(recipe.input, key))
    ]
    return problems


def _viewed(teacher: Teacher, recipe: Recipe) -> list[Problem]:
    """What keeps a student from having views of its own."""
    file = f"{Path(recipe.file).name}, teacher.views"
    if teacher.sees == "original":
        told = f"a teacher that sees the original answers to none of {teacher.views} views"
        return [Problem(told, file, 'teacher.sees = "varied" or "both", or views = 0')]
    if recipe.augmentation.mirrors_only:
        told = f"{teacher.views} views of an item that is not moved would all be the same"
        return [Problem(told, file, "views = 0, or a shift, zoom, turn or erase")]
    return []


def _quantisable(chosen: Quantise, recipe: Recipe, sees: str) -> list[Problem]:
    """What keeps a recipe from being fine-tuned in integers."""
    file, problems = Path(recipe.file).name, []
    if sees != "picture":
        told = f"{recipe.network.name} sees {sees}; quantised are ReLU networks on pictures"
        remedy = "leave [quantise] out: `slipway compile` rounds a spiking network's weights"
        problems.append(Problem(told, f"{file}, [quantise]", remedy))
    if chosen.start and recipe.baseline:
        told = "a start from other weights has no baseline to go with it"
        problems.append(Problem(told, f"{file}, quantise.start", "baseline = false"))
    return problems


def _above(value: float | tuple[float, ...]) -> bool:
    return min(value if isinstance(value, tuple) else (value,)) > 0
