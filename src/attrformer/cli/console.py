"""Where words go: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from attrformer.errors import KnownLaterWarning

if TYPE_CHECKING:
    from rich.console import Console

HINT: Final = "attrformer.hint"
"""Where a command leaves, in the `meta` of its context, what to do after an interrupt."""


_hushed = False


def hush() -> None:
    """Lets only errors be said from now on, where another process says the rest."""
    global _hushed
    _hushed = True
    warnings.simplefilter("ignore")


def error_console() -> Console:
    """The console on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """One red message on standard error, unbroken so that it can be searched for."""
    typer.secho(f"Error: {_written(message)}", fg=typer.colors.RED, err=True)


def say(message: str) -> None:
    """A message on standard error, so that standard output holds nothing but the result."""
    if not _hushed:
        typer.echo(_written(message), err=True)


def _written(message: str) -> str:
    """A message that can be written: what files hold may be halves of characters."""
    return message.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def notes() -> Iterator[None]:
    """What is said of data that may be known too late becomes notes on standard error, at once."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, KnownLaterWarning):
                say(f"Note: {message}")
            else:
                others(message, category, *place, **more)

        warnings.simplefilter("always", KnownLaterWarning)
        warnings.showwarning = tell
        yield


def show_all(renderables: Iterable[Any]) -> None:
    """Several of them, one below the other."""
    for renderable in renderables:
        show(renderable)


def show(renderable: Any) -> None:
    """A rich table or text on standard output; not squeezed where nobody's terminal limits it."""
    from rich.console import Console

    if _hushed:
        return
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False).print(renderable)


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Warnings become messages on standard error, without the place in the source."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                say(f"Warning: {warning.message}")
