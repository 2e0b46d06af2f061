"""Configuration dataclasses that the tests of this folder share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Head:
    rank: int = 4
    scale: float | None = None


@dataclass(frozen=True)
class Training:
    epochs: int = field(default=20, metadata={"help": "Passes over the data."})
    learning_rate: float = 1e-3
    compile: bool = False
    precision: Literal["auto", "bf16", "off"] = "auto"
    betas: tuple[float, float] = (0.9, 0.999)
    widths: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ValueError("epochs must not be negative")


@dataclass(frozen=True)
class Whole:
    training: Training = field(default_factory=lambda: Training(epochs=7))
    heads: dict[str, Head] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    extra: Head | None = None
    name: str = "whole"
    seed: int = 0


@dataclass(frozen=True)
class Tree:
    name: Literal["tree"] = "tree"
    depth: int = 3


@dataclass(frozen=True)
class Net:
    name: Literal["net"] = "net"
    depth: int = 2
    width: int = 64


@dataclass(frozen=True)
class Choice:
    model: Tree | Net = field(default_factory=Tree)
    seed: int = 0


@dataclass(frozen=True)
class Required:
    path: str
