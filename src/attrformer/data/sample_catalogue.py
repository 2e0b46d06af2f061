"""Names of the embedded sample: departments, categories, brands, titles, age bands and regions, all invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Category:
    """One category of the shop.

    Args:
        department: what it belongs to.
        name: department and category as one path, "Kitchen > Kettles".
        product: one of its items in words, "Kettle".
        price: what an item costs in the middle.
    """

    department: str
    name: str
    product: str
    price: float


_SHELVES: Final = {
    "Kitchen": (
        ("Kettles", "Kettle", 35.0),
        ("Coffee Machines", "Coffee Machine", 140.0),
        ("Coffee Capsules", "Coffee Capsules", 12.0),
        ("Knives", "Knife", 28.0),
        ("Pans", "Pan", 40.0),
    ),
    "Electronics": (
        ("Phones", "Phone", 450.0),
        ("Phone Cases", "Phone Case", 18.0),
        ("Headphones", "Headphones", 80.0),
        ("Cameras", "Camera", 380.0),
        ("Memory Cards", "Memory Card", 25.0),
    ),
    "Office": (
        ("Printers", "Printer", 130.0),
        ("Ink Cartridges", "Ink Cartridge", 30.0),
        ("Desk Lamps", "Desk Lamp", 45.0),
        ("Notebooks", "Notebook", 9.0),
        ("Pens", "Pen", 6.0),
    ),
    "Garden": (
        ("Lawn Mowers", "Lawn Mower", 260.0),
        ("Planters", "Planter", 24.0),
        ("Garden Hoses", "Garden Hose", 33.0),
        ("Hose Nozzles", "Hose Nozzle", 11.0),
        ("Seeds", "Seeds", 4.0),
    ),
    "Sports": (
        ("Bicycles", "Bicycle", 520.0),
        ("Bicycle Locks", "Bicycle Lock", 35.0),
        ("Running Shoes", "Running Shoes", 90.0),
        ("Yoga Mats", "Yoga Mat", 30.0),
        ("Water Bottles", "Water Bottle", 16.0),
    ),
    "Outdoor": (
        ("Tents", "Tent", 180.0),
        ("Camping Lanterns", "Camping Lantern", 27.0),
        ("Sleeping Bags", "Sleeping Bag", 75.0),
        ("Backpacks", "Backpack", 85.0),
        ("Hiking Poles", "Hiking Poles", 50.0),
    ),
    "Tools": (
        ("Drills", "Drill", 110.0),
        ("Drill Bits", "Drill Bits", 20.0),
        ("Hammers", "Hammer", 22.0),
        ("Screwdrivers", "Screwdriver", 14.0),
        ("Ladders", "Ladder", 95.0),
    ),
    "Toys": (
        ("Train Sets", "Train Set", 70.0),
        ("Train Tracks", "Train Tracks", 19.0),
        ("Puzzles", "Puzzle", 15.0),
        ("Board Games", "Board Game", 32.0),
        ("Plush Animals", "Plush Animal", 21.0),
    ),
}

CATEGORIES: Final = tuple(
    Category(department, f"{department} > {shelf}", product, price)
    for department, shelves in _SHELVES.items()
    for shelf, product, price in shelves
)
"""Every category, in the order of its code."""

ACCESSORY_OF: Final = {
    "Kitchen > Coffee Machines": "Kitchen > Coffee Capsules",
    "Electronics > Phones": "Electronics > Phone Cases",
    "Electronics > Cameras": "Electronics > Memory Cards",
    "Office > Printers": "Office > Ink Cartridges",
    "Garden > Garden Hoses": "Garden > Hose Nozzles",
    "Sports > Bicycles": "Sports > Bicycle Locks",
    "Outdoor > Tents": "Outdoor > Camping Lanterns",
    "Tools > Drills": "Tools > Drill Bits",
    "Toys > Train Sets": "Toys > Train Tracks",
}
"""The category of main products, and the category that their accessories come from."""

AGE_BANDS: Final = ("18-24", "25-34", "35-49", "50-64", "65+")
REGIONS: Final = ("North", "East", "South", "West", "Islands", "Capital")

_BRAND_STARTS: Final = (
    "Nor",
    "Vel",
    "Tam",
    "Ori",
    "Kas",
    "Lum",
    "Bre",
    "Fen",
    "Hal",
    "Jun",
    "Mar",
    "Pel",
    "Ros",
    "Sol",
)
_BRAND_ENDS: Final = ("vik", "dane", "bury", "mont", "ella", "aro", "wick", "ford", "ine", "stad", "ora")
_SERIES: Final = ("Classic", "Compact", "Prime", "Terra", "Aurora", "Urban", "Studio", "Family", "Pure", "Nova")


def brand_names(count: int) -> list[str]:
    """Distinct invented brand names `[count]`; past the first 154 they carry a number."""
    period = len(_BRAND_STARTS) * len(_BRAND_ENDS)
    names = []
    for code in range(count):
        # The two lengths share no divisor, so every pair of syllables comes up once in each period.
        name = _BRAND_STARTS[code % len(_BRAND_STARTS)] + _BRAND_ENDS[code % len(_BRAND_ENDS)]
        names.append(name if code < period else f"{name} {code // period + 1}")
    return names


def item_titles(brands: pl.Series, categories: NDArray[np.int64], uniform: NDArray[np.float64]) -> pl.Series:
    """Readable titles such as "Norvik Aurora Kettle 17".

    Args:
        brands: brand name of each item `[n]`.
        categories: category code of each item `[n]`.
        uniform: a number in [0, 1) for each item `[n]` that picks its series.

    Returns:
        Distinct titles `[n]`: the number at the end is the item's place in the catalogue.
    """
    series = pl.Series(_SERIES).gather((uniform * len(_SERIES)).astype(np.int64))
    products = pl.Series([entry.product for entry in CATEGORIES]).gather(categories)
    numbers = pl.Series(np.arange(1, len(brands) + 1)).cast(pl.String)
    return pl.select(pl.concat_str([brands, series, products, numbers], separator=" ")).to_series()
