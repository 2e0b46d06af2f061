"""Calls answered by a model, as JSON: small ones together, large ones in pieces between which others are answered."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import torch

from attrformer.recommender import Recommender, explaining, ranking
from attrformer.recommender.query import Query
from attrformer.recommender.short_lists import ShortLists
from attrformer.recommender.similar import SimilarQuery, similar_items
from attrformer.server.answers import Row, grouped, list_of, notes_of, results
from attrformer.server.calls import EXPLAIN, SIMILAR, Call, Joint, Share, join
from attrformer.server.catalogue import Catalogue
from attrformer.server.pricing import Prices, rows_of_each

Heard = Callable[[str, int, float], None]

_TELLING: Final = 16
"""Users or items from which on a call tells what each of them costs, and not what any call does."""

_FRAGMENT: Final = 1 << 16
"""Characters of JSON that are put together at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A model in use.

    Args:
        model: the recommender.
        catalogue: its items, for the page.
        generation: 1 for the model that the service started with, one more for each change.
        version: name of the model, the same in every service that answers with it.
        trained: items of the model as it was read; the others were added since.
        lost: items that were added to the model before and that this one does not have.
        taken: bytes of the file of added items whose items it has.
        changes: of items that requests have brought since the model was read, those kept from before among them.
        changes_taken: bytes of the file of these that it has.
        changes_lost: changes that it could not take, of that file and of one that is followed.
    """

    model: Recommender
    catalogue: Catalogue
    generation: int
    version: str
    trained: int
    lost: int = 0
    taken: int = 0
    changes: int = 0
    changes_taken: int = 0
    changes_lost: int = 0

    @property
    def added(self) -> int:
        """Items that were added since the model was read."""
        return len(self.catalogue) - self.trained


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call is answered.

    Args:
        results: pieces of JSON, together a list with an entry for each user or item that has rows.
        generation: of the model that answered.
        version: of the model that answered.
        together: calls that were answered by the same call.
        warnings: of the call, where warnings were asked for, and of values in rules that no item has.
        notes: why lists are too short, where rules make them so.
    """

    results: tuple[bytes, ...]
    generation: int
    version: str
    together: int
    warnings: tuple[str, ...] = ()
    notes: tuple[Row, ...] = ()


def answer_together(served: Served, calls: Sequence[Call], prices: Prices, heard: Heard) -> list[Answer | Exception]:
    """Answers calls, as many as possible by one; to be called by one thread at a time.

    Args:
        served: the model.
        calls: what waits, oldest first.
        prices: are told what it took.
        heard: is told of joint calls: the method, how many calls it answered, and its seconds.

    Returns:
        An answer or the error of each.
    """
    answers: dict[int, Answer | Exception] = {}
    # Parts of the calls that are still to be answered, by their places.
    parts = [list(range(len(calls)))]
    while parts:
        places = parts.pop()
        for joint in join([calls[place] for place in places]):
            mine = [places[share.place] for share in joint.shares]
            try:
                answers |= zip(mine, _answer_joint(served, joint, prices, heard), strict=True)
            except Exception as error:
                if len(mine) == 1:
                    answers[mine[0]] = error
                else:
                    # One of them is to blame; halves find it, and the others do not notice.
                    parts += [mine[: len(mine) // 2], mine[len(mine) // 2 :]]
    return [answers[place] for place in range(len(calls))]


def answer_in_pieces(served: Served, call: Call, prices: Prices, heard: Heard) -> Generator[None, None, Answer]:
    """Answers one call a piece at a time, with the model that it began with.

    Args:
        served: the model.
        call: what is asked.
        prices: say how large a piece may be, and are told what it took.
        heard: as for `answer_together`.

    Yields:
        None after each piece of the work.

    Returns:
        The answer.
    """
    caught: list[str] = []
    short: list[ShortLists] = []
    text, total, watch = Text(call), 0.0, _Watch()
    for frame in _frames(served, call, prices, caught, short):
        groups = grouped(call.column, _rows(frame))
        entries = results(call, Share(0, None), groups, served.catalogue.title)
        text.add(entries)
        used, passed = watch.read()
        total += passed
        prices.learn(call.method, max(1, len(entries)), sum(len(entry[text.name]) for entry in entries), used, passed)
        yield
        watch = _Watch()
    heard(call.method, 1, total)
    notes = [note for lists in short for note in notes_of(call, Share(0, None), lists)]
    return Answer(text.pieces(), served.generation, served.version, 1, tuple(caught), tuple(notes))


class _Watch:
    """Seconds from here on, of the processor for this thread and in all."""

    def __init__(self) -> None:
        self._used, self._began = time.thread_time(), time.perf_counter()

    def read(self) -> tuple[float, float]:
        return time.thread_time() - self._used, time.perf_counter() - self._began


class Text:
    """The entries of an answer as JSON, which may come in several pieces, even those of one user.

    Args:
        call: that is answered.
    """

    def __init__(self, call: Call) -> None:
        self._column, self.name = call.column, list_of(call)
        self._found: dict[str, list[str]] = {}

    def add(self, entries: Iterable[Row]) -> None:
        """Writes more entries, each behind what was written of the same user or item."""
        for entry in entries:
            inner = self._found.setdefault(_json(entry[self._column]), [])
            if entry[self.name]:
                inner.append(_json(entry[self.name])[1:-1])

    def pieces(self) -> tuple[bytes, ...]:
        """The list of all entries, cut anywhere; put together at once it would stop all other threads for long."""
        found, gathered, size = [], [], 0
        for fragment in self._fragments():
            gathered.append(fragment)
            size += len(fragment)
            if size >= _FRAGMENT:
                found.append("".join(gathered).encode())
                gathered, size = [], 0
        return (*found, "".join(gathered).encode())

    def _fragments(self) -> Iterator[str]:
        before = "["
        for user, inner in self._found.items():
            yield f'{before}{{"{self._column}":{user},"{self.name}":['
            for number, entries in enumerate(inner):
                yield f",{entries}" if number else entries
            yield "]}"
            before = ","
        yield "]" if self._found else "[]"


def _answer_joint(served: Served, joint: Joint, prices: Prices, heard: Heard) -> list[Answer]:
    call, watch = joint.call, _Watch()
    caught: list[str] = []
    # Without what a gradient would need an operation costs less, and a call has hundreds of small ones.
    with _heeding(call, caught), torch.inference_mode():
        frame, short, told = _answered(served, call)
    caught += told
    groups = grouped(call.column, _rows(frame))
    together, answers, rows = len(joint.shares), [], 0
    for share in joint.shares:
        text = Text(call)
        entries = results(call, share, groups, served.catalogue.title)
        text.add(entries)
        rows += sum(len(entry[text.name]) for entry in entries)
        notes = tuple(notes_of(call, share, short))
        answers.append(Answer(text.pieces(), served.generation, served.version, together, tuple(caught), notes))
    used, passed = watch.read()
    if call.asked >= _TELLING:
        prices.learn(call.method, call.asked, rows, used, passed)
    heard(call.method, together, passed)
    return answers


def _answered(served: Served, call: Call) -> tuple[pl.DataFrame, ShortLists | None, tuple[str, ...]]:
    """The answer to a call as a whole, the lists in it that rules leave too short, and what is told of its rules."""
    model, arguments = served.model, dict(call.arguments)
    if call.method == SIMILAR:
        similar = SimilarQuery(**arguments)
        codes, choice = similar.read(model.fitted)
        return similar_items(model.fitted, codes, similar.by, choice), None, choice.told
    items = arguments.pop("items", None)
    query = Query(**arguments)
    request, choice = query.read(model.fitted)
    if call.method == EXPLAIN:
        chosen = query.among(model.fitted, items, "items")
        frame = explaining.explain(model.fitted, request, choice, chosen, model.config.relations)
    else:
        frame = ranking.recommend(model.fitted, request, choice)
    return frame, choice.short, choice.told


def _frames(
    served: Served, call: Call, prices: Prices, caught: list[str], short: list[ShortLists]
) -> Iterator[pl.DataFrame]:
    """The answer to a call in pieces that take about as long as a piece may; `short` gets the lists too short."""
    model, arguments = served.model, dict(call.arguments)
    rows, start = rows_of_each(call, len(served.catalogue)), 0
    if call.method == SIMILAR:
        with _heeding(call, caught):
            similar = SimilarQuery(**arguments)
            codes, choice = similar.read(model.fitted)
        caught += choice.told
        while start < len(codes):
            piece = codes[start : start + prices.people(SIMILAR, rows)]
            start += len(piece)
            yield similar_items(model.fitted, piece, similar.by, choice)
        return
    with _heeding(call, caught):
        items = arguments.pop("items", None)
        query = Query(**arguments)
        request, choice = query.read(model.fitted)
        items = query.among(model.fitted, items, "items")
    caught += choice.told
    short += [] if choice.short is None else [choice.short]
    if call.method == EXPLAIN:
        options, most = model.config.relations, lambda: prices.rows(EXPLAIN)
        yield from explaining.explained(model.fitted, request, choice, items, options, most)
        return
    while start < len(request):
        rest = len(request) - start
        block = start + next(ranking.blocks(model.fitted, rest, prices.people(call.method, rows)))
        start += len(block)
        yield ranking.recommend_block(model.fitted, request, block, choice)


def _rows(frame: pl.DataFrame) -> Iterator[Row]:
    names = frame.columns
    # Polars' own rows with names take ten times as long for a short table.
    return (dict(zip(names, row, strict=True)) for row in frame.rows())


@contextmanager
def _heeding(call: Call, caught: list[str]) -> Iterator[None]:
    """Keeps what a call is warned of where it asked for warnings."""
    if call.arguments.get("on_unknown") != "warn":
        yield
        return
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    caught += [str(warning.message) for warning in found if issubclass(warning.category, UserWarning)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
