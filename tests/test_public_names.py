"""What `from attrformer import ...` offers: the same names to programs, type checkers and editors."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import attrformer
from attrformer import errors
from attrformer.config import Options, variants_of
from attrformer.models import ModelConfig

SOURCE = Path(attrformer.__file__)
TREE = ast.parse(SOURCE.read_text(encoding="utf-8"))


def for_type_checkers() -> dict[str, str]:
    """Names that type checkers see, with the modules that they come from."""
    (block,) = (
        node
        for node in TREE.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_type_checkers_see_what_is_there() -> None:
    assert for_type_checkers() == attrformer._HOME_OF
    assert sorted(attrformer.__all__) == sorted([*attrformer._HOME_OF, "__version__"]) == dir(attrformer)
    for name, home in attrformer._HOME_OF.items():
        assert getattr(attrformer, name) is getattr(importlib.import_module(home), name), name


def test_every_error_and_every_class_of_options_is_at_the_root() -> None:
    public = set(attrformer.__all__)
    own = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert own <= public and len(own) > 10
    assert {kind.__name__ for kind in variants_of(ModelConfig).values()} <= public
    parts = {type(getattr(attrformer.Config(), field.name)) for field in dataclasses.fields(attrformer.Config)}
    assert {kind.__name__ for kind in parts if issubclass(kind, Options)} <= public
    assert {"CooccurrenceConfig", "IndexOptions", "ServeOptions", "ModelConfig", "EncoderConfig"} <= public


def test_a_misspelled_name_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'TrainingConfg'"):
        attrformer.TrainingConfg  # noqa: B018
    with pytest.raises(ImportError, match="TrainingConfg"):
        exec("from attrformer import TrainingConfg")


def test_options_of_training_and_errors_do_not_wait_for_torch() -> None:
    code = (
        "import sys; from attrformer import ConfigurationError, RelationsConfig, TargetConfig, TrainingConfig, "
        "ServeOptions; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
