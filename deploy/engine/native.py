"""Compiled code that is called with addresses alone, by Python and by other compiled code.

Its arguments lie in memory as words of 64 bits. To hand over the fifty arrays of a population
then costs no time, and what is called through an address is compiled once, not wherever it is
called, and only where a network needs it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from collections.abc import Callable, Iterator
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


class Routine:
    """A function ``(place, a, b, c) -> None`` of Arguments and three whole numbers.

    Args:
        function: begins with ``restored(place)``.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.compiled = compiled(function, no_cpython_wrapper=True)
        self.addresses: dict[Any, int] = {}

    def address(self, arguments: Arguments) -> int:
        """Where the code for arguments of that type lies; compiled when first asked for."""
        outline = _outline(arguments.value)
        if outline not in self.addresses:
            kind = types.CPointer(typeof(arguments.value))
            kinds = kind, types.int64, types.int64, types.int64
            self.compiled.compile(kinds)
            found = self.compiled.overloads[kinds]
            name = found.fndesc.llvm_cfunc_wrapper_name
            self.addresses[outline] = int(found.library.get_pointer_to_function(name))
        return self.addresses[outline]


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
