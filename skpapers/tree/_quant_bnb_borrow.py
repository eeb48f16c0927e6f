"""Arrays that a kernel uses without counting references to them.

Numba counts each use of an array that may outlive a function, with an atomic instruction. Where a tuple of dozens of
arrays is handed from function to function for every few hundred rows, that takes longer than the rows.
"""

from typing import Any

from numba import extending, types
from numba.core import cgutils

intrinsic: Any = extending.intrinsic  # mypy counts the typing context among the arguments


def _without_owner(context, builder, kind, value):
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        members: Any = kind  # iterable, though not by its class
        for i, member in enumerate(members):
            inner = _without_owner(context, builder, member, builder.extract_value(value, i))
            value = builder.insert_value(value, inner, i)
    return value


@intrinsic
def borrow(typingctx, arrays):
    """The same array or tuple of arrays, valid for as long as the caller holds them; not to be returned or kept."""

    def codegen(context, builder, signature, args):
        return _without_owner(context, builder, arrays, args[0])

    return arrays(arrays), codegen
