"""Time and size of simulated sets, from 200 pictures of FER2013's training split.

    python -m slipway.tests.models.datasets.measure

Seconds are those of the processor (one core), so that a busy machine does not count.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from slipway.models.datasets import open_dataset
from slipway.models.datasets.simulated import EyeFilm, SaccadeFilm, simulate
from slipway.models.datasets.store import save

RECIPES: dict[str, SaccadeFilm | EyeFilm] = {
    "SaccadeFilm()": SaccadeFilm(),
    "EyeFilm()": EyeFilm(),
    "EyeFilm(size=(90, 90))": EyeFilm(size=(90, 90)),
}


def main() -> None:
    """Print the table of docs/datasets.md."""
    train = open_dataset("fer2013")["train"]
    chosen = train.select(range(0, len(train), len(train) // 200)[:200])
    pictures, _ = chosen.arrays()
    for name, recipe in RECIPES.items():
        recipe(pictures[0])  # compiles
        begun, events = time.process_time(), 0
        for picture in pictures:
            pair = recipe(picture)
            events += len(pair.recording.events)
        seconds = time.process_time() - begun
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "some.h5"
            save(simulate(chosen, recipe), path)
            size = path.stat().st_size
        each = seconds / len(pictures)
        print(
            f"| `{name}` | {pair.recording.width}x{pair.recording.height} "
            f"| {events / len(pictures):,.0f} | {each * 1e3:.1f} "
            f"| {events / seconds / 1e6:.1f} million | {each * len(train):.0f} s "
            f"| {size / len(pictures) * len(train) / 1e9:.1f} GB |"
        )


if __name__ == "__main__":
    main()
