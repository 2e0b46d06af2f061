"""What the surveys of all parts decide: the form of the times, the behaviour attributes, and who stands where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import COUNT, TIMESTAMP
from attrformer.csr import offsets_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.duplicates import COUNTED
from attrformer.data.interactions import TimeSpan, clashing_count
from attrformer.data.prepared.columns import Column, decide_column
from attrformer.data.prepared.reading import WholeTableError
from attrformer.data.prepared.survey import Survey
from attrformer.data.times import joined_form
from attrformer.errors import DataError


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided about all parts.

    Args:
        rows: of the table.
        names: every column but those that number the rows.
        times: what the times are; None where there are none.
        columns: behaviour attributes, in order.
        said: how the columns were read.
        starts: the first user of each range of users whose interactions are sorted together, and the number of users.
        duplicates: "keep", "drop" or "count"; None keeps, and the note names the option.
        same: whether a number for each row is needed to tell rows apart, since behaviour attributes do not.
    """

    rows: int
    names: tuple[str, ...]
    times: TimeSpan | None
    columns: tuple[Column, ...]
    said: tuple[str, ...]
    starts: tuple[int, ...] = ()
    duplicates: str | None = None
    same: bool = False


def plan_of(
    surveys: Sequence[Survey], source: str, kinds: Mapping[str, AttributeKind | None], duplicates: str | None
) -> Plan:
    """What the surveys decide; ranges of users come later.

    Args:
        surveys: of all parts, in order.
        source: the table, for errors.
        kinds: declared kinds by column; None for columns to be ignored.
        duplicates: as `TableOptions` has it.

    Raises:
        WholeTableError: parts have times of different forms.
        DataError: there are no rows, or a column cannot be used as it is declared.
    """
    held = [survey for survey in surveys if survey.rows]
    if not held:
        raise DataError("the table has no rows", fix="Give at least one interaction", source=source)
    columns, said = [], []
    for name in held[0].columns:
        column, note = decide_column(name, [survey.columns[name] for survey in held], source, kinds)
        columns += [] if column is None else [column]
        said.append(note)
    if duplicates == COUNTED and COUNT in held[0].names:
        raise clashing_count(source)
    rows = sum(survey.rows for survey in held)
    same = not all(survey.exact for survey in held)
    return Plan(rows, held[0].names, _span(held, source), tuple(columns), tuple(said), duplicates=duplicates, same=same)


def _span(surveys: Sequence[Survey], source: str) -> TimeSpan | None:
    whole, start = surveys[0].times, surveys[0].rows
    for survey in surveys[1:]:
        found = survey.times
        if whole is None or found is None:
            return None
        if joined_form(whole.form, found.form) is None or found.factor != whole.factor:
            raise WholeTableError(
                f"the times of rows 0 to {start - 1} are {whole.form}, and those of rows {start} to "
                f"{start + survey.rows - 1} are {found.form}",
                fix="Write all times in one form, or give enough memory to look at all of them at once",
                source=source,
                column=TIMESTAMP,
                row=start,
            )
        whole, start = whole.then(found), start + survey.rows
    return whole


def ranges_of(counts: NDArray[np.int64], rows: int) -> tuple[int, ...]:
    """Cuts users into ranges that have about equally many interactions.

    Args:
        counts: interactions of each user, int64 `[users]`.
        rows: interactions of a range, about; a user's are never divided.

    Returns:
        The first user of each range, and the number of users.
    """
    ends = offsets_of(counts)
    number = max(1, -(-int(ends[-1]) // rows))
    wanted = np.arange(1, number) * (int(ends[-1]) / number)
    inner = np.searchsorted(ends, wanted)
    return tuple(int(start) for start in np.unique([0, *inner, len(counts)]))
