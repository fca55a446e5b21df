"""The students' table: a row from the files of one pass through the tool, and its Markdown."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway import __version__
from slipway.files import write_text
from slipway.profiles.figures import quantity, span

HERE = Path(__file__).parent
RESULTS = HERE / "students.json"
README = HERE.parent / "README.md"
BEGIN, END = "<!-- students: begin -->", "<!-- students: end -->"
ENERGY, DENSE = "loihi2_derived", "lemaire22"
"""Cost models: of the energy and latency, and of the dense network beside the spiking one."""

Row = dict[str, Any]


def row_of(folder: Path, stem: str, title: str, how: str, command: str, parameters: int) -> Row:
    """One row, as JSON values, from what the commands left.

    Args:
        folder: with metrics.json of the training.
        stem: its run is `STEM-run.json`; `-lava`, `-verify` and `-report` likewise.
        title: name of the student in the table.
        how: where the weights come from.
        command: that makes the row.
        parameters: numbers that were trained.
    """
    trained = read(folder / "metrics.json")
    names = ("run", "lava", "verify", "report")
    run, lava, verified, report = (read(folder / f"{stem}-{name}.json") for name in names)
    few = lava["samples"]
    energy, time = report["energy"][ENERGY], report["latency"][ENERGY]
    per_inference, placed = report["totals"]["per_inference"], run.get("placement") or {}
    dense = report["baseline"]
    return {
        "student": title,
        "data": trained.get("data", trained.get("dataset", "digits")),
        "simulated": bool(trained.get("simulated", False)),
        "float_accuracy": _float_accuracy(trained),
        "float_items": trained.get("items", trained.get("samples_test")),
        "fixed_accuracy": run["accuracy"],
        "fixed_items": run["samples"],
        "lava": {
            "samples": few,
            "equal_answers": sum(
                one == other
                for one, other in zip(run["predictions"], lava["predictions"], strict=False)
            ),
            "compared": verified["compared"],
            "mismatches": verified["mismatches"],
        },
        "fine_tuned_in_integers": "quantise" in trained,
        "parameters": parameters,
        "neurons": report["totals"]["neurons"],
        "steps": run["steps"],
        "executed_steps": run["executed_steps"],
        "cores": placed.get("cores_used"),
        "unplaced": run.get("unplaced"),
        "spikes": per_inference["spikes"],
        "synops": per_inference["synops"],
        "energy": {
            "model": ENERGY,
            **{end: energy[f"{end}_joule_per_inference"] for end in ("low", "nominal", "high")},
        },
        "latency_second": time["nominal_second_per_inference"],
        "dense": {
            "model": DENSE,
            "macs": dense["dense"]["macs"],
            "joule": dense["dense"]["joule"]["nominal"],
            "spiking_joule": dense["spiking"]["joule"]["nominal"],
        },
        "weights": how,
        "command": command,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "slipway": __version__,
    }


def _float_accuracy(trained: Mapping[str, Any]) -> float:
    """In floating point; of a student that was fine-tuned in integers, before that."""
    before = trained.get("quantise", {}).get("float", trained)
    return float(before["war"] if "war" in before else before["accuracy"])


def save(key: str, row: Row) -> None:
    """Put a row into students.json, and the table into the README."""
    results: dict[str, Any] = {"format": 1, "rows": {}}
    if RESULTS.exists():
        results = read(RESULTS)
    results["rows"][key] = row
    write_text(RESULTS, json.dumps(results, indent=2) + "\n")
    fill(README, BEGIN, END, markdown(results["rows"]))


def fill(page: Path, begin: str, end: str, table: str) -> None:
    """Write a table between two markers of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    if after:
        write_text(page, f"{before}{begin}\n\n{table}\n{end}{after}")


HEADS = (
    "student",
    "data",
    "float",
    "fixed point",
    "Lava",
    "parameters",
    "neurons",
    "cores",
    "spikes",
    "synops",
    "energy",
    "latency",
    "dense int8",
)


def markdown(rows: Mapping[str, Row]) -> str:
    """The table; figures are per inference."""
    lines = [HEADS, tuple("---" for _ in HEADS), *(_cells(row) for row in rows.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    lava, energy, dense = row["lava"], row["energy"], row["dense"]
    band = f"{quantity(energy['nominal'], 'J')} ({span(energy['low'], energy['high'], 'J')})"
    ratio = dense["spiking_joule"] / dense["joule"]
    times = f"{ratio:.1f} times less" if ratio >= 1 else f"{1 / ratio:.1f} times more"
    cells = (
        row["student"],
        f"{row['data']}{', **simulated**' if row['simulated'] else ''}",
        f"{100 * row['float_accuracy']:.2f} %",
        f"{100 * row['fixed_accuracy']:.2f} %",
        f"{lava['equal_answers']} of {lava['samples']}; {lava['mismatches']} of "
        f"{quantity(lava['compared'], '')}".strip(),
        f"{row['parameters']:,}",
        f"{row['neurons']:,}",
        "not placed" if row["cores"] is None else f"{row['cores']:,}",
        _count(row["spikes"]),
        _count(row["synops"]),
        band,
        quantity(row["latency_second"], "s"),
        f"{quantity(dense['macs'], '')} MACs; {quantity(dense['joule'], 'J')}, {times}",
    )
    return tuple(" ".join(cell.split()) for cell in cells)


def _count(value: float) -> str:
    return quantity(value, "", 3) if value >= 1e6 else f"{value:,.0f}"


def read(path: Path) -> dict[str, Any]:
    """A JSON file with an object."""
    return dict(json.loads(path.read_text(encoding="utf-8")))
