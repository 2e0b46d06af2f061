"""Places on the earth as points of a sphere, where there is neither a pole nor a date line."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS: Final = 6371.0088
"""Mean radius in kilometres."""


def unit_vectors(coordinates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points on a sphere of radius 1, float64 `[n, 3]`.

    Args:
        coordinates: `[n, 2]`, degrees of latitude and longitude; NaN where missing.
    """
    latitude, longitude = np.radians(coordinates.astype(np.float64)).T
    points: NDArray[np.float64] = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )
    return points


def degrees(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of `unit_vectors`, float64 `[n, 2]`; the points need not have length 1.

    Args:
        points: `[n, 3]`.
    """
    flat = np.hypot(points[:, 0], points[:, 1])
    found: NDArray[np.float64] = np.degrees(
        np.stack([np.arctan2(points[:, 2], flat), np.arctan2(points[:, 1], points[:, 0])], axis=1)
    )
    return found


def along_the_earth(chords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Great-circle distances in kilometres, which is the haversine formula.

    Args:
        chords: straight distances on the sphere of radius 1, any shape.
    """
    angles: NDArray[np.float64] = 2 * np.arcsin(np.minimum(chords / 2, 1.0))
    return angles * EARTH_RADIUS
