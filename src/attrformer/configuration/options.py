"""Dataclasses of options that refuse, where they are made, what `from_dict` refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

from attrformer.configuration.values import check_names, converted


class Options:
    """Base of dataclasses of options: names and types are checked when one is made, and mappings become parts.

    So `TrainingConfig(epochs="5")` is refused at once, and `Config(training={"epochs": 5})` is what it looks like. A
    derived class that has a `__post_init__` of its own begins it with that of this class.
    """

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """An instance whose fields are set by the dataclass.

        Raises:
            ConfigurationError: there is no option of that name.
        """
        check_names(cls, named, "")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Converts every value to the type of its option.

        Raises:
            ConfigurationError: a value does not fit its option.
        """
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        for name, value in converted(type(self), given, "").items():
            object.__setattr__(self, name, value)
