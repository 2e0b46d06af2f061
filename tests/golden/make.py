"""Makes the fixture: `python -m tests.golden.make` trains the models and asks them everything.

`--answers` keeps the models and stores what they answer today; `--api` stores today's public API.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tests.golden import api, server, store, tables, training
from tests.golden.kinds import KINDS, OURS
from tests.golden.questions import catalogue_scores, every_answer, load

from attrformer import AttrFormer, Recommender, __version__


def make_models() -> None:
    """Trains and saves every model, and writes what the folders hold into the manifest."""
    shutil.rmtree(store.MODELS, ignore_errors=True)
    dataset = tables.dataset()
    for name, options in KINDS.items():
        kind = AttrFormer if name in OURS else Recommender
        kind(options).fit(dataset, progress=False).save(store.MODELS / name)
        print(name)
    manifest = {"format": store.FORMAT, "made_by": f"attrformer {__version__}", "models": store.checksums()}
    store.MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def make_answers() -> None:
    """Asks every saved model everything, and trains what is trained by tests."""
    words: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for name in KINDS:
        answers, words[name] = store.without_words(every_answer(name))
        store.write(name, answers)
        scores[name] = catalogue_scores(load(name)).drop("user_id").to_numpy()
    np.savez_compressed(store.SCORES, **scores)
    trained = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(training.TRAINED):
            run = Path(folder) / str(number)
            trained[name] = training.outcome(training.fitted(name, run), run)
        store.write("training", trained)
        with server.served(Path(folder) / "served") as address:
            answers, words["server"] = store.without_words(server.answers(address))
    store.write("server", answers)
    store.write("words", words)


def make_api() -> None:
    """Writes the public API of today."""
    with tempfile.TemporaryDirectory() as folder, server.served(Path(folder) / "served") as address:
        document = server.ask(address, "/openapi.json", None)["answer"]
    sections = {"Python": api.python(), "Commands": api.commands(), "HTTP": api.http(document)}
    store.API.write_text(api.joined(sections), encoding="utf-8")


def main() -> None:
    """Reads the arguments and makes what they ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden.make", description=__doc__)
    parser.add_argument("--answers", action="store_true", help="only the answers, of the models as they lie here")
    parser.add_argument("--api", action="store_true", help="only the snapshot of the public API")
    asked = parser.parse_args()
    if not asked.answers and not asked.api:
        make_models()
    if not asked.api:
        make_answers()
    if not asked.answers:
        make_api()


if __name__ == "__main__":
    main()
