"""The sentences in which explanations say what spoke for an item."""

from __future__ import annotations

import re
from typing import Final

_BOUND: Final = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?|\d{4}-\d{2}-\d{2}")
_GROUP: Final = re.compile(r"group \d+( \(.*\))?", re.DOTALL)
_FRACTION: Final = re.compile(r"[+-]?[0-9]{1,3}\.[0-9]+")

_EVENTS: Final = ("event", "event_type", "behaviour", "behavior", "behaviour_type", "behavior_type", "action", "type")
_DONE: Final = {
    "view": "viewed", "pv": "viewed", "detail": "viewed", "click": "clicked", "cart": "put into the cart",
    "addtocart": "put into the cart", "add": "put into the cart", "purchase": "bought", "buy": "bought",
    "order": "bought", "transaction": "bought", "sale": "bought", "wishlist": "put on the wish list",
    "favourite": "marked as a favourite", "favorite": "marked as a favourite", "fav": "marked as a favourite",
    "like": "liked", "play": "played", "watch": "watched", "read": "read", "listen": "played", "share": "shared",
    "download": "downloaded", "return": "returned", "skip": "skipped", "dislike": "disliked", "rate": "rated",
}  # fmt: skip
"""What was done to an item, by the names that events mostly have."""

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


def after_event(column: str, value: str, title: str, predicted: str | None) -> str:
    """The item often comes after an interaction of some kind with one of the history.

    Args:
        column: of the interactions.
        value: that the earlier interaction has.
        title: of the item of the history.
        predicted: the value of the later interaction; None where it is of any kind.
    """
    done = None if predicted is None else _DONE.get(_plain(predicted))
    event = _DONE.get(_plain(value)) if column.lower() in _EVENTS else None
    earlier = f"{quoted(title)} was {event}" if event else f"{quoted(title)} with {spoken(column)} {quoted(value)}"
    return f"Often {done or 'chosen'} after {earlier}"


def against(column: str, value: str, title: str) -> str:
    """The item is, or is like, one of the history that did not please.

    Args:
        column: of the interactions.
        value: what it is where an interaction speaks against its item.
        title: of the item of the history.
    """
    return f"Like {quoted(title)}, whose {spoken(column)} was {value}, which counts against it"


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


def looks_like(title: str) -> str:
    """The item is near one of the history by vectors that are given, such as embeddings of pictures."""
    return f"Looks like {quoted(title)}"


def reads_like(title: str) -> str:
    """The item is near one of the history by the vectors of texts."""
    return f"Reads like {quoted(title)}"


def shares_words(attribute: str, words: str, title: str) -> str:
    """Words stand one after the other in the texts of both items."""
    return f"Its {spoken(attribute)} shares {quoted(words)} with {quoted(title)}"


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
    if _GROUP.fullmatch(value):
        return f"Chosen {frequency} by users in {value} of {spoken(attribute)}"
    return f"Chosen {frequency} by users whose {spoken(attribute)} is {spoken_value(value)}"


def group(number: int, words: list[str]) -> str:
    """One of the groups that users are put into by a vector or text, with words that are frequent in it."""
    return f"group {number} ({', '.join(words)})" if words else f"group {number}"


def near(latitude: float, longitude: float) -> str:
    """A place as people write it, to a tenth of a degree."""
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"near {abs(latitude):.1f}° {north}, {abs(longitude):.1f}° {east}"


def kilometres(distance: float) -> str:
    """A distance as people say it: "350 m", "2.3 km", "1,240 km"."""
    if distance < 0.995:
        return f"{round(distance * 1000, -1 if distance >= 0.1 else 0):.0f} m"
    return f"{distance:.1f} km" if distance < 99.95 else f"{distance:,.0f} km"


def away(distance: float, title: str) -> str:
    """The item is so many kilometres from one of the history."""
    if distance < 5e-4:
        return f"In the same place as {quoted(title)}"
    return f"{kilometres(distance)} from {quoted(title)}"


def at_the_time(title: str) -> str:
    """People have the item more often around the time of one of the history than over the whole time, or less often."""
    return f"Chosen by others around the time of {quoted(title)}"


def untaken() -> str:
    """Nobody else has the item, so that a relation that counts who takes it says nothing of it in particular."""
    return "Chosen by nobody else yet, so it counts as items do on average"


def expected(title: str | None) -> str:
    """What nobody did yet is expected from what users did with items that have like attributes."""
    return "Expected of items like it" if title is None else f"Expected of items like it, with {quoted(title)}"


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


def _plain(event: str) -> str:
    return re.sub(r"[^a-z]", "", event.lower())


def _others(users: int) -> str:
    return f"{users:,} other user{'' if users == 1 else 's'}"


def _spoken_bound(bound: str) -> str:
    """Four digits are as much as anybody wants to read of the edge of a bucket."""
    return f"{float(bound):.4g}" if _FRACTION.fullmatch(bound) else bound
