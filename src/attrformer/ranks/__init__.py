"""Ranks: the processes that train one model together, and what they say to each other."""

from attrformer.ranks.base import ALONE, Ranks
from attrformer.ranks.joining import LAUNCHED, TIMEOUT, current, joined

__all__ = ["ALONE", "LAUNCHED", "TIMEOUT", "Ranks", "current", "joined"]
