"""What a figure means: the protocol it was measured under."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from attrformer.errors import DataError

HIDDEN: Final = "hidden"
RANKED: Final = "ranked"
SEEN_VARIANTS: Final = (HIDDEN, RANKED)
SEEN_RULE: Final = (
    "hidden: items of the context are left out of the ranking, so that a target among them is a miss; "
    "ranked: every item of the catalogue is ranked"
)
TIE_RULE: Final = "against the model"
LIST_TIE_RULE: Final = "in the order of the catalogue"
"""For lists that rules reorder."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The conditions of an evaluation, printed beside every figure.

    Args:
        dataset: name of the dataset.
        users: distinct users that were evaluated.
        targets: interactions to be predicted; more than `users` where some users have several.
        items: items ranked for each target, the whole catalogue.
        split: name of the split ("leave-one-out", "time").
        part: which targets ("validation", "test").
        seed: of the bootstrap.
        confidence: level of the intervals, between 0 and 1.
        resamples: bootstrap resamples.
        seen: what the two variants of seen items mean.
        ties: how equal scores are counted.
        selection: how settings were chosen, where that is known.
        repeated_share: share of targets whose context holds their item already; None where stored before this was
            kept.
        later_share: share of the training interactions that are later than a target, the mean over targets: relations
            and popularity count them as well. None where times are not known.
        leak: what the model had counted of what it was to predict, a sentence; empty where nothing of it.
        rules: of a shop that the lists were made by, and when they read attributes; empty where there were none.
        forbidden: targets whose item the rules did not allow.
    """

    dataset: str
    users: int
    targets: int
    items: int
    split: str
    part: str
    seed: int = 0
    confidence: float = 0.95
    resamples: int = 1000
    seen: str = SEEN_RULE
    ties: str = TIE_RULE
    selection: str = ""
    repeated_share: float | None = None
    later_share: float | None = None
    leak: str = ""
    rules: str = ""
    forbidden: int = 0

    def line(self, seen: str | None = None) -> str:
        """One line for people.

        Args:
            seen: "hidden" or "ranked" where the figures beside it are of one variant; None for both.
        """
        who = f"{self.users:,} users"
        if self.targets != self.users:
            who = f"{self.targets:,} targets of {who}"
        parts = [
            f"LEAK: {self.leak}" if self.leak else "",
            self.dataset,
            who,
            f"all {self.items:,} items ranked",
            f"{self.split} {self.part}",
            f"seen={seen}" if seen else "seen=hidden and seen=ranked",
            self._repeated(),
            self._counted(),
            self._ruled(),
            f"ties {self.ties}",
            f"seed {self.seed}",
            f"{100 * self.confidence:g} % bootstrap interval, {self.resamples:,} resamples",
            self.selection,
        ]
        return " | ".join(part for part in parts if part)

    def _repeated(self) -> str:
        if self.repeated_share is None:
            return ""
        if self.repeated_share == 0:
            return "no repeated targets"
        return f"{percent(self.repeated_share)} of targets repeat an item of their history (a miss with seen=hidden)"

    def _counted(self) -> str:
        if not self.later_share:
            return ""
        return (
            "relations and popularity count all training interactions, "
            f"{percent(self.later_share)} of them later than the target on average"
        )

    def _ruled(self) -> str:
        if not self.rules:
            return ""
        share = percent(self.forbidden / self.targets) if self.targets else "0.0 %"
        return f"under rules: {self.rules}; they forbid {self.forbidden:,} targets ({share}), which are misses"

    def to_json(self) -> dict[str, Any]:
        """Every field by name, ready for JSON; those about rules where there are any."""
        fields = asdict(self)
        return fields if self.rules else {name: fields[name] for name in fields if name not in ("rules", "forbidden")}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Protocol:
        """The inverse of `to_json`.

        Raises:
            DataError: a field is missing or unknown.
        """
        try:
            return cls(**fields)
        except TypeError as error:
            raise DataError(f"not a protocol ({error})", fix="Evaluate again with this version") from None


def percent(share: float) -> str:
    """A share in per cent with one decimal; one that is not 0 or 1 never reads as if it were.

    Args:
        share: between 0 and 1.
    """
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    if 0.9995 <= share < 1:
        return "more than 99.9 %"
    return f"{100 * share:.1f} %"
