"""Explanations for people to read: as text, and as a drawing of bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jinja2
import polars as pl

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, RANK, REASON, SCORE, TITLE, USER
from attrformer.data.frames import to_polars
from attrformer.report.scale import Scale, shorten

MOST: Final = 6
"""Parts of a score that are shown one by one, the strongest; the others are added up."""

_BAR: Final = 12
_NAME: Final = 17
_WIDTH, _ZERO_ROOM, _BAR_LEFT, _BAR_RIGHT = 960, 8.0, 150.0, 360.0
_ROW, _HEAD, _GAP = 20.0, 26.0, 12.0
_LETTERS: Final = 78


@dataclass(frozen=True, slots=True)
class Share:
    """What one component adds to a score, and why."""

    component: str
    value: float
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One recommended item of one user with the components of its score, the strongest first; they sum to the score."""

    user: str
    item: str
    title: str
    rank: int
    score: float
    shares: tuple[Share, ...]


def explanation_text(explained: Any, titles: Any = None, *, most: int = MOST) -> str:
    """What `Recommender.explain` gives, as text to read.

    Args:
        explained: its table, of any frame library.
        titles: a table with `item_id` and `title`, such as the items table; ids are shown where None.
        most: components of a score that are shown one by one.
    """
    lines: list[str] = []
    user = None
    for answer in answers_of(explained, titles, most):
        if answer.user != user:
            lines += ["", answer.user] if lines else [answer.user]
            user = answer.user
        named = answer.title if answer.title == answer.item else f"{answer.title} ({answer.item})"
        lines.append(f"{answer.rank:>3}. {named}, score {answer.score:.2f}")
        largest = max((abs(share.value) for share in answer.shares), default=0.0) or 1.0
        for share in answer.shares:
            bar = "█" * round(_BAR * abs(share.value) / largest)
            lines.append(f"     {share.value:+7.2f} {bar:<{_BAR}} {share.component:<{_NAME}} {share.reason}".rstrip())
    return "\n".join(lines) + "\n" if lines else ""


def explanation_drawing(explained: Any, titles: Any = None, *, most: int = MOST) -> str:
    """What `Recommender.explain` gives, as an SVG of bars that follows the reader's light or dark theme.

    Args:
        explained: its table, of any frame library.
        titles: a table with `item_id` and `title`, such as the items table; ids are shown where None.
        most: components of a score that are shown one by one.
    """
    answers = list(answers_of(explained, titles, most))
    values = [share.value for answer in answers for share in answer.shares]
    across = Scale(min([0.0, *values]), max([1e-9, *values]), _BAR_LEFT + _ZERO_ROOM, _BAR_RIGHT)
    rows, top = [], 8.0
    for answer in answers:
        bars = [_bar(share, top + _HEAD + _ROW * place, across) for place, share in enumerate(answer.shares)]
        heading = f"{answer.user}: {answer.rank}. {answer.title}, score {answer.score:.2f}"
        bottom = round(top + _HEAD + _ROW * len(bars), 1)
        rows.append(
            {"heading": heading, "line": round(top + 16, 1), "top": top + _HEAD, "bottom": bottom, "bars": bars}
        )
        top = bottom + _GAP
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("attrformer.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("explanation.svg.j2").render(
        width=_WIDTH,
        height=int(top + 4),
        zero=across(0.0),
        label=_BAR_LEFT - 6,
        reason=_BAR_RIGHT + 52,
        answers=rows,
        description=" ".join(f"{row['heading']}." for row in rows) or "No recommendations.",
    )


def answers_of(explained: Any, titles: Any, most: int) -> Iterator[Answer]:
    """The answers in a table of components, in its order.

    Args:
        explained: what `Recommender.explain` gives.
        titles: a table with `item_id` and `title`, or None.
        most: components that stay single; the others become one share, so that the sum stays.
    """
    frame = to_polars(explained, source="explained").with_columns(pl.col(ITEM).alias(TITLE))
    if titles is not None:
        named = to_polars(titles, source="titles").select(pl.col(ITEM).cast(frame[ITEM].dtype), pl.col(TITLE))
        frame = frame.drop(TITLE).join(named, on=ITEM, how="left", maintain_order="left")
        frame = frame.with_columns(pl.col(TITLE).fill_null(pl.col(ITEM).cast(pl.String)))
    keys = (USER, ITEM, TITLE, RANK, SCORE)
    # A user who was named twice has two equal answers, which differ by the run of rows that they stand in.
    runs = frame.with_columns(pl.struct(USER, ITEM).rle_id().alias("run"))
    for key, components in runs.group_by("run", *keys, maintain_order=True):
        _, user, item, title, rank, score = key
        shares = _shares(list(components.select(COMPONENT, CONTRIBUTION, REASON).iter_rows()), most)
        yield Answer(str(user), str(item), str(title), int(str(rank)), float(str(score)), tuple(shares))


def _shares(components: list[tuple[str, float, str | None]], most: int) -> Iterator[Share]:
    told = [each for each in components if each[1] != 0.0]
    told.sort(key=lambda each: -abs(each[1]))
    rest = told[most:] if len(told) > most + 1 else []
    for name, value, reason in told[: len(told) - len(rest)]:
        yield Share(name.replace("_", " "), value, reason or "")
    if rest:
        yield Share(f"{len(rest)} others", sum(value for _, value, _ in rest), "")


def _bar(share: Share, top: float, across: Scale) -> dict[str, Any]:
    start, stop = sorted((across(0.0), across(share.value)))
    return {
        "component": shorten(share.component, 20),
        "y": round(top + 3, 1),
        "line": round(top + 14, 1),
        "start": start,
        "width": round(max(stop - start, 1.0), 1),
        "stop": round(stop + 5, 1),
        "kind": "against" if share.value < 0 else "for",
        "value": f"{share.value:+.2f}",
        "reason": shorten(share.reason, _LETTERS),
        "text": f"{share.component} {share.value:+.2f}{': ' if share.reason else ''}{share.reason}",
    }
