"""The configuration of one run of a plan, and what tells two runs apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attrformer import earlier_names
from attrformer.benchmark.plan import Chosen, Plan, Row, Settings
from attrformer.config import from_dict, load_yaml, override, to_dict
from attrformer.errors import ConfigurationError
from attrformer.recommender import Config
from attrformer.recommender.config import LATER

EPOCHS: Final = "training.epochs"

MACHINE: Final = frozenset(
    {f"training.{name}" for name in ("threads", "device", "checkpoint_minutes", "block_elements", "graphs")}
)
"""Options that say how a run is computed, not what is computed."""

_OPTIONS_OF: Final = {
    "similar_users": "similar_users_",
    "time_bucket": "time_bucket",
    **{f"{name}.enabled": f"{name}." for name in ("cooccurrence_near", "cooccurrence_wide", "cooccurrence_next")},
}
"""How the options begin that say nothing where a relation is off, by its switch."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line changes in every run.

    Args:
        settings: texts such as `training.epochs=1`, strongest of all.
        threads: CPU threads; None leaves them to the plan.
    """

    settings: tuple[str, ...] = ()
    threads: int | None = None


def chosen_file(plan: Plan, row: str, source: str) -> Path:
    """Where the options lie that a search chose for a row on a dataset."""
    return Path(plan.chosen) / source / f"{row}.yaml"


def chosen_options(plan: Plan, row: str, source: str) -> Settings:
    """The options that a search chose for a row on a dataset; none where there was no search."""
    file = _found(plan, row, source)
    return {} if file is None else load_yaml(Chosen, file).set


def not_searched(plan: Plan, runs: Iterable[tuple[Row, str]]) -> dict[str, list[str]]:
    """Rows that a search was meant for and that no file has options for, by dataset.

    Args:
        plan: the plan.
        runs: rows and the names of datasets that they are run on.
    """
    lacking: dict[str, list[str]] = {}
    for row, source in dict.fromkeys((row.name, source) for row, source in runs if row.space):
        if _found(plan, row, source) is None:
            lacking.setdefault(source, []).append(row)
    return lacking


def _found(plan: Plan, row: str, source: str) -> Path | None:
    sources = (source, plan.data[source].chosen_on)
    files = (chosen_file(plan, row, name) for name in sources if name is not None)
    return next((file for file in files if file.is_file()), None)


def configuration(
    plan: Plan,
    row: Row,
    source: str,
    seed: int,
    overrides: Overrides | None = None,
    tried: Settings | None = None,
) -> Config:
    """The configuration of a run: of the data, of the row, of the row on the data, chosen, of the command line.

    Later ones win. A row that is like another starts from what was chosen for that one, so that it differs in its own
    options alone.

    Args:
        plan: the plan.
        row: the row.
        source: name of the dataset.
        seed: of the run.
        overrides: of the command line; None for none.
        tried: options of a trial, which take the place of the chosen ones; None for those.

    Raises:
        ConfigurationError: an option is unknown or has a value that cannot be used.
    """
    own: list[Settings] = [row.set, row.on.get(source, {})]
    if tried is not None:
        own.append(tried)
    elif row.like is not None:
        own.insert(0, chosen_options(plan, row.like, source))
    else:
        own.append(chosen_options(plan, row.name, source))
    layers: list[Settings] = [plan.data[source].set, *own, {"seed": seed}]
    overrides = overrides or Overrides()
    try:
        config = from_dict(Config, nested(layers))
        config = override(config, overrides.settings)
        return config if overrides.threads is None else override(config, [f"training.threads={overrides.threads}"])
    except ConfigurationError as error:
        raise ConfigurationError(f"Row '{row.name}' on '{source}': {error}") from error


def nested(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Options by dotted name as nested mappings; later layers win.

    Raises:
        ConfigurationError: an option is named both as a value and as a part.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    tree: dict[str, Any] = {}
    for name, value in merged.items():
        *parts, last = name.split(".")
        node = tree
        for part in parts:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ConfigurationError(f"'{name}' is set, and '{part}' as a value too. Set one of them.")
        node[last] = value
    return tree


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as options by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{prefix}{name}"
        found |= flat(value, f"{dotted}.") if isinstance(value, Mapping) and value else {dotted: value}
    return found


def fingerprint(config: Config) -> str:
    """Eight letters that differ where two configurations would train or measure something else."""
    told = {name: value for name, value in flat(to_dict(config)).items() if name not in MACHINE}
    # So that a run that was begun before the library had these options is found.
    told = {name: value for name, value in told.items() if name not in LATER or value != LATER[name]}
    # Runs are kept by marks that were made of the names of before.
    told = {earlier_names.earlier_option(name): value for name, value in told.items()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def is_same(stored: Mapping[str, Any], config: Config, epochs: int | None = None) -> bool:
    """Whether a run with a stored configuration was the run that a configuration asks for.

    Options that came into the library after the stored run count as equal while they have their defaults, but for
    relations that are on by default and that the model reads. Options of relations that it does not read do not count,
    nor does a bound on epochs that patience did not let the run reach.

    Args:
        stored: as `to_dict` gave it then.
        config: asked for now.
        epochs: that the stored run took; None where that is not known.
    """
    before, now = flat(earlier_names.configuration(stored)), flat(to_dict(config))
    if epochs is not None and config.training.schedule == "constant":
        bounds = (int(before[EPOCHS]), config.training.epochs)
        if epochs < min(bounds):
            now[EPOCHS] = before[EPOCHS]
    defaults = flat(to_dict(from_dict(Config, {"model": {"name": config.model.name}})))

    def differs(name: str, value: Any) -> bool:
        if name in before:
            return bool(before[name] != value) and is_read(config, name, before[name])
        default = defaults.get(name)
        if value == default and not _is_on(name, value):
            return False
        return is_read(config, name, default)

    return not any(differs(name, value) for name, value in now.items() if name not in MACHINE)


def is_run_of(line: Mapping[str, Any], config: Config) -> bool:
    """Whether a line of results is that of the run that a configuration asks for; see `is_same`.

    Args:
        line: of a finished run.
        config: asked for now.
    """
    return is_same(line["configuration"], config, line.get("cost", {}).get("epochs"))


def _is_on(name: str, value: Any) -> bool:
    return name.startswith("relations.") and value is True


def is_read(config: Config, name: str, other: Any) -> bool:
    """Whether the model of a configuration would be another one with another value of an option.

    Args:
        config: the configuration.
        name: dotted name of the option.
        other: the other value, as `to_dict` gives it.
    """
    if name.startswith("target."):
        return config.model.READS_TARGET_OPTIONS
    if not name.startswith("relations."):
        return True
    options = flat(to_dict(config))
    if isinstance(options[name], bool):
        # What a switch was once set to may not be known any more; what it can be set to now is.
        other = not options[name]
    try:
        changed = from_dict(Config, nested([options | {name: other}]))
    except ConfigurationError:
        return True
    return _read_relations(config) != _read_relations(changed)


def _read_relations(config: Config) -> dict[str, Any]:
    """Options of the relations that the model reads; those of relations that are off are left out."""
    options = flat(to_dict(config.model.reads(config.relations)))
    off = tuple(prefix for switch, prefix in _OPTIONS_OF.items() if options[switch] is False)
    return {name: value for name, value in options.items() if not name.startswith(off)}
