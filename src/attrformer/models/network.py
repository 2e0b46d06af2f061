"""What every network offers to training, evaluation and the recommender."""

from __future__ import annotations

from torch import Tensor, nn

from attrformer.nn.batch import Batch, Example
from attrformer.nn.losses import Objective, Outputs


class Network(nn.Module):
    """Base of all networks: what is said at the places of a batch, and the loss that teaches it.

    The score of an item is the product of the hidden state with its row of the table, plus what the parts add. A
    network without parameters is not trained.
    """

    @property
    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def forward(self, batch: Batch) -> Outputs:
        """Runs the network on a batch; scores and loss are made of the outputs in blocks.

        Args:
            batch: histories, padded on the right, and the positions to predict from.

        Returns:
            Hidden state at these positions, the item table, and what else adds to the scores.
        """
        raise NotImplementedError

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """The training loss of one batch, by default the cross-entropy of the next item over the whole catalogue.

        Args:
            example: histories and what came next.
            objective: losses over the catalogue.
        """
        return objective.next_item(self(example.batch), example.items[:, :, 0], example.mask)

    @staticmethod
    def is_relation_parameter(name: str) -> bool:
        """Whether a parameter belongs to a relation, which has a learning rate of its own and no weight decay.

        Args:
            name: of the parameter, as torch has it.
        """
        return False
