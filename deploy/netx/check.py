"""Whether a .net file can run on a target: every layer at once, and every resource used."""

from __future__ import annotations

from pathlib import Path

from ...errors import Problem, UnsupportedNode
from ..check import Check, NodeCheck, check_program
from ..targets import load_target
from .fields import Fields
from .file import read_file
from .read import read_unproven


def check_net(path: Path, target: str = "loihi2") -> Check:
    """Check every layer and resource; never stops at the first problem.

    Raises:
        UsageError: unknown target.
        FileError, UnsafeFileError: the file cannot be read at all.
    """
    chip = load_target(target)
    raw, _ = read_file(path)
    kinds = [Fields("", values).text("type") for values in raw]
    try:
        program, _ = read_unproven(path, steps=1, target=target)
    except UnsupportedNode as error:
        return Check(target, _refused(path, kinds, error.problems), {})
    interfaces = {
        f"layer {index} ({kind})": NodeCheck("folded", "only the order of its values changes")
        for index, kind in enumerate(kinds)
        if kind == "flatten"
    }
    if kinds[0] == "input" and program.populations[0].depth == 1 and "neuron" not in raw[0]:
        interfaces["layer 0 (input)"] = NodeCheck("interface", "reads samples")
    return check_program(program, chip, interfaces)


def _refused(
    path: Path, kinds: list[str], problems: tuple[Problem, ...]
) -> dict[str, NodeCheck]:
    """A verdict for each layer, and for the file where a problem concerns no layer."""
    found: dict[str, NodeCheck] = {}
    for index, kind in enumerate(kinds):
        name = f"layer {index} ({kind or 'no type'})"
        own = [p for p in problems if p.where.startswith(f"{path}: {name}")]
        if own:
            told = "; ".join(dict.fromkeys(_told(p) for p in own))
            remedies = "; ".join(dict.fromkeys(p.remedy for p in own))
            found[name] = NodeCheck("unsupported", told, remedies)
        elif kind in ("input", "flatten"):
            found[name] = NodeCheck("interface", "holds no synapses")
        else:
            found[name] = NodeCheck("stock", "can be read")
    for problem in problems:
        if problem.where == str(path):
            found["file"] = NodeCheck("unsupported", problem.what, problem.remedy)
    return found


def _told(problem: Problem) -> str:
    _, found, field = problem.where.partition(", field ")
    return f"{field}: {problem.what}" if found else problem.what
