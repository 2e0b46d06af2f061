"""Products of small blocks whose sums stay in registers; numba makes no such loops, so that LLVM's vectors are named.

Imported only where numba can be (`attrformer.compiled`). A processor without vectors of 16 numbers computes the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import llvmlite.binding  # type: ignore[import-untyped]
import numba.core.cgutils
import numba.core.registry
import numba.extending
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError

COLUMNS: Final = 32
"""Columns of a block."""

_intrinsic: Final[Callable[[Any], Any]] = numba.extending.intrinsic
_cgutils: Final[Any] = numba.core.cgutils

# Of the processor that numba compiles for, which need not be all that this one has (NUMBA_CPU_FEATURES).
_FEATURES: Final[str] = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[2]
_WIDE: Final = "+avx512f" in _FEATURES.split(",")

PAIRS: Final = _WIDE and "+avx512bf16" in _FEATURES.split(",") and llvmlite.binding.llvm_version_info >= (17,)
"""Whether the processor multiplies pairs of bfloat16; earlier releases of LLVM give them another type."""

ROWS: Final = 8 if _WIDE else 2
"""Rows of a block: as many as there are registers for."""

_LANES: Final = 16 if _WIDE else 8
_VECTORS: Final = COLUMNS // _LANES
_FLOATS: Final = ir.VectorType(ir.FloatType(), _LANES)
_WORDS: Final = ir.VectorType(ir.IntType(32), _LANES)
_BYTES: Final = 4


@_intrinsic
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
    _check((out, left, right), (types.float32, types.float32, types.float32))
    return types.void(out, left, right, size, size, size, size), _generate(_multiply_add)


@_intrinsic
def add_pairs(_: Any, out: Any, left: Any, right: Any, row: Any, column: Any, first: Any, last: Any) -> Any:
    """`add_product` where `PAIRS` holds and left and right are pairs of bfloat16 in 32 bits, each pair two terms.

    Args:
        out: as for `add_product`, and so are the others.
        left: uint32 `[m, k]`.
        right: uint32 `[k, n]`.
        row: the first row.
        column: the first column.
        first: pairs from here on.
        last: up to here, exclusive.
    """
    size = types.intp
    _check((out, left, right), (types.float32, types.uint32, types.uint32))
    return types.void(out, left, right, size, size, size, size), _generate(_multiply_pairs)


@_intrinsic
def add_row_pairs(
    _: Any, out: Any, table: Any, named: Any, right: Any, row: Any, column: Any, first: Any, last: Any
) -> Any:
    """`add_pairs` whose left rows are some rows of a table.

    Args:
        out: as for `add_pairs`, and so are the others.
        table: bits of bfloat16, uint16 `[rows, 2 k]`, contiguous but for the number of columns, which may be larger.
        named: int64 `[m]`, contiguous: the row of the table that each row is.
        right: uint32 `[k, n]`.
        row: the first row.
        column: the first column.
        first: pairs from here on.
        last: up to here, exclusive.
    """
    size = types.intp
    _check((out, table, named, right), (types.float32, types.uint16, types.int64, types.uint32))
    return types.void(out, table, named, right, size, size, size, size), _generate_rows


def _check(arrays: Any, wanted: Any) -> None:
    """Memory is read as it lies, so that another type would be read as these."""
    if any(array.dtype != kind for array, kind in zip(arrays, wanted, strict=True)):
        raise TypingError(f"Arrays of {wanted} are multiplied here, and they are of {arrays}.")


def _generate(multiply: Callable[..., Any]) -> Callable[..., Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out, left, right = _arrays(context, builder, signature, arguments[:3])
        row, column, first, last = arguments[3:]
        starts = [_moved(builder, left[0], builder.mul(_plus(builder, row, r), left[1][0])) for r in range(ROWS)]
        _sum(builder, multiply, (out, right), starts, left[1][1], (row, column, first, last))
        return context.get_dummy_value()

    return generate


def _generate_rows(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    out, table, named, right = _arrays(context, builder, signature, arguments[:4])
    row, column, first, last = arguments[4:]
    starts = []
    for r in range(ROWS):
        place = _moved(builder, named[0], builder.mul(_plus(builder, row, r), named[1][0]))
        number = builder.load(builder.bitcast(place, row.type.as_pointer()))
        starts.append(_moved(builder, table[0], builder.mul(number, table[1][0])))
    _sum(builder, _multiply_pairs, (out, right), starts, row.type(_BYTES), (row, column, first, last))
    return context.get_dummy_value()


def _sum(builder: Any, multiply: Callable[..., Any], arrays: Any, starts: list[Any], step: Any, where: Any) -> None:
    """Adds the products of one block; `starts` are where its left rows begin, a term being `step` bytes."""
    (out, right), (row, column, first, last) = arrays, where
    size, at = row.type, builder.mul(column, row.type(_BYTES))
    begun = _moved(builder, right[0], at)
    places = []
    for r in range(ROWS):
        begin = _moved(builder, out[0], builder.add(builder.mul(_plus(builder, row, r), out[1][0]), at))
        places.append([_moved(builder, begin, size(v * _LANES * _BYTES)) for v in range(_VECTORS)])
    sums = [[_cgutils.alloca_once(builder, _FLOATS) for _ in own] for own in places]
    for own, there in zip(sums, places, strict=True):
        for total, place in zip(own, there, strict=True):
            builder.store(_load(builder, place, _FLOATS), total)
    with _cgutils.for_range(builder, builder.sub(last, first), intp=size) as loop:
        term = builder.add(loop.index, first)
        start, distance = _moved(builder, begun, builder.mul(term, right[1][0])), builder.mul(term, step)
        places_of = [_moved(builder, start, size(v * _LANES * _BYTES)) for v in range(_VECTORS)]
        vectors = [_load(builder, place, _WORDS) for place in places_of]
        for begin, own in zip(starts, sums, strict=True):
            spread = _spread(builder, _load(builder, _moved(builder, begin, distance), ir.IntType(32)))
            for total, vector in zip(own, vectors, strict=True):
                builder.store(multiply(builder, spread, vector, builder.load(total)), total)
    for own, there in zip(sums, places, strict=True):
        for total, place in zip(own, there, strict=True):
            builder.store(builder.load(total), builder.bitcast(place, _FLOATS.as_pointer()), align=_BYTES)


def _arrays(context: Any, builder: Any, signature: Any, arguments: Any) -> list[tuple[Any, list[Any]]]:
    kinds = zip(signature.args, arguments, strict=False)
    return [_memory(builder, context.make_array(kind)(context, builder, value)) for kind, value in kinds]


def _plus(builder: Any, number: Any, other: int) -> Any:
    return builder.add(number, number.type(other))


def _memory(builder: Any, array: Any) -> tuple[Any, list[Any]]:
    """Where an array begins, and its strides in bytes."""
    return builder.bitcast(array.data, ir.IntType(8).as_pointer()), _cgutils.unpack_tuple(builder, array.strides)


def _moved(builder: Any, place: Any, distance: Any) -> Any:
    return builder.gep(place, [distance], source_etype=ir.IntType(8))


def _load(builder: Any, place: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=2)


def _spread(builder: Any, number: Any) -> Any:
    nothing = ir.Constant(_WORDS, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_WORDS, [0] * _LANES))


def _multiply_add(builder: Any, left: Any, right: Any, total: Any) -> Any:
    # A processor without an instruction for both would call a function for each number.
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    function = _cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{_LANES}f32")
    return builder.call(function, [builder.bitcast(left, _FLOATS), builder.bitcast(right, _FLOATS), total])


class _Bfloat(ir.Type):  # type: ignore[misc]
    """A type of LLVM that llvmlite does not name."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat)

    def __hash__(self) -> int:
        return hash(_Bfloat)


def _multiply_pairs(builder: Any, left: Any, right: Any, total: Any) -> Any:
    pairs = ir.VectorType(_Bfloat(), 2 * _LANES)
    kind = ir.FunctionType(_FLOATS, [_FLOATS, pairs, pairs])
    function = _cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512bf16.dpbf16ps.512")
    return builder.call(function, [total, builder.bitcast(left, pairs), builder.bitcast(right, pairs)])
