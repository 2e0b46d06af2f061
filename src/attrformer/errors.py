"""Typed errors: each says what is wrong, where it stands, and what to do about it."""

from __future__ import annotations

from typing import Any


class AttrFormerError(Exception):
    """Base of every error that the library raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Its arguments are not those of the constructor, by which errors are copied to other processes otherwise.
        return _same_error, (type(self), self.args, self.__dict__)


def _same_error(kind: type[AttrFormerError], args: tuple[Any, ...], more: dict[str, Any]) -> AttrFormerError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(more)
    return error


class DataError(AttrFormerError):
    """A table or file that cannot be used as it is.

    Args:
        problem: what is wrong, in one sentence without a trailing full stop.
        fix: what the user can do, in one sentence without a trailing full stop.
        source: the file or table ("interactions", "items.parquet"), where known.
        column: the column, where one is to blame.
        row: the zero-based row, where one is to blame.
    """

    def __init__(
        self,
        problem: str,
        *,
        fix: str,
        source: str | None = None,
        column: str | None = None,
        row: int | None = None,
    ) -> None:
        self.problem, self.fix = problem, fix
        self.source, self.column, self.row = source, column, row
        where = [
            source,
            None if column is None else f"column '{column}'",
            None if row is None else f"row {row}",
        ]
        place = ", ".join(part for part in where if part)
        super().__init__(f"{place + ': ' if place else ''}{problem}. {fix}.")


class ConfigurationError(AttrFormerError):
    """An option that is unknown or has a value that cannot be used; the message names the option."""


class RuleError(ConfigurationError):
    """A condition on items that cannot be read, or that does not fit their attributes.

    Args:
        message: what is wrong, where, and what to do.
        at: the character that it is about, from 0 on.
    """

    def __init__(self, message: str, at: int) -> None:
        self.at = at
        super().__init__(message)


class NotFittedError(AttrFormerError):
    """A model that was asked for recommendations before `fit` or `load`."""


class UnknownIdError(AttrFormerError):
    """A user or item id that the model or dataset does not know."""


class DownloadError(AttrFormerError):
    """A file that could not be fetched or whose checksum is wrong."""


class CheckpointError(AttrFormerError):
    """A model or training folder that is incomplete, damaged or from another configuration."""


class ForkedProcessError(AttrFormerError):
    """A call in a process that was forked from one in which tables or models were used."""


class WorkerError(AttrFormerError):
    """Processes of a service that die again and again."""


class RankError(AttrFormerError):
    """A process of a training by several that has ended, or no longer answers.

    Args:
        message: which rank, and what to do.
        reports: whether this process is the one of those left that says so.
    """

    def __init__(self, message: str, *, reports: bool = True) -> None:
        self.reports = reports
        super().__init__(message)


class ClusterError(AttrFormerError):
    """A cluster that does not answer, whose nodes lack what is needed, or that loses a task again and again."""


class ShardError(AttrFormerError):
    """Shards that cannot be joined: one is missing, unfinished, damaged, there twice, or of another query.

    Args:
        message: what is wrong, where, and what to do.
        shards: numbers of the shards that it is about.
    """

    def __init__(self, message: str, shards: tuple[int, ...]) -> None:
        self.shards = shards
        super().__init__(message)


class AttrFormerWarning(UserWarning):
    """Base of the warnings that a program may want to tell apart from others."""


class KnownLaterWarning(AttrFormerWarning):
    """What is read may be known only after what is to be predicted, or is not read for that reason."""


class LeakWarning(AttrFormerWarning):
    """Figures on interactions that the model has counted already: they say nothing about what it can predict."""


class KnownInteractionsWarning(AttrFormerWarning):
    """Interactions given to `update` that the model has counted before.

    Args:
        count: how many are known.
        given: how many were given.
        message: what to say.
    """

    def __init__(self, count: int, given: int, message: str) -> None:
        self.count, self.given = count, given
        super().__init__(message)


class ShortListWarning(AttrFormerWarning):
    """Lists that rules leave shorter than was asked for.

    Args:
        notes: a sentence for each such list, of the first thousand.
        message: what to say.
    """

    def __init__(self, notes: tuple[str, ...], message: str) -> None:
        self.notes = notes
        super().__init__(message)


class UnknownValueWarning(AttrFormerWarning):
    """A rule names a value that no item has, as a misspelt one is."""


class WriteError(AttrFormerError, OSError):
    """A file or folder that cannot be written; what was there before is as it was."""


class BusyError(AttrFormerError):
    """A folder or file that another process, or another thread of this one, is writing."""


_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "out of memory", "bad_alloc", "can't start new thread")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or of a library says that there is no more memory."""
    told = not isinstance(error, AttrFormerError) and any(words in str(error).lower() for words in _NO_MEMORY)
    return told or isinstance(error, MemoryError)


def require(holds: bool, option: str, value: object, allowed: str) -> None:
    """Raises where an option has a value that cannot be used.

    Args:
        holds: whether the value can be used.
        option: its name within its part of the configuration.
        value: what was given.
        allowed: what can be given, such as "1 or more".

    Raises:
        ConfigurationError: where it does not hold.
    """
    if not holds:
        raise ConfigurationError(f"{option} is {value}. Give {allowed}.")
