"""A module as a dictionary of arrays: what is pickled holds numpy only, and a GPU's model loads without one."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def to_arrays(network: nn.Module) -> dict[str, NDArray]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def load_arrays(network: nn.Module, arrays: dict[str, NDArray]) -> None:
    """Put arrays into a module, in the module's own dtype and on its device."""
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
