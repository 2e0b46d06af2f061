"""The report as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from attrformer.data.check.text import said
from attrformer.errors import CheckpointError, DataError
from attrformer.evaluation.protocol import Protocol
from attrformer.io import write_text
from attrformer.report.charts import BarChart, HeatMap, LineChart, Table, bar_chart, heat_map
from attrformer.report.relation_words import relation_words
from attrformer.report.run_files import RunFiles, read_run
from attrformer.report.scale import finite, number
from attrformer.report.sections import VARIANTS, columns_table, curves, findings_table, groups_table, metrics_table

Chart = LineChart | BarChart | HeatMap
HEADLINE = "NDCG@20"
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its charts, tables and remarks.

    Args:
        title: the heading.
        note: one or two sentences that say how to read what follows.
        charts: charts side by side.
        table: shown in full.
        missing: what to run where there is nothing to show.
    """

    title: str
    note: str = ""
    charts: tuple[Chart, ...] = ()
    table: Table | None = None
    missing: str = ""


def write_report(run_folder: Path | str) -> Path:
    """Writes `report.html` into a training folder: one page that needs nothing else.

    Args:
        run_folder: what `AttrFormer.fit(run=...)` or `attrformer train --out` wrote.

    Returns:
        The path of the page.

    Raises:
        CheckpointError: the folder is not a training folder, or one of its files is damaged.
        WriteError: the page cannot be written.
    """
    folder = Path(run_folder)
    files = read_run(folder)
    try:
        page = render(files)
    except (DataError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:_SHOWN]
        raise CheckpointError(
            f"The figures of {folder} cannot be shown: a file holds something else than was written ({problem}). "
            "Train anew into another folder, or restore it from a copy."
        ) from error
    target = folder / "report.html"
    write_text(target, page)
    return target


_OF_A_RUN: Final = ("dataset", "protocol", "leak")
"""What the head of the page says of a run, and not of a check."""


def write_check(check: Mapping[str, Any], path: Path | str) -> Path:
    """Writes what a check of data found as one page that needs nothing else.

    Args:
        check: `CheckReport.to_json()`.
        path: of the page; its folder is made where needed.
    """
    path = Path(path)
    facts = tuple((name.replace("_", " "), said(value)) for name, value in check["facts"].items())
    nothing = "" if check["findings"] else "Nothing suspicious was found."
    sections = [
        Section("Findings", table=findings_table(check["findings"], whole=True), missing=nothing),
        Section("Columns", "What every column will be used as.", table=columns_table(check["columns"])),
        Section("Sizes", table=Table(("What", "How much"), facts)),
    ]
    tiles = [(f"{severity}s", str(count)) for severity, count in check["counts"].items()]
    page = _template().render(
        name=check["dataset"], kind="AttrFormer check", tiles=tiles, sections=sections, **dict.fromkeys(_OF_A_RUN)
    )
    write_text(path, page)
    return path


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("attrformer.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


def render(run: RunFiles) -> str:
    """The page of a training folder as text."""
    protocol = run.figures.get("protocol")
    return _template().render(
        name=run.name,
        kind="AttrFormer report",
        dataset=protocol["dataset"] if protocol else None,
        protocol=Protocol.from_json(protocol).line() if protocol else None,
        leak=protocol.get("leak") if protocol else None,
        tiles=list(_tiles(run)),
        sections=[
            _metrics_section(run.figures),
            *_groups_sections(run.figures.get("groups", {})),
            *_check_sections(run.check),
            _curves_section(run.epochs, run.configuration),
            _slices_section(run.slices),
            _strengths_section(run.relations.get("strengths", {}), run.check.get("columns", [])),
            _pairs_section(run.relations.get("pairs", {})),
            _configuration_section(run.configuration),
        ],
    )


def _check_sections(check: Mapping[str, Any]) -> Iterator[Section]:
    """What to know of the data; nothing where they were not checked."""
    if not check:
        return
    serious = [finding for finding in check["findings"] if finding["severity"] != "note"]
    notes = len(check["findings"]) - len(serious)
    note = "What these data do to the figures above."
    if notes:
        note += f" {notes} notes more: attrformer check DATA"
    yield Section(
        "The data", note, table=findings_table(serious), missing="" if serious else "No error and no warning."
    )


def _tiles(run: RunFiles) -> Iterator[tuple[str, str]]:
    for variant in VARIANTS:
        figure = run.figures.get(variant, {}).get(HEADLINE)
        if figure:
            yield f"{HEADLINE}, {variant}", number(figure["value"])
    if run.epochs:
        yield "Epochs", str(len({epoch["epoch"] for epoch in run.epochs}))
        seconds = sum(finite([epoch.get("seconds") for epoch in run.epochs]))
        yield "Training time", f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
        speeds = finite([epoch.get("targets_per_second") for epoch in run.epochs])
        if speeds:
            yield "Targets per second", f"{sum(speeds) / len(speeds):,.0f}"


def _metrics_section(figures: Mapping[str, Any]) -> Section:
    variants = [variant for variant in VARIANTS if figures.get(variant)]
    if not variants:
        return Section("Metrics", missing="No figures yet. Run: attrformer evaluate RUN")
    note = (
        "Each value stands with its confidence interval. seen=hidden leaves out what the user already had, so that a "
        "target which repeats it is a miss; seen=ranked ranks every item."
    )
    return Section("Metrics", note, table=metrics_table(figures, variants))


def _groups_sections(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[Section]:
    """Figures of repeated targets, earlier targets of a user, new items and new users, where there are any."""
    if not groups:
        return
    note = (
        "A repeated target is an item that the history holds already. New items and new users have no training "
        "interaction. Where users have several targets, the last of each user stand apart from the earlier ones."
    )
    yield Section("Groups of targets", note, table=groups_table(groups))


def _curves_section(epochs: Sequence[Mapping[str, Any]], configuration: Mapping[str, Any]) -> Section:
    drawn = curves(epochs, str(configuration.get("training", {}).get("metric", HEADLINE)))
    if not drawn:
        return Section("Training", missing="No epoch was finished yet. Run: attrformer train ... --resume")
    return Section("Training", "A ring marks the best epoch of each curve.", charts=drawn)


def _slices_section(slices: Mapping[str, Any]) -> Section:
    title = "Who it works for"
    metric = str(slices.get("metric", HEADLINE))
    charts = [
        bar_chart(
            f"{metric} by {name}",
            f"{metric} for each group of {name}, with confidence intervals.",
            bins,
            label_header=name.capitalize(),
            value_header=metric,
        )
        for name, bins in _named_lists(slices)
    ]
    drawn = tuple(chart for chart in charts if chart)
    if not drawn:
        return Section(title, missing="No figures by group yet. Run: attrformer evaluate RUN")
    return Section(title, "The thin line on each bar is the confidence interval; few targets make it long.", drawn)


def _named_lists(tree: Mapping[str, Any], suffix: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every list of bins in a tree, named by its key and, where it stands deeper, by the keys above it."""
    for key, value in tree.items():
        if isinstance(value, list):
            yield key.replace("_", " ") + suffix, value
        elif isinstance(value, Mapping):
            yield from _named_lists(value, f"{suffix}, {key}")


def _strengths_section(strengths: Mapping[str, float], columns: Sequence[Mapping[str, Any]]) -> Section:
    ordered = sorted(strengths.items(), key=lambda entry: -entry[1])
    chart = bar_chart(
        "Strength of each relation",
        "How far each relation moves the scores of the catalogue, strongest first.",
        [{"label": name, "value": value} for name, value in ordered],
        label_header="Relation",
        value_header="Strength",
    )
    if chart is None:
        return Section("Relations", missing="This model has no relations, or was not trained to its end.")
    note = "Mean gate times the spread of the evidence: how far a relation moves the scores."
    rows = tuple((name, relation_words(name, columns)) for name, _ in ordered)
    return Section("Relations", note, (chart,), Table(("Relation", "What it says"), rows))


def _pairs_section(pairs: Mapping[str, Mapping[str, Any]]) -> Section:
    charts = [
        heat_map(
            attribute,
            f"Strongest learned pairs of {attribute}: from an earlier item's value (row) to the next item's (column).",
            [str(name) for name in content["names"]],
            content["matrix"],
        )
        for attribute, content in pairs.items()
    ]
    drawn = tuple(chart for chart in charts if chart)
    if not drawn:
        return Section("Learned pairs", missing="This model has no attribute with learned pairs.")
    note = "Rows are what the user had, columns what it speaks for. Colour grows with the square root of the strength."
    return Section("Learned pairs of each attribute", note, drawn)


def _configuration_section(configuration: Mapping[str, Any]) -> Section:
    rows = tuple(_flat(configuration))
    note = "Every option of this run; `attrformer options` says what each one does."
    return Section("Configuration", note, table=Table(("Option", "Value"), rows))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _value_text(value)


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value_text, value)) or "none"
    if value is None or value == {}:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
