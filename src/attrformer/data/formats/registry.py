"""Every raw format by name."""

from __future__ import annotations

import re
from typing import Final

from attrformer.data.formats.amazon import Amazon2014
from attrformer.data.formats.amazon_lines import Amazon2018, Amazon2023
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.movielens import MovieLens1M, MovieLens10M, MovieLens25M, MovieLens100K
from attrformer.data.formats.recbole import RecBole
from attrformer.data.formats.retailrocket import RetailRocket
from attrformer.data.formats.s3rec import S3Rec
from attrformer.data.formats.sources import Source
from attrformer.errors import ConfigurationError, DataError

_BUILT_IN: Final[dict[str, RawFormat]] = {
    known.name: known
    for known in (
        MovieLens100K(),
        MovieLens1M(),
        MovieLens10M(),
        MovieLens25M(),
        Amazon2014(),
        Amazon2018(),
        Amazon2023(),
        RetailRocket(),
        RecBole(),
        S3Rec(),
    )
}
_known: Final[dict[str, RawFormat]] = dict(_BUILT_IN)

SOURCES: Final[dict[str, Source]] = {source.name: source for known in _BUILT_IN.values() for source in known.sources}
"""The public data sets that can be fetched, by name."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_HOW: Final = "a format of your own is known once attrformer --plugins FILE names the file that registers it"


def register(format: RawFormat | type[RawFormat]) -> None:
    """Makes a format of one's own known under its name.

    From then on it is a format like any other: recognised by `detect`, `prepare` and `attrformer check`, listed by the
    help, and its data sets fetched by `attrformer download`. Registering the same class again replaces it, as running
    a notebook's cell again does.

    Args:
        format: a class derived from `RawFormat`, or an instance of one.

    Raises:
        ConfigurationError: it is no format, or its name or that of one of its data sets is taken or is none.
    """
    made: object = format() if isinstance(format, type) and issubclass(format, RawFormat) else format
    if not isinstance(made, RawFormat) or type(made).read is RawFormat.read:
        raise ConfigurationError(
            f"{format!r} is no raw format. Derive it from attrformer.data.formats.RawFormat and write `read`."
        )
    before = _known.get(made.name)
    _check_name("format", made.name, before is not None and not _is_again(made, before))
    signs: object = made.signs
    if not isinstance(signs, tuple):
        raise ConfigurationError(f"The format '{made}' has signs = {made.signs!r}. Give a tuple of patterns.")
    if made.variant_of is not None and made.variant_of not in _known:
        raise ConfigurationError(f"The format '{made}' is a variant of '{made.variant_of}', which is no format.")
    own = {source.name for source in (before.sources if before is not None else ())}
    for source in made.sources:
        _check_name("data set", source.name, source.name in SOURCES and source.name not in own)
    for name in own:
        SOURCES.pop(name, None)
    SOURCES.update({source.name: source for source in made.sources})
    _known[made.name] = made


def _check_name(what: str, name: object, taken: bool) -> None:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ConfigurationError(f"The {what} has the name '{name}'. Give it small letters, digits and hyphens.")
    if taken:
        raise ConfigurationError(f"The name '{name}' is that of another {what}. Give yours another one.")


def _is_again(made: RawFormat, before: RawFormat) -> bool:
    def key(known: RawFormat) -> tuple[str, str]:
        return type(known).__module__, type(known).__qualname__

    return made.name not in _BUILT_IN and key(made) == key(before)


def known_formats() -> tuple[RawFormat, ...]:
    """All formats, those of the library first."""
    return tuple(_known.values())


def is_own(format: RawFormat) -> bool:
    """Whether a format was registered from outside of the library."""
    return format.name not in _BUILT_IN


def find_format(format: RawFormat | str) -> RawFormat:
    """The format of a name; a format is itself.

    Raises:
        DataError: there is none of that name.
    """
    if isinstance(format, RawFormat):
        return format
    if format not in _known:
        raise DataError(f"there is no raw format '{format}'", fix=f"Use one of {', '.join(_known)}; {_HOW}")
    return _known[format]
