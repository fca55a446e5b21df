"""A checkpoint and the name of a factory -> the trained torch module.

A pickle is never executed: torch's own loader admits tensors and plain containers only.
"""

from __future__ import annotations

import os
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import (
    FileError,
    GraphError,
    MissingDependency,
    ModelError,
    Problem,
    UnsafeFileError,
)
from .user_code import summary

if TYPE_CHECKING:
    import torch

INSTALL_TORCH = "pip install 'torch>=2.3'"
SUFFIXES = (".pt", ".pth", ".safetensors")
NESTED = ("state_dict", "model")


def load_model(checkpoint: Path, factory: str) -> torch.nn.Module:
    """Build the model, load its weights, return it in evaluation mode.

    Args:
        checkpoint: `.pt` or `.pth` with a state dict, alone or under "state_dict" or
            "model"; or `.safetensors`.
        factory: "module:factory", called without arguments.

    Raises:
        FileError: missing, a folder, empty, damaged, or not a state dict.
        UnsafeFileError: the file would run code.
        UsageError, ModelError: see :func:`.factory.build_model`; weights that do not fit.
        GraphError: weights that are NaN or infinite.
        MissingDependency: torch is not installed.
    """
    _require_torch()
    from .factory import build_model

    _check_file(Path(checkpoint))
    return fill_model(build_model(factory), checkpoint)


def fill_model(model: torch.nn.Module, checkpoint: Path) -> torch.nn.Module:
    """Load weights into a model that is built; return it in evaluation mode.

    Raises:
        FileError, UnsafeFileError, ModelError, GraphError, MissingDependency: as load_model.
    """
    _require_torch()
    import torch

    path = Path(checkpoint)
    _check_file(path)
    is_safe = path.suffix == ".safetensors"
    state = _load_safetensors(path) if is_safe else _load_pickle(path)
    _check_finite(state, path)
    _check_fit(model, state, path)
    model.load_state_dict(dict(state))
    assert isinstance(model, torch.nn.Module)
    return model.eval()


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "reading a checkpoint needs torch, which is not installed", remedy=INSTALL_TORCH
        ) from error


def _check_file(path: Path) -> None:
    what = remedy = ""
    if path.is_dir():
        what, remedy = "this is a folder, not a checkpoint", "name the file in it"
    elif not path.exists():
        what, remedy = "there is no such file", "check the path"
    elif path.suffix not in SUFFIXES:
        what = f"a checkpoint ends in {', '.join(SUFFIXES)}, not in {path.suffix or 'nothing'}"
        remedy = "save with torch.save(model.state_dict(), 'student.pt')"
    elif path.stat().st_size == 0:
        what, remedy = "the file is empty", "save the checkpoint again"
    if what:
        raise FileError(what, where=str(path), remedy=remedy)


def _damaged(path: Path, error: BaseException) -> FileError:
    return FileError(
        f"the checkpoint is truncated or damaged, it has {path.stat().st_size} bytes: "
        f"{summary(error).split('. ')[0]}",
        where=str(path),
        remedy="copy or save it again",
    )


def _load_safetensors(path: Path) -> Mapping[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, torch.Tensor] = load_file(path)
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, error) from error
    return state


def _load_pickle(path: Path) -> Mapping[str, torch.Tensor]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on pickle protocols, for developers
            content = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        code = _names_code(error) or _pickled_call(path)
        if code:
            raise UnsafeFileError(
                f"this file would run code if it were loaded: {code}",
                where=str(path),
                remedy="it was not loaded; save only weights: torch.save(model.state_dict(), "
                "'student.pt'), or use .safetensors",
            ) from error
        raise _damaged(path, error) from error
    except PermissionError as error:
        raise FileError(f"cannot read: {error.strerror}", where=str(path)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        raise _damaged(path, error) from error
    return _state_dict(content, path)


def _names_code(error: pickle.UnpicklingError) -> str:
    """The global, class or function that torch refused, from its message; else ""."""
    for line in str(error).splitlines():
        for sign in ("Unsupported global", "Trying to", "Can only", "Unsupported class"):
            if sign in line:
                return line[line.index(sign) :].split(". ")[0].split(" was not")[0].strip()
    return ""


def _pickled_call(path: Path) -> str:
    """The first foreign function or class that the file's pickles import, read but not run."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n.endswith(".pkl")]
                return next(filter(None, (_first_global(archive.open(n)) for n in names)), "")
        with open(path, "rb") as file:
            return _first_global(file)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):
        return ""  # no pickle at all


def _first_global(file: IO[bytes]) -> str:
    strings: list[str] = []
    while file.read(1):  # torch's older format is several pickles in a row
        file.seek(-1, os.SEEK_CUR)
        for operation, argument, _ in pickletools.genops(file):
            found = ""
            if operation.name in ("GLOBAL", "INST"):
                found = str(argument).replace(" ", ".")
            elif operation.name == "STACK_GLOBAL":
                found = ".".join(strings[-2:])
            elif isinstance(argument, str):
                strings.append(argument)
            if found and not found.startswith(("torch.", "collections.OrderedDict")):
                return found
    return ""


def _state_dict(content: Any, path: Path) -> Mapping[str, torch.Tensor]:
    import torch

    candidates = [content]
    if isinstance(content, Mapping):
        candidates = [content[key] for key in NESTED if key in content] + [content]
    for candidate in candidates:
        if isinstance(candidate, Mapping) and candidate:
            tensors = {k: v for k, v in candidate.items() if isinstance(v, torch.Tensor)}
            others = {k: v for k, v in candidate.items() if k not in tensors}
            # modules may put plain values into a state dict under `..._extra_state`
            if all(str(key).endswith("_extra_state") for key in others) and tensors:
                return tensors
    kind = type(content).__name__
    keys = (
        f" with the keys {sorted(map(str, content))[:8]}" if isinstance(content, dict) else ""
    )
    raise FileError(
        f"this holds no state dict, but a {kind}{keys}",
        where=str(path),
        remedy="save with torch.save(model.state_dict(), ...); a dictionary may hold it under "
        "'state_dict' or 'model'",
    )


def _check_finite(state: Mapping[str, torch.Tensor], path: Path) -> None:
    problems = []
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        bad = (~tensor.isfinite()).nonzero()
        if len(bad):
            index = [int(i) for i in bad[0]]
            value = float(tensor[tuple(index)])
            problems.append(
                Problem(
                    f"{name} has {len(bad)} values that are not finite, the first at {index}: "
                    f"{value}",
                    where=f"{path}: {name}",
                    remedy="take an earlier checkpoint, or train with a smaller learning rate",
                )
            )
    if problems:
        raise GraphError(*problems)


def _check_fit(model: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Missing, unexpected and wrongly shaped parameters, all at once."""
    own = {k: v for k, v in model.state_dict().items() if hasattr(v, "shape")}
    found = [
        f"the checkpoint lacks {name}, shape {tuple(own[name].shape)}"
        for name in own
        if name not in state
    ]
    found += [
        f"the model has no {name}, shape {tuple(state[name].shape)}"
        for name in state
        if name not in own
    ]
    found += [
        f"{name} has shape {tuple(state[name].shape)} in the checkpoint and "
        f"{tuple(own[name].shape)} in the model"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    remedy = "build the same model that was trained: the factory must return it"
    problems = [Problem(what, str(path), remedy) for what in found]
    if problems:
        raise ModelError(*problems)
