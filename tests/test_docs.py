"""What the README and the documents promise is there: links, commands, options, configurations and the snippet."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from attrformer import earlier_names
from attrformer.cli.app import app
from attrformer.config import describe, load_yaml, override, to_dict
from attrformer.data.sample import make_sample
from attrformer.models import load_models
from attrformer.recommender import Config

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FOR_CONTRIBUTORS = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md")), *FOR_CONTRIBUTORS]
TEXT = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
PLACEHOLDER = "a.b=c"
HISTORIES = ("docs/lab-notes.md", "docs/migration.md")


def blocks(text: str, language: str = r"\w*") -> list[str]:
    """The fenced blocks of a document in one language, or in any."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def command_lines(program: str) -> list[tuple[str, list[str]]]:
    """The lines of fenced blocks that begin with a program: the document, and the words after the program."""
    found = []
    for name, text in TEXT.items():
        for block in blocks(text):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith(f"{program} "):
                    found.append((name, shlex.split(line, comments=True)[1:]))
    return found


def commands() -> dict[str, Any]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group.commands


def resolved(words: list[str]) -> tuple[list[str], list[str], Any]:
    """The words that name a command, those after them, and the command; a group alone stands for its `run`."""
    if words[0] == "--plugins":
        words = words[2:]
    command = commands()[words[0]]
    if not isinstance(command, TyperGroup):
        return words[:1], words[1:], command
    named = words[1] if len(words) > 1 and words[1] in command.commands else "run"
    rest = words[2:] if words[1:2] == [named] else words[1:]
    return [words[0], named], rest, command.commands[named]


def ids(lines: list[tuple[str, list[str]]]) -> list[str]:
    return [f"{name}: {' '.join(words)}" for name, words in lines]


@pytest.mark.parametrize("name", TEXT)
def test_relative_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", TEXT[name])
    relative = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert [target for target in relative if not (ROOT / name).parent.joinpath(target).exists()] == []


def test_the_readme_links_to_its_documents() -> None:
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", TEXT["README.md"])}
    # The template of the benchmark document is no page to read.
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} - linked == {"docs/benchmarks.in.md"}


SHOWN = command_lines("attrformer")


def test_the_readme_shows_the_way_from_download_to_explanation() -> None:
    shown = [words[0] for name, words in SHOWN if name == "README.md"]
    way = ["download", "prepare", "check", "train", "evaluate", "recommend", "recommend", "explain"]
    way += ["index", "export", "serve", "publish", "options"]
    assert shown == [*way, "train", "options", "benchmark", "benchmark"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), SHOWN, ids=ids(SHOWN))
def test_every_command_that_is_shown_can_be_given(name: str, words: list[str]) -> None:
    # Parses as the command line does, and runs nothing.
    path, rest, command = resolved(words)
    command.make_context(path[-1], list(rest))
    help_text = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [*path, "--help"])
    assert help_text.exit_code == 0
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text.stdout), option
    for file in (word for word in words if word.endswith(".yaml")):
        assert (ROOT / file).is_file() or f"Call it `{file}`" in TEXT[name], file


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT)
def test_commands_within_sentences_exist(name: str) -> None:
    prose = re.sub(r"^```.*?^```", "", TEXT[name], flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`attrformer ([^`]+)`", prose):
        words = span.split()
        _, rest, command = resolved(words)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known, span


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT)
def test_settings_that_are_named_exist(name: str, tmp_path: Path, known_models: None) -> None:
    # The one about packages uses what the other ones register.
    registering = [name, "docs/own-model.md"] if name == "docs/extending.md" else [name]
    sources = [block for each in registering for block in blocks(TEXT[each], "python") if "\nregister(" in block]
    for number, source in enumerate(sources):
        file = tmp_path / f"part_{number}_of_the_document.py"
        file.write_text(source, encoding="utf-8")
        load_models([str(file)])
    settings = re.findall(r"(?:--set|-s) ([\w.]+=[^\s`]+)", TEXT[name])
    override(Config(), [setting for setting in settings if setting != PLACEHOLDER])
    parts = "|".join({option.name.partition(".")[0] for option in describe(Config)} - {"seed"})
    options = {option.name for option in describe(Config)}
    for named in re.findall(rf"`((?:{parts})\.[\w.]+)`", TEXT[name]):
        # Notes and the table of names have the names of before.
        option = earlier_names.option(named) if name in HISTORIES else named
        # A file of the source has a name of the same form.
        assert option.endswith(".py") or any(f"{known}.".startswith(f"{option}.") for known in options), option


def test_the_tables_of_the_page_about_attributes_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks(TEXT["docs/attributes.md"], "python")[0], "docs/attributes.md", "exec"), {})
    told = capsys.readouterr().out
    assert "'Beauty > Hair > Oils'" in told and "column 'image' is read as vector of 2 numbers" in told
    assert "column 'place' is read as location, as it is declared" in told


def test_make_targets_that_are_shown_exist() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    wanted = {"README.md": {"demo", "test", "setup"}, "CONTRIBUTING.md": {"setup", "test-quick", "test", "lint"}}
    for name, least in wanted.items():
        shown = re.findall(r"(?:^|`)make ([\w-]+)", TEXT[name], re.MULTILINE)
        assert least <= set(shown) <= set(targets), name


def test_files_that_contributors_are_sent_to_exist() -> None:
    named = {
        # A name in capitals stands for one of the reader's; its folder has to exist.
        (path.name, re.sub(r"[^/]*[A-Z]{4}.*", "", span))
        for path in FOR_CONTRIBUTORS
        for span in re.findall(r"`((?:src|tests|docs|benchmarks|scripts)/[\w./-]+)`", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 15
    assert [(name, span) for name, span in sorted(named) if not (ROOT / span).exists()] == []


def test_files_that_the_architecture_names_exist() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", TEXT["docs/architecture.md"]))
    there = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("[st]*/**/*.py")]
    assert len(named) > 60
    assert [name for name in sorted(named) if not any(f"/{path}".endswith(f"/{name}") for path in there)] == []


def test_every_decision_is_listed() -> None:
    records = {path.name for path in (ROOT / "docs" / "decisions").glob("0*.md")}
    assert set(re.findall(r"\]\((0\d+-[\w-]+\.md)\)", TEXT["docs/decisions/README.md"])) == records


def test_scripts_that_are_shown_exist() -> None:
    within = [(name, shlex.split(found)) for name in TEXT for found in re.findall(r"`python ([^`]+)`", TEXT[name])]
    for name, words in [*command_lines("python"), *within]:
        if words and words[0].endswith(".py") and name not in HISTORIES:
            script = ROOT / words[0]
            assert script.is_file(), f"{name} shows {words[0]}"
            options = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
            source = script.read_text(encoding="utf-8")
            assert [option for option in options if f'"{option}"' not in source] == [], f"{name}: {words[0]}"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_configurations_load(path: Path) -> None:
    config = load_yaml(Config, path)
    assert isinstance(config, Config)
    assert to_dict(config) != to_dict(Config())


def test_there_are_configurations() -> None:
    assert {path.name for path in (ROOT / "configs").glob("*.yaml")} >= {"beauty.yaml", "toys.yaml", "ml-1m.yaml"}


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    """A tiny shop under the names that the snippet of the README uses: users u1, u2, ..., items i1, i2, ..."""
    sample = make_sample(users=40, items=40, brands=4, interactions_per_user=6)

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            pl.col(column).str.replace(r"^(.)\D*0*", "$1") for column in ("user_id", "item_id") if column in frame
        )

    frames = (sample.interactions, sample.items, sample.users)
    found = dict(zip(("interactions", "items", "users"), map(renamed, frames), strict=True))
    fresh = {"new_items": ("items", "item_id"), "new_users": ("users", "user_id")}
    for name, (of, column) in fresh.items():
        found[name] = found[of].head(3).with_columns(pl.col(column).str.replace("^", "new "))
    return found


@pytest.mark.slow
def test_the_snippet_of_the_readme_runs(
    tables: dict[str, pl.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (snippet,) = blocks(TEXT["README.md"], "python")
    assert {"i7", "i3"} <= set(tables["items"]["item_id"]) and {"u1", "u2"} <= set(tables["users"]["user_id"])
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = dict(tables)
    values: dict[str, Any] = {}
    for statement in ast.parse(snippet).body:
        source = ast.unparse(statement)
        if isinstance(statement, ast.Expr):
            values[source] = eval(source, namespace)
        else:
            exec(source, namespace)
    frames = {source: value for source, value in values.items() if isinstance(value, pl.DataFrame)}
    promised = [line.split("  # ") for line in snippet.splitlines() if "# user_id" in line]
    assert len(frames) >= 3 and promised
    for line, columns in promised:
        assert frames[ast.unparse(ast.parse(line.strip()))].columns == columns.strip().split(", ")
    for source, frame in frames.items():
        asked = int(re.findall(r"k=(\d+)", source)[0])
        assert frame["rank"].max() == asked, source
    # What it writes can be read without it.
    assert (tmp_path / "runs" / "first" / "config.json").is_file()
    assert (tmp_path / "model" / "model.safetensors").is_file()
    printed = capsys.readouterr().out
    assert "NDCG@20" in printed and "seen=hidden" in printed and "seen=ranked" in printed


@pytest.mark.slow
def test_every_test_that_a_document_names_exists() -> None:
    named = {match for text in TEXT.values() for match in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)}
    assert len(named) > 70
    for file, test in sorted(named):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert test in functions, f"{file}::{test}"


def test_every_promise_of_the_guards_has_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*$", TEXT["docs/guards.md"], flags=re.MULTILINE)
    lines = [line for line in TEXT["docs/guards.md"].splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row) for row in rows] == list(range(1, 45))
    assert all("::test_" in line for line in lines)


def test_environment_variables_of_tests_that_are_shown_are_read() -> None:
    shown = {name for text in TEXT.values() for name in re.findall(r"(ATTRFORMER_\w+)=\d+ pytest", text)}
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert shown and all(f'environ.get("{name}"' in source for name in shown)
