"""How an exception of the user's own code is shown: its text and the place it came from."""

from __future__ import annotations

import traceback
from pathlib import Path

_OURS = Path(__file__).resolve().parent
_LIBRARIES = ("torch", "norse", "importlib", "<frozen importlib")


def _is_users(frame: traceback.FrameSummary) -> bool:
    path = Path(frame.filename)
    return _OURS not in path.parents and not any(
        part in path.parts or frame.filename.startswith(part) for part in _LIBRARIES
    )


def summary(error: BaseException) -> str:
    """Type and first line of an exception: ``ValueError: no such layer``."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def location(error: BaseException) -> str:
    """``file, line n, in f: source line`` of the deepest frame of the user, or ""."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f)]
    if not frames:
        return ""
    last = frames[-1]
    code = f": {last.line}" if last.line else ""
    return f"{last.filename}, line {last.lineno}, in {last.name}{code}"


def last_lines(error: BaseException, count: int = 6) -> str:
    """The last lines of the traceback as Python prints it, frames of slipway left out."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f)]
    text = "".join(traceback.format_list(frames))
    text += "".join(traceback.format_exception_only(type(error), error))
    return "\n".join(text.rstrip().splitlines()[-count:])
