"""Calling the user's own function that builds the model."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, Problem, UsageError
from .user_code import last_lines, location, summary

if TYPE_CHECKING:
    import torch

_FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """The current folder first on sys.path, as with `python -m`; taken off again after."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _import(name: str, factory: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise _failed(f"importing {name}", error) from error
        raise ModelError(
            f"there is no module {error.name!r}",
            where=f"--model {factory}, looked for in {os.getcwd()} and the installed packages",
            remedy="run in the folder that holds it, or install the package",
        ) from error
    except (Exception, SystemExit) as error:
        raise _failed(f"importing {name}", error) from error


def _failed(doing: str, error: BaseException) -> ModelError:
    return ModelError(
        Problem(
            f"{doing} raised {summary(error)}\n{last_lines(error)}",
            where=location(error),
            remedy="repair this code; it is the model's own",
        )
    )


def _find(module: Any, dotted: str, factory: str) -> Any:
    found = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            names = [n for n in vars(module) if callable(vars(module)[n]) and n[0] != "_"]
            listed = f"; it has {', '.join(sorted(names)[:12])}" if names else ""
            raise ModelError(
                f"{module.__name__} has no {dotted!r}{listed}",
                where=f"--model {factory}, {getattr(module, '__file__', '')}",
                remedy="name a class or function that returns the model",
            )
        found = getattr(found, part)
    return found


def build_model(factory: str) -> torch.nn.Module:
    """Import `module`, call `factory` of "module:factory" without arguments.

    Raises:
        UsageError: the text is not of that form.
        ModelError: module or factory is missing, raises, or returns something else.
    """
    import torch

    if not _FORM.fullmatch(factory):
        raise UsageError(
            f"{factory!r} does not name a model",
            where="--model",
            remedy="write module:factory, e.g. --model mypkg.nets:Student",
        )
    name, _, dotted = factory.partition(":")
    with _current_folder_importable():
        importlib.invalidate_caches()
        build = _find(_import(name, factory), dotted, factory)
        if not callable(build):
            raise ModelError(
                f"{dotted} is {type(build).__name__}, which cannot be called",
                where=f"--model {factory}",
                remedy="name a class or function that returns the model",
            )
        try:
            model = build()
        except (Exception, SystemExit) as error:
            raise _failed(f"calling {dotted}()", error) from error
    if not isinstance(model, torch.nn.Module):
        raise ModelError(
            f"{dotted}() returned {type(model).__name__}, not a torch.nn.Module",
            where=f"--model {factory}",
            remedy="return the module itself",
        )
    return model
