"""The state of a training in one file, which is whole at every moment."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from ...errors import FileError, Problem
from ...files import write_bytes

FORMAT = "slipway training 1"


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a state atomically. Raises FileError."""
    # Through memory: torch writes the file's name into the archive, and that is temporary.
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_bytes(path, buffer.getbuffer())


def read(path: Path) -> dict[str, Any] | None:
    """Read a state; None if there is none.

    Raises:
        FileError: the file is damaged, or something else.
    """
    if not path.is_file():
        return None
    remedy = "delete it to begin this training anew"
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make torch raise nearly anything
        told = f"the checkpoint cannot be read ({type(error).__name__}: {error})"
        raise FileError(Problem(told, str(path), remedy)) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        told = f"the checkpoint's format is {found!r}, expected {FORMAT!r}"
        raise FileError(Problem(told, str(path), remedy))
    return state


def weights_of(path: Path) -> dict[str, Any]:
    """A state_dict: from a file, or from student.pt in a folder.

    Raises:
        FileError: not there, or no state_dict.
    """
    file = path / "student.pt" if path.is_dir() else path
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make torch raise nearly anything
        told = f"the teacher's weights cannot be read ({error})"
        remedy = "give the folder of a finished training, or a state_dict"
        raise FileError(Problem(told, str(file), remedy)) from error
    if not isinstance(state, dict):
        told = f"the file holds {type(state).__name__}, expected a state_dict"
        raise FileError(Problem(told, str(file), "save model.state_dict()"))
    inner = state.get("model_state_dict", state)  # as ResEmoteNet's authors save theirs
    return dict(inner)
