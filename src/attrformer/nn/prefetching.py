"""Memory asked for before it is read, in functions that numba compiles.

Rows that lie anywhere in a large table are waited for one after the other; rows that were asked for some time before
are there. Imported only where numba can be (`attrformer.compiled`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba.core.cgutils
import numba.extending
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

_intrinsic: Final[Callable[[Any], Any]] = numba.extending.intrinsic
_cgutils: Final[Any] = numba.core.cgutils

_READ, _KEEP, _DATA = 0, 3, 1
"""What LLVM calls a read, memory to be kept in all caches, and data."""


@_intrinsic
def prefetch(_: Any, array: Any, place: Any) -> Any:
    """Asks for an element of an array that is read soon; a place outside it asks for nothing that counts.

    Args:
        array: of one dimension, contiguous.
        place: of the element.
    """
    return types.void(array, types.intp), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    function = _cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    element = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
    builder.call(function, [element, word(_READ), word(_KEEP), word(_DATA)])
    return context.get_dummy_value()
