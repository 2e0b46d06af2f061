"""How tables are to be read: what a user can say about columns, values and rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from attrformer.columns import ITEM, TIMESTAMP, TITLE, USER
from attrformer.data.attributes import AttributeKind
from attrformer.data.date_order import DATE_ORDERS
from attrformer.data.table_paths import TABLE_NAMES
from attrformer.data.text_tables import DECIMALS, DELIMITERS, TextForm
from attrformer.errors import ConfigurationError, DataError

IGNORE: Final = "ignore"
"""Declared in place of a kind: the column is not read."""

INTERACTIONS: Final = "interactions"
CHANGES: Final = "item_changes"
OWNERS: Final = ("items", "users", INTERACTIONS, CHANGES)
"""Tables whose columns can be declared."""

_EXAMPLES: Final = {
    "columns": "{'user_id': 'customer'}",
    "kinds": "{'year': 'numeric'}",
    "separators": "{'genres': ', '}",
    "headers": "{'interactions': 'user_id,item_id,timestamp'}",
}
_ROLES: Final = {"items": (ITEM, TITLE), "users": (USER,), INTERACTIONS: (USER, ITEM, TIMESTAMP), CHANGES: ()}

_SEPARABLE: Final = (
    AttributeKind.MULTI,
    AttributeKind.HIERARCHY,
    AttributeKind.WEIGHTED,
    AttributeKind.VECTOR,
    AttributeKind.LOCATION,
)


def columns_for(columns: Mapping[str, str], table: str) -> dict[str, str]:
    """The user's names of the columns of one table: what is said of it alone, "items.item_id", goes before the rest.

    Args:
        columns: canonical column name, or table and name, to the user's own.
        table: one of `TABLE_NAMES`.
    """
    own = {name.partition(".")[2]: theirs for name, theirs in columns.items() if owner_of(name) == table}
    every = {name: theirs for name, theirs in columns.items() if owner_of(name) is None}
    # A column that this table is told to call otherwise has one name.
    return {**{name: theirs for name, theirs in every.items() if theirs not in own.values()}, **own}


def owner_of(name: str) -> str | None:
    """The table that a name says to be about, "items.item_id"; None where it is about all of them."""
    owner, dot, column = name.partition(".")
    return owner if dot and column and owner in TABLE_NAMES else None


Duplicates = Literal["keep", "drop", "count"]
ColumnsOf = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What the arguments of `Dataset.from_frames` and `Dataset.load` say.

    Args:
        columns: canonical column name, or table and name ("items.item_id"), to the user's own; "lat,lon" makes a
            location of two columns, and "properties.sku" reads a value of a column of mappings.
        kinds: declared kind by column, or by table and column ("items.age").
        separators: what stands between the values of a text column, by the same names.
        catalogue: "interacted" or "all".
        on_unknown: "skip" or "raise".
        duplicates: "keep", "drop" or "count"; None keeps, and the note names the option.
        date_order: what stands first in dates whose form leaves it open, "day", "month" or "year"; None: what all
            values of a column allow.
        delimiter: between the values of text files, "comma", "semicolon", "tab" or "pipe"; None: as the file tells.
        decimal: before the fraction of numbers in text files, "point" or "comma"; None: as a column tells.
        encoding: of text files.
        headers: names of the columns of text files that have no header, by table, with commas between them.

    Raises:
        ConfigurationError: an option has an unknown value.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str | AttributeKind] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    catalogue: str = "interacted"
    on_unknown: str = "skip"
    duplicates: str | None = None
    date_order: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in ("columns", "kinds", "separators", "headers"):
            _check_texts(option, getattr(self, option))
        for option, value, choices in (
            ("catalogue", self.catalogue, ("interacted", "all")),
            ("on_unknown", self.on_unknown, ("raise", "skip")),
            ("duplicates", self.duplicates, (None, "keep", "drop", "count")),
            ("date_order", self.date_order, (None, *DATE_ORDERS)),
            ("delimiter", self.delimiter, (None, *DELIMITERS)),
            ("decimal", self.decimal, (None, *DECIMALS)),
        ):
            if value not in choices:
                named = ", ".join(choice for choice in choices if choice)
                raise ConfigurationError(f"{option}='{value}' is not known. Use one of: {named}.")
        _check_owners(self.columns)
        unknown = next((name for name in self.headers if name not in TABLE_NAMES), None)
        if unknown is not None:
            raise ConfigurationError(f"headers['{unknown}'] is about no table. Use one of: {', '.join(TABLE_NAMES)}.")
        for key, kind in self.kinds.items():
            _kind(key, kind)
        for key, separator in self.separators.items():
            if not separator:
                raise ConfigurationError(f"separators['{key}'] is {separator!r}. Give the text between two values.")

    def form_of(self, table: str) -> TextForm:
        """What is known of the text files of a table, one of `TABLE_NAMES`."""
        kept = [
            key for key, kind in self.kinds.items() if kind not in (AttributeKind.NUMERIC, AttributeKind.NUMERIC.value)
        ]
        ours = {name for key in (*self.separators, *kept) for name in (key, key.partition(".")[2])}
        theirs = {
            self.columns[name]
            for name in {*ours, *(f"{table}.{name}" for table in OWNERS for name in ours)} & {*self.columns}
        }
        header = tuple(name.strip() for name in self.headers[table].split(",")) if table in self.headers else ()
        return TextForm(self.encoding, self.delimiter, self.decimal, frozenset(ours | theirs), header)

    @property
    def told(self) -> dict[str, Any]:
        """What is said of the forms of dates and text files, by option."""
        said = {"date_order": self.date_order, "delimiter": self.delimiter, "decimal": self.decimal}
        said["encoding"] = None if self.encoding == "utf-8" else self.encoding
        plain: dict[str, Any] = {option: value for option, value in said.items() if value is not None}
        return plain | ({"headers": dict(self.headers)} if self.headers else {})

    def declared(self, table: str, present: ColumnsOf) -> dict[str, AttributeKind | None]:
        """Declared kinds of one table's columns; None for a column that is to be ignored.

        Args:
            table: its name, one of `OWNERS`.
            present: the columns of every table that is there.

        Raises:
            DataError: a kind is declared for a column that is not there.
            ConfigurationError: a column of the interactions is declared to be neither a number nor a category.
        """
        found: dict[str, AttributeKind | None] = {
            ours: AttributeKind.LOCATION
            for ours, theirs in columns_for(self.columns, table).items()
            if "," in theirs and table != INTERACTIONS and ours in present.get(table, ())
        }
        for key, column in _columns(self.kinds, "kinds", table, present):
            found[column] = _kind(key, self.kinds[key])
            if table == INTERACTIONS and found[column] not in (AttributeKind.NUMERIC, AttributeKind.CATEGORICAL, None):
                raise ConfigurationError(
                    f"kinds['{key}'] is '{self.kinds[key]}', and a behaviour attribute is a number or a category. "
                    f"Use 'numeric', 'categorical' or '{IGNORE}'."
                )
        return found

    def separated(self, table: str, present: ColumnsOf) -> dict[str, str]:
        """Separators of one table's columns; arguments as `declared`.

        Raises:
            DataError: a separator is given for a column that is not there.
            ConfigurationError: the column is declared to be of a kind whose texts are not split.
        """
        owners = {name: columns for name, columns in present.items() if name not in (INTERACTIONS, CHANGES)}
        kinds = self.declared(table, present)
        found = {}
        for key, column in _columns(self.separators, "separators", table, owners):
            if kinds.get(column, AttributeKind.MULTI) not in _SEPARABLE:
                raise ConfigurationError(
                    f"separators['{key}'] is given, and kinds declares the column to be something else than "
                    f"{', '.join(repr(kind.value) for kind in _SEPARABLE)}. Leave one of the two out."
                )
            found[column] = self.separators[key]
        return found


def _check_texts(option: str, given: object) -> None:
    """Refuses what does not say a text for each column.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{option} is {given!r}. Give a mapping such as {_EXAMPLES[option]}.")
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ConfigurationError(f"{option}[{key!r}] is {value!r}. Give texts, such as {_EXAMPLES[option]}.")


def _check_owners(columns: Mapping[str, str]) -> None:
    """Refuses "item.item_id", which would be the name of a column that nothing reads.

    Raises:
        ConfigurationError: what stands before one of the library's names is no table.
    """
    for name in columns:
        owner, _, column = name.rpartition(".")
        if owner and column in (USER, ITEM, TIMESTAMP, TITLE) and owner not in TABLE_NAMES:
            raise ConfigurationError(
                f"columns['{name}'] is about '{owner}', which is no table. Write one of {', '.join(TABLE_NAMES)}."
            )


def _kind(key: str, value: str | AttributeKind) -> AttributeKind | None:
    if value == IGNORE:
        return None
    try:
        return AttributeKind(value)
    except ValueError as error:
        choices = ", ".join([*(choice.value for choice in AttributeKind), IGNORE])
        raise ConfigurationError(f"kinds['{key}']='{value}' is not known. Use one of: {choices}.") from error


def _columns(keys: Mapping[str, object], option: str, table: str, present: ColumnsOf) -> list[tuple[str, str]]:
    """The keys that are about columns of one table, and those columns."""
    found = []
    for key in keys:
        holders = _holders(key, present)
        if not holders:
            owner, dot, column = key.partition(".")
            what = "a kind is declared" if option == "kinds" else "a separator is given"
            raise DataError(
                f"{what} for '{key}', and no such column is there",
                fix=f"Correct the name in {option}=",
                source=owner if dot and owner in OWNERS else "items, users",
                column=column if dot and owner in OWNERS else key,
            )
        holders = {
            owner: column
            for owner, column in holders.items()
            if column not in _ROLES[owner]
            or (column == TITLE and option == "kinds" and keys[key] == AttributeKind.TEXT)
        }
        if not holders:
            raise ConfigurationError(
                f"{option}['{key}'] is about a column that has a role of its own. Leave it out of {option}=, "
                "or give the column another name to have it read as an attribute."
            )
        if table in holders:
            found.append((key, holders[table]))
    return found


def _holders(key: str, present: ColumnsOf) -> dict[str, str]:
    """The column that a key names in each table that has it; interactions only where neither items nor users do."""
    plain = {owner: key for owner in OWNERS if key in present.get(owner, ())}
    if plain:
        described = {owner: column for owner, column in plain.items() if owner != INTERACTIONS}
        return described or plain
    owner, dot, column = key.partition(".")
    return {owner: column} if dot and owner in OWNERS and column in present.get(owner, ()) else {}
