"""Compiled code that is called with addresses alone, by Python and by other compiled code.

Its arguments lie in memory as words of 64 bits. To hand over the fifty arrays of a population
then costs no time, and what is called through an address is compiled once, not wherever it is
called, and only where a network needs it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import typeof, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from .compiled import compiled

Array = npt.NDArray[Any]
_LONG = ir.IntType(64)


def _words(value: Any) -> Iterator[int]:
    """A whole number; address and shape of an array; or those of everything in a tuple."""
    if isinstance(value, tuple):
        for each in value:
            yield from _words(each)
    elif isinstance(value, np.ndarray):
        assert value.flags.c_contiguous
        assert value.flags.writeable
        yield value.ctypes.data
        yield from value.shape
    else:
        yield int(value)


def _outline(value: Any) -> Any:
    """What numba's type of a value depends on; numba needs far longer to tell the type."""
    if isinstance(value, tuple):
        return (type(value), *(_outline(each) for each in value))
    return (value.dtype.str, value.ndim) if isinstance(value, np.ndarray) else int


class Arguments:
    """A tuple of arrays, whole numbers and tuples, in memory; it holds on to the arrays.

    Attributes:
        value: the tuple.
        place: the address of its words.
    """

    def __init__(self, *value: Any) -> None:
        self.value = value
        self.words = np.array([*_words(value)], np.int64)
        self.place: int = self.words.ctypes.data

    @property
    def kinds(self) -> tuple[Any, ...]:
        """Numba's types of what a routine takes."""
        return types.CPointer(typeof(self.value)), types.int64, types.int64, types.int64


class Routine:
    """A function ``(place, a, b, c) -> None`` of Arguments and three whole numbers.

    Args:
        function: begins with ``restored(place)``.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.compiled = compiled(function, no_cpython_wrapper=True)
        self.addresses: dict[Any, int] = {}
        self.elsewhere: subprocess.Popen[bytes] | None = None

    def address(self, arguments: Arguments) -> int:
        """Where the code for arguments of that type lies; compiled when first asked for."""
        outline = _outline(arguments.value)
        if outline not in self.addresses:
            kinds = arguments.kinds
            if self.elsewhere is not None:
                self.elsewhere.wait()
            self.compiled.compile(kinds)
            found = self.compiled.overloads[kinds]
            name = found.fndesc.llvm_cfunc_wrapper_name
            self.addresses[outline] = int(found.library.get_pointer_to_function(name))
        return self.addresses[outline]


def compile_elsewhere(routine: Routine, several: Iterable[Arguments]) -> bool:
    """Have another process compile a routine, unless its code is kept or there is one core.

    numba compiles one function at a time in a process. `Routine.address` waits for the other,
    takes what that has kept, and if there is nothing compiles it itself.

    Returns:
        Whether there is another process.
    """
    kept = getattr(routine.compiled._cache, "_cache_file", None)
    if kept is None or cores() < 2 or not sys.executable:
        return False
    known, codegen = kept._load_index(), routine.compiled.targetctx.codegen()
    kinds = {each.kinds for each in several if _outline(each.value) not in routine.addresses}
    missing = [k for k in kinds if routine.compiled._cache._index_key(k, codegen) not in known]
    if not missing:
        return False
    if routine.elsewhere is not None:  # begun for a network that never ran
        routine.elsewhere.wait()
    function = routine.compiled.py_func
    given = pickle.dumps((function.__module__, function.__name__, missing))
    command = [sys.executable, "-c", f"from {__name__} import compile_given; compile_given()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    silent = subprocess.DEVNULL
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=silent, stderr=silent, env=environment
        )
        assert child.stdin is not None
        with child.stdin as pipe:
            pipe.write(given)
    except OSError:  # no process may be started, or it has ended already
        return False
    routine.elsewhere = child
    return True


def compile_given() -> None:
    """The other process."""
    module, name, missing = pickle.load(sys.stdin.buffer)
    for kinds in missing:
        getattr(importlib.import_module(module), name).compiled.compile(kinds)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@intrinsic
def restored(typing_context, place):
    """The tuple that Arguments put there."""

    def generate(context, builder, signature, arguments):
        words = builder.bitcast(arguments[0], _LONG.as_pointer())
        count = iter(range(10**6))

        def word():
            return builder.load(builder.gep(words, [ir.Constant(_LONG, next(count))]))

        def restore(kind):
            if isinstance(kind, types.BaseTuple):
                return context.make_tuple(builder, kind, [restore(each) for each in kind])
            return restore_array(kind) if isinstance(kind, types.Array) else word()

        def restore_array(kind):
            array = context.make_array(kind)(context, builder)
            data = builder.inttoptr(word(), array.data.type)
            shape = [word() for _ in range(kind.ndim)]
            size = ir.Constant(_LONG, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
            strides = [size]
            for length in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], length))
            populate_array(array, data, shape, strides, size, None)
            return array._getvalue()

        kind = signature.return_type
        return impl_ret_borrowed(context, builder, kind, restore(kind))

    return place.dtype(place), generate


@intrinsic
def call(typing_context, address, place, a, b, c):
    """Call the routine at that address."""

    def generate(context, builder, signature, arguments):
        address, *given = arguments
        function = ir.FunctionType(ir.VoidType(), [_LONG] * 4)
        builder.call(builder.inttoptr(address, function.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate
