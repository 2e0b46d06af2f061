"""Where the stored answers lie, and how they are written: numbers in one place, words for people in another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FORMAT: Final = 1
"""Of the fixture; raised where tests could not read an earlier one."""

FOLDER: Final = Path(__file__).parent
MODELS, ANSWERS = FOLDER / "models", FOLDER / "answers"
MANIFEST, SCORES, API = FOLDER / "manifest.json", ANSWERS / "scores.npz", FOLDER / "api.txt"
WORDS: Final = ("reason", "warnings")
"""What is said in sentences, which may be worded anew while the numbers stay."""


def without_words(answer: Any) -> tuple[Any, list[Any]]:
    """An answer without its sentences, and the sentences in their order."""
    if isinstance(answer, list):
        parts = [without_words(entry) for entry in answer]
        return [part for part, _ in parts], [word for _, words in parts for word in words]
    if not isinstance(answer, dict):
        return answer, []
    if set(answer) == {"columns", "rows"} and "reason" in answer["columns"]:
        place = answer["columns"].index("reason")
        words = [row[place] for row in answer["rows"]]
        rest = {name: [*answer[name]] for name in answer}
        rest["columns"] = _without(answer["columns"], place)
        rest["rows"] = [_without(row, place) for row in answer["rows"]]
        return rest, words
    found, words = {}, []
    for key, value in answer.items():
        if key in WORDS:
            words.append(value)
            continue
        found[key], more = without_words(value)
        words += more
    return found, words


def _without(row: list[Any], place: int) -> list[Any]:
    return [*row[:place], *row[place + 1 :]]


def read(name: str) -> Any:
    """A file of stored answers."""
    return json.loads((ANSWERS / f"{name}.json").read_text(encoding="utf-8"))


def write(name: str, answers: Any) -> None:
    """Writes answers, a line for each of them and numbers with seven digits, which single precision has."""
    lines = ",\n".join(f"{json.dumps(key)}: {_compact(value)}" for key, value in answers.items())
    ANSWERS.mkdir(exist_ok=True)
    (ANSWERS / f"{name}.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _compact(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def read_scores() -> dict[str, NDArray[np.float32]]:
    """Scores over the catalogue by model."""
    with np.load(SCORES) as file:
        return {name: file[name] for name in file.files}


def checksums() -> dict[str, dict[str, str]]:
    """SHA-256 of every file of every saved model."""
    folders = sorted(folder for folder in MODELS.iterdir() if folder.is_dir())
    return {
        folder.name: {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        for folder in folders
    }
