"""The table of C taught and alone is what its training left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.benchmarks import distillation

from .test_student_table import between

RECORD: dict[str, Any] = json.loads(distillation.RESULTS.read_text("utf-8"))


def test_the_docs_hold_the_table_of_the_results() -> None:
    text = distillation.DOCS.read_text(encoding="utf-8")
    found = between(text, distillation.BEGIN, distillation.END)
    assert found == distillation.markdown(RECORD).strip()


def test_both_kinds_were_trained_alike() -> None:
    assert [each["seed"] for each in RECORD["students"]] == [0, 1, 2]
    assert [each["seed"] for each in RECORD["baselines"]] == [0, 1, 2]
    epochs = {each["epochs"] for kind in ("students", "baselines") for each in RECORD[kind]}
    assert len(epochs) == 1
    assert RECORD["items"]["duplicates dropped"] > 0


def trained(folder: Path, wars: list[float], alone: list[float]) -> Path:
    for seed, (war, other) in enumerate(zip(wars, alone, strict=True)):
        for place, score in (
            (f"seed-{seed}", war),
            (f"seed-{seed}/baseline", other),
            (f"teacher/seed-{seed}", 0.7),
        ):
            found: dict[str, Any] = dict.fromkeys(distillation.KEPT, 0)
            found |= {"seed": seed, "seconds": 60.0, "validation": {"war": score + 0.01}}
            found |= {"war": score, "uar": score - 0.1, "f1": score, "recipe": "r", "data": "d"}
            found |= {"data_digest": "x", "data_facts": {}, "device": "cpu", "settings": {}}
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / "metrics.json").write_text(json.dumps(found))
    summary = {"teacher": {"war": 0.72, "uar": 0.6}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_the_record_of_a_training(tmp_path: Path) -> None:
    folder = trained(tmp_path, [0.63, 0.62, 0.64], [0.61, 0.61, 0.61])
    record = distillation.record_of(folder, folder / "teacher")
    assert distillation.gain(record)["mean"] == pytest.approx(0.02)
    table = distillation.markdown(record)
    assert (
        "| what the teachers bring, points | +2.00 | +1.00 | +3.00 | +2.00 ± 1.00 | +2.00"
        in table
    )
    assert "| B, all together |  |  |  | 72.00 % | 60.00 % |  |  |" in table
    assert "3 pairs): -0.48 to +4.48 points of WAR" in table


def test_a_training_without_a_baseline_is_refused(tmp_path: Path) -> None:
    folder = trained(tmp_path, [0.63, 0.62], [0.61, 0.61])
    (folder / "seed-1/baseline/metrics.json").unlink()
    with pytest.raises(SystemExit, match=r"not a whole training; missing: .*seed-1.baseline"):
        distillation.record_of(folder, folder / "teacher")


def test_the_readme_says_what_the_table_says() -> None:
    found = [distillation.gain(RECORD, score) for score in ("war", "validation")]
    points = [f"{100 * each['mean']:.2f} ± {100 * each['std']:.2f}" for each in found]
    text = " ".join((distillation.HERE.parent / "README.md").read_text("utf-8").split())
    assert f"bring {points[0]} points of accuracy on test, {points[1]} on validation" in text
