"""The examples of docs/datasets.md run, one after the other, as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from .miniatures import fer_folders, n_caltech101, see

PAGE = Path(__file__).parents[3] / "docs" / "datasets.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    fer_folders(data / "fer2013")
    see(data / "SEE")
    n_caltech101(data / "n-caltech101", {"a": 10, "b": 10})
    monkeypatch.setenv("SLIPWAY_DATA", str(data))
    blocks = re.findall(
        r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert len(blocks) >= 7
    names: dict[str, Any] = {"folder": tmp_path}
    shapes: list[dict[str, Any]] = []
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{PAGE.name}, example {number}", "exec"), names)
        shapes.append({name: getattr(value, "shape", None) for name, value in names.items()})
    assert shapes[0]["picture"] == (1, 48, 48)
    assert names["problems"] == []
    assert names["theirs"].shape == names["train"].labels.shape
    assert shapes[3]["frames"][1:] == shapes[3]["events"][1:] == (4, 1, 90, 90)
    assert shapes[4]["batch"] == (8, 10, 2, 48, 48)
    assert len(names["alone"]) == 14
    assert shapes[6]["pictures"] == (8, 1, 48, 48)
    assert shapes[6]["frames"] == (8, 10, 2, 48, 48)
    assert (names["again"].name, names["again"].simulated) == (
        "fer2013-saccades-simulated",
        True,
    )
    assert shapes[7]["frames"] == shapes[7]["events"] == (8, 4, 1, 48, 48)
