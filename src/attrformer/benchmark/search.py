"""What a search tries next; the search itself is Optuna's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from attrformer.benchmark.plan import Range, Settings, Space
from attrformer.errors import ConfigurationError

ATTEMPTS = 50


def suggest(space: Space, tried: Sequence[tuple[Mapping[str, Any], float]], number: int) -> Settings | None:
    """The options of the next trial; the same for the same trials before it.

    Args:
        space: what may be tried.
        tried: values of the options of the space and the figure they gave, for each trial so far.
        number: of the trial.

    Returns:
        Options by dotted name, none that was tried already; None where nothing new is found.

    Raises:
        ConfigurationError: Optuna is not installed.
    """
    optuna = load_optuna()
    distributions = {name: _distribution(optuna, values) for name, values in space.items()}
    for attempt in range(ATTEMPTS):
        sampler = optuna.samplers.TPESampler(seed=ATTEMPTS * number + attempt)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for options, value in tried:
            _add(optuna, study, dict(options), distributions, value)
        found = {name: _rounded(value, space[name]) for name, value in study.ask(distributions).params.items()}
        if all(found != dict(options) for options, _ in tried):
            return found
    return None


def load_optuna() -> Any:
    """The library of searches.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        optuna: Any = import_module("optuna")
    except ImportError as error:
        raise ConfigurationError('The search needs Optuna. Install it: pip install "attrformer[tune]"') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, values: Range | tuple[Any, ...]) -> Any:
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(values)
    whole = isinstance(values.low, int) and isinstance(values.high, int)
    kind = optuna.distributions.IntDistribution if whole else optuna.distributions.FloatDistribution
    return kind(values.low, values.high, log=values.log)


def _add(optuna: Any, study: Any, options: dict[str, Any], distributions: dict[str, Any], value: float) -> None:
    """Tells a study of an earlier trial; defaults may lie outside of the space, and then teach it nothing."""
    try:
        study.add_trial(optuna.trial.create_trial(params=options, distributions=distributions, value=value))
    except ValueError:
        return


def _rounded(value: Any, values: Range | tuple[Any, ...]) -> Any:
    """Three digits are as fine as a search can tell apart, and can be read."""
    if not isinstance(value, float) or not isinstance(values, Range):
        return value
    return min(max(float(f"{value:.3g}"), float(values.low)), float(values.high))
