"""The parameters of a network as a process trains them."""

from __future__ import annotations

from torch import Tensor, nn

from attrformer.training.checkpoint import parameters_of, set_parameters


class Weights:
    """The parameters of a network as one process trains them: all of them, each whole.

    Args:
        network: that is trained.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def trained(self, name: str, parameter: nn.Parameter) -> nn.Parameter:
        """What the optimizer updates of a parameter.

        Args:
            name: of the parameter.
            parameter: of the network.
        """
        return parameter

    def own(self) -> dict[str, Tensor]:
        """What this process holds of each parameter, by name."""
        return parameters_of(self.network)

    def set(self, values: dict[str, Tensor]) -> None:
        """Copies values, as `own` has them, into the network.

        Raises:
            CheckpointError: where names or shapes differ.
        """
        set_parameters(self.network, values)
