"""From a canonical NIR graph to a Program: check, lower, quantise, measure, report."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import CapacityExceeded, Problem, UnsupportedNode, UsageError
from .check import check_graph
from .codes import Code
from .data import Samples
from .lower import lower
from .pools import with_pools
from .program import Precision, Program
from .targets import load_target


def compile_graph(
    graph: Any,
    *,
    target: str = "loihi2",
    precision: Precision = "fixed",
    calibration: Samples | None = None,
    steps: int | None = None,
    code: Code = "rate",
    weight_bits: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Program:
    """Compile a canonical graph.

    Args:
        graph: nir.NIRGraph with `dt` (seconds) in its metadata.
        target: name of a target, see `slipway targets`.
        precision: "fixed" for Loihi-style integers, "float" for the same network in float64.
        calibration: samples x like those of training; needed where the input is graded, and
            for the measured part of the compile report.
        steps: time steps per sample; the graph's own where None. Under code "ttfs" the length
            of a layer's window; under "sigma-delta" 1 where None, because a frame changes once.
        code: what IF nodes become: "rate" (as they are), "sigma-delta" or "ttfs".
        weight_bits: 1 to 8 for all weights, or 16 for two parts of 8; None: 8, two parts on and
            behind loops, less where the target's memory needs it.
        provenance: JSON values to store with the Program.

    Returns:
        The Program; its `report` holds the compile report.

    Raises:
        UnsupportedNode: nodes that cannot be compiled, all at once.
        CapacityExceeded: the number format or the target cannot hold it.
        UsageError: dt, steps or calibration data are missing.
    """
    metadata = dict(getattr(graph, "metadata", {}) or {})
    if code == "sigma-delta" and steps is None:
        steps = 1
    dt, steps = _time(metadata, steps)
    chip = load_target(target)
    # Without a wish, a too large memory is met by fewer bits where that is enough.
    least = weight_bits if weight_bits is not None else min(chip.weight_bits)
    check = check_graph(graph, target, dt=dt, code=code, weight_bits=least, steps=steps)
    blocking = [
        Problem(node.reason, f"node {name}", node.remedy)
        for name, node in check.nodes.items()
        if node.status == "unsupported"
    ]
    if blocking:
        raise UnsupportedNode(*blocking)
    program = lower(graph, dt=dt, steps=steps, target=target, code=code)
    if check.problems:
        raise CapacityExceeded(*check.problems)
    facts = {
        **(provenance or {}),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "source_dialect": str(metadata.get("dialect", "nir")),
        "code": code,
    }
    if precision == "float":
        return replace(program, provenance=facts)
    # The engine compiles on import: only a fixed compile pays for it.
    from .divergence import SATURATION_LIMIT, calibrate, compile_report
    from .quantise import quantise

    measured = calibrate(program, calibration) if calibration is not None else None
    fixed, bounds, current_errors = quantise(
        program,
        measured,
        weight_bits=weight_bits,
        per_channel=chip.thresholds_per_neuron,
        weight_memory=chip.limits["weight_memory"].value,
    )
    report = compile_report(program, fixed, bounds, current_errors, measured)
    clipped = [
        Problem(
            f"v was clipped in {100 * entry['saturated_share']:.2g} % of the neuron steps on "
            f"the calibration data; the limit is {100 * SATURATION_LIMIT:g} %",
            f"population {name}",
            "use fewer time steps, a leak, or smaller weights",
        )
        for name, entry in report["populations"].items()
        if entry.get("saturated_share", 0.0) > SATURATION_LIMIT
    ]
    if clipped:
        raise CapacityExceeded(*clipped)
    made = replace(fixed, provenance=facts, report=report)
    return with_pools(made) if code == "sigma-delta" else made


def _time(metadata: Mapping[str, Any], steps: int | None) -> tuple[float, int]:
    if "dt" not in metadata:
        raise UsageError(
            "the graph does not say how long a time step is",
            where="graph metadata",
            remedy="state it in seconds, for instance --dt 0.001",
        )
    steps = steps if steps is not None else metadata.get("steps")
    if steps is None:
        raise UsageError(
            "the graph does not say for how many time steps a sample lasts",
            where="graph metadata",
            remedy="state it, for instance --steps 32",
        )
    if int(steps) < 1:
        raise UsageError(f"{steps} time steps are too few", remedy="use --steps 1 or more")
    return float(metadata["dt"]), int(steps)
