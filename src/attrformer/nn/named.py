"""Modules and parameters by the names of relations, which may hold what torch does not take in a name."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from torch import nn

from attrformer.relations.naming import module_key, name_of_key


class NamedModules(nn.ModuleDict):
    """A `ModuleDict` whose keys may be any text; in the state of the network they stand as `module_key` writes them."""

    def __getitem__(self, name: str) -> nn.Module:
        return super().__getitem__(module_key(name))

    def __setitem__(self, name: str, module: nn.Module) -> None:
        super().__setitem__(module_key(name), module)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(module_key(name))

    def __iter__(self) -> Iterator[str]:
        return iter([name_of_key(key) for key in self._modules])

    def keys(self) -> KeysView[str]:
        """The names of the relations."""
        return self._named().keys()

    def items(self) -> ItemsView[str, Any]:
        """The names of the relations, each with its module."""
        return self._named().items()

    def _named(self) -> dict[str, Any]:
        return {name_of_key(key): module for key, module in self._modules.items()}


class NamedParameters(nn.Module):
    """Parameters by names that may be any text; in the state of the network they stand as `module_key` writes them.

    Args:
        parameters: by name.
    """

    def __init__(self, parameters: dict[str, nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in parameters.items():
            self.register_parameter(module_key(name), parameter)

    def __getitem__(self, name: str) -> nn.Parameter:
        parameter = self._parameters[module_key(name)]
        assert parameter is not None
        return parameter

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The names."""
        return [name_of_key(key) for key in self._parameters]

    def items(self) -> ItemsView[str, Any]:
        """The names, each with its parameter."""
        return {name_of_key(key): parameter for key, parameter in self._parameters.items()}.items()

    def values(self) -> ValuesView[Any]:
        """The parameters in the order of their names."""
        return self._parameters.values()
