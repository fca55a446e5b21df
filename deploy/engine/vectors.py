"""What numba has no function for: rows of a table summed in vector registers, bits of words.

Each of these is a few instructions of LLVM's, without bounds checks: the callers keep the
indices right and leave `WIDEST` elements of room behind what is written in blocks.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDEST = 64
"""Most elements that one block holds."""
UNROLLED = 8
"""Rows that are added between two branches: how many there are is a guess of the processor's,
and a wrong one costs more than some rows of zeros."""
ROWS_AT_ONCE = 248
"""Rows of 8-bit numbers whose sum 16 bits hold: 248 * 128 < 2**15; a multiple of UNROLLED."""

_LONG = ir.IntType(64)


def _array(context, builder, kind, value) -> Any:
    return context.make_array(kind)(context, builder, value)


def _as_vector(builder, data, index, kind, size) -> Any:
    """Pointer to `size` elements from data[index]."""
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(kind, size).as_pointer())


def _spread(builder, value, size) -> Any:
    """A vector of copies of one value."""
    vector = ir.VectorType(value.type, size)
    one = builder.insert_element(
        ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    places = ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), places)


@intrinsic
def trailing_zeros(typing_context, word):
    """Zeros below the lowest bit of a word that is not 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def bits_set(typing_context, word):
    """How many bits of a word are 1."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def sum_bits(typing_context, bits, start, stride, count, sums, to):
    """sums[to + k] += how often bit k of `count` words is 1, in 8 bits, k < 64; count > 0.

    The words are start, start + stride, ... of bits in the order of memory.
    """

    def generate(context, builder, signature, arguments):
        bits, start, stride, count, sums, to = arguments
        words = _array(context, builder, signature.args[0], bits)
        mask, vector = (ir.VectorType(ir.IntType(width), 64) for width in (1, 8))
        data = _array(context, builder, signature.args[4], sums).data
        goal = _as_vector(builder, data, to, ir.IntType(8), 64)

        begun = builder.load(goal, align=1)
        before = builder.block
        body = builder.append_basic_block("bits")
        done = builder.append_basic_block("bits.done")
        builder.branch(body)
        builder.position_at_end(body)
        k, at, known = builder.phi(_LONG), builder.phi(_LONG), builder.phi(vector)
        for value, begin in (
            (k, ir.Constant(_LONG, 0)),
            (at, start),
            (known, begun),
        ):
            value.add_incoming(begin, before)
        found = builder.load(builder.gep(words.data, [at]))
        total = builder.add(known, builder.zext(builder.bitcast(found, mask), vector))
        following = builder.add(k, ir.Constant(_LONG, 1))
        k.add_incoming(following, body)
        at.add_incoming(builder.add(at, stride), body)
        known.add_incoming(total, body)
        builder.cbranch(builder.icmp_signed("<", following, count), body, done)
        builder.position_at_end(done)
        builder.store(total, goal, align=1)
        return context.get_dummy_value()

    signature = types.void(bits, types.intp, types.intp, types.intp, sums, types.intp)
    return signature, generate


@intrinsic
def add_sums(typing_context, sums, start, target, to):
    """target[to + k] += sums[start + k] for 64 sums of 8 bits, in 16 bits."""

    def generate(context, builder, signature, arguments):
        sums, start, target, to = arguments
        kinds = signature.args
        origin = _array(context, builder, kinds[0], sums).data
        more = builder.load(_as_vector(builder, origin, start, ir.IntType(8), 64), align=1)
        data = _array(context, builder, kinds[2], target).data
        goal = _as_vector(builder, data, to, ir.IntType(16), 64)
        wide = builder.zext(more, goal.type.pointee)
        builder.store(builder.add(builder.load(goal, align=1), wide), goal, align=1)
        return context.get_dummy_value()

    return types.void(sums, types.intp, target, types.intp), generate


@intrinsic
def weighted_sum(typing_context, digits, row, column, sums, size):
    """sum_i digits[row, column + i] * sums[i] for i < size, a multiple of 64.

    Of 16-bit numbers from 0 and sums of 8 bits; sizes up to 8192 need 32 bits and no more:
    ``size / 32 * 255 * 32767 < 2**31``.
    """

    def generate(context, builder, signature, arguments):
        digits, row, column, sums, size = arguments
        kinds = signature.args
        table = _array(context, builder, kinds[0], digits)
        width = cgutils.unpack_tuple(builder, table.shape)[1]
        origin = builder.gep(table.data, [builder.add(builder.mul(row, width), column)])
        counted = _array(context, builder, kinds[3], sums).data
        short, whole = (ir.VectorType(ir.IntType(bits), 64) for bits in (16, 32))
        half, wide = ir.VectorType(ir.IntType(32), 32), ir.VectorType(_LONG, 32)
        undefined = ir.Constant(whole, ir.Undefined)

        def every_second(vector, first):
            places = [ir.Constant(ir.IntType(32), k) for k in range(first, 64, 2)]
            return builder.shuffle_vector(
                vector, undefined, ir.Constant(ir.VectorType(ir.IntType(32), 32), places)
            )

        before = builder.block
        head = builder.append_basic_block("dot")
        body = builder.append_basic_block("dot.block")
        done = builder.append_basic_block("dot.done")
        builder.branch(head)
        builder.position_at_end(head)
        i, total = builder.phi(_LONG), builder.phi(half)
        i.add_incoming(ir.Constant(_LONG, 0), before)
        total.add_incoming(ir.Constant(half, None), before)
        builder.cbranch(builder.icmp_signed("<", i, size), body, done)
        builder.position_at_end(body)
        digit = builder.load(_as_vector(builder, origin, i, ir.IntType(16), 64), align=1)
        count = builder.load(_as_vector(builder, counted, i, ir.IntType(8), 64), align=1)
        product = builder.mul(
            builder.sext(digit, whole), builder.sext(builder.zext(count, short), whole)
        )
        # Of neighbours, which many processors multiply and add in one go.
        pairs = builder.add(every_second(product, 0), every_second(product, 1))
        i.add_incoming(builder.add(i, ir.Constant(_LONG, 64)), body)
        total.add_incoming(builder.add(total, pairs), body)
        builder.branch(head)
        builder.position_at_end(done)
        total = builder.sext(total, wide)
        result = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
        for k in range(1, 32):
            lane = builder.extract_element(total, ir.Constant(ir.IntType(32), k))
            result = builder.add(result, lane)
        return result

    signature = types.int64(digits, types.intp, types.intp, sums, types.intp)
    return signature, generate


@intrinsic
def nonzero_bits(typing_context, values, start):
    """A word whose bit k says whether values[start + k] is not 0; reads 64 elements."""

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        element = context.get_value_type(kind.dtype)
        data = _array(context, builder, kind, arguments[0]).data
        vector = builder.load(_as_vector(builder, data, arguments[1], element, 64), align=1)
        zero = ir.Constant(vector.type, None)
        if isinstance(kind.dtype, types.Float):
            set_bits = builder.fcmp_unordered("!=", vector, zero)
        else:
            set_bits = builder.icmp_unsigned("!=", vector, zero)
        return builder.bitcast(set_bits, _LONG)

    return types.uint64(values, types.intp), generate


@intrinsic
def copy_block(typing_context, source, start, target, to, plus):
    """target[to + k] = source[start + k] + plus for 16 elements."""

    def generate(context, builder, signature, arguments):
        source, start, target, to, plus = arguments
        kind = signature.args[0]
        element = context.get_value_type(kind.dtype)
        origin = _array(context, builder, kind, source).data
        goal = _array(context, builder, signature.args[2], target).data
        vector = builder.load(_as_vector(builder, origin, start, element, 16), align=1)
        add = builder.fadd if isinstance(kind.dtype, types.Float) else builder.add
        moved = add(vector, _spread(builder, plus, 16))
        builder.store(moved, _as_vector(builder, goal, to, element, 16), align=1)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp, source.dtype), generate


@intrinsic
def fill_block(typing_context, target, to, value):
    """target[to + k] = value for 16 elements."""

    def generate(context, builder, signature, arguments):
        target, to, value = arguments
        kind = signature.args[0]
        element = context.get_value_type(kind.dtype)
        goal = _array(context, builder, kind, target).data
        builder.store(
            _spread(builder, value, 16), _as_vector(builder, goal, to, element, 16), align=1
        )
        return context.get_dummy_value()

    return types.void(target, types.intp, target.dtype), generate


def _adder(width: int) -> Any:
    """The intrinsic that sums blocks of that width; see `add_rows_64`."""

    @intrinsic
    def add_rows(typing_context, table, where, values, first, last, column, total, to):
        signature = types.void(
            table, where, values, types.intp, types.intp, types.intp, total, types.intp
        )

        def generate(context, builder, signature, arguments):
            return _sum_rows(context, builder, signature.args, arguments, width)

        return signature, generate

    return add_rows


def _sum_rows(context, builder, kinds, arguments, width) -> Any:
    table, where, values, first, last, column, total, to = arguments
    floating = isinstance(kinds[6].dtype, types.Float)
    weighted = kinds[2].dtype != types.uint8
    stored = context.get_value_type(kinds[0].dtype)
    final = context.get_value_type(kinds[6].dtype)
    # Sums of 8-bit numbers stay in 16 bits until the end: twice as many in a register.
    register = ir.IntType(16) if stored == ir.IntType(8) and not weighted else final
    vector = ir.VectorType(register, width)

    rows = _array(context, builder, kinds[0], table)
    stride = builder.udiv(
        cgutils.unpack_tuple(builder, rows.strides)[0],
        ir.Constant(_LONG, kinds[0].dtype.bitwidth // 8),
    )
    origin = builder.gep(rows.data, [column])
    places = _array(context, builder, kinds[1], where).data
    factors = _array(context, builder, kinds[2], values).data

    before = builder.block
    head = builder.append_basic_block("rows")
    body = builder.append_basic_block("row")
    done = builder.append_basic_block("rows.done")
    builder.branch(head)
    builder.position_at_end(head)
    k, sums = builder.phi(_LONG), builder.phi(vector)
    k.add_incoming(first, before)
    sums.add_incoming(ir.Constant(vector, None), before)
    builder.cbranch(builder.icmp_signed("<", k, last), body, done)

    builder.position_at_end(body)
    more = sums
    for step in range(UNROLLED):
        at = builder.add(k, ir.Constant(_LONG, step))
        place = builder.sext(builder.load(builder.gep(places, [at])), _LONG)
        row = builder.load(
            _as_vector(builder, origin, builder.mul(place, stride), stored, width), align=1
        )
        if stored != register:
            row = builder.sext(row, vector)
        if weighted:
            factor = _spread(builder, builder.load(builder.gep(factors, [at])), width)
            row = builder.fmul(row, factor) if floating else builder.mul(row, factor)
        more = builder.fadd(more, row) if floating else builder.add(more, row)
    k.add_incoming(builder.add(k, ir.Constant(_LONG, UNROLLED)), body)
    sums.add_incoming(more, body)
    builder.branch(head)

    builder.position_at_end(done)
    goal = _as_vector(builder, _array(context, builder, kinds[6], total).data, to, final, width)
    wide = builder.sext(sums, ir.VectorType(final, width)) if register != final else sums
    add = builder.fadd if floating else builder.add
    builder.store(add(builder.load(goal, align=1), wide), goal, align=1)
    return context.get_dummy_value()


add_rows_64 = _adder(64)
"""total[to + o] += sum_k values[k] * table[where[k], column + o], o < 64, first <= k < last.

The last of them are rounded up to a multiple of UNROLLED: behind the list the caller puts the
place of a row of zeros. Where `values` has type uint8 there are none: every message is 1. A
table of 8-bit numbers is then summed in 16 bits, which holds for `ROWS_AT_ONCE` rows.
"""
add_rows_32 = _adder(32)
add_rows_16 = _adder(16)


@intrinsic
def add_row(typing_context, table, row, columns, factor, total, to):
    """total[to + o] += factor * table[row, o] for o < columns, a multiple of 16."""
    signature = types.void(table, types.intp, types.intp, total.dtype, total, types.intp)

    def generate(context, builder, signature, arguments):
        kinds = signature.args
        table, row, columns, factor, total, to = arguments
        stored = context.get_value_type(kinds[0].dtype)
        final = context.get_value_type(kinds[4].dtype)
        floating = isinstance(kinds[4].dtype, types.Float)
        vector = ir.VectorType(final, 16)
        rows = _array(context, builder, kinds[0], table)
        length = cgutils.unpack_tuple(builder, rows.shape)[1]
        origin = builder.gep(rows.data, [builder.mul(row, length)])
        goal = builder.gep(_array(context, builder, kinds[4], total).data, [to])
        factors = _spread(builder, factor, 16)

        before = builder.block
        head = builder.append_basic_block("blocks")
        body = builder.append_basic_block("block")
        done = builder.append_basic_block("blocks.done")
        builder.branch(head)
        builder.position_at_end(head)
        o = builder.phi(_LONG)
        o.add_incoming(ir.Constant(_LONG, 0), before)
        builder.cbranch(builder.icmp_signed("<", o, columns), body, done)
        builder.position_at_end(body)
        weights = builder.load(_as_vector(builder, origin, o, stored, 16), align=1)
        if stored != final:
            weights = builder.sext(weights, vector)
        place = _as_vector(builder, goal, o, final, 16)
        known = builder.load(place, align=1)
        if floating:
            result = builder.fadd(known, builder.fmul(weights, factors))
        else:
            result = builder.add(known, builder.mul(weights, factors))
        builder.store(result, place, align=1)
        o.add_incoming(builder.add(o, ir.Constant(_LONG, 16)), body)
        builder.branch(head)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, generate
