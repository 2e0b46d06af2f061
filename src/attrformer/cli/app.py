"""All commands together, and what becomes of their errors."""

from __future__ import annotations

import signal
import time
from typing import Annotated, Any, TypeGuard

import typer
from typer.core import TyperGroup

from attrformer.cli import (
    benchmark,
    check,
    console,
    demo,
    earlier,
    evaluate,
    explain,
    export,
    options,
    prepare,
    publish,
    recommend,
    serve,
    train,
)
from attrformer.errors import AttrFormerError, RankError, is_out_of_memory
from attrformer.processes import Terminated, exit_code, terminable

BAD_INPUT = 2
NO_MEMORY = (
    "There is not enough memory for this. Ask for less at a time (smaller batches, model or table), or use a machine "
    "with more; what was saved before is as it was."
)
COMMANDS = (
    demo.demo,
    prepare.download,
    prepare.prepare,
    check.check,
    train.train,
    evaluate.evaluate,
    recommend.recommend,
    recommend.join,
    explain.explain,
    export.index,
    export.export,
    publish.publish,
    serve.serve,
    export.report,
    options.options,
)
PLUGINS = "--plugins"
EARLIER = {"--models": PLUGINS}


def _is_request(interrupt: KeyboardInterrupt) -> TypeGuard[Terminated]:
    """Whether the system asked to end, not a person at the keyboard."""
    return isinstance(interrupt, Terminated) and interrupt.number != signal.SIGINT


class Commands(TyperGroup):
    """Runs a command; errors that the user can mend become one message and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the arguments; `--plugins` may also stand behind the command."""
        return super().parse_args(ctx, _plugins_first(earlier.under_names_of_today(args, EARLIER)))

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for.

        Raises:
            typer.Exit: code 2 for bad input, 130 when interrupted, 143 after SIGTERM.
        """
        try:
            with terminable():
                return super().invoke(ctx)
        except RankError as error:
            if error.reports:
                console.complain(f"{error} {ctx.meta.get(console.HINT, '')}".rstrip(" "))
        except AttrFormerError as error:
            console.complain(str(error))
        except BrokenPipeError:
            # The reader of our output (head, less) has seen enough; typer ends quietly then.
            raise
        except OSError as error:
            console.complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            console.complain(NO_MEMORY)
        except KeyboardInterrupt as interrupt:
            # polars raises an interrupt that reaches it, and Python then raises the same one again at its next call.
            try:  # noqa: SIM105 - a call before the block, such as suppress(), would be where it is raised.
                time.sleep(0)
            except KeyboardInterrupt:
                pass
            said = f"Ended by {interrupt.name}" if _is_request(interrupt) else "Interrupted"
            console.say(f"\n{said}. {ctx.meta.get(console.HINT, '')}".rstrip(" "))
            raise typer.Exit(exit_code(interrupt)) from None
        raise typer.Exit(BAD_INPUT)


def _plugins_first(args: list[str]) -> list[str]:
    """The arguments with every `--plugins FILE` before all others; what stands behind `--` is left alone."""
    end = args.index("--") if "--" in args else len(args)
    first, rest, place = [], [], 0
    while place < end:
        if args[place] == PLUGINS and place + 1 < end:
            first += args[place : place + 2]
            place += 1
        elif args[place].startswith(f"{PLUGINS}="):
            first.append(args[place])
        else:
            rest.append(args[place])
        place += 1
    return [*first, *rest, *args[end:]]


app = typer.Typer(
    cls=Commands,
    help="Sequential recommendation with attributes as explicit relations.",
    epilog="Start with: attrformer demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"attrformer {version('attrformer')}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    plugins: Annotated[
        list[str] | None,
        typer.Option(
            PLUGINS,
            metavar="FILE",
            help="Python file, folder of a package, or module, that registers models, relations, metrics or formats of "
            "your own; it is run. Several may be given, also by the environment variable ATTRFORMER_PLUGINS, separated "
            "as in PATH.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Sequential recommendation with attributes as explicit relations."""
    from attrformer.plugins import are_named, load_plugins

    if plugins or are_named():
        load_plugins(plugins or ())


for command in COMMANDS:
    of_prepare = command.__module__ == prepare.__name__
    app.command(command.__name__, cls=prepare.Command if of_prepare else earlier.Command)(command)

app.add_typer(benchmark.benchmark, name="benchmark")
