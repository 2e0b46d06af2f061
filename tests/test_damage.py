"""Damaged checkpoints, indexes, exports, evaluations and ranks are refused or say what they said before."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.benchmark.builders import evaluation
from tests.retrieval.builders import model_of
from torch import nn

from attrformer.benchmark.ranks import load_ranks, save_ranks
from attrformer.errors import CheckpointError
from attrformer.evaluation import Evaluation
from attrformer.training.checkpoint import CheckpointFolder, Progress, parameters_of

COUNT = int(os.environ.get("ATTRFORMER_MUTATIONS", "160")) // 4


def damaged(folder: Path, place: Path, drawn: random.Random) -> Path:
    """A copy of a folder with one file changed."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    path = drawn.choice(sorted(path for path in place.iterdir()))
    content = bytearray(path.read_bytes())
    at = drawn.randrange(len(content))
    kind = drawn.randrange(4)
    if kind <= 1:
        content[at] ^= 1 << drawn.randrange(8)
    elif kind == 2:
        del content[at:]
    else:
        stop = min(len(content), at + 200)
        content[at:stop] = bytes(stop - at)
    path.write_bytes(bytes(content))
    return place


def check(folder: Path, place: Path, read: Callable[[Path], Any], least: float = 0.9, count: int = COUNT) -> None:
    """Reads many damaged copies; `read` gives what can be compared."""
    expected, drawn, refused = read(folder), random.Random(3), 0
    for _ in range(count):
        try:
            found = read(damaged(folder, place, drawn))
        except CheckpointError as error:
            refused += 1
            assert "\n" not in str(error) and str(place) in str(error)
        else:
            assert repr(found) == repr(expected)
    assert refused >= least * count


def network() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(layers.parameters())
    layers(torch.randn(2, 8)).sum().backward()
    optimizer.step()
    return layers, optimizer


@pytest.mark.slow
def test_checkpoints(tmp_path: Path) -> None:
    layers, optimizer = network()
    best = {name: value + 1 for name, value in parameters_of(layers).items()}
    CheckpointFolder(tmp_path / "whole").save(Progress(step=7), layers, optimizer, {}, best)

    def read(folder: Path) -> object:
        other, moments = network()
        progress, averaged, best = CheckpointFolder(folder).load(other, moments)
        state = [value.tolist() for value in other.state_dict().values()]
        return progress, averaged, [value.tolist() for value in best.values()], state, torch.rand(2).tolist()

    check(tmp_path / "whole", tmp_path / "damaged", read)


def test_a_checkpoint_of_the_version_before_is_read(tmp_path: Path) -> None:
    layers, optimizer = network()
    folder = CheckpointFolder(tmp_path)
    folder.save(Progress(step=7), layers, optimizer, {}, {})
    state = json.loads((tmp_path / "state.json").read_text())
    del state["checksum"], state["sha256"]
    (tmp_path / "state.json").write_text(json.dumps(state))
    assert folder.load(*network())[0].step == 7


def test_evaluations_and_ranks(tmp_path: Path) -> None:
    whole = tmp_path / "evaluation"
    made = evaluation(list(range(1, 60)), 2)
    made.save(whole / "a.safetensors")
    first = (whole / "a.safetensors").read_bytes()
    for _ in range(4):
        made.save(whole / "a.safetensors")
        assert (whole / "a.safetensors").read_bytes() == first
    check(whole, tmp_path / "damaged", lambda folder: Evaluation.load(folder / "a.safetensors").to_json())

    save_ranks(made, tmp_path / "ranks" / "a.npz")

    def ranks(folder: Path) -> object:
        found = load_ranks(folder / "a.npz")
        return found.protocol, found.targets, {seen: values.tolist() for seen, values in found.ranks.items()}

    # What a zip file says of dates and of its own version means nothing here.
    check(tmp_path / "ranks", tmp_path / "damaged", ranks, least=0.5)


@pytest.mark.parametrize("name", ["hidden", "above", "users", "repeats"])
@pytest.mark.parametrize("lost", [False, True])
def test_ranks_whose_arrays_were_changed_or_lost_are_refused(tmp_path: Path, name: str, lost: bool) -> None:
    made = evaluation(list(range(1, 60)), 2)
    repeats = np.arange(len(made.users)) % 2 == 0
    protocol = replace(made.protocol, users=30)
    save_ranks(replace(made, protocol=protocol, users=made.users // 2, repeats=repeats), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = {key: file[key] for key in file}
    assert load_ranks(tmp_path / "a.npz").users is not None
    changed = arrays.pop(name)
    changed[0] = not changed[0]
    np.savez_compressed(tmp_path / "a.npz", **(arrays if lost else {**arrays, name: changed}))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_ranks(tmp_path / "a.npz")


def test_ranks_of_the_version_before_are_read(tmp_path: Path) -> None:
    save_ranks(evaluation(list(range(1, 60)), 2), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = {key: file[key] for key in file}
    header = json.loads(arrays["header"].tobytes())
    del header["checksum"], header["arrays"]
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez_compressed(tmp_path / "old.npz", **arrays)
    old, new = load_ranks(tmp_path / "old.npz"), load_ranks(tmp_path / "a.npz")
    assert old.targets == new.targets and all((old.ranks[seen] == new.ranks[seen]).all() for seen in new.ranks)


def test_indexes(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    from attrformer.retrieval import Index, IndexOptions

    model = model_of()
    index = Index.build(model, IndexOptions(method="approximate"))
    for name in ("whole", "again"):
        index.save(tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert len(names) == 2
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    user = model.fitted.knowledge.user_ids.to_list()[:3]
    check(
        tmp_path / "whole",
        tmp_path / "damaged",
        lambda folder: Index.load(folder, model).search(user).rows(),
        count=COUNT // 4,
    )
