"""Whether a network keeps to what training and evaluation take for granted; the mistakes that make figures too good."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from torch.func import functional_call

from attrformer.errors import ConfigurationError
from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.nn.losses import Outputs

ROWS: Final = 8
"""Histories that are looked at."""

NOISE: Final = 0.1
"""Standard deviation of what is added to parameters, since what starts at zero would hide what it carries."""


def check_network(network: Network, batch: Batch, items: int, *, causal: bool = True) -> None:
    """Looks for what makes figures of a new network wrong: sight of later interactions, of padding, of other people.

    The network is run on a few histories as they are, one by one, and with another continuation. Its parameters and
    its random numbers stay as they are.

    Args:
        network: on the device of the batch.
        batch: as training makes it; its first rows are read.
        items: size of the catalogue, the code that pads.
        causal: whether places must not see what comes after them; False for networks with `ENDS_BEFORE_TARGET`, whose
            only place is the last position.

    Raises:
        ConfigurationError: outputs have the wrong shape or are not finite, or depend on what they must not see; or the
            network keeps what would not be saved.
    """
    _check_buffers(network)
    batch = batch.map(lambda tensor: tensor[:ROWS])
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            _check_outputs(network(batch), batch, items)
            told = _Shaken(network)
            hidden = told(batch).hidden
            _check_alone(told, hidden, batch, items)
            if causal:
                _check_future(told, hidden, batch, items)
    finally:
        network.train(training)


class _Shaken:
    """The network with noise on its parameters."""

    def __init__(self, network: Network) -> None:
        generator = torch.Generator().manual_seed(0)
        self._network = network
        self._parameters = {
            name: value + NOISE * torch.randn(value.shape, generator=generator).to(value)
            for name, value in network.named_parameters()
        }

    def __call__(self, batch: Batch) -> Outputs:
        outputs: Outputs = functional_call(self._network, self._parameters, (batch,))
        return outputs


def _check_buffers(network: Network) -> None:
    kept = sorted(network.state_dict().keys() - dict(network.named_parameters()).keys())
    if kept:
        raise ConfigurationError(
            f"The network has the buffers {', '.join(kept)}, and parameters alone are saved. Register with "
            "persistent=False what is made of relations and options, and normalise by layers in place of batches."
        )


def _check_outputs(outputs: Outputs, batch: Batch, items: int) -> None:
    if not isinstance(outputs, Outputs):
        raise ConfigurationError(
            f"The network gives a {type(outputs).__name__}. Give Outputs(hidden, table): hidden states at the places "
            "that are asked for, and the item table."
        )
    places, hidden, table = tuple(batch.target_positions.shape), outputs.hidden, outputs.table
    if hidden.dim() != 3 or tuple(hidden.shape[:2]) != places:
        raise ConfigurationError(
            f"The network gives hidden states of shape {list(hidden.shape)} for places of shape {list(places)}. "
            "Give [*places, d]: batch.at_target_positions(values) takes values [b, l, d] there."
        )
    if tuple(table.shape) != (items, hidden.shape[2]):
        raise ConfigurationError(
            f"The network gives an item table of shape {list(table.shape)}. Give [{items}, {hidden.shape[2]}]: a row "
            "for each item of the catalogue, as wide as the hidden state."
        )
    if not (bool(hidden.isfinite().all()) and bool(table.isfinite().all())):
        raise ConfigurationError(
            "The network gives values that are not finite. Look for divisions by zero and for rows of padding alone."
        )


def _check_alone(told: _Shaken, hidden: Tensor, batch: Batch, items: int) -> None:
    """Each history by itself, without any padding, has to come out as it does among the others."""
    for row, length in enumerate((batch.items != items).sum(1).tolist()):
        cut = _cut(batch.map(lambda tensor, row=row: tensor[row : row + 1]), max(length, 1))  # type: ignore[misc]
        alone = told(cut)
        # With as many positions as places, a network that answers at positions has the right shape by accident.
        _check_outputs(alone, cut, items)
        inside = batch.target_positions[row] < length
        if not _alike(alone.hidden[0, inside], hidden[row, inside]):
            raise ConfigurationError(
                "The network says something else about a history by itself than about the same one padded beside "
                f"longer ones. Leave out positions whose item is {items}, the code that pads on the right, and let no "
                "row depend on another."
            )


def _check_future(told: _Shaken, hidden: Tensor, batch: Batch, items: int) -> None:
    """Another continuation, of items, times and levels, has to change nothing that is said before it."""
    length = batch.items.shape[1]
    for start in sorted({1, length // 2, length - 1} - {0}):
        later = torch.arange(length, device=batch.items.device) >= start
        real = later & (batch.items != items)
        changed = replace(
            batch,
            items=torch.where(real, (batch.items + 1) % items, batch.items),
            times=None if batch.times is None else torch.where(real, batch.times + 1_000_000, batch.times),
            levels={name: torch.where(real, 0, level) for name, level in batch.levels.items()},
        )
        before = batch.target_positions < start
        if not _alike(told(changed).hidden[before], hidden[before]):
            raise ConfigurationError(
                "The network says something else at a place when interactions after it change: it would see what it is "
                "to predict. Mask later positions, or set ENDS_BEFORE_TARGET: ClassVar[bool] = True in its options, so "
                "that every target has a history of its own that ends before it."
            )


def _alike(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, rtol=1e-3, atol=1e-4)


def _cut(batch: Batch, length: int) -> Batch:
    """The same batch with its first positions alone."""
    return replace(
        batch,
        items=batch.items[:, :length],
        target_positions=batch.target_positions.clamp_max(length - 1),
        times=None if batch.times is None else batch.times[:, :length],
        levels={name: level[:, :length] for name, level in batch.levels.items()},
    )
