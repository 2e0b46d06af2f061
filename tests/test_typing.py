"""What `mypy --strict` says of programs that use the library: nothing of right ones, and what is wrong of others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import attrformer

ROOT = Path(__file__).parents[1]

PROGRAM = """
from attrformer import (
    AttrFormer,
    AttrFormerConfig,
    Config,
    ConfigurationError,
    CooccurrenceConfig,
    DataConfig,
    Dataset,
    Evaluation,
    EvaluationConfig,
    Index,
    IndexOptions,
    Recommender,
    RelationsConfig,
    SASRecConfig,
    ServeOptions,
    TargetConfig,
    TrainingConfig,
    serve,
)

relations = RelationsConfig(cooccurrence_near=CooccurrenceConfig(window=5), edges=("also_bought",))
config = Config(seed=1, training={"epochs": 5}, model=SASRecConfig(width=32, loss="full"), relations=relations)
whole = Config(0, DataConfig(core=5), {}, {"name": "vsknn"}, TargetConfig(), TrainingConfig(), EvaluationConfig())
changed: Config = config.override("training.epochs=5", "seed=2")
parts: tuple[TrainingConfig, RelationsConfig] = (config.training, config.relations)
epochs: int = Config.from_yaml("run.yaml").training.epochs
rate: TrainingConfig = TrainingConfig.from_dict({"learning_rate": 1e-3})
values: dict[str, object] = changed.to_dict()
changed.to_yaml("run.yaml")
dataset = Dataset.load("data", kinds={"year": "numeric"}, catalogue="all")
model: AttrFormer = AttrFormer(Config(model=AttrFormerConfig(width=32))).fit(dataset, progress=False)
figures: Evaluation = model.evaluate(dataset)
loaded: Recommender = Recommender.load("model", device="cpu")
index: Index = Index.build(model, IndexOptions(method="exact"))
print(index.search(histories=[["i1"]], k=3))
print(Recommender(SASRecConfig()), Recommender({"seed": 1}), AttrFormer("attrformer"))
try:
    serve("runs/first", ServeOptions(port=0))
except ConfigurationError as error:
    print(error)
"""

MISTAKES = """
from attrformer import AttrFormer, Config, ServeOptions, SASRecConfig, TrainingConfig
from attrformer import TrainingConfg
TrainingConfig(epochs="5")
TrainingConfig(epoch=5)
Config(trainin={})
Config(training=SASRecConfig())
SASRecConfig(loss="ful")
ServeOptions(prot=80)
AttrFormer(5)
AttrFormer().recommend(user=["u1"])
Config().training.epochs = 5
"""
SAID = (
    (3, 'has no attribute "TrainingConfg"; maybe "TrainingConfig"'),
    (4, '"epochs" to "TrainingConfig" has incompatible type "str"; expected "int"'),
    (5, 'Unexpected keyword argument "epoch" for "TrainingConfig"; did you mean "epochs"'),
    (6, 'Unexpected keyword argument "trainin" for "Config"; did you mean "training"'),
    (7, '"training" to "Config" has incompatible type "SASRecConfig"'),
    (8, '"loss" to "SASRecConfig" has incompatible type'),
    (9, 'Unexpected keyword argument "prot" for "ServeOptions"'),
    (10, 'to "AttrFormer" has incompatible type "int"'),
    (11, 'Unexpected keyword argument "user" for "recommend"'),
    (12, 'Property "epochs" defined in "TrainingConfig" is read-only'),
)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="NumPy for Python 3.10 says too little of its own types")
def test_type_checkers_know_every_class_of_options(tmp_path: Path) -> None:
    assert (Path(attrformer.__file__).parent / "py.typed").is_file()
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(PROGRAM, encoding="utf-8")
    wrong.write_text(MISTAKES, encoding="utf-8")
    # With the settings and the cache of `make lint`, which has read the library already.
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, str(right), str(wrong)], cwd=ROOT, capture_output=True, text=True, check=False)
    errors = re.findall(r"^.*?(\w+)\.py:(\d+): error: (.*)$", done.stdout, flags=re.MULTILINE)
    assert [error for error in errors if error[0] != "wrong"] == [], done.stdout + done.stderr
    assert [int(line) for _, line, _ in errors] == [line for line, _ in SAID], done.stdout + done.stderr
    for (_, _, text), (line, words) in zip(errors, SAID, strict=True):
        assert words in text, line
