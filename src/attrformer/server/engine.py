"""The model that a service answers with: reading it, trying it out, adding items to it, and changing it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from attrformer.errors import CheckpointError
from attrformer.recommender import Recommender
from attrformer.server import model_store as folders
from attrformer.server import versions
from attrformer.server.added import CHANGED_FILE, CHANGES, Added
from attrformer.server.answering import Answer, Served, answer_in_pieces, answer_together
from attrformer.server.calls import Call
from attrformer.server.carrying import carry, item_table
from attrformer.server.catalogue import Catalogue
from attrformer.server.changing import Changes, Full
from attrformer.server.options import ServeOptions
from attrformer.server.pricing import Prices
from attrformer.server.trial import require_answers


class ReloadRunning(Exception):
    """A new model is being read at this moment."""


class CatalogueFull(Full):
    """As many items have been added as may be."""


class Engine:
    """One run, or one folder of versions, and its model.

    Args:
        run: the run folder, or the folder of versions, to which nothing is written then.
        options: of the service.
        heard: is told of joint calls: the method, how many calls it answered, and its seconds.
        shared: items that several processes add to, who then see to it that one adds at a time and that none starts
            while another moves models; None where this one is alone.
        generation: of the first model.
        version: of the first model; the current one where None.
    """

    def __init__(
        self,
        run: Path,
        options: ServeOptions,
        heard: Callable[[str, int, float], None] = lambda *_: None,
        shared: Added | None = None,
        generation: int = 1,
        version: str | None = None,
    ) -> None:
        self.run, self._options, self._heard = run, options, heard
        self.prices = Prices()
        self.versioned = versions.is_versioned(run)
        self._alone, self._first, self._first_version = shared is None, generation, version
        self._added = Added(run) if shared is None else shared
        self._keeps = options.save_added or shared is not None
        posted = Added(self._added.run, CHANGED_FILE, CHANGES)
        self._changes = Changes(posted, self._keeps, options.changes_path, options.most_changed)
        self._served: Served | None = None
        self._changing = threading.Lock()
        self._adding = False

    @property
    def served(self) -> Served | None:
        """The model in use, None before the first one is ready."""
        return self._served

    def start(self, ready: Callable[[], None] = lambda: None) -> None:
        """Reads the model of the run and tries it out.

        Args:
            ready: is called before the model answers.

        Raises:
            CheckpointError: there is none, or it cannot be read.
            ConfigurationError: the device cannot be used.
        """
        with self._changing:
            if self._alone and not self.versioned:
                folders.recover(self.run)
            served = self._changes.onto(self._read(self._standing(self._first_version), self._first))
            ready()
            self._served = served

    def reload(self, wait: bool = False, follow: int | None = None, version: str | None = None) -> Served:
        """Reads `RUN/next`, or where there is none `RUN/model` anew, tries it out and answers with it from then on.

        Of a folder of versions it reads the current one.

        Calls are answered by the old model until the new one is ready. What is moved into its place is moved last, so
        that whatever ends the process before leaves the old model to the next start.

        Args:
            wait: for another change that is under way.
            follow: the number of the model that another process has put in its place; None where this one is first.
            version: that the other process has read; of a folder of versions only.

        Raises:
            ReloadRunning: another change is under way.
            CheckpointError: the new model cannot be used; the old one stays.
        """
        # Items that are being added take a moment, which is waited for.
        if not self._changing.acquire(blocking=wait or self._adding):
            raise ReloadRunning
        try:
            alone = follow is None and not self.versioned
            folder = folders.waiting(self.run) if alone else self._standing(version)
            generation = follow or (self._first if self._served is None else self._served.generation + 1)
            before = folders.state(folder)
            served = self._changes.onto(self._read(folder, generation))
            if folders.state(folder) != before:
                raise CheckpointError(f"{folder} was written to while it was read. Reload again when it is complete.")
            if alone and folder.name == folders.NEXT:
                self._promote()
            self._served = served
        except Exception:
            self._changes.forget()
            raise
        finally:
            self._changing.release()
        return served

    def price(self, call: Call) -> float:
        """Seconds that a call will take."""
        return self.prices.of(call, len(self._ready().catalogue))

    def answer(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        """Answers calls, as many as possible together; to be called by one thread at a time.

        Args:
            calls: what waits, oldest first.

        Returns:
            An answer or the error of each.
        """
        return answer_together(self._ready(), calls, self.prices, self._heard)

    def pieces(self, call: Call) -> Generator[None, None, Answer]:
        """Answers one call a piece at a time; by the same thread."""
        return answer_in_pieces(self._ready(), call, self.prices, self._heard)

    def add_items(self, rows: list[dict[str, Any]]) -> Served:
        """Adds items to the catalogue; calls are answered meanwhile by the model without them.

        Where they are to be kept, they are on the disk before this returns.

        Args:
            rows: item_id and attributes of each.

        Raises:
            ReloadRunning: a new model is being read, which would not know them.
            CatalogueFull: as many items have been added as may be.
            AttrFormerError: the items cannot be added; none is then.
        """
        return self._changed(lambda served: self._with_items(served, rows))

    def change_items(self, rows: list[dict[str, Any]], new_columns: bool) -> Served:
        """Takes up changes of items; they are on the disk before this returns where they are to be kept.

        Args:
            rows: item_id, timestamp, column and value of each.
            new_columns: whether columns that the model does not have may be among them.

        Raises:
            ReloadRunning: a new model is being read, which would not know them.
            ChangesFull: as many have been taken up as may be.
            AttrFormerError: they cannot be taken up; none is then.
        """
        return self._changed(lambda served: self._changes.with_rows(served, rows, new_columns))

    def follow(self) -> bool:
        """Takes up what has changed in the file that is followed; whether anything has.

        Raises:
            ReloadRunning: a new model is being read, which will know it.
            ConfigurationError: the file cannot be used as it is.
        """
        before = self._served
        return self._changed(self._changes.followed) is not before

    def _changed(self, change: Callable[[Served], Served]) -> Served:
        # Said before the lock is taken and until it is given back: a reload that finds it taken then waits.
        self._adding = True
        try:
            if not self._changing.acquire(blocking=False):
                raise ReloadRunning
            try:
                served = self._ready() if self._alone else self._caught_up(self._ready())
                self._served = change(served)
                return self._served
            finally:
                self._changing.release()
        finally:
            self._adding = False

    def _with_items(self, served: Served, rows: list[dict[str, Any]]) -> Served:
        left = self._options.most_added - served.added
        if len(rows) > left:
            raise CatalogueFull(self._options.most_added, max(0, left))
        # A copy, so that nothing has happened where anything fails.
        model = copy.copy(served.model)
        model.add_items(item_table(rows, list(model.fitted.relations.item_columns)))
        require_answers(model)
        grown = self._changes.of_added(replace(served, model=model, catalogue=Catalogue(model.fitted)), rows)
        return replace(grown, taken=self._added.append(rows) if self._keeps else 0)

    def catch_up(self) -> None:
        """Takes up the items that other processes have added; waits while a model is being read.

        Raises:
            CheckpointError: the file of added items is damaged.
        """
        with self._changing:
            if self._served is not None:
                self._served = self._caught_up(self._served)

    def _caught_up(self, served: Served) -> Served:
        rows, taken = self._added.since(served.taken)
        if rows:
            model = copy.copy(served.model)
            _, lost = carry(model, rows)
            grown = replace(
                served, model=model, catalogue=Catalogue(model.fitted), lost=served.lost + lost, taken=taken
            )
            served = self._changes.of_added(grown, [row for request in rows for row in request])
        return self._changes.caught_up(served)

    def _ready(self) -> Served:
        assert self._served is not None, "requests are let in once the model is ready"
        return self._served

    def _standing(self, version: str | None) -> Path:
        """The folder of the model that is to answer."""
        if not self.versioned:
            return self.run / folders.MODEL
        return versions.current(self.run) if version is None else self.run / version

    def _read(self, folder: Path, generation: int) -> Served:
        if not folder.exists():
            raise CheckpointError(f"{folder} holds no finished model. Give a folder that `attrformer train` wrote.")
        model = Recommender.load(folder, device=self._options.device)
        version = versions.version_of(folder)
        trained = len(model.fitted.knowledge.item_ids)
        require_answers(model)
        if not self._keeps:
            return Served(model, Catalogue(model.fitted), generation, version, trained, self._left_behind(model))
        rows, taken = self._added.since(0)
        carried, lost = carry(model, rows)
        if carried:
            require_answers(model)
        return Served(model, Catalogue(model.fitted), generation, version, trained, lost, taken)

    def _left_behind(self, model: Recommender) -> int:
        """Items that were added to the model in use and that another one does not know."""
        if self._served is None or not self._served.added:
            return 0
        added = self._served.model.fitted.knowledge.item_ids.values[self._served.trained :].cast(pl.String)
        known = model.fitted.knowledge.item_ids.values.cast(pl.String)
        return int((~added.is_in(known.implode())).sum())

    def _promote(self) -> None:
        try:
            folders.promote(self.run)
        except OSError as error:
            raise CheckpointError(
                f"The new model cannot be moved into {self.run} ({error.strerror or error}). "
                "Let the service write there."
            ) from error
