"""The dataset: ids, sequences, attributes and relations of one source of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrformer.data.attributes import AttributeKind
from attrformer.data.construct import dataset_of_given
from attrformer.data.date_order import DateOrder
from attrformer.data.folder import dataset_of_folder, folder_options, folder_tables
from attrformer.data.options import Duplicates, TableOptions
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.store import save_dataset
from attrformer.data.table_paths import TABLE_NAMES
from attrformer.data.text_tables import Decimal, Delimiter
from attrformer.data.vector_tables import Vectors
from attrformer.earlier_names import takes_earlier
from attrformer.paths import folder_path

if TYPE_CHECKING:
    from attrformer.data.check import CheckReport


_UNKNOWN: Final = ({"unknown": "on_unknown"}, {"error": "raise", "drop": "skip"})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(PlainDataset):
    """Everything that is known before a model sees it.

    Args:
        name: what the protocol line calls it.
        user_ids: external ids of the users, in the order of the rows of `sequences`.
        item_ids: external ids of the catalogue.
        sequences: one row for each user.
        item_attributes: by name, one row for each item.
        user_attributes: by name, one row for each user.
        item_relations: edge tables by relation name.
        item_titles: text shown for each item instead of its id, where the data have one.
        notes: sentences that say what was inferred and what was left out, for the user to read.
        frame_library: library of the tables it was made of, in which results come back ("polars", "pandas", "pyarrow").
        item_changes: attributes of items that change in time, by name; none of them is in `item_attributes`.
    """

    @classmethod
    @takes_earlier(*_UNKNOWN)
    def from_frames(
        cls,
        interactions: Any,
        items: Any = None,
        users: Any = None,
        item_relations: Any = None,
        item_changes: Any = None,
        *,
        name: str = "dataset",
        columns: Mapping[str, str] | None = None,
        kinds: Mapping[str, str | AttributeKind] | None = None,
        separators: Mapping[str, str] | None = None,
        vectors: Vectors | None = None,
        catalogue: Literal["interacted", "all"] = "interacted",
        on_unknown: Literal["raise", "skip"] = "skip",
        duplicates: Duplicates | None = None,
        date_order: DateOrder | None = None,
        delimiter: Delimiter | None = None,
        decimal: Decimal | None = None,
    ) -> Dataset:
        """A dataset from up to five tables: of any frame library, or paths of parquet, Arrow, csv, tsv or JSON lines.

        A table gives the same dataset in whatever library or file it comes. Index columns of frame libraries, and
        columns that are computed from the interactions by their name (`average_rating`, `sales_rank`), are not read.

        Args:
            interactions: `user_id`, `item_id`, optionally `timestamp` (row order counts without it); every other
                column of numbers or categories becomes a behaviour attribute.
            items: `item_id`, optionally `title`; every other column becomes an attribute.
            users: `user_id`; every other column becomes an attribute.
            item_relations: `source_item_id`, `target_item_id`, `relation`, optionally `weight` or `rank`.
            item_changes: `item_id`, `timestamp`, `column`, `value`: from that time on the item has that value in that
                column, until the next change (docs/changing-attributes.md).
            name: what protocol lines call the data.
            columns: canonical column name to the user's own; "items.item_id" is that of one table alone, and
                "properties.sku" a value within a column of mappings.
            kinds: attribute to "categorical", "multi", "numeric", "time", "vector", "text", "hierarchy", "weighted" or
                "location", where inference is not wanted; "ignore" leaves a column out. "items.age" and "users.age"
                tell two columns of one name apart, "interactions.price" is one of the interactions. A declared column
                is always read. Text declared "multi" is split at "|".
            separators: attribute to the text between its values, such as {"genres": ", "}; multi-valued by default.
            vectors: attribute, or table and attribute ("users.taste"), to a file or a mapping; see docs/tables.md.
            catalogue: "interacted": items that somebody acted on; "all": those of the items table as well.
            on_unknown: what becomes of a row about a user or item outside the data: "skip" leaves it out with a note,
                "raise" refuses it.
            duplicates: what becomes of rows of the interactions that repeat an earlier one in every column: "keep" (the
                default), "drop", or "count", which makes one interaction of them with a behaviour attribute `count`.
            date_order: what stands first in dates such as 05/11/2019, "day", "month" or "year"; None: the one that all
                values of a column allow, and an error where several do.
            delimiter: between the values of text files, "comma", "semicolon", "tab" or "pipe"; None: as each tells.
            decimal: before the fraction of numbers in text files, "point" or "comma"; None: as each column tells.

        Returns:
            The dataset; its `notes` say how every column was read, what was inferred and what was left out.

        Raises:
            DataError: a table cannot be used as it is; the message names the table, column and row.
            ConfigurationError: an option has an unknown value.
        """
        tables = dict(zip(TABLE_NAMES, (interactions, items, users, item_relations, item_changes), strict=True))
        options = TableOptions(
            columns or {},
            kinds or {},
            separators or {},
            catalogue,
            on_unknown,
            duplicates,
            date_order,
            delimiter,
            decimal,
        )
        return cls._of(dataset_of_given(tables, name=name, options=options, vectors=vectors))

    @classmethod
    @takes_earlier(*_UNKNOWN)
    def load(
        cls,
        folder: Path | str,
        *,
        name: str | None = None,
        columns: Mapping[str, str] | None = None,
        kinds: Mapping[str, str | AttributeKind] | None = None,
        separators: Mapping[str, str] | None = None,
        vectors: Vectors | None = None,
        catalogue: Literal["interacted", "all"] | None = None,
        on_unknown: Literal["raise", "skip"] = "skip",
        duplicates: Duplicates | None = None,
        date_order: DateOrder | None = None,
        delimiter: Delimiter | None = None,
        decimal: Decimal | None = None,
        encoding: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Dataset:
        """A dataset from a folder with `interactions` and, where there are any, the other tables of `from_frames`.

        Each is a parquet, Arrow, csv, tsv or JSON lines file, the text files also packed by gzip or zstd, or a folder
        of such files, in folders of partitions (`day=2026-01-31`) where they are partitioned; of several files of
        one table the parquet file is read. A `dataset.json`, which `save` writes, may hold "name", "columns",
        "kinds", "separators", "catalogue", "duplicates", "date_order", "delimiter", "decimal", "encoding",
        "headers" and "notes"; the arguments go before it.

        Args:
            folder: where the tables are.
            name: what protocol lines call the data; the folder's name by default.
            columns: canonical column name to the one in the files.
            kinds: attribute to its kind, as `from_frames` takes them.
            separators: attribute to the text between its values, as `from_frames` takes them.
            vectors: as `from_frames` takes them, beside those in `item_vectors` and `user_vectors`.
            catalogue: "interacted": items that somebody acted on; "all": those of the items table as well; None: as
                `dataset.json` says, else "interacted".
            on_unknown: as `from_frames` takes it.
            duplicates: as `from_frames` takes it; None: as `dataset.json` says, else "keep".
            date_order: as `from_frames` takes it; None: as `dataset.json` says.
            delimiter: as `date_order`.
            decimal: as `date_order`.
            encoding: of csv files; None: as `dataset.json` says, else UTF-8.
            headers: names of the columns of csv files that have no header, by table, such as
                {"interactions": "user_id,item_id,timestamp"}.

        Returns:
            The dataset; its `notes` say how every column was read, what was inferred and what was left out.

        Raises:
            DataError: there is no such folder, no table of interactions, or a table that cannot be used as it is.
            ConfigurationError: an option has an unknown value.
        """
        folder = folder_path(folder, "folder")
        options = folder_options(
            folder,
            columns=columns,
            kinds=kinds,
            separators=separators,
            catalogue=catalogue,
            on_unknown=on_unknown,
            duplicates=duplicates,
            date_order=date_order,
            delimiter=delimiter,
            decimal=decimal,
            encoding=encoding,
            headers=headers,
        )
        tables, notes = folder_tables(folder, options, vectors=vectors)
        return cls._of(dataset_of_folder(folder, tables, options, name=name, notes=notes))

    @classmethod
    def _of(cls, read: PlainDataset) -> Dataset:
        return cls(**{field.name: getattr(read, field.name) for field in fields(read)})

    def save(self, folder: Path | str) -> Path:
        """Writes the dataset as five parquet tables and a `dataset.json`, from which `load` makes an equal one.

        Args:
            folder: created where needed; files of the same names are replaced, all at once.

        Returns:
            The folder.

        Raises:
            BusyError: another process is writing there.
            WriteError: the folder cannot be written; what lay there is as it was.
        """
        return save_dataset(self, folder_path(folder, "folder"))

    def check(
        self,
        interactions: Any = None,
        items: Any = None,
        users: Any = None,
        item_relations: Any = None,
        item_changes: Any = None,
        *,
        shuffled: bool = False,
    ) -> CheckReport:
        """What these data will do to figures, as `attrformer check` says it; docs/check.md explains the findings.

        Args:
            interactions: the table that the dataset was made of, for findings about columns that it left out.
            items: the table of items that it was made of, for the same.
            users: the table of users that it was made of, for the same.
            item_relations: the table of edges between items that it was made of, for the same.
            item_changes: the table of changes of items that it was made of, for the same.
            shuffled: whether `shuffle_same_time` was applied.

        Returns:
            The report: what each column is used as, and findings, each with how grave it is and what to do.

        Raises:
            DataError: a table cannot be read.
        """
        # Here, so that programs which check nothing do not wait for the import of the checks.
        from attrformer.data.check import check_frames

        given = zip(TABLE_NAMES, (interactions, items, users, item_relations, item_changes), strict=True)
        return check_frames(self, dict(given), shuffled=shuffled)


dataset_from_frames = Dataset.from_frames
load_dataset = Dataset.load
