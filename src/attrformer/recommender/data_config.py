"""What becomes of a dataset before a model sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from attrformer.config import Options
from attrformer.data.dataset import Dataset
from attrformer.data.date_order import DateOrder
from attrformer.data.filters import core_filter
from attrformer.data.held_out import held_out_items
from attrformer.data.meaning import Condition, Meaning
from attrformer.data.meaning_options import with_meaning
from attrformer.data.options import TableOptions
from attrformer.data.same_time import shuffle_same_time
from attrformer.data.splits import Split, leave_one_out, time_split
from attrformer.data.text_tables import Decimal, Delimiter
from attrformer.errors import ConfigurationError, require


@dataclass(frozen=True)
class DataConfig(Options):
    """What becomes of a dataset before a model sees it.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """

    core: int | None = field(
        default=None, metadata={"help": "least interactions of every user and item (k-core filter); null: no filter"}
    )
    same_time: Literal["given", "shuffled"] = field(
        default="given",
        metadata={
            "help": "order of what one user did at the same time: as the data give it, or shuffled, to measure without "
            "whatever the order of the file tells"
        },
    )
    split: Literal["leave-one-out", "time", "held-out-items"] = field(
        default="leave-one-out", metadata={"help": "how training, validation and test are told apart"}
    )
    validation_from: float = field(
        default=0.8, metadata={"help": "time split: share of all interactions before the validation window"}
    )
    test_from: float = field(
        default=0.9, metadata={"help": "time split: share of all interactions before the test window"}
    )
    held_out: float = field(
        default=0.1,
        metadata={
            "help": "held-out-items: share of items that training never sees, half for validation, half for test"
        },
    )
    catalogue: Literal["interacted", "all"] | None = field(
        default=None,
        metadata={
            "help": "items of a dataset folder that can be recommended: those somebody acted on, or all of the items "
            "table; null: as the folder says"
        },
    )
    columns: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "columns of a dataset folder under other names: ours to the folder's own"},
    )
    kinds: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "declared kinds of attributes: categorical, multi, numeric, time, vector, text, hierarchy, "
            "weighted, location, or ignore to leave one out"
        },
    )
    separators: dict[str, str] = field(
        default_factory=dict, metadata={"help": "what stands between the values of a text attribute"}
    )
    vectors: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "files of vectors by attribute, beside those in item_vectors and user_vectors of the folder"},
    )
    duplicates: Literal["keep", "drop", "count"] | None = field(
        default=None,
        metadata={
            "help": "rows of interactions that repeat an earlier one in every column: kept, left out, or counted in a "
            "behaviour attribute; null: as the folder says, else kept"
        },
    )
    date_order: DateOrder | None = field(
        default=None,
        metadata={
            "help": "what stands first in dates such as 05/11/2019: day, month or year; null: the one that all values "
            "of a column allow"
        },
    )
    delimiter: Delimiter | None = field(
        default=None, metadata={"help": "what stands between the values of csv files; null: as each file tells"}
    )
    decimal: Decimal | None = field(
        default=None,
        metadata={"help": "what stands before the fraction of numbers in csv files; null: as each column tells"},
    )
    encoding: str | None = field(default=None, metadata={"help": "of csv files, such as latin-1; null: UTF-8"})
    headers: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "names of the columns of csv files without a header, by table, with commas between them"},
    )
    targets: str | None = field(
        default=None,
        metadata={
            "help": "interactions that are predicted, such as event=purchase; all are history. null: all are predicted"
        },
    )
    negative: str | None = field(
        default=None,
        metadata={
            "help": "interactions that count against their item, such as rating<=2 or event=return,skip; null: none do"
        },
    )
    weight: str | None = field(
        default=None,
        metadata={"help": "column of the interactions that says how much each counts; null: all count the same"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.core is not None and self.core < 1:
            raise ConfigurationError(f"core is {self.core}. Give 1 or more, or null for no filter.")
        if not 0.0 < self.validation_from < self.test_from < 1.0:
            raise ConfigurationError(
                f"validation_from is {self.validation_from} and test_from {self.test_from}. "
                "Give shares between 0 and 1, validation before test."
            )
        # Refuses what cannot be said of columns before any table is read.
        _ = self.tables
        require(0.0 < self.held_out < 1.0, "held_out", self.held_out, "a share between 0 and 1")
        for option in ("targets", "negative"):
            if getattr(self, option) is not None:
                Condition.parse(getattr(self, option), option)

    @property
    def tables(self) -> TableOptions:
        """How the tables of a folder are read, as far as these options say."""
        return TableOptions(
            self.columns,
            self.kinds,
            self.separators,
            date_order=self.date_order,
            delimiter=self.delimiter,
            decimal=self.decimal,
            encoding=self.encoding or "utf-8",
            headers=self.headers,
        )

    def load(self, folder: Path | str, *, name: str | None = None) -> Dataset:
        """The dataset in a folder, read as the options say.

        Args:
            folder: as `Dataset.load` takes it.
            name: what protocol lines call it; as the folder says by default.

        Raises:
            DataError: the folder cannot be used.
        """
        return Dataset.load(
            folder,
            name=name,
            columns=self.columns,
            kinds=self.kinds,
            separators=self.separators,
            vectors=self.vectors,
            catalogue=self.catalogue,
            duplicates=self.duplicates,
            date_order=self.date_order,
            delimiter=self.delimiter,
            decimal=self.decimal,
            encoding=self.encoding,
            headers=self.headers,
        )

    def filtered(self, dataset: Dataset) -> Dataset:
        """The dataset after the k-core filter, in the order asked for; one that was filtered already stays as it is.

        From here on its interactions know which are predicted, which count against an item, and what they weigh.

        Args:
            dataset: the data.

        Raises:
            DataError: nothing is left, there are no times to tell what happened at the same one, or a weight is not
                above 0.
            ConfigurationError: an option names a column or value that the interactions do not have.
        """
        dataset = with_meaning(dataset, self.targets, self.negative, self.weight)
        if self.core is not None:
            dataset = core_filter(dataset, self.core)
        return shuffle_same_time(dataset) if self.same_time == "shuffled" else dataset

    def split_of(self, dataset: Dataset) -> Split:
        """The split that the options ask for.

        Args:
            dataset: filtered as the options ask for.

        Raises:
            DataError: the data cannot be split so.
        """
        split = self._split_of(dataset)
        marks = ["same time shuffled"] if self.same_time == "shuffled" else []
        marks += [dataset.sequences.meaning.text] if dataset.sequences.meaning.text else []
        return replace(split, name=f"{split.name} ({'; '.join(marks)})") if marks else split

    def check_split(self, split: Split) -> None:
        """Refuses a split of a dataset whose interactions do not know what these options say of them.

        Args:
            split: made by the caller.

        Raises:
            ConfigurationError: it is one.
        """
        said = {"targets": self.targets, "negative": self.negative, "weight": self.weight}
        known = Meaning.from_json({option: value for option, value in said.items() if value is not None})
        if any(said.values()) and known != replace(split.train.meaning, values={}, date_orders={}):
            named = ", ".join(f"data.{option}" for option, value in said.items() if value is not None)
            raise ConfigurationError(
                f"{named} is set, and the split was made of data that do not know of it. Split "
                "config.data.filtered(dataset), or leave the split to the options."
            )

    def _split_of(self, dataset: Dataset) -> Split:
        if self.split == "time":
            return time_split(dataset, validation_from=self.validation_from, test_from=self.test_from)
        if self.split == "held-out-items":
            # Whatever the seed of the run, the same items are held out, so that runs can be compared.
            return held_out_items(dataset, self.held_out)
        return leave_one_out(dataset)
