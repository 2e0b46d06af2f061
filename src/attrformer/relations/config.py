"""Options of the explicit relations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from attrformer import earlier_names
from attrformer.config import Options
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, require

LONG_HISTORIES: Final = 20
"""Mean training interactions of a user from which a wide window is used where the options leave it open."""

ADVICE: Final = (
    "A relation of your own is known once the file that registers it is named: attrformer --plugins FILE, or the "
    "environment variable ATTRFORMER_PLUGINS; in Python, once it is imported."
)


@dataclass(frozen=True)
class CooccurrenceConfig(Options):
    """One windowed, distance-decayed co-occurrence of items in the training sequences."""

    enabled: bool | None = field(
        default=True, metadata={"help": "whether this relation is used; null: where histories are long"}
    )
    window: int = field(default=10, metadata={"help": "largest distance between two interactions that count as a pair"})
    decay: float = field(
        default=0.8, metadata={"help": "weight of a pair falls by this factor for each step of distance"}
    )
    backward: float = field(
        default=0.5, metadata={"help": "weight of pairs read backward in time, relative to forward"}
    )
    alpha: float = field(
        default=0.3, metadata={"help": "C(i,j) / (deg(i)^(1-alpha) pop(j)^alpha): 0 keeps popular targets strong"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.window >= 1, "window", self.window, "1 or more")
        require(0 < self.decay <= 1, "decay", self.decay, "a number above 0, at most 1")
        require(self.backward >= 0, "backward", self.backward, "0 or more")
        require(0 <= self.alpha <= 1, "alpha", self.alpha, "a number from 0 to 1")


@dataclass(frozen=True)
class RelationOptions(Options):
    """Options of a relation that was registered from outside; derive yours from it, with a `name` of its own."""

    name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self) is RelationOptions:
            raise ConfigurationError(f"name is '{self.name}', which is no known relation. {ADVICE}")


@dataclass(frozen=True)
class RelationsConfig(Options):
    """Which explicit relations exist and how they are counted."""

    EARLIER_NAMES: ClassVar[Mapping[str, str]] = earlier_names.of_part("relations")

    folds: int = field(default=5, metadata={"help": "user folds of cross-fitting; 1 turns it off (ablation only)"})
    dense_items: int = field(
        default=6000, metadata={"help": "catalogues up to this size keep whole relation rows, larger ones the top k"}
    )
    top_k: int = field(default=128, metadata={"help": "entries kept for each relation row of a large catalogue"})
    cooccurrence_near: CooccurrenceConfig = field(
        default_factory=CooccurrenceConfig, metadata={"help": "items within a few interactions of each other"}
    )
    cooccurrence_wide: CooccurrenceConfig = field(
        default_factory=lambda: CooccurrenceConfig(enabled=None, window=50, decay=0.97, backward=1.0),
        metadata={"help": "items that are further apart in a history, either way"},
    )
    cooccurrence_next: CooccurrenceConfig = field(
        default_factory=lambda: CooccurrenceConfig(enabled=False, window=1, decay=1.0, backward=0.0),
        metadata={"help": "items that come right after an item"},
    )
    indirect: bool = field(default=False, metadata={"help": "items that `cooccurrence_near` reaches over one item"})
    item_attributes: tuple[str, ...] | None = field(
        default=None, metadata={"help": "item attributes that become relations; null: all"}
    )
    changing_attributes: tuple[str, ...] | None = field(
        default=None, metadata={"help": "item attributes that change in time that become relations; null: all"}
    )
    id_order: bool | None = field(
        default=False,
        metadata={
            "help": "the order of item ids as an item attribute, for ids that were given out as items were listed; "
            "null: AttrFormer reads it where users follow it. Refused where ids number items by first appearance in "
            "users' histories, since the number of a test item then says whose it is"
        },
    )
    user_attributes: tuple[str, ...] | None = field(
        default=None, metadata={"help": "user attributes that become relations; null: all"}
    )
    edges: tuple[str, ...] | None = field(
        default=(),
        metadata={
            "help": "edge tables that become relations; null: all. None by default, since a table that was published "
            "after the last interactions may know of the targets"
        },
    )
    behaviours: bool = field(default=True, metadata={"help": "relations of positions by time gap and rating"})
    behaviour_rows: tuple[str, ...] | None = field(
        default=None,
        metadata={
            "help": "categories of the interactions whose values each get a relation of what follows them; null: a "
            "column that is called event, behaviour or action and has 2 to 8 values"
        },
    )
    time_bucket: bool = field(
        default=True, metadata={"help": "what other users take at about the same time, where interactions have times"}
    )
    time_buckets: int = field(default=64, metadata={"help": "most time buckets that the whole time is cut into"})
    time_bucket_reach: float = field(
        default=0.85, metadata={"help": "how much each next time bucket counts beside the one before"}
    )
    repeat: bool = field(default=True, metadata={"help": "the relation of an item to itself: is it taken again"})
    similar_users: bool | None = field(
        default=None,
        metadata={
            "help": "position-to-position aggregation over similar training users; null: where histories are long"
        },
    )
    similar_users_count: int = field(
        default=64, metadata={"help": "similar users aggregated for each position; 0: none"}
    )
    similar_users_anchors: int = field(
        default=8, metadata={"help": "latest items of a context that a similar user may share, at most 24"}
    )
    similar_users_horizon: int = field(
        default=10, metadata={"help": "aligned positions read after the last shared item"}
    )
    similar_users_candidates: int = field(
        default=4096, metadata={"help": "most training users looked at for each anchor item, an even sample"}
    )
    buckets: int = field(default=20, metadata={"help": "buckets of a numeric attribute"})
    vector_dimensions: int = field(
        default=64, metadata={"help": "most dimensions of a vector attribute; wider ones keep the principal components"}
    )
    text_dimensions: int = field(
        default=64, metadata={"help": "most dimensions of the vectors that texts become, without text_encoders"}
    )
    text_encoders: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "item attributes whose texts a sentence-transformers model reads: the column to the model's folder"
        },
    )
    location_scale_km: float | None = field(
        default=None,
        metadata={
            "help": "kilometres at which the relation of two places has fallen to 1/e; null: the median distance to "
            "the tenth neighbour"
        },
    )
    max_values: int = field(
        default=4096, metadata={"help": "most values of one attribute, the commonest; rarer values relate to nothing"}
    )

    memory: float | None = field(
        default=None,
        metadata={
            "help": "gigabytes of memory that counting may take: larger arrays than an eighth of it lie in temporary "
            "files. The result does not depend on it; null: the memory of the machine or container"
        },
    )
    own: tuple[RelationOptions, ...] = field(
        default=(), metadata={"help": "relations that were registered from outside, each by its name and options"}
    )
    newness: bool = field(
        default=False,
        metadata={
            "help": "how new items are: their interactions so far and their age, fitted after training on the "
            "validation targets, where items are as new as they will be later; for a time split. Read by AttrFormer"
        },
    )
    newness_horizon: float = field(
        default=1.0,
        metadata={
            "help": "how long after the end of training the model is used, in times of how long after it the "
            "validation targets are on average. Items without interactions become more in proportion; 3 for the test "
            "window of a time split that is as long as the validation window"
        },
    )
    newness_cost: float = field(
        default=0.0,
        metadata={
            "help": "share of the validation NDCG@20 that is given up, at most, to show items without interactions "
            "more often than they are taken"
        },
    )

    predicted_rows: bool = field(
        default=False,
        metadata={
            "help": "co-occurrence and lifts of items without interactions are predicted from items with like "
            "attributes, after training and with each `add_items` and `update`. Read by AttrFormer; goes with newness"
        },
    )

    @property
    def windows(self) -> dict[str, CooccurrenceConfig]:
        """Options of each co-occurrence relation, by its name."""
        return {
            "cooccurrence_near": self.cooccurrence_near,
            "cooccurrence_wide": self.cooccurrence_wide,
            "cooccurrence_next": self.cooccurrence_next,
        }

    def kept_entries(self, items: int) -> int | None:
        """Entries kept of each row between items; None where the catalogue is small enough for whole rows.

        Args:
            items: size of the catalogue.
        """
        return None if items <= self.dense_items else min(self.top_k, items)

    @staticmethod
    def wanted(enabled: bool | None, train: Sequences) -> bool:
        """What an option says, or whether histories are long where it leaves that open.

        Args:
            enabled: what the option says.
            train: training interactions.
        """
        if enabled is not None:
            return enabled
        # In short histories a wide window sees the same pairs as a narrow one, at twice the cost, and what users with a
        # similar history did next is what co-occurrence says already (docs/lab-notes.md).
        return len(train.items) >= LONG_HISTORIES * max(len(train), 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.time_bucket_reach < 1, "time_bucket_reach", self.time_bucket_reach, "0 or more and below 1")
        require(self.newness_horizon > 0, "newness_horizon", self.newness_horizon, "a number above 0")
        require(0 <= self.newness_cost < 1, "newness_cost", self.newness_cost, "0 or more and below 1")
        least = {"dense_items": 0, "buckets": 2, "time_buckets": 2, "similar_users_count": 0}
        counts: tuple[str, ...] = ("folds", "dense_items", "top_k", "buckets", "max_values", "time_buckets")
        counts += ("vector_dimensions", "text_dimensions")
        for name in (*counts, *(f"similar_users_{part}" for part in ("count", "anchors", "horizon", "candidates"))):
            value, lowest = getattr(self, name), least.get(name, 1)
            require(value >= lowest, name, value, f"{lowest} or more")
        for name in ("memory", "location_scale_km"):
            size: float | None = getattr(self, name)
            require(size is None or 0 < size < math.inf, name, size, "a number above 0, or null")
        require(self.similar_users_anchors <= 24, "similar_users_anchors", self.similar_users_anchors, "1 to 24")
