"""Models from outside of the library: registered, or imported by the name of a file; saved models bring no code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from tests.support.recommenders import small_config, small_dataset

from attrformer import Config, Recommender, plugins
from attrformer.config import describe, from_dict, override, to_dict
from attrformer.errors import ConfigurationError
from attrformer.models import EncoderConfig, ModelConfig, load_models, register
from attrformer.models.baselines.popularity import PopularityNetwork
from attrformer.models.baselines.sasrec import SASRecConfig, SASRecNetwork
from attrformer.models.registry import build_network, is_own

pytestmark = pytest.mark.usefixtures("known_models")

SOURCE = """
from dataclasses import dataclass, field
from typing import Literal

from attrformer.models import ModelConfig, register
from attrformer.models.baselines.popularity import PopularityNetwork


@dataclass(frozen=True)
class CountsConfig(ModelConfig):
    name: Literal["counts"] = "counts"
    power: float = field(default=0.5, metadata={"help": "nothing"})


register(CountsConfig, PopularityNetwork)
"""


@dataclass(frozen=True)
class MineConfig(EncoderConfig):
    """SASRec under another name."""

    name: Literal["mine"] = "mine"
    loss: Literal["full"] = "full"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "counts_of_mine.py"
    path.parent.mkdir()
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_a_registered_model_is_one_like_any_other(tmp_path: Path) -> None:
    register(MineConfig, SASRecNetwork)
    config = override(small_config(), ["model.name=mine", "model.width=16"])
    assert isinstance(config.model, MineConfig) and is_own(config.model) and not is_own(SASRecConfig())
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config
    assert {"model.width", "model.loss"} <= {option.name for option in describe(Config, {"model": "mine"})}
    dataset = small_dataset()
    model = Recommender(config).fit(dataset, progress=False)
    theirs = override(small_config(), ["model.name=sasrec", "model.loss=full", "model.width=16"])
    same = Recommender(theirs).fit(dataset, progress=False)
    assert model.recommend(k=5).equals(same.recommend(k=5))
    model.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model", device="cpu")
    assert loaded.config == config and loaded.recommend(k=5).equals(model.recommend(k=5))


@pytest.mark.slow
def test_a_saved_model_does_not_bring_its_code(tmp_path: Path) -> None:
    register(MineConfig, SASRecNetwork)
    config = override(small_config(), ["model.name=mine", "model.width=16"])
    Recommender(config).fit(small_dataset(), progress=False).save(tmp_path / "model")
    script = f"from attrformer import Recommender; Recommender.load({str(tmp_path / 'model')!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode != 0 and "has options that are not known here. Option 'model.name' takes" in done.stderr
    assert "attrformer --plugins FILE" in done.stderr and "'mine'" in done.stderr


def test_a_network_that_sees_its_target_is_not_trained() -> None:
    class Leaking(SASRecNetwork):
        def forward(self, batch):  # type: ignore[no-untyped-def]
            outputs = super().forward(batch)
            outputs.hidden.add_(self.item[batch.items.clamp_max(self.items - 1)].mean(1, keepdim=True))
            return outputs

    register(MineConfig, Leaking)
    model = Recommender(override(small_config(), ["model.name=mine", "model.width=16"]))
    with pytest.raises(ConfigurationError, match=r"by itself than|would see what it is to predict"):
        model.fit(small_dataset(), progress=False)


def test_registering_again_replaces_and_names_of_the_library_are_taken() -> None:
    register(MineConfig, PopularityNetwork)
    register(MineConfig, SASRecNetwork)

    @dataclass(frozen=True)
    class Taken(ModelConfig):
        name: Literal["sasrec"] = "sasrec"

    with pytest.raises(ConfigurationError, match="'sasrec' is that of a model of the library"):
        register(Taken, SASRecNetwork)
    assert override(Config(), ["model.name=sasrec"]).model == SASRecConfig()


def test_options_without_a_name_of_their_own_are_refused() -> None:
    @dataclass(frozen=True)
    class Nameless(ModelConfig):
        name: str = "nameless"

    for options in (Nameless, dict, "sasrec"):
        with pytest.raises(ConfigurationError, match=r"is no variant of ModelConfig\. Derive it"):
            register(options, SASRecNetwork)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"No model is registered for Nameless"):
        build_network(None, Nameless(), 0.0)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_file_is_imported_once_and_named_to_child_processes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    load_models([file.name])
    first = sys.modules["counts_of_mine"]
    load_models([str(file)])
    assert sys.modules["counts_of_mine"] is first and os.environ[plugins.VARIABLE] == str(file)
    assert override(Config(), ["model.name=counts"]).model.name == "counts"
    assert plugins.loaded_plugins() == {"counts_of_mine.py": hashlib.sha256(file.read_bytes()).hexdigest()[:12]}
    script = "from attrformer.plugins import load_plugins, loaded_plugins; load_plugins(); print(loaded_plugins())"
    told = subprocess.run([sys.executable, "-c", script], cwd="/", capture_output=True, text=True, check=True).stdout
    assert "counts_of_mine.py" in told


def test_the_variable_names_files_and_modules(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(file.parent.parent))
    monkeypatch.setenv(plugins.VARIABLE, os.pathsep.join(["models.counts_of_mine", "json"]))
    load_models()
    assert set(plugins.loaded_plugins()) == {"models.counts_of_mine", "json"}


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "absent.py", r"There is no file .*absent\.py"),
        ("import absent_module", "broken.py", r"broken\.py cannot be imported \(ModuleNotFoundError: No module named"),
        ("x =", "broken.py", r"broken\.py cannot be imported \(SyntaxError"),
        ("", "json.py", r"another module is called 'json'"),
        (None, "absent_module", r"absent_module cannot be imported \(ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_imported_is_told(tmp_path: Path, text: str | None, name: str, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_models([str(tmp_path / name) if name.endswith(".py") else name])
    assert plugins.VARIABLE not in os.environ
