"""Sixteen numbers at once: a type for numba whose values stay in the processor's vector registers.

Written as loops over arrays, the scans would load and store their state in every row, and where the place of a vector
in an array depends on the row, the compiler would not use vectors at all.
"""

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

LANES = 16
intrinsic: Any = extending.intrinsic  # mypy counts the typing context among the arguments


class Lanes(types.Type):
    """LANES numbers, or truth values, of one type."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, ir.VectorType(manager[lanes.dtype].get_value_type(), LANES))


def _repeat(builder, value, vector_type):
    blank = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(blank, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, blank, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _place(context, builder, array_type, array, start, lanes):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), context.get_value_type(lanes).as_pointer())


@intrinsic
def repeat(typingctx, number):
    """The same number in every lane."""
    lanes = Lanes(number)

    def codegen(context, builder, signature, args):
        return _repeat(builder, args[0], context.get_value_type(lanes))

    return lanes(number), codegen


@intrinsic
def pick(typingctx, sides, number):
    """The number in the lanes k where bit k of `sides` is set, 0 in the others."""
    lanes = Lanes(number)

    def codegen(context, builder, signature, args):
        words = ir.VectorType(ir.IntType(32), LANES)
        vector = context.get_value_type(lanes)
        bits = builder.and_(_repeat(builder, args[0], words), ir.Constant(words, [1 << k for k in range(LANES)]))
        is_set = builder.icmp_signed("!=", bits, ir.Constant(words, [0] * LANES))
        return builder.select(is_set, _repeat(builder, args[1], vector), ir.Constant(vector, [0] * LANES))

    return lanes(types.int32, number), codegen


@intrinsic
def load(typingctx, array, start):
    """LANES neighbours in an array, from `start` on."""
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        place = _place(context, builder, array, args[0], args[1], lanes)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return lanes(array, types.int64), codegen


@intrinsic
def store(typingctx, lanes, array, start):
    """Write them into an array, from `start` on."""

    def codegen(context, builder, signature, args):
        builder.store(
            args[0], _place(context, builder, array, args[1], args[2], lanes), align=array.dtype.bitwidth // 8
        )
        return context.get_dummy_value()

    return types.void(lanes, array, types.int64), codegen


@intrinsic
def choose(typingctx, which, a, b):
    """Those of a where `which` is true, of b elsewhere."""

    def codegen(context, builder, signature, args):
        return builder.select(*args)

    return a(which, a, b), codegen


def _lanewise(lanes, result, integers, floats):
    def codegen(context, builder, signature, args):
        return (integers if isinstance(lanes.dtype, types.Integer) else floats)(builder, *args)

    return result(lanes, lanes), codegen


def _larger(compare):
    return lambda builder, a, b: builder.select(compare(builder, ">", a, b), a, b)


def _smaller(compare):
    return lambda builder, a, b: builder.select(compare(builder, "<", a, b), a, b)


def _above(compare):
    return lambda builder, a, b: compare(builder, ">", a, b)


@intrinsic
def plus(typingctx, a, b):
    """Sum of both."""
    return _lanewise(a, a, ir.IRBuilder.add, ir.IRBuilder.fadd)


@intrinsic
def minus(typingctx, a, b):
    """Difference of both."""
    return _lanewise(a, a, ir.IRBuilder.sub, ir.IRBuilder.fsub)


@intrinsic
def times(typingctx, a, b):
    """Product of both."""
    return _lanewise(a, a, ir.IRBuilder.mul, ir.IRBuilder.fmul)


@intrinsic
def larger(typingctx, a, b):
    """The larger of both."""
    return _lanewise(a, a, _larger(ir.IRBuilder.icmp_signed), _larger(ir.IRBuilder.fcmp_ordered))


@intrinsic
def smaller(typingctx, a, b):
    """The smaller of both."""
    return _lanewise(a, a, _smaller(ir.IRBuilder.icmp_signed), _smaller(ir.IRBuilder.fcmp_ordered))


@intrinsic
def above(typingctx, a, b):
    """Where a > b."""
    is_above = _above(ir.IRBuilder.icmp_signed), _above(ir.IRBuilder.fcmp_ordered)
    return _lanewise(a, Lanes(types.boolean), *is_above)


@intrinsic
def both(typingctx, a, b):
    """Where a and b are both true."""
    return _lanewise(a, a, ir.IRBuilder.and_, ir.IRBuilder.and_)
