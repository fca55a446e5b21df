"""The one place where errors become text and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ..errors import (
    EXIT_INTERNAL,
    MissingDependency,
    Problem,
    SlipwayError,
)

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

# Import name -> name of the distribution, where the two differ.
DISTRIBUTIONS = {"lava": "lava-nc", "sklearn": "scikit-learn", "PIL": "pillow"}


def guarded(work: Callable[[], Any], *, debug: bool = False, json: bool = False) -> int:
    """Do the work; whatever it raises is shown once, and its exit code returned.

    Args:
        work: returns an exit code or None; a SystemExit passes through with its code.
        debug: show the traceback, too.
        json: print the problems as JSON on stdout, too.
    """
    try:
        code = work()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        _say("slipway: interrupted", debug=debug)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return EXIT_BROKEN_PIPE
    except Exception as error:
        known = _as_known(error)
        if known is None:
            _say(bug_text(error), debug=debug)
            _say_json(_bug_json(error), wanted=json)
            return EXIT_INTERNAL
        _say(error_text(known), debug=debug)
        _say_json(error_json(known), wanted=json)
        return known.exit_code


def error_text(error: SlipwayError) -> str:
    """What, where and what to do, of each problem of an error."""
    count = len(error.problems)
    head = "slipway: error: " if count == 1 else f"slipway: {count} errors\n"
    return head + "\n".join(_grouped(error.problems))


def _grouped(problems: Sequence[Problem]) -> Iterator[str]:
    """Neighbours with the same place and remedy share these lines."""
    for (where, remedy), alike in groupby(problems, key=lambda p: (p.where, p.remedy)):
        whats = "\n".join(problem.what for problem in alike)
        yield str(Problem(whats, where, remedy))


def error_json(error: SlipwayError) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "error": type(error).__name__,
        "exit_code": error.exit_code,
        "problems": [
            {"what": p.what, "where": p.where, "remedy": p.remedy} for p in error.problems
        ],
    }


def bug_text(error: BaseException) -> str:
    """How an error that nobody foresaw is shown."""
    problem = Problem(
        f"{type(error).__name__}: {error}",
        _place(error),
        "this is a bug of slipway, not of your input. Please report it: open an issue with "
        "the output of the same command with --debug and of `slipway doctor`",
    )
    return f"slipway: internal error: {problem}"


def _bug_json(error: BaseException) -> dict[str, Any]:
    problem = {"what": str(error), "where": _place(error), "remedy": "report this bug"}
    return {
        "error": type(error).__name__,
        "exit_code": EXIT_INTERNAL,
        "problems": [problem],
    }


def _place(error: BaseException) -> str:
    """The innermost line of slipway in the traceback."""
    root = Path(__file__).parent.parent
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if Path(f.filename).is_relative_to(root)] or frames
    if not own:
        return ""
    last = own[-1]
    path = Path(last.filename)
    shown = path.relative_to(root) if path.is_relative_to(root) else path.name
    return f"{shown}:{last.lineno} in {last.name}"


def _as_known(error: Exception) -> SlipwayError | None:
    """An error that the user can repair, or None if it is a bug."""
    if isinstance(error, SlipwayError):
        return error
    if isinstance(error, ModuleNotFoundError):
        command = install_command(error.name or "")
        if command is not None:
            return MissingDependency(f"{error.name} is not installed", remedy=command)
    if isinstance(error, MemoryError):
        return SlipwayError(
            "out of memory", remedy="take fewer samples: --samples N; or run with less --memory"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SlipwayError(
            f"cannot write: {error.strerror}",
            where=str(error.filename or "standard output"),
            remedy="free some space, or write elsewhere",
        )
    return None


def install_command(module: str) -> str | None:
    """The command that installs what a module belongs to; None for modules nobody knows."""
    from ..deploy.lava.environment import probe

    name = module.partition(".")[0]
    known = {package.name: package.install for package in probe().packages}
    return known.get(DISTRIBUTIONS.get(name, name))


def _say(text: str, *, debug: bool) -> None:
    """Write to stderr; a closed stderr is no reason for another error."""
    try:
        if debug:
            traceback.print_exc(file=sys.stderr)
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass
    if _unwritten(sys.stdout):
        _close_stdout()


def _say_json(value: dict[str, Any], *, wanted: bool) -> None:
    if not wanted:
        return
    import json

    try:
        print(json.dumps(value, indent=2), flush=True)
    except OSError:
        _close_stdout()


def _unwritten(stream: Any) -> bool:
    """Whether what is left in the buffer cannot be written."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return True
    return False


def _close_stdout() -> None:
    """Send what is left to nowhere: the interpreter would complain about it at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
