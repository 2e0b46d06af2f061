"""How long a trip through the code a call is: `python -m tests.support.trip recommend|explain|fit [--files]`.

The call is one of a small AttrFormer with every relation; `--model attrformer-few` has those of the default options.
Counts the files of the package and the functions in them that one call enters, and how deep calls of them are nested.
Imports do not count, nor do comprehensions, which are part of the function that they stand in.
"""

from __future__ import annotations

import argparse
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrformer

PACKAGE = Path(attrformer.__file__).parent
_WITHIN = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
Visit = tuple[str, int, str]


@dataclass
class Trip:
    """What a call has entered.

    Args:
        functions: file below the package, line and name of each function.
        depth: the most calls of functions of the package that were open at once.
    """

    functions: set[Visit] = field(default_factory=set)
    depth: int = 0

    @property
    def files(self) -> dict[str, int]:
        """The files that were entered, in order of their names, with the number of functions in each."""
        names = sorted(file for file, _, _ in self.functions)
        return {name: names.count(name) for name in names}


class _Tracer(threading.local):
    """Follows the calls of one thread; a function that is entered by an import is left out with all that it calls."""

    def __init__(self, trip: Trip, package: Path) -> None:
        self.trip, self.root, self.open, self.importing = trip, f"{package}/", 0, 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return") or not frame.f_code.co_filename.startswith(self.root):
            return
        step = 1 if event == "call" else -1
        if frame.f_code.co_name == "<module>":
            self.importing = max(0, self.importing + step)
        elif not self.importing and frame.f_code.co_name not in _WITHIN:
            # A trip begins within a call, so that returns may come that nobody saw begin.
            self.open = max(0, self.open + step)
            if step > 0:
                self._enter(frame.f_code)

    def _enter(self, code: CodeType) -> None:
        name = code.co_filename[len(self.root) :]
        self.trip.functions.add((name, code.co_firstlineno, code.co_name))
        self.trip.depth = max(self.trip.depth, self.open)


def travelled(call: Callable[[], Any], package: Path = PACKAGE) -> Trip:
    """Runs a call and follows it, in the threads that it starts, too.

    Args:
        call: what is run.
        package: folder of the code that counts.
    """
    trip = Trip()
    tracer = _Tracer(trip, package)
    before = sys.getprofile()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        call()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return trip


def _calls(kind: str) -> dict[str, Callable[[], Callable[[], Any]]]:
    """By name what makes a call ready: a model of `tests.golden`, just loaded, or its options and the dataset."""
    from tests.golden import tables
    from tests.golden.kinds import KINDS
    from tests.golden.questions import HISTORY, load

    def recommend() -> Callable[[], Any]:
        model = load(kind)
        return lambda: model.recommend(histories=[HISTORY])

    def explain() -> Callable[[], Any]:
        model = load(kind)
        return lambda: model.explain(histories=[HISTORY])

    def fit() -> Callable[[], Any]:
        model, dataset = attrformer.AttrFormer(KINDS[kind]), tables.dataset()
        return lambda: model.fit(dataset, progress=False)

    return {"recommend": recommend, "explain": explain, "fit": fit}


CALLS = ("recommend", "explain", "fit")
MODELS = ("attrformer", "attrformer-sparse", "attrformer-few")


def trip_of(name: str, kind: str = MODELS[0]) -> Trip:
    """The trip of a call that has been made before, so that nothing is imported any more.

    Args:
        name: one of `CALLS`.
        kind: one of `MODELS`.
    """
    prepare = _calls(kind)[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepare()()
        return travelled(prepare())


def main() -> None:
    """Prints the trip of the call that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.trip", description=__doc__)
    parser.add_argument("call", choices=CALLS)
    parser.add_argument("--files", action="store_true", help="list the files, with the functions entered in each")
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="whose call it is (tests/golden/kinds.py)")
    asked = parser.parse_args()
    trip = trip_of(asked.call, asked.model)
    print(f"{asked.call}: {len(trip.files)} files, {len(trip.functions)} functions, depth {trip.depth}")
    for name, count in trip.files.items() if asked.files else ():
        print(f"{count:5}  {name}")


if __name__ == "__main__":
    main()
