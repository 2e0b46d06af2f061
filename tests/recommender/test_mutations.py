"""A damaged model is refused with a typed error or answers exactly as before, wherever the damage is.

ATTRFORMER_MUTATIONS says how many damaged folders are tried.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import save_file
from tests.recommender.saved import forge, read, write_version_1

from attrformer.errors import AttrFormerError, CheckpointError
from attrformer.recommender import AttrFormer

COUNT = int(os.environ.get("ATTRFORMER_MUTATIONS", "160"))
NAMES = ("model.json", "model.safetensors")
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 10**400, 1e308, -0.5, float("nan"), "", "x", "0" * 64, [], {}, [[]], [None], {"a": {}}, [1],
)  # fmt: skip
Files = dict[str, bytes]
Mutation = Callable[[Files, random.Random], Files]


def any_name(drawn: random.Random) -> str:
    return drawn.choice(NAMES)


def flip(files: Files, drawn: random.Random) -> Files:
    name = any_name(drawn)
    content = bytearray(files[name])
    # The head of a safetensors file describes the rest.
    span = len(content) if drawn.random() < 0.7 else min(len(content), 4000)
    content[drawn.randrange(span)] ^= 1 << drawn.randrange(8)
    return files | {name: bytes(content)}


def cut(files: Files, drawn: random.Random) -> Files:
    name = any_name(drawn)
    return files | {name: files[name][: drawn.randrange(len(files[name]))]}


def zero(files: Files, drawn: random.Random) -> Files:
    name = any_name(drawn)
    content = bytearray(files[name])
    start = drawn.randrange(len(content))
    stop = min(len(content), start + drawn.choice((1, 8, 512, 100_000)))
    content[start:stop] = bytes(stop - start)
    return files | {name: bytes(content)}


def longer(files: Files, drawn: random.Random) -> Files:
    name = any_name(drawn)
    return files | {name: files[name] + drawn.choice((b"\0", b" ", b"}", b"{}", files[name]))}


def swap(files: Files, drawn: random.Random) -> Files:
    one, other = NAMES
    return drawn.choice(
        (
            {one: files[other], other: files[one]},
            {one: files[one]},
            {other: files[other]},
            {},
            files | {one: b"[" * 100_000},
            files | {one: b'{"format":' * 100_000},
        )
    )


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a JSON value, as a container and a key."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], (dict, list)):
            found += places(value[key])
    return found


def edit(described: Any, drawn: random.Random) -> Any:
    """One change of a JSON value."""
    described = json.loads(json.dumps(described))
    container, key = drawn.choice(places(described))
    act = drawn.randrange(5)
    if act == 0:
        container[key] = drawn.choice(ODD)
    elif act == 1:
        del container[key]
    elif act == 2 and isinstance(container, dict):
        container[f"{key}x"] = container.pop(key)
    elif act == 3 and isinstance(container[key], list):
        container[key].reverse()
    else:
        other, place = drawn.choice(places(described))
        container[key] = json.loads(json.dumps(other[place]))
    return described


def edit_json(files: Files, drawn: random.Random) -> Files:
    return files | {NAMES[0]: json.dumps(edit(json.loads(files[NAMES[0]]), drawn)).encode()}


MUTATIONS: tuple[Mutation, ...] = (flip, flip, flip, cut, zero, longer, swap, edit_json, edit_json, edit_json)


def answers(folder: Path) -> tuple[pl.DataFrame, ...] | None:
    """What a model answers; None where it is refused. Any error that is none of the library's own fails the test."""
    try:
        model = AttrFormer.load(folder, device="cpu")
    except CheckpointError as error:
        assert "\n" not in str(error) and str(folder) in str(error) and len(str(error)) < 700, str(error)
        return None
    strangers = [["item-0003", "item-0010"]]
    return model.recommend(k=5), model.recommend(histories=strangers, k=3), model.similar_items("item-0003", k=3)


def put(folder: Path, files: Files) -> Path:
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_damaged_model_is_refused_or_answers_as_before(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "whole")
    files = {name: (tmp_path / "whole" / name).read_bytes() for name in NAMES}
    expected, drawn, refused = answers(tmp_path / "whole"), random.Random(7), 0
    assert expected is not None
    for number in range(COUNT):
        mutated = MUTATIONS[number % len(MUTATIONS)](files, drawn)
        found = answers(put(tmp_path / "damaged", mutated))
        refused += found is None
        assert found is None or all(one.equals(other) for one, other in zip(found, expected, strict=True)), number
    # Nearly all of them: what is left changed nothing, such as a blank of the JSON text.
    assert refused >= 0.9 * COUNT


@pytest.mark.parametrize("array", ["codes", "weights", "dense", "histories/items"])
def test_a_zeroed_or_swapped_array_is_refused(model: AttrFormer, tmp_path: Path, array: str) -> None:
    model.save(tmp_path)
    _, tensors = read(tmp_path)
    array = next(name for name in tensors if name.endswith(array))
    for changed in (torch.zeros_like(tensors[array]), tensors[array].flip(0)):
        save_file(tensors | {array: changed}, tmp_path / NAMES[1], metadata={"format": "attrformer-model"})
        with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
            AttrFormer.load(tmp_path)


def test_reversed_ids_are_refused_also_in_models_of_the_version_before(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "new")
    described, tensors = read(tmp_path / "new")
    old = write_version_1(tmp_path / "old", described, tensors)
    assert AttrFormer.load(old).recommend(k=4).equals(model.recommend(k=4))
    for folder in (tmp_path / "new", old):
        told = json.loads((folder / NAMES[0]).read_text())
        told["items"]["values"].reverse()
        (folder / NAMES[0]).write_text(json.dumps(told))
        with pytest.raises(CheckpointError, match="cannot be read"):
            AttrFormer.load(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_forged_model_is_refused_or_answers(model: AttrFormer, tmp_path: Path) -> None:
    """Values that no fitted model holds, under checksums that are right: a typed error, and never another one."""
    model.save(tmp_path / "whole")
    described, tensors = read(tmp_path / "whole")
    drawn, refused = random.Random(11), 0
    for _ in range(COUNT // 4):
        # Sizes of the network are left alone, since large ones are a matter of memory.
        told = edit({key: value for key, value in described.items() if key != "config"}, drawn)
        forge(tmp_path / "forged", told | {"config": described["config"]}, tensors)
        try:
            refused += answers(tmp_path / "forged") is None
        except AttrFormerError:
            refused += 1
    assert 0 < refused < COUNT // 4


@pytest.mark.parametrize(
    ("array", "change", "problem"),
    [
        ("parameter/position", lambda values: values * float("nan"), "no finite"),
        ("popularity", lambda values: -values - 1, "out of range"),
        ("popularity", lambda values: values[:-1], "another one"),
        ("item_attribute codes", lambda values: values + 10_000, "out of range"),
        ("item_attribute weights", lambda values: values * float("inf"), "finite"),
        ("item_attribute diagonal", lambda values: values[:-1], "another one"),
        ("cooccurrence dense", lambda values: values.long(), "another one"),
        ("user_attribute codes", lambda values: values - 1000, "out of range"),
        ("histories/items", lambda values: values + 100_000, "out of range"),
        ("histories/offsets", lambda values: values.flip(0), "offsets"),
        ("histories/offsets", lambda values: values[:-1], "offsets"),
        ("similar_users positions", lambda values: values + 10**9, "out of range"),
        ("similar_users starts", lambda values: values * 0, "cannot be read"),
    ],
)
def test_forged_arrays_are_refused(
    model: AttrFormer, tmp_path: Path, array: str, change: Callable[[torch.Tensor], torch.Tensor], problem: str
) -> None:
    model.save(tmp_path)
    described, tensors = read(tmp_path)
    kind, _, part = array.partition(" ")
    if part:
        kinds = [told["kind"] for told in described["relations"]["relations"]]
        array = f"relations/{kinds.index(kind)}/{part}"
    forge(tmp_path, described, tensors | {array: change(tensors[array]).contiguous()})
    with pytest.raises(CheckpointError, match=problem):
        AttrFormer.load(tmp_path)


def test_saving_gives_the_same_bytes_each_time(model: AttrFormer, tmp_path: Path) -> None:
    for number in range(5):
        model.save(tmp_path / str(number))
    AttrFormer.load(tmp_path / "0").save(tmp_path / "5")
    for name in NAMES:
        assert len({(tmp_path / str(number) / name).read_bytes() for number in range(6)}) == 1, name
