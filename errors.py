"""Every error a user can cause, and how it is shown.

A :class:`SlipwayError` is a user's problem: it says what is wrong, where, and what to do.
Anything else that escapes is a bug of slipway (exit code 70).
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_DONE = 0
EXIT_NOT_DEPLOYABLE = 1
EXIT_USAGE = 2
EXIT_MISSING_OPTIONAL = 3
EXIT_INTERNAL = 70


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one place of one input.

    Attributes:
        what: what is wrong, with the measured value and the limit where there is one.
        where: file, node, population, sample: as precise as is known.
        remedy: what the user can do about it.
    """

    what: str
    where: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


class SlipwayError(Exception):
    """Base of all errors that the user can repair. Carries one or more problems."""

    exit_code = EXIT_USAGE

    def __init__(self, *problems: Problem | str, where: str = "", remedy: str = "") -> None:
        """Collect problems; a plain string becomes a Problem with `where` and `remedy`."""
        self.problems: tuple[Problem, ...] = tuple(
            p if isinstance(p, Problem) else Problem(p, where, remedy) for p in problems
        )
        super().__init__("\n".join(str(p) for p in self.problems))


class UsageError(SlipwayError):
    """An argument makes no sense, alone or beside another."""


class FileError(SlipwayError):
    """A file is missing, unreadable, truncated, of the wrong kind, or cannot be written."""


class UnsafeFileError(FileError):
    """A file would run code or read other files if it were loaded; it was not loaded."""


class DataError(SlipwayError):
    """Input data do not fit the network: shape, type, range or count."""


class ModelError(SlipwayError):
    """The user's model cannot be built or traced."""

    exit_code = EXIT_NOT_DEPLOYABLE


class UnsupportedNode(SlipwayError):
    """Modules or nodes that have no equivalent; all of them are named at once."""

    exit_code = EXIT_NOT_DEPLOYABLE


class GraphError(SlipwayError):
    """A NIR graph is inconsistent: shapes, edges, parameters."""

    exit_code = EXIT_NOT_DEPLOYABLE


class CapacityExceeded(SlipwayError):
    """A bound of the number format or of the target is exceeded."""

    exit_code = EXIT_NOT_DEPLOYABLE


class LavaError(SlipwayError):
    """A Lava run failed; carries the model's own traceback."""

    exit_code = EXIT_NOT_DEPLOYABLE


class LavaTimeout(LavaError):
    """A Lava run did not end in time and was stopped."""


class MissingDependency(SlipwayError):
    """Something optional is not installed; says the exact command that installs it."""

    exit_code = EXIT_MISSING_OPTIONAL
