"""The sentences in which explanations say what spoke for an item."""

from __future__ import annotations

import re
from typing import Final

_BOUND: Final = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?|\d{4}-\d{2}-\d{2}")
_FRACTION: Final = re.compile(r"[+-]?[0-9]{1,3}\.[0-9]+")

CONTENT: Final = "Fits the history as a whole"
FOLLOWS: Final = "Goes with what is in the history"
LIKE_MINDED: Final = "Chosen by users with a similar history"
WIDELY_CHOSEN: Final = "Popular with everybody"


def after(title: str, users: int) -> str:
    """Other users had the item after one of the history."""
    return f"Chosen after {quoted(title)} by {_others(users)}"


def before(title: str, users: int) -> str:
    """Other users had the item before one of the history, and none had it after."""
    return f"Chosen shortly before {quoted(title)} by {_others(users)}"


def goes_with(title: str) -> str:
    """The item goes with one of the history, and no count of users stands behind it."""
    return f"Goes with {quoted(title)}"


def indirectly(title: str) -> str:
    """The item is reached over one item between."""
    return f"Goes with what goes with {quoted(title)}"


def listed(relation: str, title: str) -> str:
    """An edge table leads from an item of the history to the item."""
    return f"{quoted(title)} leads here by {quoted(spoken(relation))}"


def shared(attribute: str, value: str, title: str) -> str:
    """Both items have the same value of an attribute."""
    if is_range(value):
        return f"About the same {spoken(attribute)} as {quoted(title)}: {spoken_value(value)}"
    return f"Same {spoken(attribute)} as {quoted(title)}: {value}"


def near_in_order(title: str) -> str:
    """The ids of both items stand near each other."""
    return f"Listed near {quoted(title)}, by the order of ids"


def paired(attribute: str, own: str, other: str, title: str) -> str:
    """A value of the item goes with another value, of an item of the history."""
    name = spoken(attribute)
    return f"{name[:1].upper()}{name[1:]} {spoken_value(other)} goes with {spoken_value(own)} of {quoted(title)}"


def shared_then(attribute: str, value: str, title: str) -> str:
    """The item has the value of an attribute that another one had when it was taken."""
    if is_range(value):
        return f"About the same {spoken(attribute)} as {quoted(title)} had when it was taken: {spoken_value(value)}"
    return f"Same {spoken(attribute)} as {quoted(title)} had when it was taken: {value}"


def paired_then(attribute: str, own: str, other: str, title: str) -> str:
    """The value of the item goes with another value, which an item of the history had when it was taken."""
    name = spoken(attribute)
    said = f"{name[:1].upper()}{name[1:]} {spoken_value(other)} goes with {spoken_value(own)}"
    return f"{said}, which {quoted(title)} had when it was taken"


def preferred(attribute: str, value: str, lift: float) -> str:
    """People with a value of an attribute have the item more or less often than everybody."""
    times = f"{lift:.1f}" if lift < 10 else f"{lift:.0f}"
    frequency = "as often" if times == "1.0" else f"{times} times as often"
    return f"Chosen {frequency} by users whose {spoken(attribute)} is {spoken_value(value)}"


def at_the_time(title: str) -> str:
    """People have the item more often around the time of one of the history than over the whole time, or less often."""
    return f"Chosen by others around the time of {quoted(title)}"


def had_before(welcome: bool) -> str:
    """The item is in the history, which speaks for it or against it."""
    return f"Was in the history before, which counts {'for' if welcome else 'against'} it"


def followed(users: int, similar: int) -> str:
    """Some of the users with a similar history had the item soon after the interaction where they are aligned."""
    return f"Chosen soon after by {users:,} of {similar:,} users with a similar history"


def popular(users: int) -> str:
    """So many users had the item."""
    return f"Chosen by {_others(users)}" if users else "Chosen by nobody yet"


def new_in_catalogue(title: str | None) -> str:
    """The item has no interaction yet; neither had one of the history when the model was made, where it is named."""
    return "New in the catalogue" if title is None else f"New in the catalogue, as is {quoted(title)}"


def known_so_far(users: int, young: bool, title: str | None) -> str:
    """How many users had the item, and whether it is new to the catalogue, as one of the history is, where named."""
    since = "Not long in the catalogue" if young else "Long in the catalogue"
    also = "" if title is None else f", as is {quoted(title)}"
    return f"{since}{also}; {'chosen by ' + _others(users) if users else 'chosen by nobody else yet'}"


def spoken(name: str) -> str:
    """The name of a column as people say it."""
    return name.replace("_", " ")


def quoted(title: str) -> str:
    """A title in quotation marks."""
    return f"“{title}”"


def is_range(value: str) -> bool:
    """Whether a value is the bucket of a number, such as "10..20"."""
    low, dots, high = value.partition("..")
    return bool(dots) and all(_BOUND.fullmatch(end) for end in (low, high) if end)


def spoken_value(value: str) -> str:
    """A value as people say it: buckets of numbers in words."""
    if not is_range(value):
        return value
    low, high = (_spoken_bound(end) for end in value.split("..", 1))
    if low and high:
        return f"{low} to {high}"
    return f"up to {high}" if high else f"{low} and more" if low else "any"


def _others(users: int) -> str:
    return f"{users:,} other user{'' if users == 1 else 's'}"


def _spoken_bound(bound: str) -> str:
    """Four digits are as much as anybody wants to read of the edge of a bucket."""
    return f"{float(bound):.4g}" if _FRACTION.fullmatch(bound) else bound
