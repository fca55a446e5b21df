"""A picture of a report: python examples/report_image.py PAGE.html PICTURE.png [HEIGHT]

For the documentation. Needs Chromium or Chrome. The top of the page, 1280 wide.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH, HEIGHT = 1280, 2400


def picture(page: Path, target: Path, height: int) -> None:
    """Let a browser draw the page without a window; the file appears whole."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("there is no Chromium here: install it, for example: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "page.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += [f"--window-size={WIDTH},{height}", f"--screenshot={drawn}"]
        subprocess.run(
            [browser, *options, page.resolve().as_uri()], check=True, capture_output=True
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn, target.with_suffix(".tmp"))
        target.with_suffix(".tmp").replace(target)


if __name__ == "__main__":
    page, target, *more = sys.argv[1:]
    picture(Path(page), Path(target), int(more[0]) if more else HEIGHT)
