"""DAF: forecasts of a target domain with few series, by an attention that is shared with a source domain.

Jin, Park, Maddix, Wang and Wang, "Domain Adaptation for Time Series Forecasting via Attention Sharing", ICML 2022. A
series of domain D is scaled by its own history of L steps; T = L + H in training, with the H steps to forecast.

    z_t = (x_t - mean(x_1..x_L)) / std(x_1..x_L)                                                                     (1)
    p_t = [Conv_{D,1}(z)_t, .., Conv_{D,J}(z)_t],  windows of s_1 .. s_J values around t; private to D               (2)
    q_t = f_q(p_t),  k_t = f_k(p_t),               shared by all domains                                             (3)
    o_t = sum_{t' != t} softmax_{t'}(q_t . k_t' / sqrt(d)) v_t',       v = V_D z: interpolation                      (4)
    o_u = sum_{w <= i < u} softmax_i(q_[u] . k_[i] / sqrt(d)) v'_i,    v' = V'_D z: extrapolation                    (5)
    z^_t = g_D(m(o_t)),                            m shared, g private                                               (6)

w is the largest s_j, and [i] the middle of the window z_{i-w} .. z_{i-1}: a forecast weighs each value by how much the
window before it is like the last window. Patterns that look alike in all domains make the weights of one domain useful
to another: the discriminator of `_daf_adversarial` asks for that. The numbers are those of this project; equations
(2) to (6) are Section 4 of the paper, and its Algorithm 1 is in `_daf_stages`.

    step of the paper                                        here
    -------------------------------------------------------  -----------------------------------------------------------
    scale by the history (1)                                 scale_history
    private encoders and decoders (2), (6)                   PrivateModules
    shared attention (3) to (6)                              SharedAttention; interpolation, extrapolation
    blocks on what the ones before have left                 DAFNetwork (_daf_network)
    forecasts one step after another                         roll_out (_daf_roll_out)
    losses, discriminator, updates in turn (7) to (9)        _daf_adversarial
    stages: source, copy, joint                              Stages (_daf_stages)
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.modules import MLP
from skpapers._torch.networks import Generators

LIMIT = 50.0  # scaled values beyond it are clipped: a history that hardly moved says nothing of a jump after it


def scale_history(X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale each channel of each window by its own observed values (1).

    Parameters
    ----------
    X : Tensor of shape (n, L, C)
        Histories; NaN is a missing value.

    Returns
    -------
    z : Tensor of shape (n, L, C)
        Scaled values, NaN where X is; 0 in a constant channel.

    location, scale : Tensor of shape (n, C)
        Mean, and standard deviation with divisor n; the scale of a constant channel is 0.
    """
    largest = X.abs().nan_to_num(0.0).amax(dim=1)
    unit = torch.where(largest > 0, largest, 1.0)  # so that no square overflows
    u = X / unit[:, None]
    seen = ~u.isnan()
    n_seen = seen.sum(dim=1).clamp(min=1)
    mean = u.nan_to_num(0.0).sum(dim=1) / n_seen
    deviation = u - mean[:, None]
    std = (deviation.nan_to_num(0.0).square().sum(dim=1) / n_seen).sqrt()
    low = u.nan_to_num(torch.inf).amin(dim=1)
    high = u.nan_to_num(-torch.inf).amax(dim=1)
    std = torch.where(high - low <= 4.0 * torch.finfo(X.dtype).eps, 0.0, std)
    z = deviation / torch.where(std > 0, std, 1.0)[:, None]
    return torch.where((std > 0)[:, None], z, 0.0 * z), mean * unit, std * unit


class PrivateModules(nn.Module):
    """What a domain has of its own: kernels of the patterns (2), values (4), (5), and the decoder (6).

    Parameters
    ----------
    n_channels : int
        C.

    d : int
        Width of patterns and values.

    kernel_sizes : tuple of int
        s_1 .. s_J; the patterns are shared out among them.

    n_outputs : int
        Numbers that the decoder returns for each step.

    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(
        self, n_channels: int, d: int, kernel_sizes: tuple[int, ...], n_outputs: int, dtype: torch.dtype
    ) -> None:
        super().__init__()
        n_kernels = len(kernel_sizes)
        widths = [d // n_kernels + (j < d % n_kernels) for j in range(n_kernels)]
        self.kernels = nn.ParameterList(
            torch.zeros(width, n_channels, size, dtype=dtype) for width, size in zip(widths, kernel_sizes, strict=True)
        )
        self.kernel_bias = nn.Parameter(torch.zeros(d, dtype=dtype))
        self.value = nn.Parameter(torch.zeros(2 * d, n_channels, dtype=dtype))
        self.value_bias = nn.Parameter(torch.zeros(2 * d, dtype=dtype))
        self.decoder = nn.Parameter(torch.zeros(n_outputs, d, dtype=dtype))
        self.decoder_bias = nn.Parameter(torch.zeros(n_outputs, dtype=dtype))

    def draw(self, generators: Generators) -> None:
        """Draw the matrices with variance 1 / fan-in; biases stay 0."""
        with torch.no_grad():
            for matrix in (*self.kernels, self.value, self.decoder):
                matrix.normal_(0.0, matrix[0].numel() ** -0.5, generator=generators[0])

    def patterns(self, z: Tensor) -> Tensor:
        """Return p of z, of shape (b, T, d) (2); beyond the ends z is 0."""
        steps_last = z.transpose(1, 2)
        found = []
        for kernel in self.kernels:
            size = kernel.shape[-1]
            padded = F.pad(steps_last, (size // 2, size - 1 - size // 2))
            found.append(F.conv1d(padded, kernel))
        return torch.cat(found, dim=1).transpose(1, 2) + self.kernel_bias

    def values(self, z: Tensor) -> Tensor:
        """Return v and v' of z side by side, of shape (b, T, 2 d)."""
        return F.linear(z, self.value, self.value_bias)

    def decode(self, h: Tensor) -> Tensor:
        """Return the outputs for each step (6)."""
        return F.linear(h, self.decoder, self.decoder_bias)


class SharedAttention(nn.Module):
    """What all domains share: queries, keys, attention, and what follows it (3) to (6).

    Parameters
    ----------
    d, n_heads : int
        Width, and number of heads, which divides it.

    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(self, d: int, n_heads: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = MLP(d, (d, d), d, dtype=dtype)
        self.key = MLP(d, (d, d), d, dtype=dtype)
        self.mix = MLP(d, (2 * d,), d, activation="silu", dtype=dtype)

    def queries_and_keys(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return q and k of patterns (3)."""
        flat = p.flatten(0, 1)
        return self.query(flat).view_as(p), self.key(flat).view_as(p)

    def mixed(self, o: Tensor) -> Tensor:
        """Return m(o) = o + MLP(norm(o)), each step by itself."""
        normal = F.layer_norm(o, o.shape[-1:])
        return o + self.mix(normal.flatten(0, 1)).view_as(o)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
        """Return the attention's outputs at the queries, of shape (b, n_queries, d).

        Parameters
        ----------
        q, k, v : Tensor of shape (b, n, d)
            Queries, keys, and the values of the keys.

        allowed : Tensor of bool, of shape (n_queries, n_keys) or (b, n_queries, n_keys)
            Which keys a query sees. A query that sees none gets 0.
        """
        none = ~allowed.any(dim=-1, keepdim=True)
        mask = allowed | none
        if mask.ndim == 3:
            mask = mask[:, None]
        o = F.scaled_dot_product_attention(self._heads(q), self._heads(k), self._heads(v), attn_mask=mask)
        return o.transpose(1, 2).flatten(2).masked_fill(none, 0.0)

    def weights(self, q: Tensor, k: Tensor, allowed: Tensor) -> Tensor:
        """Return the weights of :meth:`attend`, of shape (b, n_heads, n_queries, n_keys)."""
        scores = self._heads(q) @ self._heads(k).transpose(-1, -2) * (q.shape[-1] / self.n_heads) ** -0.5
        mask = allowed[:, None] if allowed.ndim == 3 else allowed
        return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).nan_to_num(0.0)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


def interpolation(n_steps: int, observed: Tensor | None, device: torch.device) -> Tensor:
    """Return which steps each step sees to interpolate itself (4): all observed ones but itself."""
    others = ~torch.eye(n_steps, dtype=torch.bool, device=device)
    return others if observed is None else others & observed[:, None]


def extrapolation(first: int, stop: int, n_steps: int, w: int, observed: Tensor | None, device: torch.device) -> Tensor:
    """Return which values w .. n_steps - 1 are seen by the forecasts of steps first .. stop - 1 (5).

    A value is seen if it is earlier, and if it and the window before it were observed.
    """
    places = torch.arange(w, n_steps, device=device)
    earlier = places < torch.arange(first, stop, device=device)[:, None]
    if observed is None:
        return earlier
    complete = observed.unfold(1, w + 1, 1).all(dim=-1)  # the windows that end with values w .. n_steps - 1
    return earlier & complete[:, None]
