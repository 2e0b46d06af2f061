"""What the compiled passes here have in common: how exact they are, logarithm and exponential, and bfloat16.

Imported only where numba can be (`nn/column_loss.py`).
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numba.extending import overload

from attrformer.compiled import compiler

_HALF_BITS: Final = np.uint32(16)
_BELOW_HALF: Final = np.uint32(0x7FFF)
ZERO: Final = np.float32(0)
ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
LEAST: Final = np.float32(-87)
_LOG2_E: Final = np.float32(1.44269504088896341)
_LN2_HIGH: Final = np.float32(0.693359375)
_LN2_LOW: Final = np.float32(-2.12194440e-4)
_ROOT_HALF: Final = np.int32(0x3F3504F3)
_MANTISSA: Final = np.int32(0x7FFFFF)
_EXPONENT: Final = np.int32(23)
_BIAS: Final = np.int32(127)
_SIGN: Final = np.int32(31)
_BELOW_SIGN: Final = np.int32(0x7FFFFFFF)
_L0, _L1, _L2 = np.float32(7.0376836292e-2), np.float32(-1.1514610310e-1), np.float32(1.1676998740e-1)
_L3, _L4, _L5 = np.float32(-1.2420140846e-1), np.float32(1.4249322787e-1), np.float32(-1.6668057665e-1)
_L6, _L7, _L8 = np.float32(2.0000714765e-1), np.float32(-2.4999993993e-1), np.float32(3.3333331174e-1)
_E0, _E1, _E2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_E3, _E4, _E5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)


compiled: Final = compiler(fastmath={"contract", "nsz", "arcp"}, error_model="numpy")


@compiled
def log(x: Any) -> Any:
    """Natural logarithm of a positive float32, by the polynomial of the Cephes library, so that loops are vectors."""
    bits = np.float32(x).view(np.int32) - _ROOT_HALF
    exponent = np.float32(bits >> _EXPONENT)
    f = np.int32((bits & _MANTISSA) + _ROOT_HALF).view(np.float32) - ONE
    z = f * f
    y = (((((((_L0 * f + _L1) * f + _L2) * f + _L3) * f + _L4) * f + _L5) * f + _L6) * f + _L7) * f + _L8
    y = y * f * z + _LN2_LOW * exponent - _HALF * z
    return f + y + _LN2_HIGH * exponent


@compiled
def exp(x: Any) -> Any:
    """Exponential of a float32 of at most 0, by the polynomial of the Cephes library."""
    x = max(np.float32(x), LEAST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    y = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    return (y * r * r + r + ONE) * np.int32((np.int32(n) + _BIAS) << _EXPONENT).view(np.float32)


@compiled
def ordered(bits: Any) -> Any:
    """Whole numbers, int32, in the order of the float32 whose bits they are made of, and back again.

    LLVM makes vectors of the search for the largest of these alone.
    """
    return np.int32(bits) ^ (np.int32(np.int32(bits) >> _SIGN) & _BELOW_SIGN)


def read(x: Any) -> Any:
    """A float32 of what an array holds: float32, or the bits of a bfloat16."""
    raise NotImplementedError


@overload(read)
def _reading(x):  # type: ignore[no-untyped-def]
    if isinstance(x, numba.types.Integer):
        return lambda x: np.uint32(np.uint32(x) << _HALF_BITS).view(np.float32)
    return lambda x: x


def rounded_as(like: Any, value: Any) -> Any:
    """A float32 as an array holds it, of which `like` is an element."""
    raise NotImplementedError


@overload(rounded_as)
def _rounding(like, value):  # type: ignore[no-untyped-def]
    if isinstance(like, numba.types.Integer):

        def rounded(like, value):  # type: ignore[no-untyped-def]
            bits = np.float32(value).view(np.uint32)
            even = np.uint32(bits >> _HALF_BITS) & np.uint32(1)
            return np.uint16(np.uint32(bits + even + _BELOW_HALF) >> _HALF_BITS)

        return rounded
    return lambda like, value: value
