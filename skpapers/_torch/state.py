"""A module as a dictionary of arrays, so that pickles hold numpy only and a model of a GPU loads without one.

Also the modes of torch that a fit sets, whatever the caller set before.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@contextmanager
def own_modes() -> Iterator[None]:
    """Enable gradients, and make tensors on the CPU in their own dtype, inside any mode of torch."""
    with own_precision(), torch.device("cpu"):
        yield


@contextmanager
def own_precision() -> Iterator[None]:
    """Do the same without the device mode, which slows every operation; the code inside names each tensor's device.

    The default dtype of torch belongs to the process and not to the thread, so that it is not changed here: every
    tensor made in this package names its dtype.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False),
    ):
        yield


def to_arrays(network: nn.Module) -> dict[str, NDArray]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def load_arrays(network: nn.Module, arrays: dict[str, NDArray]) -> None:
    """Put arrays into a module, in the module's own dtype and on its device."""
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})


def number_tensor(values: NDArray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a tensor on a device; floating-point numbers get the network's dtype, and integers keep theirs."""
    made = torch.from_numpy(values).to(device)
    return made.to(dtype) if made.is_floating_point() else made


def choose_device(device: str) -> torch.device:
    """Return the device that a parameter names: "auto" is a GPU if torch finds one.

    Raises
    ------
    ValueError
        If "cuda" is asked for and torch finds no GPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError('device="cuda", but torch finds no GPU; use "auto" or "cpu".')
    return torch.device(device)
