"""Put a trained student where slipway ships it: models/checkpoints/RECIPE.

    slipway train mini-resemotenet-c-cpu -o out/c
    python examples/ship.py out/c/seed-0

Weights, figures and a model card, no pictures. What is there is replaced.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from slipway.converters.checkpoint import fill_model
from slipway.errors import SlipwayError
from slipway.files import write_text
from slipway.models import shipped
from slipway.models.training.card import write_card


def main(training: Path) -> int:
    metrics = json.loads((training / "metrics.json").read_text(encoding="utf-8"))
    weights = training / "student.pt"
    size = weights.stat().st_size
    if size > shipped.LARGEST:
        print(f"ship: {weights} has {size:,} bytes, at most {shipped.LARGEST:,} are shipped")
        return 1
    fill_model(shipped.built(metrics), weights)
    home = shipped.FOLDER / metrics["recipe"]
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    shutil.copyfile(weights, home / "student.pt")
    for holder in (metrics, metrics["settings"], metrics["compared"]):
        table = holder.get("quantise")
        if table and Path(table["start"]).is_absolute():  # a folder of this machine only
            table["start"] = "/".join(Path(table["start"]).parts[-2:])
    write_text(home / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    write_card(home, metrics, _compared(training))
    print(f"{home}: {size:,} bytes of weights, WAR {metrics['war']:.4f}")
    return 0


def _compared(training: Path) -> list[str]:
    """The same student without a teacher, where it was trained, too."""
    path = training / "baseline" / "metrics.json"
    if not path.exists():
        return []
    alone = json.loads(path.read_text(encoding="utf-8"))
    told = ", ".join(f"{key.upper()} {alone[key]:.4f}" for key in ("war", "uar", "f1"))
    return [f"the same student without a teacher: {told}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training", type=Path, help="folder of a training")
    try:
        sys.exit(main(parser.parse_args().training))
    except (SlipwayError, OSError) as error:
        sys.exit(f"ship: {error}")
