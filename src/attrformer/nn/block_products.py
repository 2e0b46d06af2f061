"""Products of small blocks whose sums stay in registers; numba makes no such loops, so that LLVM's vectors are named.

Imported only where numba can be (`attrformer.compiled`). A processor without vectors of 16 numbers computes the same.
"""

from __future__ import annotations

from typing import Any, Final

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

COLUMNS: Final = 32
"""Columns of a block."""

_WIDE: Final = "avx512f" in str(llvmlite.binding.get_host_cpu_features().flatten()).replace("-avx512f", "")

ROWS: Final = 8 if _WIDE else 2
"""Rows of a block: as many as there are registers for."""

_LANES: Final = 16 if _WIDE else 8
_VECTORS: Final = COLUMNS // _LANES
_VECTOR: Final = ir.VectorType(ir.FloatType(), _LANES)
_BYTES: Final = 4


@intrinsic
def add_product(_: Any, out: Any, left: Any, right: Any, row: Any, column: Any, first: Any, last: Any) -> Any:
    """Adds a block of a product: `ROWS` rows from a row on and `COLUMNS` columns from a column on.

    Args:
        out: float32 `[m, n]`, added to; the last axis of it and of `right` is contiguous.
        left: float32 `[m, k]`, in any order.
        right: float32 `[k, n]`.
        row: the first row.
        column: the first column.
        first: terms of the sums from here on.
        last: up to here, exclusive.
    """
    size = types.intp
    return types.void(out, left, right, size, size, size, size), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    arrays = [
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
    ]
    row, column, first, last = arguments[3:]
    (out, of_out), (left, of_left), (right, of_right) = (_memory(builder, array) for array in arrays)
    size, fma = row.type, _multiply_add(builder)
    at = builder.mul(column, size(_BYTES))
    out = _moved(builder, out, builder.add(builder.mul(row, of_out[0]), at))
    left = _moved(builder, left, builder.mul(row, of_left[0]))
    right = _moved(builder, right, at)
    places = [
        [_moved(builder, out, builder.add(builder.mul(size(r), of_out[0]), size(v * _LANES * _BYTES))) for v in range(_VECTORS)]
        for r in range(ROWS)
    ]
    sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in own] for own in places]
    for own, where in zip(sums, places, strict=True):
        for total, place in zip(own, where, strict=True):
            builder.store(_load(builder, place, _VECTOR), total)
    with cgutils.for_range(builder, builder.sub(last, first), intp=size) as loop:
        term = builder.add(loop.index, first)
        start = _moved(builder, right, builder.mul(term, of_right[0]))
        vectors = [_load(builder, _moved(builder, start, size(v * _LANES * _BYTES)), _VECTOR) for v in range(_VECTORS)]
        start = _moved(builder, left, builder.mul(term, of_left[1]))
        for r, own in enumerate(sums):
            number = _load(builder, _moved(builder, start, builder.mul(size(r), of_left[0])), ir.FloatType())
            spread = _spread(builder, number)
            for total, vector in zip(own, vectors, strict=True):
                builder.store(builder.call(fma, [spread, vector, builder.load(total)]), total)
    for own, where in zip(sums, places, strict=True):
        for total, place in zip(own, where, strict=True):
            builder.store(builder.load(total), builder.bitcast(place, _VECTOR.as_pointer()), align=_BYTES)
    return context.get_dummy_value()


def _memory(builder: Any, array: Any) -> tuple[Any, list[Any]]:
    """Where an array begins, and its strides in bytes."""
    return builder.bitcast(array.data, ir.IntType(8).as_pointer()), cgutils.unpack_tuple(builder, array.strides)


def _moved(builder: Any, place: Any, distance: Any) -> Any:
    return builder.gep(place, [distance], source_etype=ir.IntType(8))


def _load(builder: Any, place: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=_BYTES)


def _spread(builder: Any, number: Any) -> Any:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return builder.shuffle_vector(one, nothing, everywhere)


def _multiply_add(builder: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{_LANES}f32")
