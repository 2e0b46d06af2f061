from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.evaluation.scorers import make_targets, run

from attrformer.errors import CheckpointError
from attrformer.evaluation import Evaluation


def test_save_and_load_give_the_same_evaluation(tmp_path):
    path = tmp_path / "folder" / "evaluation.safetensors"
    found = run()
    found.save(path)
    loaded = Evaluation.load(path)
    assert loaded.to_json() == found.to_json()
    assert loaded.by_item_popularity() == found.by_item_popularity()
    assert [file.name for file in path.parent.iterdir()] == ["evaluation.safetensors"]
    assert loaded.same_time is None
    timed = run(make_targets(times=True))
    timed.save(path)
    assert Evaluation.load(path).by_same_time() == timed.by_same_time()
    plain = run(lists=False, popularity=None)
    plain.save(path)
    assert Evaluation.load(path).to_json() == plain.to_json()


def test_files_that_hold_no_evaluation_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        Evaluation.load(tmp_path / "absent.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no tensors here")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Evaluation.load(damaged)
    other = tmp_path / "other.safetensors"
    save_file({"users": np.zeros(1)}, other)
    with pytest.raises(CheckpointError, match="no evaluation"):
        Evaluation.load(other)
    header = {"format": "attrformer-evaluation-1", "protocol": "{}", "cutoffs": "[5]"}
    save_file({"users": np.zeros(1)}, other, metadata=header)
    with pytest.raises(CheckpointError, match="incomplete"):
        Evaluation.load(other)
