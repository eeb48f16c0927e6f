"""The sharpness-aware optimiser against steps written out by hand, and against what torch's own optimisers do."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from skpapers.neural_network._sam_optimizer import SAM
from tests._torch._nets import rows

BASES = {
    "SGD": lambda params: torch.optim.SGD(params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda params: torch.optim.Adam(params, lr=0.05, amsgrad=True),
    "AdamW, foreach": lambda params: torch.optim.AdamW(params, lr=0.05, foreach=True),
    "AdamW, fused": lambda params: torch.optim.AdamW(params, lr=0.05, fused=True),
    "Adadelta": lambda params: torch.optim.Adadelta(params, lr=1.0, rho=0.8),
    "Adagrad": lambda params: torch.optim.Adagrad(params, lr=0.05),
    "Adamax": lambda params: torch.optim.Adamax(params, lr=0.05),
    "ASGD": lambda params: torch.optim.ASGD(params, lr=0.05),
    "NAdam": lambda params: torch.optim.NAdam(params, lr=0.05),
    "RAdam": lambda params: torch.optim.RAdam(params, lr=0.05),
    "RMSprop": lambda params: torch.optim.RMSprop(params, lr=0.05, momentum=0.5),
    "Rprop": lambda params: torch.optim.Rprop(params, lr=0.05),
    "Adafactor": lambda params: torch.optim.Adafactor(params, lr=0.05),
}


def vectors(dtype=torch.float64):
    """Return two parameters of one smooth problem."""
    values = torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.8, -1.5]], dtype=dtype)
    return [nn.Parameter(value) for value in values]


def loss_of(a, b):
    return (a**2).sum() + (a * b).sum() / 2 + torch.cosh(b).sum()


def closure_of(optimizer, loss):
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


def step_by_hand(params, loss, base, rho=0.3, adaptive=False, sign=1.0):
    """Take the step of Eq. 2, or of ASAM, with nothing but torch's gradients."""
    g = torch.autograd.grad(loss(*params), params)
    weight = [p.detach().abs() if adaptive else torch.ones_like(p) for p in params]
    norm = sum((w * x).square().sum() for w, x in zip(weight, g, strict=True)).sqrt()
    worst = [p.detach() + sign * rho * w**2 * x / norm for p, w, x in zip(params, weight, g, strict=True)]
    worst = [w.requires_grad_() for w in worst]
    for p, gradient in zip(params, torch.autograd.grad(loss(*worst), worst), strict=True):
        p.grad = gradient
    base.step()


def test_the_value_of_one_step():
    w = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    optimizer = SAM(torch.optim.SGD([w], lr=0.1), rho=1.0)
    assert optimizer.step(closure_of(optimizer, lambda: (w**2).sum() / 2)).item() == 12.5
    torch.testing.assert_close(w.data, torch.tensor([3 - 0.1 * 3.6, 4 - 0.1 * 4.8], dtype=torch.float64))


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("kind", BASES)
def test_trajectories_around_the_optimisers_of_torch(kind, adaptive):
    ours = vectors()
    theirs = vectors()
    optimizer = SAM(BASES[kind](ours), rho=0.3, adaptive=adaptive)
    base = BASES[kind](theirs)
    for _ in range(6):
        optimizer.step(closure_of(optimizer, lambda: loss_of(*ours)))
        step_by_hand(theirs, loss_of, base, adaptive=adaptive)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_radius_zero_is_the_base_optimiser(kind):
    X, y = rows(dtype=torch.float32)
    nets = []
    for wrap in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        optimizer = kind(net.parameters(), lr=0.05)
        optimizer = SAM(optimizer, rho=0) if wrap else optimizer
        for _ in range(5):

            def closure(net=net, optimizer=optimizer):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(X), y)
                loss.backward()
                return loss

            optimizer.step(closure)
        nets.append(net)
    assert all(torch.equal(a, b) for a, b in zip(*(net.state_dict().values() for net in nets), strict=True))


def test_statistics_masks_and_the_global_generator_are_as_after_one_pass():
    X, y = rows(dtype=torch.float32)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    other = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    other.load_state_dict(net.state_dict())
    masks = []
    net[2].register_forward_hook(lambda module, args, out: masks.append(out == 0))
    optimizer = SAM(torch.optim.SGD(net.parameters(), lr=0.1), rho=0.1)

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(X), y)
        loss.backward()
        return loss

    torch.manual_seed(1)
    optimizer.step(closure)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    other(X)
    assert torch.equal(state, torch.get_rng_state())
    assert len(masks) == 2
    assert torch.equal(*masks)
    assert all(torch.equal(a, b) for a, b in zip(net[1].buffers(), other[1].buffers(), strict=True))


def test_weights_come_back_when_the_second_pass_fails():
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = SAM(torch.optim.SGD([w], lr=0.1), rho=0.5)
    calls = []

    def closure():
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert w.tolist() == [1.0, 2.0]


# Groups, options, schedulers ------------------------------------------------------------------------------------------


def test_groups_have_radii_of_their_own_along_one_gradient():
    a, b = vectors()
    c = nn.Parameter(torch.tensor([0.7, -0.2, 0.1], dtype=torch.float64))
    groups = [{"params": [a], "rho": 0.5}, {"params": [b], "adaptive": True}, {"params": [c], "rho": 0.0}]
    optimizer = SAM(torch.optim.SGD(groups, lr=0.1), rho=0.2)
    seen = []

    def loss():
        seen.append([p.detach().clone() for p in (a, b, c)])
        return loss_of(a, b) + (c**3).sum() + (b * c).sum()

    optimizer.step(closure_of(optimizer, loss))
    w = [p.requires_grad_() for p in seen[0]]
    g = torch.autograd.grad(loss_of(w[0], w[1]) + (w[2] ** 3).sum() + (w[1] * w[2]).sum(), w)
    w = [p.detach() for p in w]
    norm = (g[0].square().sum() + (w[1] * g[1]).square().sum() + g[2].square().sum()).sqrt()
    expected = [w[0] + 0.5 * g[0] / norm, w[1] + 0.2 * w[1] ** 2 * g[1] / norm, w[2]]
    for found, right in zip(seen[1], expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-12, atol=0)


def test_defaults_and_new_groups_are_those_of_the_base_optimiser():
    a, b, c = (nn.Parameter(torch.ones(2)) for _ in range(3))
    base = torch.optim.SGD([a], lr=0.1, momentum=0.9)
    optimizer = SAM(base, rho=0.3)
    assert optimizer.defaults == {**base.defaults, "rho": 0.3, "adaptive": False}
    optimizer.add_param_group({"params": [b], "rho": 0.7})
    base.add_param_group({"params": c, "lr": 0.5})
    assert optimizer.param_groups is base.param_groups
    optimizer.step(closure_of(optimizer, lambda: (a**2).sum() + (b**2).sum() + (c**2).sum()))
    found = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    assert found == [optimizer.defaults, optimizer.defaults | {"rho": 0.7}, optimizer.defaults | {"lr": 0.5}]
    assert all((p < 1).all() for p in (a, b, c))
    with pytest.raises(ValueError, match="rho must be finite and not negative, got -1"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "rho": -1})
    assert len(base.param_groups) == 3


def test_an_option_of_the_base_optimiser_of_the_same_name_is_left_alone():
    w = nn.Parameter(torch.ones(2))
    optimizer = SAM(torch.optim.Adadelta([w], rho=0.8), rho=0.3)
    group = optimizer.param_groups[0]
    assert (group["rho"], group["sam_rho"], optimizer.rho) == (0.8, 0.3, 0.3)


def test_rho_can_be_changed_and_the_same_base_be_wrapped_again():
    a, b = vectors()
    base = torch.optim.SGD([{"params": [a]}, {"params": [b], "rho": 0.7}], lr=0.1)
    SAM(base, rho=0.1)
    optimizer = SAM(base, rho=0.2, adaptive=True)
    assert [group["rho"] for group in base.param_groups] == [0.2, 0.7]
    optimizer.rho = 0.4
    optimizer.adaptive = False
    assert [(group["rho"], group["adaptive"]) for group in base.param_groups] == [(0.4, False)] * 2
    assert (optimizer.rho, optimizer.adaptive, optimizer.defaults["rho"]) == (0.4, False, 0.4)


SCHEDULERS = {
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=8),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, base_lr=0.01, max_lr=0.2, step_size_up=2, cycle_momentum=True),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=6),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=2),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=2),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=10.0),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.ExponentialLR(o, 0.9)], milestones=[3]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, total_iters=2), lr_scheduler.PolynomialLR(o, total_iters=6)]
    ),
    "SWALR": lambda o: torch.optim.swa_utils.SWALR(o, swa_lr=0.01, anneal_epochs=3),
}


@pytest.mark.parametrize("base", ["SGD", "Adam"])
@pytest.mark.parametrize("kind", SCHEDULERS)
def test_schedulers_work_on_either(kind, base):
    results = []
    for on_sam in (True, False):
        params = vectors()
        optimizer = SAM(BASES[base](params))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scheduler = SCHEDULERS[kind](optimizer if on_sam else optimizer.base_optimizer)
            history = []
            for _ in range(6):
                loss = optimizer.step(closure_of(optimizer, lambda params=params: loss_of(*params)))
                scheduler.step(loss.item()) if kind == "ReduceLROnPlateau" else scheduler.step()
                group = optimizer.base_optimizer.param_groups[0]
                history.append((group["lr"], group.get("momentum"), group.get("betas")))
        results.append((history, [p.tolist() for p in params]))
    assert results[0] == results[1]
    assert len({lr for lr, *_ in results[0][0]}) > 1


# Directions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_maximising_minus_the_loss_is_minimising_it(kind, adaptive):
    results = []
    for sign in (1.0, -1.0):
        params = vectors()
        optimizer = SAM(kind(params, lr=0.1, weight_decay=0.01, maximize=sign < 0), rho=0.5, adaptive=adaptive)
        for _ in range(4):
            optimizer.step(closure_of(optimizer, lambda params=params, sign=sign: sign * loss_of(*params)))
        results.append(torch.stack([p.detach() for p in params]))
    assert torch.equal(*results)


def test_in_a_game_each_group_moves_to_its_own_worst_point():
    a, b = vectors()
    groups = [{"params": [a]}, {"params": [b], "maximize": True}]
    optimizer = SAM(torch.optim.SGD(groups, lr=0.1), rho=0.5)
    before = [p.detach().clone() for p in (a, b)]
    loss_of(a, b).backward()
    g = [p.grad.clone() for p in (a, b)]
    optimizer.first_step()
    norm = (g[0].square().sum() + g[1].square().sum()).sqrt()
    torch.testing.assert_close(a.data, before[0] + 0.5 * g[0] / norm)
    torch.testing.assert_close(b.data, before[1] - 0.5 * g[1] / norm)


# Dtypes, devices and layouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("slope", [0.0, 1e-7, 1e-4, 1.0, 300.0, 6e4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_norms_in_every_dtype(dtype, slope, adaptive):
    params = [nn.Parameter(torch.full((3,), 2.0, dtype=dtype)) for _ in range(2)]
    optimizer = SAM(torch.optim.SGD(params, lr=0.0), rho=0.5, adaptive=adaptive)
    for p in params:
        p.grad = torch.full_like(p, slope)
    exact = params[0].grad.double()
    norm = 6**0.5 * exact * (2.0 if adaptive else 1.0)
    moved = 2.0 + 0.5 * exact * (4.0 if adaptive else 1.0) / (norm + 1e-12)
    optimizer.first_step()
    for p in params:
        torch.testing.assert_close(p.data, moved.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=0)
    optimizer.second_step()
    assert all(torch.equal(p.data, torch.full_like(p, 2.0)) for p in params)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize(
    ("dtype", "slope"),
    [
        (torch.bfloat16, 1e38),
        (torch.float32, 1e20),
        (torch.float32, 3e38),
        (torch.float64, 1e200),
        (torch.cfloat, 1e38),
    ],
)
def test_gradients_whose_squares_overflow_have_a_direction(dtype, slope, adaptive):
    params = [nn.Parameter(torch.full((2,), 2.0, dtype=dtype)) for _ in range(2)]
    optimizer = SAM(torch.optim.SGD(params, lr=0.0), rho=0.5, adaptive=adaptive)
    params[0].grad = torch.full_like(params[0], slope)
    params[1].grad = torch.full_like(params[1], -slope / 4)
    optimizer.first_step()
    for p, share in zip(params, (4.0, -1.0), strict=True):
        move = 0.5 * share / 34**0.5 * (2.0 if adaptive else 1.0)
        torch.testing.assert_close(p.data.real.double(), torch.full((2,), 2.0 + move).double(), rtol=1e-2, atol=0)
    assert params[0].grad[0].real == params[0].grad.new_tensor(slope).real


def test_dtypes_side_by_side_have_one_norm():
    params = [nn.Parameter(torch.ones(1, dtype=dtype)) for dtype in (torch.float16, torch.float64, torch.float32)]
    optimizer = SAM(torch.optim.SGD(params, lr=0.1), rho=0.5)
    for p, slope in zip(params, (300.0, 400.0, 1200.0), strict=True):
        p.grad = torch.full_like(p, slope)
    optimizer.first_step()
    found = [p.item() for p in params]
    assert found == pytest.approx([1 + 0.5 * x / 1300 for x in (300, 400, 1200)], rel=1e-3)
    assert found[1] == pytest.approx(1 + 0.5 * 400 / 1300, rel=1e-9)


@pytest.mark.parametrize("adaptive", [False, True])
def test_complex_parameters_are_pairs_of_real_ones(adaptive):
    results = []
    for is_complex in (True, False):
        real = torch.tensor([[1.0, -2.0], [0.5, 0.3]], dtype=torch.float64)
        w = nn.Parameter(torch.view_as_complex(real) if is_complex else real)
        pairs = torch.view_as_real if is_complex else (lambda z: z)
        optimizer = SAM(torch.optim.Adam([w], lr=0.1), rho=0.5, adaptive=adaptive)
        for _ in range(3):
            optimizer.step(closure_of(optimizer, lambda w=w, pairs=pairs: torch.cosh(pairs(w)).sum()))
        results.append(pairs(w.detach()))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.SparseAdam])
def test_sparse_gradients(kind, adaptive):
    results = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table = nn.Embedding(10, 3, sparse=sparse, dtype=torch.float64)
        optimizer = SAM(torch.optim.SGD(table.parameters(), lr=0.1), rho=0.5, adaptive=adaptive)
        if sparse:
            optimizer = SAM(kind(table.parameters(), lr=0.1), rho=0.5, adaptive=adaptive)
        seen = []

        def loss(table=table, seen=seen):
            seen.append(table.weight.detach().clone())
            return (table(torch.tensor([1, 4, 4, 7])) ** 4).sum()  # 4 twice: the gradient is not coalesced

        optimizer.step(closure_of(optimizer, loss))
        results.append((seen[1], table.weight.detach()))
    torch.testing.assert_close(results[0][0], results[1][0])
    assert torch.equal(results[0][0][0], seen[0][0])
    if kind is torch.optim.SGD:
        torch.testing.assert_close(results[0][1], results[1][1])


def test_a_gradient_that_is_not_finite_moves_nothing():
    for value in (float("nan"), float("inf")):
        a, b = vectors(torch.float32)
        optimizer = SAM(torch.optim.SGD([a, b], lr=0.1))
        before = [p.detach().clone() for p in (a, b)]
        a.grad = torch.tensor([1.0, value, 2.0])
        b.grad = torch.ones(3)
        optimizer.first_step()
        assert all(torch.equal(p, value) for p, value in zip((a, b), before, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("adaptive", [False, True])
def test_devices_side_by_side_have_one_norm(adaptive):
    results = []
    for devices in (("cpu", "cuda"), ("cpu", "cpu")):
        params = [nn.Parameter(p.detach().to(device)) for p, device in zip(vectors(), devices, strict=True)]
        optimizer = SAM(torch.optim.AdamW(params, lr=0.1), adaptive=adaptive)
        for _ in range(3):
            optimizer.step(closure_of(optimizer, lambda params=params: loss_of(*(p.cpu() for p in params))))
        results.append(torch.stack([p.detach().cpu() for p in params]))
    torch.testing.assert_close(*results)


# Copies and saved states ----------------------------------------------------------------------------------------------


def trained(rho=0.3):
    params = vectors()
    optimizer = SAM(BASES["Adam"]([{"params": params[:1], "rho": 0.6}, {"params": params[1:]}]), rho=rho)
    for _ in range(2):
        optimizer.step(closure_of(optimizer, lambda: loss_of(*params)))
    return params, optimizer


def saved_and_loaded(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), saved_and_loaded])
def test_copies_go_on_as_the_original_does(copied):
    params, optimizer = trained()
    twins, twin = copied((params, optimizer))
    assert (twin.rho, twin.adaptive, twin.defaults) == (optimizer.rho, optimizer.adaptive, optimizer.defaults)
    assert twin.param_groups is twin.base_optimizer.param_groups
    assert twin.param_groups[0]["params"][0] is twins[0]
    for these, of in ((params, optimizer), (twins, twin)):
        of.step(closure_of(of, lambda these=these: loss_of(*these)))
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))
    twin.step(closure_of(twin, lambda: loss_of(*twins)))
    assert not torch.equal(params[0], twins[0])


def test_a_copy_between_the_two_calls_restores_its_own_weights():
    params, optimizer = trained()
    before = [p.detach().clone() for p in params]
    optimizer.first_step()
    twins, twin = copy.deepcopy((params, optimizer))
    twin.restore()
    assert all(torch.equal(a, b) for a, b in zip(twins, before, strict=True))
    assert not torch.equal(params[0], before[0])


def test_a_saved_state_brings_back_everything():
    params, optimizer = trained(rho=np.float64(0.3))  # weights_only refuses a NumPy scalar
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    twins = [nn.Parameter(p.detach().clone()) for p in params]
    twin = SAM(BASES["Adam"]([{"params": twins[:1]}, {"params": twins[1:]}]), rho=2.0, adaptive=True)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert [(g["rho"], g["adaptive"]) for g in twin.param_groups] == [(0.6, False), (0.3, False)]
    for these, of in ((params, optimizer), (twins, twin)):
        of.step(closure_of(of, lambda these=these: loss_of(*these)))
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))


def test_states_of_the_base_optimiser_load_and_are_loaded():
    params, optimizer = trained()
    plain = BASES["Adam"]([{"params": params[:1]}, {"params": params[1:]}])
    plain.load_state_dict(optimizer.state_dict())
    assert plain.state[params[0]]["step"] == 2
    fresh = BASES["Adam"]([{"params": params[:1]}, {"params": params[1:]}])
    for load in (optimizer.load_state_dict, optimizer.base_optimizer.load_state_dict):
        load(fresh.state_dict())
        optimizer.step(closure_of(optimizer, lambda: loss_of(*params)))
        assert optimizer.state[params[0]]["step"] == 1
        assert len(optimizer.state_dict()["state"]) == 2
    optimizer.load_state_dict(fresh.state_dict())
    assert [group["rho"] for group in optimizer.param_groups] == [0.3, 0.3]  # the load before dropped the 0.6


def test_loading_a_state_without_radii_keeps_those_of_the_groups():
    params, optimizer = trained()
    optimizer.load_state_dict(BASES["Adam"]([{"params": params[:1]}, {"params": params[1:]}]).state_dict())
    assert [group["rho"] for group in optimizer.param_groups] == [0.6, 0.3]


def test_hooks():
    params, optimizer = trained()
    calls = []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append("before"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append("after"))
    optimizer.base_optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append("base"))
    optimizer.step(closure_of(optimizer, lambda: loss_of(*params)))
    optimizer.first_step()
    optimizer.second_step()
    assert calls == ["before", "base", "after"] * 2
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("saving"))
    optimizer.register_state_dict_post_hook(lambda o, state: state | {"epoch": 3})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append(state.pop("epoch")))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert calls[-3:] == ["saving", 3, "loaded"]
    assert state["epoch"] == 3


def test_the_representation_names_the_base_optimiser_and_all_options():
    results = repr(trained()[1])
    assert results.startswith("SAM around Adam (\nParameter Group 0\n")
    assert "    rho: 0.6\n" in results
    assert "    amsgrad: True\n" in results


# Two calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_two_calls_are_one_step(rho):
    ours = vectors()
    theirs = vectors()
    optimizer = SAM(BASES["Adam"](ours), rho=rho)
    other = SAM(BASES["Adam"](theirs), rho=rho)
    for _ in range(4):
        loss_of(*ours).backward()
        optimizer.first_step(zero_grad=True)
        assert all(p.grad is None for p in ours)
        loss_of(*ours).backward()
        optimizer.second_step(zero_grad=True)
        assert all(p.grad is None for p in ours)
        other.step(closure_of(other, lambda: loss_of(*theirs)))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_gradients_of_batches_add_up():
    ours = vectors()
    theirs = vectors()
    optimizer = SAM(BASES["SGD"](ours))
    other = SAM(BASES["SGD"](theirs))
    for then in (optimizer.first_step, optimizer.second_step):
        for factor in (0.25, 0.75):
            (factor * loss_of(*ours)).backward()
        then(zero_grad=True)
    other.step(closure_of(other, lambda: loss_of(*theirs)))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("base", ["SGD", "AdamW, fused"])
@pytest.mark.parametrize("clip", [False, True])
def test_gradients_that_a_scaler_scaled(base, enabled, clip):
    ours = vectors(torch.float32)
    theirs = vectors(torch.float32)
    optimizer = SAM(BASES[base](ours), rho=0.3)
    other = BASES[base](theirs)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=enabled)
    for _ in range(3):
        scaler.scale(loss_of(*ours)).backward()
        scaler.unscale_(optimizer.base_optimizer)
        optimizer.first_step(zero_grad=True)
        scaler.scale(loss_of(*ours)).backward()
        if clip:  # the usual pattern: unscale, clip, step
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(ours, 1e6)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        step_by_hand(theirs, loss_of, other)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rho", [0.0, 0.3])
@pytest.mark.parametrize("overflow", ["first", "second"])
def test_an_overflow_under_a_scaler_skips_the_step_and_restores_the_weights(overflow, rho):
    params = vectors(torch.float32)
    before = [p.detach().clone() for p in params]
    optimizer = SAM(BASES["SGD"](params), rho=rho)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scheduler = lr_scheduler.StepLR(optimizer, 1)
    factors = {"first": (1e38, 1e38), "second": (1.0, 1e38)}[overflow]
    scaler.scale(factors[0] * loss_of(*params)).backward()
    scaler.unscale_(optimizer.base_optimizer)
    optimizer.first_step(zero_grad=True)
    assert all(torch.isfinite(p).all() for p in params)
    scaler.scale(factors[1] * loss_of(*params)).backward()
    scaler.step(optimizer)
    scaler.update()
    assert all(torch.equal(p, value) for p, value in zip(params, before, strict=True))
    assert scaler.get_scale() == 512.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()
    scaler.scale(loss_of(*params)).backward()
    with pytest.raises(RuntimeError, match="GradScaler takes no closure"):
        scaler.step(optimizer, closure_of(optimizer, lambda: loss_of(*params)))
    optimizer.step(closure_of(optimizer, lambda: loss_of(*params)))
    assert not any(torch.equal(p, value) for p, value in zip(params, before, strict=True))


def test_calls_out_of_order():
    params = vectors()
    before = [p.detach().clone() for p in params]
    optimizer = SAM(BASES["SGD"](params))
    with pytest.raises(RuntimeError, match="second_step needs first_step before it"):
        optimizer.second_step()
    with pytest.raises(RuntimeError, match="No parameter has a gradient"):
        optimizer.first_step()
    loss_of(*params).backward()
    optimizer.first_step()
    with pytest.raises(RuntimeError, match="first_step was called already"):
        optimizer.first_step()
    with pytest.raises(RuntimeError, match="first_step was called: call second_step or restore"):
        optimizer.step(closure_of(optimizer, lambda: loss_of(*params)))
    optimizer.restore()
    assert all(torch.equal(p, value) for p, value in zip(params, before, strict=True))
    optimizer.restore()
    with pytest.raises(RuntimeError, match="second_step needs first_step before it"):
        optimizer.second_step()


# Closures, modes, errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_mode_around_a_step_does_not_matter(mode):
    ours = vectors()
    theirs = vectors()
    optimizer = SAM(BASES["Adam"](ours))
    other = SAM(BASES["Adam"](theirs))
    for i in range(4):
        if i < 2:
            with mode():
                optimizer.step(closure_of(optimizer, lambda: loss_of(*ours)))
        else:
            optimizer.step(closure_of(optimizer, lambda: loss_of(*ours)))
        other.step(closure_of(other, lambda: loss_of(*theirs)))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(value.is_inference() for value in optimizer.state[ours[0]].values())


def test_lbfgs():
    results = []
    for wrap in (True, False):
        params = vectors()
        optimizer = torch.optim.LBFGS(params, line_search_fn="strong_wolfe")
        optimizer = SAM(optimizer, rho=0) if wrap else optimizer
        results.append(optimizer.step(closure_of(optimizer, lambda params=params: loss_of(*params))).item())
        results[-1] = (results[-1], torch.stack([p.detach() for p in params]).tolist())
    assert results[0] == results[1]
    before = [p.detach().clone() for p in params]
    optimizer = SAM(torch.optim.LBFGS(params), rho=0.05)
    message = r"LBFGS evaluates the closure itself.* only with rho=0.*got rho=0.05"
    with pytest.raises(TypeError, match=message):
        optimizer.step(closure_of(optimizer, lambda: loss_of(*params)))
    with pytest.raises(TypeError, match=message):
        optimizer.first_step()
    assert all(torch.equal(p, value) for p, value in zip(params, before, strict=True))


def test_a_closure_that_leaves_no_gradient():
    params = vectors()
    optimizer = SAM(BASES["SGD"](params))
    for closure in (lambda: loss_of(*params), lambda: torch.ones(1, requires_grad=True).sum().backward()):
        with pytest.raises(RuntimeError, match=r"No parameter has a gradient: .* call its backward"):
            optimizer.step(closure)


def test_zero_grad():
    params, optimizer = trained()
    optimizer.zero_grad(set_to_none=False)
    assert all(torch.equal(p.grad, torch.zeros(3, dtype=torch.float64)) for p in params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


def test_parameters_without_gradient_stay():
    a, b = vectors()
    before = b.detach().clone()
    optimizer = SAM(torch.optim.SGD([a, b], lr=0.1))
    optimizer.step(closure_of(optimizer, lambda: (a**2).sum()))
    assert torch.equal(b, before)
    torch.testing.assert_close(a.data, a.new_tensor([1.0, -2.0, 0.5]) * (1 - 0.2 * (1 + 0.05 / 5.25**0.5)))


def test_errors():
    w = nn.Parameter(torch.ones(2))
    for rho in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"rho must be finite and not negative, got {rho}"):
            SAM(torch.optim.SGD([w], lr=0.1), rho=rho)
        with pytest.raises(ValueError, match=rf"rho must be finite and not negative, got {rho}"):
            SAM(torch.optim.SGD([{"params": [w], "rho": rho}], lr=0.1))
    for rho in ("0.05", None):
        with pytest.raises(ValueError, match=rf"rho must be finite and not negative, got {rho!r}"):
            SAM(torch.optim.SGD([w], lr=0.1), rho=rho)
    for base in (torch.optim.SGD, [w], SAM(torch.optim.SGD([w], lr=0.1))):
        with pytest.raises(TypeError, match="base_optimizer must be an optimiser of torch other than SAM"):
            SAM(base)
    with pytest.raises(ValueError, match="closure"):
        SAM(torch.optim.SGD([w], lr=0.1)).step()
