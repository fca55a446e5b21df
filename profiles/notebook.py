"""The report in a notebook: show it, save it, or take its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import write_text
from .report import build_report
from .run_file import load_run

HEIGHT = 720


@dataclass(frozen=True, slots=True)
class Report:
    """A report: `Report.of("run.json")` as the last line of a cell shows it.

    Attributes:
        facts: what `slipway report --json` prints.
        runs: contents of the run.json files.
        cost_models: names or files of the cost models.
    """

    facts: Mapping[str, Any]
    runs: tuple[Mapping[str, Any], ...]
    cost_models: tuple[str | Path, ...]

    @classmethod
    def of(
        cls,
        *runs: str | Path | Mapping[str, Any],
        cost_models: Sequence[str | Path] | None = None,
        sample: int = 0,
        strict: bool = False,
    ) -> Report:
        """Price runs; see `build_report`.

        Args:
            runs: paths of run.json files, their contents, or both.
            cost_models: names or files; by the first run's target if not given.
            sample: which recorded sample the raster shows.
            strict: refuse a total that lacks a term.
        """
        loaded = tuple(r if isinstance(r, Mapping) else load_run(Path(r)) for r in runs)
        facts = build_report(loaded, cost_models, sample=sample, strict=strict)
        return cls(facts, loaded, tuple(cost_models or facts["energy"]))

    def html(self) -> str:
        """The page."""
        from .html import render_html

        return render_html(self.facts)

    def csv(self) -> str:
        """The tidy table of all runs, see `csv_of`."""
        from .csv_table import csv_of

        others = [build_report([run], self.cost_models) for run in self.runs[1:]]
        labels = [row["label"] for row in self.facts["comparison"]]
        return csv_of([self.facts, *others], labels)

    def save(self, path: str | Path) -> None:
        """Write the page, or by the name's ending the JSON or the CSV table.

        Raises:
            UsageError: another ending than .html, .htm, .json or .csv.
            FileError: the file cannot be written.
        """
        file = Path(path)
        makers = {".html": self.html, ".htm": self.html, ".json": self._json, ".csv": self.csv}
        make = makers.get(file.suffix.lower())
        if make is None:
            raise UsageError(
                f"cannot tell the format of a report from {file.name!r}",
                remedy="let the name end with .html, .json or .csv",
            )
        write_text(file, make())

    def _json(self) -> str:
        return json.dumps(self.facts, indent=2, allow_nan=False) + "\n"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its styles leave the notebook alone."""
        return (
            f'<iframe title="slipway energy report" sandbox="" srcdoc="{escape(self.html())}" '
            f'style="width:100%;height:{HEIGHT}px;border:0;resize:vertical"></iframe>'
        )


__all__ = ["Report"]
