"""Tent (Wang et al., 2021): normalisation layers that adapt to unlabelled rows by minimising the entropy.

The objective is the mean over rows of the Shannon entropy of the predictions (Section 3.1):
H(x) = -sum_c p_c(x) log p_c(x).
"""

import torch
from torch import Tensor


def row_entropy(logits: Tensor) -> Tensor:
    """Return H of each row, in nats, for logits of shape (n, n_classes), or log-odds (n,) of the second of two."""
    if logits.ndim == 1:
        logits = torch.stack([torch.zeros_like(logits), logits], dim=1)
    log_p = torch.log_softmax(logits, dim=1)
    return -(log_p.exp() * log_p).sum(dim=1)
