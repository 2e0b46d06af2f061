"""Calls of the recommender, and which of them can be answered by one call without any noticing the others.

Requests with the same options are joined: their users, histories or items are put one after the other, and the rows of
the answer are handed back to whom they belong. What the model says about one history never depends on the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from attrformer.columns import ITEM, TIMESTAMP, USER

RECOMMEND: Final = "recommend"
EXPLAIN: Final = "explain"
SIMILAR: Final = "similar_items"

_WHOM: Final = ("users", "histories", "user_attributes")
_FOR_EACH: Final = ("candidates", "exclude")
_NUMBER: Final = re.compile(r"\s*[+-]?\d+\s*")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method of `Recommender`.

    Args:
        method: its name.
        arguments: by keyword; what was not given is left out.
    """

    method: str
    arguments: Mapping[str, Any]

    @property
    def asked(self) -> int:
        """How many users, histories or items it asks about."""
        if self.method == SIMILAR:
            return len(self.arguments["items"])
        return max((len(self.arguments[name]) for name in _WHOM if name in self.arguments), default=0)

    @property
    def column(self) -> str:
        """The column of the answer that says whom a row belongs to."""
        return ITEM if self.method == SIMILAR else USER


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several joined calls gets of the answer.

    Args:
        place: of the call among those that were given.
        names: whom it asked about, as the answer to all calls writes them, each with the number that it bears in the
            answer to this call, or None where it keeps its name; None takes everybody as they come.
    """

    place: int
    names: dict[str, int | None] | None


@dataclass(frozen=True, slots=True)
class Joint:
    """One call that answers several.

    Args:
        call: the call to make.
        shares: of those that it answers.
    """

    call: Call
    shares: tuple[Share, ...]


def flat(histories: Any) -> Any:
    """Histories as the recommender takes them: behaviour attributes of an entry beside its item and time.

    Args:
        histories: of a request, by name or as a list.
    """
    if isinstance(histories, dict):
        return {name: _entries(row) for name, row in histories.items()}
    return [_entries(row) for row in histories]


def _entries(row: list[Any]) -> list[Any]:
    # No attribute takes the place of what every entry may have.
    return [
        {**entry.pop("behaviours", {}), TIMESTAMP: None, **entry} if isinstance(entry, dict) else entry for entry in row
    ]


def join(calls: Sequence[Call]) -> list[Joint]:
    """As few calls as give every one of the calls its own answer.

    Args:
        calls: what waits, oldest first.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, call in enumerate(calls):
        kind = _kind(call)
        groups.setdefault((place,) if kind is None else (kind, _options(call)), []).append(place)
    joints = []
    for places in groups.values():
        kind = _kind(calls[places[0]])
        for chosen in _apart(calls, places) if (kind or "").startswith("named") else [places]:
            alone = Joint(calls[chosen[0]], (Share(chosen[0], None),))
            joints.append(alone if len(chosen) == 1 else _joined(calls, chosen))
    return joints


def _kind(call: Call) -> str | None:
    """What a call asks about in a form that can be joined to others; None where it has to stay alone."""
    arguments = call.arguments
    # What is warned of cannot be told apart afterwards.
    if arguments.get("on_unknown") == "warn":
        return None
    # What is said of one user by name would hold for whoever has that name elsewhere.
    if any(isinstance(arguments.get(name), dict) for name in _FOR_EACH):
        return None
    if call.method == SIMILAR:
        return _same_type("items", arguments["items"])
    given = [name for name in _WHOM if name in arguments]
    if given == ["users"]:
        return _same_type("users", arguments["users"])
    histories = arguments.get("histories")
    if _says_more(histories):
        # Few ask so, and the entries of each may say something else.
        return None
    if given == ["histories"] and isinstance(histories, list):
        return _same_type("lists", (item for row in histories for item in row), any_text=True)
    if isinstance(histories, dict) and "users" not in given and set(given) <= {"histories", "user_attributes"}:
        items = _same_type("named", (item for row in histories.values() for item in row), any_text=True)
        names = _same_type("", [*histories, *arguments.get("user_attributes", ())])
        types = _value_types(arguments.get("user_attributes", {}))
        return None if items is None or names is None or types is None else f"{items} {types}"
    return None


def _says_more(histories: Any) -> bool:
    """Whether an entry of a history is more than an id."""
    rows = histories.values() if isinstance(histories, dict) else histories or ()
    return any(isinstance(entry, dict) for row in rows for entry in row)


def _value_types(attributes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The types of the values of each attribute, which decide how they are read; None where those of one differ."""
    types: dict[str, str] = {}
    for values in attributes.values():
        for name, value in values.items():
            found = type(value).__name__
            if isinstance(value, list):
                found = f"list of {sorted({type(part).__name__ for part in value})}"
            if types.setdefault(name, found) != found:
                return None
    return str(sorted(types.items()))


def _same_type(kind: str, ids: Iterable[str | int], *, any_text: bool = False) -> str | None:
    """The kind with the type of the ids; None where they are of several types.

    None also where a number is written otherwise than the answer writes it, so that its rows could not be found.
    """
    types = set()
    for value in ids:
        types.add(type(value).__name__)
        if isinstance(value, str) and not any_text and _NUMBER.fullmatch(value) and str(int(value)) != value:
            return None
    return f"{kind} {next(iter(types), '')}" if len(types) <= 1 else None


def _options(call: Call) -> Hashable:
    others = {name: value for name, value in call.arguments.items() if name not in _subjects(call)}
    # Values of any form, and 1, 1.0 and true are three of them.
    return call.method, json.dumps(others, sort_keys=True)


def _subjects(call: Call) -> tuple[str, ...]:
    return ("items",) if call.method == SIMILAR else _WHOM


def _apart(calls: Sequence[Call], places: list[int]) -> Iterator[list[int]]:
    """Groups of calls in which no two give the same name to somebody."""
    groups: list[tuple[set[str], list[int]]] = []
    for place in places:
        names = set(_in_order(calls[place]))
        for taken, chosen in groups:
            if taken.isdisjoint(names):
                taken |= names
                chosen.append(place)
                break
        else:
            groups.append((names, [place]))
    return (chosen for _, chosen in groups)


def _in_order(call: Call) -> list[str]:
    named = [call.arguments.get(subject, ()) for subject in ("histories", "user_attributes")]
    return list(dict.fromkeys(name for names in named for name in names))


def _joined(calls: Sequence[Call], places: list[int]) -> Joint:
    first = calls[places[0]]
    subject = next(name for name in _subjects(first) if name in first.arguments)
    shares, merged = [], dict(first.arguments)
    if isinstance(first.arguments[subject], dict):
        for name in ("histories", "user_attributes"):
            rows = {key: row for place in places for key, row in calls[place].arguments.get(name, {}).items()}
            merged |= {name: rows} if rows else {}
        shares = [Share(place, dict.fromkeys(_in_order(calls[place]))) for place in places]
    elif subject == "histories":
        merged[subject], start = [], 0
        for place in places:
            rows = calls[place].arguments[subject]
            shares.append(Share(place, {str(start + n): n for n in range(len(rows))}))
            merged[subject] += rows
            start += len(rows)
    else:
        merged[subject] = list(dict.fromkeys(i for place in places for i in calls[place].arguments[subject]))
        shares = [Share(place, {str(i): None for i in calls[place].arguments[subject]}) for place in places]
    return Joint(replace(first, arguments=merged), tuple(shares))
