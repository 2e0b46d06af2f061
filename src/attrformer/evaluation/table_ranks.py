"""Ranks of held-out targets in a table of recommendations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.data.frames import to_polars
from attrformer.data.id_map import IdMap
from attrformer.errors import DataError
from attrformer.evaluation.metrics import UNREACHABLE_RANK, Ranking

RANK: Final = "rank"
SCORE: Final = "score"
_KEY, _ROW, _PLACE = "key", "row", "place"
_RECOMMENDATIONS: Final = "recommendations"
_HELD_OUT: Final = "held_out"


@dataclass(frozen=True, eq=False)
class RankedTable:
    """What a table of recommendations says of the held-out targets.

    Args:
        targets: user_id and item_id.
        ranking: what metrics may look at.
        counts: how many rows or targets were special, by what they were.
    """

    targets: pl.DataFrame
    ranking: Ranking
    counts: dict[str, int]


def ranked_table(recommendations: Any, held_out: Any, train: Any, items: Any, length: int) -> RankedTable:
    """Finds every target in the list of its user; arguments and errors as for `evaluate_recommendations`.

    Args:
        recommendations: user_id, item_id and rank or score.
        held_out: user_id and item_id of every target.
        train: user_id and item_id of training interactions, or None.
        items: item_id of the catalogue, or None.
        length: of the lists that are kept.
    """
    targets = _ids_of(held_out, _HELD_OUT, (USER, ITEM))
    if targets.is_empty():
        raise DataError("there is no target", fix="Give at least one held-out interaction", source=_HELD_OUT)
    given = _keyed(recommendations)
    users = IdMap(targets[USER].unique(maintain_order=True))
    known = _catalogue(targets[ITEM], train, items)
    # What is recommended but unknown gets codes behind those of the catalogue, so that it can stand in a list.
    everything = IdMap(_union(targets[ITEM], given[ITEM], first=known))
    coded = given.select(
        pl.Series(USER, _encoded(users, given[USER], USER)),
        pl.Series(ITEM, everything.encode(given[ITEM])),
        pl.col(_KEY, _ROW),
    )
    size = len(everything) if known is None else len(known)
    asked = pl.DataFrame({USER: users.encode(targets[USER]), ITEM: everything.encode(targets[ITEM])})
    own = coded.filter(pl.col(USER) >= 0)
    values: dict[str, NDArray[Any] | None] = {
        "ranks": _ranks(asked, own, size, stated=RANK in given.columns),
        "items": asked[ITEM].to_numpy().astype(np.int64),
        "users": None if len(users) == len(targets) else asked[USER].to_numpy().astype(np.int64),
    }
    if known is not None:
        lists = _lists(own, len(users), length)[asked[USER].to_numpy()]
        values["lists"] = np.where(lists < size, lists, -1)
    if train is not None:
        codes = everything.encode(_ids_of(train, "train", (ITEM,))[ITEM])
        # Targets outside of the catalogue have codes behind it.
        values["popularity"] = np.bincount(codes[codes >= 0], minlength=len(everything)).astype(np.int64)
    return RankedTable(targets, Ranking(size, values), _counted(asked, coded, size))


def _ids_of(table: Any, source: str, columns: tuple[str, ...]) -> pl.DataFrame:
    frame = to_polars(table, source=source)
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"there is no column '{column}' among {', '.join(frame.columns)}",
                fix=f"Give {', '.join(columns)}",
                source=source,
                column=column,
            )
        missing = frame[column].is_null().arg_true()
        if len(missing):
            raise DataError(
                "the id is missing", fix="Give or leave out the row", source=source, column=column, row=missing[0]
            )
        if not (frame[column].dtype.is_integer() or frame[column].dtype in (pl.String, pl.Categorical, pl.Enum)):
            raise DataError(
                f"ids are {frame[column].dtype}", fix="Give text or whole numbers", source=source, column=column
            )
    return frame.select(columns).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def _keyed(recommendations: Any) -> pl.DataFrame:
    """The ids of recommendations, with a key that is less for better ones and the number of the row."""
    frame = to_polars(recommendations, source=_RECOMMENDATIONS)
    ids = _ids_of(frame, _RECOMMENDATIONS, (USER, ITEM))
    column = next((name for name in (RANK, SCORE) if name in frame.columns), None)
    if column is None:
        raise DataError(
            f"there is neither 'rank' nor 'score' among {', '.join(frame.columns)}",
            fix="Give the rank, counted from 1, or a score, higher for better items",
            source=_RECOMMENDATIONS,
        )
    values = frame[column]
    wrong, fix = (values.is_null() | values.cast(pl.Float64, strict=False).is_null()), "Give a number in every row"
    if values.dtype.is_float():
        wrong |= values.is_nan()
    if column == RANK and values.dtype.is_numeric():
        wrong |= (values < 1) | (values.cast(pl.Float64) % 1 != 0)
        fix = "Give whole numbers from 1"
    rows = wrong.fill_null(True).arg_true()
    if len(rows) or not values.dtype.is_numeric():
        row = rows[0] if len(rows) else 0
        raise DataError(f"{values[row]!r} is no {column}", fix=fix, source=_RECOMMENDATIONS, column=column, row=row)
    key = values.cast(pl.Float64) if column == RANK else -values.cast(pl.Float64)
    found = ids.with_columns(key.alias(_KEY)).with_row_index(_ROW)
    return found.with_columns(pl.lit(None).alias(RANK)) if column == RANK else found


def _catalogue(targets: pl.Series, train: Any, items: Any) -> pl.Series | None:
    """The distinct items that can be recommended; None where nothing says so."""
    if items is not None:
        return _union(_ids_of(items, "items", (ITEM,))[ITEM], like=targets)
    if train is not None:
        return _union(_ids_of(train, "train", (ITEM,))[ITEM], targets, like=targets)
    return None


def _union(*parts: pl.Series, first: pl.Series | None = None, like: pl.Series | None = None) -> pl.Series:
    """Distinct ids in the order in which they come, in the type of the first part or of `like`."""
    every = parts if first is None else (first, *parts)
    model = IdMap((every[0] if like is None else like).head(0))
    named = [model.in_own_type(part).alias(ITEM) for part in every]
    return pl.concat(named).drop_nulls().unique(maintain_order=True)


def _encoded(ids: IdMap, values: pl.Series, column: str) -> NDArray[np.int32]:
    codes = ids.encode(values)
    if len(codes) and (codes < 0).all():
        raise DataError(
            f"none of the ids is held out ({values[0]!r}, and there {ids.values[0]!r})",
            fix="Give both tables the same ids",
            source=_RECOMMENDATIONS,
            column=column,
        )
    return codes


def _ranks(asked: pl.DataFrame, own: pl.DataFrame, size: int, *, stated: bool) -> NDArray[np.int64]:
    """Rank of each target: other rows at least as good, plus one; never better than a rank that is stated."""
    placed = own.select(
        USER,
        ITEM,
        _KEY,
        (pl.col(_KEY).rank("max").over(USER) - pl.len().over(USER, ITEM, _KEY) + 1).cast(pl.Int64).alias(_PLACE),
    )
    best = placed.group_by(USER, ITEM).agg(pl.col(_PLACE, _KEY).sort_by(_KEY).first())
    found = asked.join(best, on=(USER, ITEM), how="left", maintain_order="left")
    place = pl.max_horizontal(_PLACE, pl.col(_KEY).cast(pl.Int64)) if stated else pl.col(_PLACE)
    # What is recommended without being in the catalogue is no hit.
    reached = pl.when((pl.col(ITEM) >= 0) & (pl.col(ITEM) < size)).then(place)
    ranks = found.select(reached.fill_null(UNREACHABLE_RANK).alias(RANK))[RANK]
    return ranks.to_numpy().astype(np.int64)


def _lists(own: pl.DataFrame, users: int, length: int) -> NDArray[np.int32]:
    """The best items of each user, `[users, length]`; equal ones in the order of the table."""
    ordered = own.sort(USER, _KEY, _ROW).with_columns(pl.int_range(pl.len()).over(USER).alias(_PLACE))
    kept = ordered.filter(pl.col(_PLACE) < length)
    lists = np.full((users, length), -1, dtype=np.int32)
    lists[kept[USER].to_numpy(), kept[_PLACE].to_numpy()] = kept[ITEM].to_numpy()
    return lists


def _counted(asked: pl.DataFrame, coded: pl.DataFrame, size: int) -> dict[str, int]:
    own = coded.filter(pl.col(USER) >= 0)
    without = asked.join(own, on=USER, how="anti")
    tied = own.filter(pl.col(_KEY).is_duplicated().over(USER)) if len(own) else own
    found = {
        "targets without any recommendation": len(without),
        "targets outside of the catalogue": int(((asked[ITEM] < 0) | (asked[ITEM] >= size)).sum()),
        "rows of users without a target": len(coded) - len(own),
        "rows that repeat an item": len(own) - own.select(USER, ITEM).n_unique(),
        "rows with an equal score or rank": len(tied),
        "rows of items outside of the catalogue": int(((own[ITEM] < 0) | (own[ITEM] >= size)).sum()),
    }
    return {what: count for what, count in found.items() if count}
