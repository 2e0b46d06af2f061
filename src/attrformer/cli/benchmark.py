"""`attrformer benchmark`."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from attrformer.cli import console
from attrformer.cli.arguments import Settings
from attrformer.errors import ConfigurationError

if TYPE_CHECKING:
    from attrformer.benchmark.jobs import Job, Selection
    from attrformer.benchmark.plan import Plan


TEMPLATE, PUBLISHED = Path("docs/benchmarks.in.md"), Path("benchmarks/paper_table.yaml")


class _Commands(TyperGroup):
    """Takes `benchmark PLAN.yaml` for `benchmark run PLAN.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Names the command where the first argument is none of its own."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


class Order(str, Enum):
    """What changes slowest when a plan is run."""

    ROWS = "rows"
    DATA = "data"
    SEEDS = "seeds"


PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="YAML file of the plan.", show_default=False)]
Rows = Annotated[str | None, typer.Option("--rows", help="Only these rows, separated by commas.", show_default=False)]
Data = Annotated[
    str | None, typer.Option("--data", help="Only these data sets, separated by commas.", show_default=False)
]
Root = Annotated[
    Path | None,
    typer.Option("--data-root", help="Stands for ${ATTRFORMER_DATA} in the plan.", show_default=False),
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of a run.", show_default=False)]
Side = Annotated[
    int, typer.Option("--jobs", min=1, help="Runs, or searches, at a time; several may share an accelerator.")
]
AllowDirty = Annotated[bool, typer.Option("--allow-dirty", help="Run although tracked files have changes.")]
Results = Annotated[
    Path | None,
    typer.Option("--results", help="File of JSON lines, in place of the plan's.", show_default=False),
]

benchmark = typer.Typer(
    cls=_Commands,
    help="Run plans of many models, and write what came out.\n\n"
    "Example:  attrformer benchmark benchmarks/plans/leaderboard.yaml",
    no_args_is_help=True,
)


@benchmark.command()
def run(
    plan: PlanFile,
    rows: Rows = None,
    data: Data = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="These seeds in place of the plan's.", show_default=False)
    ] = None,
    order: Annotated[Order, typer.Option("--order", help="What changes slowest.")] = Order.ROWS,
    settings: Settings = None,
    threads: Threads = None,
    root: Root = None,
    results: Results = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is finished, from the start.")] = False,
    allow_dirty: AllowDirty = False,
    side: Side = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs.")] = False,
) -> None:
    """Train and test every model of a plan on every data set with every seed.

    Each run is a process of its own and leaves one JSON line. What is finished is skipped, what was interrupted goes
    on; several processes may work at the same plan. Ctrl-C saves, the same command continues.

    Example:  attrformer benchmark run benchmarks/plans/leaderboard.yaml --rows sasrec,attrformer --data beauty
    """
    from attrformer.benchmark.jobs import jobs
    from attrformer.benchmark.options import Overrides, not_searched
    from attrformer.benchmark.runner import BEFORE, FAILED, Runner

    loaded = _plan(plan)
    overrides = Overrides(tuple(settings or ()), threads)
    found = jobs(loaded, _selection(rows, data, seeds), overrides, order=order.value, root=root)
    for source, names in not_searched(loaded, ((job.row, job.source) for job in found)).items():
        console.say(
            f"Note: {loaded.chosen} holds no searched options for {', '.join(names)} on {source}; the plan's own are "
            f"used. Search them (attrformer benchmark tune {plan}), or start where that folder is."
        )
    file = Path(loaded.results) if results is None else results
    runner = Runner(file, _unimportant(loaded, file), allow_dirty, threads, again, console.say)
    if dry_run:
        for job in found:
            typer.echo(f"{job}: {'to run' if runner.finished(job) is None else BEFORE}")
        return
    outcomes = runner(found, side)
    console.say(", ".join(f"{len(done)} {what}" for what, done in outcomes.items() if done) + f"; {file}")
    _complain(outcomes[FAILED])


def _complain(failed: list[Job]) -> None:
    """Tells what failed and ends with an exit code that says so."""
    from attrformer.benchmark.runner import last_words

    for job in failed:
        console.complain(f"{job}: {last_words(job.folder)}")
    if failed:
        raise typer.Exit(1)


def _plan(path: Path) -> Plan:
    from attrformer.benchmark.plan import load_plan

    if not path.is_file():
        raise ConfigurationError(
            f"{path} is neither a plan nor one of the commands run, tune, report. Give the YAML file of a plan."
        )
    with console.shown_warnings():
        return load_plan(path)


def _selection(rows: str | None, data: str | None, seeds: str | None = None) -> Selection:
    from attrformer.benchmark.jobs import Selection

    numbers = _words(seeds)
    if numbers is not None and not all(number.isdecimal() for number in numbers):
        raise ConfigurationError(f"--seeds is {seeds}. Give whole numbers separated by commas, such as 0,1,2.")
    return Selection(_words(rows), _words(data), None if numbers is None else [int(number) for number in numbers])


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _unimportant(plan: Plan, results: Path) -> tuple[Path, ...]:
    """Where changes do not change what is computed, or are kept in the line itself."""
    return (results.parent, Path(plan.chosen), Path("docs"))


@benchmark.command()
def tune(
    plan: PlanFile,
    rows: Rows = None,
    data: Data = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Trials of each row, in place of the plan's.")
    ] = None,
    settings: Settings = None,
    threads: Threads = None,
    root: Root = None,
    results: Results = None,
    allow_dirty: AllowDirty = False,
    side: Side = 1,
) -> None:
    """Search for the options of each row that has a space, on validation alone.

    Every row gets the same number of trials, the first of its defaults. Test interactions are not looked at. What is
    chosen goes to a file that `run` reads. Ctrl-C saves, the same command continues.

    Example:  attrformer benchmark tune benchmarks/plans/leaderboard.yaml --rows sasrec --data beauty
    """
    from attrformer.benchmark.options import Overrides
    from attrformer.benchmark.runner import Runner
    from attrformer.benchmark.tuner import Tuner

    loaded = _plan(plan)
    loaded = loaded if trials is None else replace(loaded, trials=trials)
    file = Path(loaded.trials_file) if results is None else results
    runner = Runner(file, _unimportant(loaded, file), allow_dirty, threads, say=console.say)
    tuner = Tuner(loaded, runner, Overrides(tuple(settings or ()), threads), root)
    _complain(tuner(_selection(rows, data).of(loaded), side))


@benchmark.command()
def report(
    results: Annotated[Path, typer.Option("--results", help="Folder of JSON lines.")] = Path("benchmarks/results"),
    template: Annotated[
        Path | None,
        typer.Option(
            "--template",
            help="Prose with places for tables; docs/benchmarks.in.md if there is one, else all tables without prose.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Document to be written.")] = Path("docs/benchmarks.md"),
    paper: Annotated[
        Path | None,
        typer.Option(
            "--paper",
            help="YAML file of published figures; benchmarks/paper_table.yaml where there is one.",
            show_default=False,
        ),
    ] = None,
    plans: Annotated[Path, typer.Option("--plans", help="Folder of plans.")] = Path("benchmarks/plans"),
) -> None:
    """Write the tables and drawings of all results into a document.

    Ablations and lengths whose options are no longer those of their plan are left out: they would be compared with a
    model that is not theirs.

    Example:  attrformer benchmark report --out docs/benchmarks.md
    """
    from attrformer.benchmark.outsiders import PaperTable
    from attrformer.benchmark.report import PLAIN, write_document
    from attrformer.config import load_yaml

    template = template or (TEMPLATE if TEMPLATE.is_file() else PLAIN)
    paper = paper or (PUBLISHED if PUBLISHED.is_file() else None)
    published = PaperTable() if paper is None else load_yaml(PaperTable, paper)
    typer.echo(write_document(template, out, results, published, plans))
