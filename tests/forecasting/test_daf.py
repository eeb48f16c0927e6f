"""The attention of DAF: formulas written out, and what a row must not see."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skpapers._torch.networks import draw
from skpapers.forecasting._daf import PrivateModules, SharedAttention, extrapolation, interpolation, scale_history
from skpapers.forecasting._daf_network import DAFNetwork
from skpapers.forecasting._daf_roll_out import last_values, roll_out, split_missing

RNG = np.random.default_rng(0)


def network(n_layers=1, kernel_sizes=(2, 3), n_channels=1, n_outputs=1, n_domains=2, length=10, horizon=4):
    made = DAFNetwork(
        (length, n_channels),
        horizon,
        n_outputs=n_outputs,
        point=n_outputs // 2,
        n_domains=n_domains,
        d_model=6,
        n_heads=2,
        n_layers=n_layers,
        kernel_sizes=kernel_sizes,
        dtype=torch.float64,
    )
    draw(made, (torch.Generator().manual_seed(0),))
    with torch.no_grad():  # biases count as well
        for parameter in made.parameters():
            parameter += 0.3 * torch.from_numpy(RNG.normal(size=parameter.shape))
    return made


def series(n=3, steps=14, channels=1):
    return torch.from_numpy(RNG.normal(size=(n, steps, channels)))


def domain(n=3, place=0):
    return torch.full((n,), place)


class TestScale:
    def test_mean_and_deviation_of_observed_values(self):
        X = RNG.normal(5.0, 3.0, size=(4, 9, 2))
        X[0, :3] = np.nan
        X[1, 4, 1] = np.nan
        z, location, scale = scale_history(torch.from_numpy(X))
        assert_allclose(location, np.nanmean(X, axis=1))
        assert_allclose(scale, np.nanstd(X, axis=1))
        assert_allclose(z, (X - np.nanmean(X, axis=1)[:, None]) / np.nanstd(X, axis=1)[:, None])

    @pytest.mark.parametrize("value", [0.0, 7.3, 1e200, -1e-300])
    def test_a_constant_channel_has_no_scale(self, value):
        z, location, scale = scale_history(torch.full((1, 5, 1), value, dtype=torch.float64))
        assert scale.item() == 0.0
        assert not z.any()
        assert_allclose(location.item(), value)

    def test_rounding_is_no_variation(self):
        X = torch.tensor([[[0.1 + 0.2], [0.3], [0.3]]], dtype=torch.float64)
        assert scale_history(X)[2].item() == 0.0

    @pytest.mark.parametrize("factor", [1e-200, 1e200])
    def test_no_square_overflows(self, factor):
        X = torch.from_numpy(RNG.normal(size=(2, 6, 1)))
        z, location, scale = scale_history(factor * X)
        expected = scale_history(X)
        assert_allclose(z, expected[0])
        assert_allclose(location, factor * expected[1])
        assert_allclose(scale, factor * expected[2])

    def test_a_large_offset(self):
        X = torch.from_numpy(RNG.normal(size=(2, 6, 1)))
        assert_allclose(scale_history(X + 1e9)[0], scale_history(X)[0], atol=1e-5)

    def test_a_channel_without_values(self):
        X = torch.full((1, 4, 2), torch.nan, dtype=torch.float64)
        X[0, :, 0] = torch.arange(4.0)
        z, location, scale = scale_history(X)
        assert z[0, :, 1].isnan().all()
        assert location[0, 1] == 0.0
        assert scale[0, 1] == 0.0


class TestPrivateModules:
    @pytest.mark.parametrize("sizes", [(1,), (2,), (3, 5), (4, 1, 2)])
    def test_patterns_are_windows_around_each_step(self, sizes):
        private = PrivateModules(2, 7, sizes, 1, torch.float64)
        private.draw((torch.Generator().manual_seed(0),))
        with torch.no_grad():
            private.kernel_bias.copy_(torch.arange(7.0))
        z = series(2, 8, 2)
        with torch.no_grad():
            found = private.patterns(z)
        assert found.shape == (2, 8, 7)
        first = 0
        for kernel in private.kernels:
            width, _, size = kernel.shape
            for t in range(8):
                window = torch.zeros(2, size, 2, dtype=torch.float64)
                for j in range(size):
                    if 0 <= t - size // 2 + j < 8:
                        window[:, j] = z[:, t - size // 2 + j]
                expected = torch.einsum("bjc,dcj->bd", window, kernel.detach())
                expected = expected + torch.arange(first, first + width)
                assert_allclose(found[:, t, first : first + width], expected, atol=1e-12)
            first += width
        assert first == 7

    def test_weights_have_the_variance_of_their_fan_in(self):
        private = PrivateModules(50, 400, (4,), 100, torch.float64)
        private.draw((torch.Generator().manual_seed(0),))
        for matrix, fan_in in ((private.kernels[0], 200), (private.value, 50), (private.decoder, 400)):
            assert_allclose(matrix.detach().var() * fan_in, 1.0, rtol=0.05)
        assert not private.value_bias.any()
        assert not private.decoder_bias.any()


def attention_by_hand(q, k, v, allowed, n_heads=2):
    """Return outputs and weights of multi-head softmax attention, loop by loop; all NumPy arrays of one series."""
    out = np.zeros((len(q), v.shape[1]))
    weights = np.zeros((n_heads, len(q), len(k)))
    size = q.shape[1] // n_heads
    for h in range(n_heads):
        part = slice(h * size, (h + 1) * size)
        for i in range(len(q)):
            seen = np.flatnonzero(allowed[i])
            if not len(seen):
                continue
            scores = np.exp([q[i, part] @ k[j, part] / np.sqrt(size) for j in seen])
            weights[h, i, seen] = scores / scores.sum()
            out[i, part] = weights[h, i, seen] @ v[seen, part]
    return out, weights


class TestSharedAttention:
    @pytest.mark.parametrize("by_row", [False, True])
    def test_attention(self, by_row):
        shared = network().blocks[0].shared
        q, k, v = (torch.from_numpy(RNG.normal(size=(3, n, 6))) for n in (4, 5, 5))
        allowed = torch.from_numpy(RNG.random((3, 4, 5) if by_row else (4, 5)) < 0.5)
        allowed[..., 1, :] = False
        found = shared.attend(q, k, v, allowed)
        weights = shared.weights(q, k, allowed)
        for b in range(3):
            mask = (allowed[b] if by_row else allowed).numpy()
            out, expected = attention_by_hand(q[b].numpy(), k[b].numpy(), v[b].numpy(), mask)
            assert_allclose(found[b], out, atol=1e-12)
            assert_allclose(weights[b], expected, atol=1e-12)

    def test_what_follows_the_attention(self):
        shared = network().blocks[0].shared
        o = torch.from_numpy(RNG.normal(size=(2, 3, 6)))
        normal = (o - o.mean(-1, keepdim=True)) / (o.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
        expected = o + shared.mix(normal.reshape(-1, 6)).reshape(2, 3, 6)
        assert_allclose(shared.mixed(o).detach(), expected.detach())


class TestMasks:
    def test_a_step_does_not_see_itself(self):
        assert_allclose(interpolation(4, None, torch.device("cpu")), ~np.eye(4, dtype=bool))
        observed = torch.tensor([[True, False, True]])
        expected = [[[False, False, True], [True, False, True], [True, False, False]]]
        assert_allclose(interpolation(3, observed, torch.device("cpu")), expected)

    def test_a_forecast_sees_earlier_values_that_a_window_precedes(self):
        found = extrapolation(5, 9, 8, 2, None, torch.device("cpu"))
        expected = [[i < u for i in range(2, 8)] for u in range(5, 9)]
        assert_allclose(found, expected)

    def test_values_without_a_complete_window_are_not_seen(self):
        observed = torch.tensor([[False, True, True, True, False, True, True, True]])
        found = extrapolation(7, 9, 8, 2, observed, torch.device("cpu"))
        complete = [i in (3, 7) for i in range(2, 8)]
        expected = [[i < u and ok for i, ok in zip(range(2, 8), complete, strict=True)] for u in (7, 8)]
        assert_allclose(found[0], expected)


class TestPass:
    @pytest.mark.parametrize("kernel_sizes", [(1,), (2,), (3, 2), (4,)])
    def test_one_block_written_out(self, kernel_sizes):
        net = network(kernel_sizes=kernel_sizes)
        w = max(kernel_sizes)
        z = series(2, 12)
        with torch.no_grad():
            made = net.run(z, domain(2, 1), None, first=10, stop=13)
            block = net.blocks[0]
            private = block.private[1]
            p = private.patterns(z)
            q, k = block.shared.queries_and_keys(p)
            v, v_next = private.values(z).chunk(2, dim=-1)
            for b in range(2):
                inside = attention_by_hand(*(x[b].numpy() for x in (q, k, v)), ~np.eye(12, dtype=bool))[0]
                outputs = private.decode(block.shared.mixed(torch.from_numpy(inside)[None]))
                assert_allclose(made.interpolated[0][b], outputs[0], atol=1e-12)
                for u in range(10, 13):
                    middle = w // 2  # of the window of w values: its pattern sees no value beyond
                    query = self._of_window(net, z[b : b + 1, u - w : u], 1)[0][middle]
                    keys = np.stack([self._of_window(net, z[b : b + 1, i - w : i], 1)[1][middle] for i in range(w, u)])
                    values = v_next[b, w:u].numpy()
                    o = attention_by_hand(query[None], keys, values, np.ones((1, u - w), dtype=bool))[0]
                    expected = private.decode(block.shared.mixed(torch.from_numpy(o)[None]))
                    assert_allclose(made.forecast[b, u - 10], expected[0, 0], atol=1e-12)

    @staticmethod
    def _of_window(net, window, place):
        block = net.blocks[0]
        q, k = block.shared.queries_and_keys(block.private[place].patterns(window))
        return q[0].numpy(), k[0].numpy()

    @pytest.mark.parametrize("n_layers", [1, 2, 3])
    @pytest.mark.parametrize("kernel_sizes", [(1,), (2,), (2, 3), (4,)])
    def test_a_forecast_never_sees_later_values(self, n_layers, kernel_sizes):
        net = network(n_layers, kernel_sizes)
        z = series(2, 14)
        with torch.no_grad():
            before = net.run(z, domain(2), None, first=10, stop=14).forecast
            for u in range(10, 14):
                changed = z.clone()
                changed[:, u:] += 1.0
                after = net.run(changed, domain(2), None, first=10, stop=14).forecast
                assert_allclose(after[:, : u - 9], before[:, : u - 9], atol=1e-12)
                assert torch.all(after[:, u - 9 :] != before[:, u - 9 :])

    @pytest.mark.parametrize("n_layers", [1, 2])
    def test_a_forecast_sees_every_earlier_value(self, n_layers):
        net = network(n_layers)
        z = series(1, 10)
        with torch.no_grad():
            before = net.run(z, domain(1), None, first=10, stop=11).forecast
            for t in range(10):
                changed = z.clone()
                changed[:, t] += 1.0
                assert net.run(changed, domain(1), None, first=10, stop=11).forecast.item() != before.item()

    def test_an_interpolation_has_no_value_of_its_own(self):
        net = network()
        z = series(1, 10)
        block = net.blocks[0]
        with torch.no_grad():
            made = net.run(z, domain(1), None, first=10, stop=10)
            v = block.private[0].values(z).chunk(2, dim=-1)[0]
            allowed = interpolation(10, None, z.device)
            before = block.shared.attend(made.queries[0], made.keys[0], v, allowed)
            for t in range(10):
                changed = v.clone()
                changed[:, t] += 1.0
                after = block.shared.attend(made.queries[0], made.keys[0], changed, allowed)
                assert_allclose(after[:, t], before[:, t], atol=1e-12)
                others = np.arange(10) != t
                assert torch.all(after[:, others] != before[:, others])
            assert not block.shared.weights(made.queries[0], made.keys[0], allowed).diagonal(dim1=-2, dim2=-1).any()

    def test_a_later_block_gets_what_forecasts_have_left(self):
        net = network(2)
        z = series(2, 12)
        with torch.no_grad():
            made = net.run(z, domain(2), None, first=10, stop=12)
            alone = network(1)
            alone.blocks[0] = net.blocks[0]
            first = alone.run(z, domain(2), None, first=4, stop=12).forecast
            expected = z.clone()
            expected[:, 4:] -= first
            assert_allclose(made.left[1], expected)
            alone.blocks[0] = net.blocks[1]
            second = alone.run(expected, domain(2), None, first=10, stop=12).forecast
            assert_allclose(made.forecast, first[:, 6:] + second)

    def test_each_row_has_the_modules_of_its_domain(self):
        net = network(2, n_domains=3)
        z = series(5, 14)
        places = torch.tensor([2, 0, 1, 2, 0])
        with torch.no_grad():
            mixed = net.run(z, places, None, first=10, stop=14)
            for row, place in enumerate(places):
                alone = net.run(z[row : row + 1], place[None], None, first=10, stop=14)
                assert_allclose(mixed.forecast[row], alone.forecast[0], atol=1e-12)
                assert_allclose(mixed.interpolated[1][row], alone.interpolated[1][0], atol=1e-12)

    def test_missing_steps_are_not_seen(self):
        net = network(2)
        z = series(2, 14)
        observed = torch.ones(2, 14, dtype=torch.bool)
        observed[:, :3] = False
        observed[1, 6] = False
        with torch.no_grad():
            zeros = z * observed[..., None]
            made = net.run(zeros, domain(2), observed, first=10, stop=14)
            short = net.run(z[:1, 3:], domain(1), None, first=7, stop=11)
        # patterns of the first steps see zeros before the series in both
        assert_allclose(made.forecast[0], short.forecast[0], atol=1e-12)
        assert_allclose(made.interpolated[1][0, 3:], short.interpolated[1][0], atol=1e-12)
        assert made.left[1][1, 6] == 0.0


class TestRollOut:
    @pytest.mark.parametrize("n_layers", [1, 2, 3])
    @pytest.mark.parametrize(("n_channels", "n_outputs"), [(1, 1), (2, 3)])
    @pytest.mark.parametrize("missing", [False, True])
    def test_it_is_a_pass_for_each_step(self, n_layers, n_channels, n_outputs, missing):
        net = network(n_layers, n_channels=n_channels, n_outputs=n_outputs)
        X = series(4, 10, n_channels)
        if missing:
            X[0, :2] = torch.nan
            X[1, 8, 0] = torch.nan
            X[2, 9, -1] = torch.nan
            X[3, ::2] = torch.nan  # no window is complete
        places = torch.tensor([0, 1, 0, 1])
        others = last_values(X)[:, None, 1:]
        with torch.no_grad():
            found = roll_out(net, X, places)
            so_far = X
            for step in range(4):
                z, observed = split_missing(so_far)
                n = z.shape[1]
                output = net.run(z, places, observed, first=n, stop=n + 1).forecast[:, 0]
                assert_allclose(found[:, step], output, atol=1e-12)
                new = torch.cat([output[:, None, net.point, None], others], dim=-1)
                so_far = torch.cat([so_far, new], dim=1)
        assert found.shape == (4, 4, n_outputs)

    def test_what_is_fed_back_is_bounded(self):
        net = network()
        with torch.no_grad():
            net.blocks[0].private[0].decoder_bias += 1e6
            found = roll_out(net, series(1, 10), domain(1))
        assert found.abs().max() < 1.001e6 + 1e4

    def test_last_values(self):
        X = torch.tensor([[[1.0, torch.nan], [2.0, 5.0], [torch.nan, torch.nan]], [[3.0, torch.nan]] * 3])
        assert_allclose(last_values(X), [[2.0, 5.0], [3.0, 0.0]])


class TestNetwork:
    def test_shared_modules_are_one_object(self):
        net = network(2, n_domains=3)
        for block in net.blocks:
            assert len(block.private) == 3
            of_private = {id(p) for private in block.private for p in private.parameters()}
            of_shared = {id(p) for p in block.shared.parameters()}
            assert not of_private & of_shared
            assert len(of_private) == 3 * len(list(block.private[0].parameters()))

    def test_a_shared_weight_moves_all_domains_and_a_private_one_its_own(self):
        net = network(n_domains=2)
        X = series(1, 10)

        def forecasts():
            with torch.no_grad():
                return [roll_out(net, X, domain(1, place)) for place in (0, 1)]

        before = forecasts()
        with torch.no_grad():
            net.blocks[0].shared.query.linears[0].weight += 0.1
        shared = forecasts()
        assert all(torch.all(a != b) for a, b in zip(before, shared, strict=True))
        with torch.no_grad():
            net.blocks[0].private[1].value += 0.1
        private = forecasts()
        assert torch.equal(private[0], shared[0])
        assert torch.all(private[1] != shared[1])

    def test_copies_are_copies(self):
        net = network(2)
        net.copy_private(1)
        X = series(1, 10)
        with torch.no_grad():
            assert torch.equal(roll_out(net, X, domain(1, 0)), roll_out(net, X, domain(1, 1)))
            net.blocks[1].private[0].decoder_bias += 1.0
            assert not torch.equal(roll_out(net, X, domain(1, 0)), roll_out(net, X, domain(1, 1)))

    def test_every_parameter_learns_once(self):
        net = network(2)
        grouped = [p for group in net.parameter_groups() for p in group["params"]]
        assert len({id(p) for p in grouped}) == len(grouped) == len(list(net.parameters()))
        decay = {id(p) for group in net.parameter_groups() if group["decay"] for p in group["params"]}
        assert decay == {id(p) for p in net.parameters() if p.ndim > 1}


def test_shared_attention_is_drawn():
    shared = SharedAttention(4, 2, torch.float64)
    assert shared.n_heads == 2
    assert not any(p.any() for p in shared.parameters())
