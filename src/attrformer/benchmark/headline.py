"""The headline: the model of this project beside the strongest others, under one protocol for all data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrformer.benchmark.results import Board, Result
from attrformer.benchmark.wording import markdown, with_caption
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import SEEN_VARIANTS

NETWORKS: Final = 3
"""Networks beside the model of this project; those that validation prefers."""

COUNTED: Final = ("cooccurrence_attributes", "popularity")
"""Rows of models without training that every headline shows."""

RECALL: Final = "Recall@20"

GROUPS: Final = {
    "each user's last target": ("last_target", "last of the user"),
    "items known to training": ("new_items", "known items"),
    "new items": ("new_items", "new items"),
    "users known to training": ("new_users", "known users"),
    "new users": ("new_users", "new users"),
}
"""Groups of targets that are seen apart: title, kind and label as evaluations give them."""


def headline(board: Board, datasets: Mapping[str, str]) -> str:
    """One table for all data sets, AttrFormer without the order of ids in it.

    Args:
        board: all results.
        datasets: name of each data set by its title.

    Returns:
        Markdown with the circumstances below it; for each data set the model of this project, the networks that
        validation prefers, and the models without training.
    """
    chosen = [(title, row) for title, name in datasets.items() for row in headline_rows(board, name)]
    header = ("data", "model", *(f"{HEADLINE} `seen={seen}`" for seen in SEEN_VARIANTS), f"{RECALL}, hidden / ranked")
    rows = [
        (
            title,
            f"**{row.title}**" if row.group == "ours" else row.title,
            *(str(row.figure(HEADLINE, seen)) for seen in SEEN_VARIANTS),
            " / ".join(f"{row.figure(RECALL, seen).value:.4f}" for seen in SEEN_VARIANTS),
        )
        for title, row in chosen
    ]
    return with_caption(header, rows, [row for _, row in chosen])


def headline_rows(board: Board, dataset: str) -> list[Result]:
    """The rows of a headline on one data set, in their order.

    A row that reads the order of ids, or learns newness on the interactions of validation, is never among them.

    Args:
        board: all results.
        dataset: its name.
    """
    honest = [row for row in board.on(dataset) if not reads_id_order(row) and not reads_newness(row)]
    own = max((row for row in honest if row.group == "ours"), key=lambda row: row.selected, default=None)
    counted = [row for name in COUNTED for row in honest if row.row == name]
    networks = [row for row in honest if row.group != "ours" and row.cost("parameters") > 0]
    networks.sort(key=lambda row: -row.selected)
    return [*([] if own is None else [own]), *networks[:NETWORKS], *counted]


def groups(board: Board, dataset: str) -> str:
    """The rows of the headline, and those with newness, for targets to be seen apart: last ones, new items, new users.

    Args:
        board: all results.
        dataset: its name.

    Returns:
        Markdown; a cell has NDCG@20 with seen items hidden and ranked. The header says how many targets there are.
    """
    apart = [row for row in board.on(dataset) if reads_newness(row)]
    rows = [row for row in (*headline_rows(board, dataset), *apart) if _groups_of(row)]
    shown = {title: key for title, key in GROUPS.items() if any(_figures(row, key) for row in rows)}
    if not shown:
        return ""
    counts = {
        title: next(found["targets"] for row in rows if (found := _figures(row, key))) for title, key in shown.items()
    }
    header = ("model", *(f"{title} ({counts[title]:,})" for title in shown))
    return markdown(header, [(row.title, *(_cell(_figures(row, key)) for key in shown.values())) for row in rows])


def reads_id_order(row: Result) -> bool:
    """Whether a row reads the order of item ids, which may tell what was taken later."""
    return bool(row.line["configuration"]["relations"].get("id_order"))


def reads_newness(row: Result) -> bool:
    """Whether a row has learned on the interactions of validation how new items are."""
    return bool(row.line["configuration"]["relations"].get("newness"))


def _groups_of(row: Result) -> dict[str, Any]:
    found: dict[str, Any] = row.line["test"].get("groups", {})
    return found


def _figures(row: Result, key: Sequence[str]) -> dict[str, Any]:
    kind, label = key
    found: dict[str, Any] = _groups_of(row).get(kind, {}).get(label, {})
    return found


def _cell(found: Mapping[str, Any]) -> str:
    if not found:
        return "-"
    return " / ".join(f"{found[f'seen={seen}'][HEADLINE]['value']:.4f}" for seen in SEEN_VARIANTS)
