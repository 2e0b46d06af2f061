from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.builders import network_of
from tests.relations.builders import relations_of, shop
from torch import nn

from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.training.checkpoint import (
    STATE,
    CheckpointFolder,
    Progress,
    parameters_of,
    read_tensors,
    set_parameters,
    write_json,
    write_tensors,
)


def pair(inputs: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A small network and its optimizer after one step."""
    network = nn.Sequential(nn.Linear(inputs, 4), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.randn(2, inputs)).sum().backward()
    optimizer.step()
    return network, optimizer


PROGRESS = Progress(epoch=2, batch=7, step=40, loss_sum=1.5, seconds=3.25, best=0.125, best_epoch=1)


def saved(folder: Path) -> tuple[nn.Module, torch.optim.Optimizer, CheckpointFolder]:
    network, optimizer = pair()
    checkpoint = CheckpointFolder(folder)
    best = {name: value + 1 for name, value in parameters_of(network).items()}
    checkpoint.save(PROGRESS, network, optimizer, {}, best)
    return network, optimizer, checkpoint


def test_round_trip(tmp_path: Path) -> None:
    assert not CheckpointFolder(tmp_path / "run").exists()
    network, optimizer, checkpoint = saved(tmp_path / "run")
    drawn = torch.rand(5)
    other, other_optimizer = pair()
    assert checkpoint.exists()
    progress, averaged, best = checkpoint.load(other, other_optimizer)
    assert progress == PROGRESS and averaged == {}
    assert torch.equal(torch.rand(5), drawn)
    for name, value in parameters_of(network).items():
        assert torch.equal(parameters_of(other)[name], value)
        assert torch.equal(best[name], value + 1)
    first, second = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
    assert first.keys() == second.keys()
    for number, state in first.items():
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(second[number][key]))
    # Both go on in the same way.
    for module, one in ((network, optimizer), (other, other_optimizer)):
        one.zero_grad()
        module(torch.ones(2, 3)).sum().backward()
        one.step()
    for name, value in parameters_of(network).items():
        assert torch.equal(parameters_of(other)[name], value)


def test_round_trip_of_the_real_network(tmp_path: Path) -> None:
    relations = relations_of(shop())
    network = network_of(relations)
    optimizer = torch.optim.AdamW(network.parameters())
    checkpoint = CheckpointFolder(tmp_path)
    copies = {name: value.clone() for name, value in parameters_of(network).items()}
    checkpoint.save(Progress(), network, optimizer, copies, {})
    other = network_of(relations, shaken=False)
    _, averaged, best = checkpoint.load(other, torch.optim.AdamW(other.parameters()))
    assert best == {} and averaged.keys() == parameters_of(network).keys()
    for name, value in parameters_of(network).items():
        assert torch.equal(parameters_of(other)[name], value) and torch.equal(averaged[name], value)


def test_a_later_state_replaces_an_earlier_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    network, optimizer, checkpoint = saved(tmp_path)
    checkpoint.save(Progress(step=41), network, optimizer, {}, {})
    assert checkpoint.load(network, optimizer)[0].step == 41
    assert len(list(tmp_path.iterdir())) == 2


def tensors_file(folder: Path) -> Path:
    return folder / json.loads((folder / STATE).read_text())["tensors"]


def without(name: str, path: Path) -> None:
    tensors = load_file(path)
    save_file({key: value for key, value in tensors.items() if key != name}, path)


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: tensors_file(folder).write_bytes(tensors_file(folder).read_bytes()[:100]),
        lambda folder: tensors_file(folder).write_bytes(b""),
        lambda folder: tensors_file(folder).unlink(),
        lambda folder: (folder / STATE).write_text("{"),
        lambda folder: (folder / STATE).write_text("{}"),
        lambda folder: (folder / STATE).write_text("[]"),
        lambda folder: (folder / STATE).write_text("null"),
        lambda folder: (folder / STATE).write_bytes(b"\xff\xfe\x00"),
        lambda folder: (folder / STATE).unlink(),
        lambda folder: rewrite(folder / STATE, unknown=1),
        lambda folder: without("random", tensors_file(folder)),
        lambda folder: without("parameter/0.weight", tensors_file(folder)),
    ],
    ids=[
        "cut tensors",
        "empty tensors",
        "no tensors",
        "half a state",
        "empty state",
        "a list",
        "null",
        "not text",
        "no state",
        "unknown field",
        "no random state",
        "no parameter",
    ],
)
def test_a_damaged_checkpoint_is_refused(damage: object, tmp_path: Path) -> None:
    _, _, checkpoint = saved(tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(CheckpointError):
        checkpoint.load(*pair())


def test_a_checkpoint_of_another_shape_is_refused_before_anything_changes(tmp_path: Path) -> None:
    _, _, checkpoint = saved(tmp_path)
    network, optimizer = pair(inputs=5)
    before = {name: value.clone() for name, value in parameters_of(network).items()}
    with pytest.raises(CheckpointError, match="another configuration or dataset"):
        checkpoint.load(network, optimizer)
    for name, value in parameters_of(network).items():
        assert torch.equal(value, before[name])


def test_parameters_of_another_network_are_refused() -> None:
    network, _ = pair()
    values = parameters_of(network)
    with pytest.raises(CheckpointError):
        set_parameters(network, {name: value for name, value in values.items() if name != "0.bias"})
    with pytest.raises(CheckpointError):
        set_parameters(network, values | {"2.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError):
        set_parameters(network, values | {"0.bias": torch.zeros(9)})


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_tensors_round_trip_also_where_they_are_views(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    write_tensors(path, {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.zeros(())})
    found = read_tensors(path)
    assert torch.equal(found["a"], torch.arange(6.0).view(2, 3).t()) and found["b"].shape == ()
    assert [file.name for file in tmp_path.iterdir()] == ["some.safetensors"]
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors"):
        read_tensors(tmp_path / "nowhere.safetensors")


def test_an_old_torch_is_refused_before_several_processes_train(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("torch.distributed.checkpoint")
    monkeypatch.setitem(sys.modules, "torch.distributed.checkpoint.hf_storage", None)
    monkeypatch.delitem(sys.modules, "attrformer.training.shards", raising=False)
    with pytest.raises(ConfigurationError, match=r"needs torch 2\.8 or later; this is .*Update torch"):
        importlib.import_module("attrformer.training.shards")
