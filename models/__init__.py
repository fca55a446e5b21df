"""Student networks in torch, their data sets and their training; only this part trains.

To add a student: one file in models/students/, one row in STUDENTS, one test.
"""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType

from ..errors import Problem, UsageError

STUDENTS: dict[str, str] = {
    "digits": "slipway.models.students.digits",
    "mini_resemotenet": "slipway.models.students.mini_resemotenet",
}
"""Name -> module, imported on first use. Each module defines Student (a torch module that
advances one time step) and RECIPE (how it is trained); `MODULE:Student` is its factory."""


def student(name: str) -> ModuleType:
    """Import the module of a student.

    Raises:
        UsageError: there is no student of that name.
    """
    if name not in STUDENTS:
        near = difflib.get_close_matches(name, STUDENTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            Problem(
                f"there is no student named {name!r}",
                remedy=f"{hint}students: {', '.join(STUDENTS)}",
            )
        )
    return importlib.import_module(STUDENTS[name])
