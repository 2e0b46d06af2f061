"""The model that a service answers with: reading it, trying it out, answering calls, and changing it."""

from __future__ import annotations

import copy
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attrformer.columns import ITEM, TITLE
from attrformer.dataset.frames import to_polars
from attrformer.errors import AttrFormerError, CheckpointError, ConfigurationError
from attrformer.recommender import Recommender
from attrformer.serving import folders
from attrformer.serving.answers import Row, grouped, results
from attrformer.serving.calls import EXPLAIN, RECOMMEND, SIMILAR, Call, Joint, join
from attrformer.serving.catalogue import Catalogue
from attrformer.serving.options import ServeOptions


class ReloadRunning(Exception):
    """A new model is being read at this moment."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A model in use.

    Args:
        model: the recommender.
        catalogue: its items, for the page.
        generation: 1 for the model that the service started with, one more for each change.
    """

    model: Recommender
    catalogue: Catalogue
    generation: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call is answered.

    Args:
        results: an entry for each user or item that has rows.
        generation: of the model that answered.
        together: calls that were answered by the same call.
        warnings: of the call, where warnings were asked for.
    """

    results: list[Row]
    generation: int
    together: int
    warnings: tuple[str, ...] = ()


class Engine:
    """One run and its model.

    Args:
        run: the run folder.
        options: of the service.
        heard: is told of joint calls: the method, how many calls it answered, and its seconds.
    """

    def __init__(
        self, run: Path, options: ServeOptions, heard: Callable[[str, int, float], None] = lambda *_: None
    ) -> None:
        self.run, self._options, self._heard = run, options, heard
        self._served: Served | None = None
        self._changing = threading.Lock()

    @property
    def served(self) -> Served | None:
        """The model in use, None before the first one is ready."""
        return self._served

    def start(self) -> None:
        """Reads the model of the run and tries it out.

        Raises:
            CheckpointError: there is none, or it cannot be read.
            ConfigurationError: the device cannot be used.
        """
        with self._changing:
            folders.recover(self.run)
            self._served = self._read(self.run / folders.MODEL, 1)

    def reload(self) -> Served:
        """Reads `RUN/next`, or where there is none `RUN/model` anew, tries it out and answers with it from then on.

        Calls are answered by the old model until the new one is ready. What is moved into its place is moved last, so
        that whatever ends the process before leaves the old model to the next start.

        Raises:
            ReloadRunning: another change is under way.
            CheckpointError: the new model cannot be used; the old one stays.
        """
        if not self._changing.acquire(blocking=False):
            raise ReloadRunning
        try:
            folder = folders.waiting(self.run)
            generation = 1 if self._served is None else self._served.generation + 1
            served = self._read(folder, generation)
            if folder.name == folders.NEXT:
                self._promote()
            self._served = served
        finally:
            self._changing.release()
        return served

    def answer(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        """Answers calls, as many as possible together; to be called by one thread at a time.

        Args:
            calls: what waits, oldest first.

        Returns:
            An answer or the error of each.
        """
        served = self._ready()
        answers: dict[int, Answer | Exception] = {}
        # Parts of the calls that are still to be answered, by their places.
        parts = [list(range(len(calls)))]
        while parts:
            places = parts.pop()
            for joint in join([calls[place] for place in places]):
                mine = [places[share.place] for share in joint.shares]
                try:
                    answers |= zip(mine, self._answer_joint(served, joint), strict=True)
                except Exception as error:
                    if len(mine) == 1:
                        answers[mine[0]] = error
                    else:
                        # One of them is to blame; halves find it, and the others do not notice.
                        parts += [mine[: len(mine) // 2], mine[len(mine) // 2 :]]
        return [answers[place] for place in range(len(calls))]

    def add_items(self, rows: list[dict[str, Any]]) -> Served:
        """Adds items to the catalogue; to be called by the thread that answers.

        Args:
            rows: item_id and attributes of each.

        Raises:
            ReloadRunning: a new model is being read, which would not know them.
            AttrFormerError: the items cannot be added; none is then.
        """
        if not self._changing.acquire(blocking=False):
            raise ReloadRunning
        try:
            # A copy, so that nothing has happened where anything fails.
            model = copy.copy(self._ready().model)
            model.add_items(_frame(rows, list(model.fitted.relations.item_columns)))
            if self._options.save_added:
                model.save(self.run / folders.NEXT)
                self._promote()
            self._served = Served(model, Catalogue(model.fitted), self._ready().generation)
            return self._served
        finally:
            self._changing.release()

    def _ready(self) -> Served:
        assert self._served is not None, "requests are let in once the model is ready"
        return self._served

    def _read(self, folder: Path, generation: int) -> Served:
        if not folder.exists():
            raise CheckpointError(f"{self.run} holds no finished model. Give a folder that `attrformer train` wrote.")
        model = Recommender.load(folder, device=self._options.device)
        served = Served(model, Catalogue(model.fitted), generation)
        _warm_up(served)
        return served

    def _promote(self) -> None:
        try:
            folders.promote(self.run)
        except OSError as error:
            raise CheckpointError(
                f"The new model cannot be moved into {self.run} ({error.strerror or error}). "
                "Let the service write there."
            ) from error

    def _answer_joint(self, served: Served, joint: Joint) -> list[Answer]:
        call, started = joint.call, time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            frame = to_polars(getattr(served.model, call.method)(**call.arguments))
        groups = grouped(call.column, frame.iter_rows(named=True))
        asked_for = call.arguments.get("on_unknown") == "warn"
        words = tuple(str(w.message) for w in caught if issubclass(w.category, UserWarning)) if asked_for else ()
        title, together = served.catalogue.title, len(joint.shares)
        answers = [
            Answer(results(call, share, groups, title), served.generation, together, words) for share in joint.shares
        ]
        self._heard(call.method, together, time.perf_counter() - started)
        return answers


def _warm_up(served: Served) -> None:
    """Asks what requests will ask, since whatever is called first is slow."""
    items = served.catalogue.first(3)
    users = served.model.fitted.knowledge.user_ids.values.head(2).to_list()
    for method, arguments in (
        (RECOMMEND, {"histories": [items]}),
        (RECOMMEND, {"users": users}),
        (EXPLAIN, {"histories": [items, items[:1]], "k": 3}),
        (SIMILAR, {"items": items[:1]}),
    ):
        try:
            getattr(served.model, method)(**arguments)
        except AttrFormerError:
            # A model may refuse one of these, as it would refuse the request.
            continue


def _frame(rows: list[dict[str, Any]], attributes: list[str]) -> Any:
    """Items as a table with a column for each attribute of the model, empty where nothing was said.

    Raises:
        ConfigurationError: an attribute that the model does not read, or values of several types.
    """
    import polars as pl

    wrong = [name for row in rows for name in row if name not in (ITEM, TITLE, *attributes)]
    if wrong:
        known = ", ".join(attributes) or "none"
        raise ConfigurationError(f"'{wrong[0]}' is no item attribute of this model. It has: {known}.")
    titled = [TITLE] if any(TITLE in row for row in rows) else []
    try:
        return pl.DataFrame({name: [row.get(name) for row in rows] for name in (ITEM, *titled, *attributes)})
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise ConfigurationError(
            "The values of an attribute are of several types. Give text, numbers or lists throughout."
        ) from error
