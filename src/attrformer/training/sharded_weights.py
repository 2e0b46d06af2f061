"""The parameters of a network on several ranks, item tables row by row.

Where the loss is over candidates, a rank holds its own rows of the table and nothing else of it; the rows that a step
reads are fetched. The full softmax reads every row in every step, so each rank has all rows, and owns some of them:
optimizer state, moving average and best weights of a row exist on its owner alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from attrformer.nn.fetched import fetch, fetched, from_owners
from attrformer.ranks import Ranks
from attrformer.training.checkpoint import copy_into, parameters_of
from attrformer.training.weights import Weights


class ShardedWeights(Weights):
    """The parameters of a network on several ranks.

    Args:
        network: whole, and the same on all ranks.
        items: size of the catalogue; what has at least as many rows belongs to the ranks row by row.
        ranks: of the training.
        read_by_row: names of the parameters, with a row for each item, of which a step reads the rows of its candidates
            alone; the network keeps those of this rank.
    """

    def __init__(self, network: nn.Module, items: int, ranks: Ranks, read_by_row: Sequence[str] = ()) -> None:
        super().__init__(network)
        self.ranks = ranks
        self.shapes: dict[str, torch.Size] = {}
        self._rows: dict[str, nn.Parameter] = {}
        self._apart: dict[str, nn.Parameter] = {}
        self._own = ranks.rows(items)
        for name, parameter in network.named_parameters():
            if not parameter.requires_grad or parameter.dim() < 2 or len(parameter) < items:
                continue
            self.shapes[name] = parameter.shape
            if name in read_by_row:
                parameter.data = parameter.data[self._own].clone()
                self._apart[name] = parameter
            else:
                # Shares memory with the whole table, which the network reads.
                self._rows[name] = nn.Parameter(parameter.data[ranks.rows(len(parameter))])

    def trained(self, name: str, parameter: nn.Parameter) -> nn.Parameter:
        """See `Weights.trained`."""
        return self._rows.get(name, parameter)

    def own(self) -> dict[str, Tensor]:
        """See `Weights.own`."""
        return parameters_of(self.network) | {name: rows.data for name, rows in self._rows.items()}

    def set(self, values: dict[str, Tensor]) -> None:
        """See `Weights.set`."""
        copy_into(self.own(), values)
        self.spread()

    def spread(self) -> None:
        """Brings the rows of their owners to all ranks, where the network reads all of them."""
        whole = parameters_of(self.network)
        for name in self._rows:
            self.ranks.spread(whole[name])

    def owned(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """The items whose rows this rank owns.

        Args:
            items: int64 `[n]`.

        Returns:
            Where they stand in `items`, int64, and the numbers of their rows here.
        """
        places = ((items >= self._own.start) & (items < self._own.stop)).nonzero()[:, 0]
        return places, items[places] - self._own.start

    def fetch(self, items: Tensor) -> None:
        """Lets the network read rows that several ranks own, until the next call.

        Args:
            items: int64 `[n]`, distinct, the same on all ranks.
        """
        for parameter in self._apart.values():
            fetch(parameter, from_owners(parameter.data, items, self._own, self.ranks).requires_grad_())

    def leaves(self) -> list[tuple[str, Tensor]]:
        """The tensors that a step gives a gradient, by name: parameters, and the rows that were fetched of them."""
        named = ((n, p) for n, p in self.network.named_parameters() if p.requires_grad)
        return [(name, p if (rows := fetched(p)) is None else rows) for name, p in named]

    def set_gradients(self, gradients: dict[str, Tensor | None], items: Tensor | None) -> None:
        """Gives every parameter its gradient, and item tables that of the own rows.

        Args:
            gradients: by name, of `leaves`.
            items: that were fetched, or None.
        """
        for name, parameter in self.network.named_parameters():
            gradient = gradients.get(name)
            if name in self._rows:
                parameter.grad = None
                self._rows[name].grad = None if gradient is None else gradient[self.ranks.rows(len(gradient))]
            elif name in self._apart and gradient is not None and items is not None:
                places, numbers = self.owned(items)
                parameter.grad = torch.sparse_coo_tensor(
                    numbers.unsqueeze(0), gradient[places], parameter.shape, check_invariants=False
                )
            else:
                parameter.grad = gradient

    def complete(self) -> None:
        """See `Weights.complete`."""
        for name, parameter in self._apart.items():
            table = parameter.data.new_zeros(self.shapes[name])
            table[self._own] = parameter.data
            self.ranks.spread(table)
            fetch(parameter, None)
            parameter.grad, parameter.data = None, table
