"""What every network offers to training, evaluation and the recommender."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from attrformer.nn.batch import Batch, Example
from attrformer.nn.candidates import Candidates
from attrformer.nn.losses import Objective, Outputs


class Network(nn.Module):
    """Base of all networks: what is said at the places of a batch, and the loss that teaches it.

    The score of an item is the product of the hidden state with its row of the table, plus what the parts add. A
    network without parameters is not trained.
    """

    ITEM_PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """Parameters with a row for each item, which `forward` reads row by row where it is given candidates; none: the
    network knows no candidates."""

    ROWS_APART: ClassVar[bool] = False
    """Whether threads may compute parts of a batch at a time in training: the loss is a mean over its targets, each of
    which depends on its own row alone, nothing is drawn but by `nn/dropout.py`, and a step leaves nothing behind in the
    network. A class says so of itself; what is derived from it has to say so again."""

    @property
    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def forward(self, batch: Batch) -> Outputs:
        """Runs the network on a batch; scores and loss are made of the outputs in blocks.

        Networks with `ITEM_PARAMETERS` take `Candidates` as a second argument: the only items whose scores are asked
        for. Then no more than the rows of `Candidates.read` may be read of these parameters.

        Args:
            batch: histories, padded on the right, and the positions to predict from.

        Returns:
            Hidden state at these positions, the item table, and what else adds to the scores.
        """
        raise NotImplementedError

    def before_scores(self, batch: Batch, candidates: Candidates) -> Outputs:
        """What `forward` computes whichever items are scored, once for several groups of them.

        Args:
            batch: histories and positions.
            candidates: items of the histories and `items_read`; no other rows of `ITEM_PARAMETERS` are read.

        Returns:
            Hidden state, and parts over the whole catalogue, which `Outputs.among` cuts.
        """
        return self(batch, candidates)  # type: ignore[no-any-return]

    def item_rows(self, items: Tensor) -> Tensor | None:
        """Rows of the item table as they depend on `ITEM_PARAMETERS` and items alone, `[n, d]`.

        None, as by default: `forward` has to be asked for them.

        Args:
            items: int64 `[n]`, distinct.
        """
        return None

    def items_read(self, batch: Batch) -> Tensor:
        """Items beside those of the histories whose representation `forward` reads, `[n]`, also repeated.

        Args:
            batch: histories and positions.
        """
        return batch.items.new_empty(0)

    def named(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """Items that belong among the candidates since relations name them.

        Args:
            batch: histories and positions.

        Returns:
            A pair for each relation: item codes (int32 or int64) and float32 strengths, both `[n]`. Strengths of one
            item are added up, in units of the strongest entry of a position.
        """
        return []

    def add_named(self, batch: Batch, total: Tensor) -> None:
        """Adds the strengths of `named` up by item.

        Args:
            batch: histories and positions.
            total: float32 `[items]`, added to.
        """
        for items, strengths in self.named(batch):
            total.index_add_(0, items, strengths)

    def _outputs(self, example: Example) -> Outputs:
        found: Outputs = self(example.batch) if example.candidates is None else self(example.batch, example.candidates)
        return found

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """The training loss of one batch, by default the cross-entropy of the next item over catalogue or candidates.

        Args:
            example: histories and what came next.
            objective: losses over the catalogue.
        """
        return objective.next_item(self._outputs(example), example.items[:, :, 0], example.mask)

    def is_short(self, example: Example) -> bool:
        """Whether threads would rather wait for each other than gain from splitting an operation of a step on a CPU.

        By default none is; what takes long is shared out in any case (`nn/workers.py`).

        Args:
            example: histories and what came next.
        """
        return False

    @staticmethod
    def is_relation_parameter(name: str) -> bool:
        """Whether a parameter belongs to a relation, which has a learning rate of its own and no weight decay.

        Args:
            name: of the parameter, as torch has it.
        """
        return False
