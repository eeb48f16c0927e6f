"""Claims of Self-Supervised Policy Adaptation during Deployment (Hansen et al.; ICLR 2021)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_are

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval
from skpapers.adaptation import PADPolicyClassifier, PADPolicyRegressor

DRIFT = 0.6  # standard deviation of the logarithm of gains, and of offsets
N_TRAIN = 1000
N_DEPLOYED = 500
# the paper's: encoder and head, on the latest transition alone, at its learning rate
PAPER: dict[str, Any] = {"adapt_scope": "encoder+head", "adapt_window": 1, "adapt_learning_rate": 0.001}
SCOPES: dict[str, dict[str, Any]] = {
    "adapter (default)": {},
    "encoder": {"adapt_scope": "encoder", "adapt_learning_rate": 0.001},
    "encoder and head, latest transition (paper)": PAPER,
}
OURS, _, PAPERS_OWN = SCOPES


@dataclass(frozen=True)
class LinearSystem:
    """States s, moved by actions u: s' = A s + B u + noise, with an expert u = tanh(K s) and sensors tanh(C s)."""

    A: NDArray
    B: NDArray
    K: NDArray
    C: NDArray

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "LinearSystem":
        """Return a random system of 4 states, 2 actions and 8 sensors, whose expert is a linear-quadratic regulator."""
        A = 0.95 * np.linalg.qr(rng.normal(size=(4, 4)))[0]
        B = 0.5 * rng.normal(size=(4, 2))
        P = solve_discrete_are(A, B, np.eye(4), 0.1 * np.eye(2))
        K = -np.linalg.solve(0.1 * np.eye(2) + B.T @ P @ B, B.T @ P @ A)
        return cls(A, B, K, 0.7 * rng.normal(size=(4, 8)))

    def run(self, rng: np.random.Generator, n: int) -> dict[str, NDArray]:
        """Return n transitions under the expert with exploration noise: sensors before and after, and actions."""
        states = np.zeros((n + 1, 4))
        noise = 0.5 * rng.normal(size=(n, 2))
        shocks = 0.05 * rng.normal(size=(n, 4))
        for t in range(n):
            executed = np.tanh(self.K @ states[t]) + noise[t]
            states[t + 1] = self.A @ states[t] + self.B @ executed + shocks[t]
        expert = np.tanh(states[:-1] @ self.K.T)
        sensors = np.tanh(states @ self.C)
        return {"X": sensors[:-1], "X_next": sensors[1:], "action": expert + noise, "expert": expert}


def linear_run(seed: int) -> dict[str, dict[str, float]]:
    """Return the error of the policy and the inverse loss on further rows: clean, with drift, and adapted."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    system = LinearSystem.drawn(rng)
    train = system.run(rng, N_TRAIN)
    policy = PADPolicyRegressor(device="cpu", random_state=seed)
    policy.fit(train["X"], train["expert"], X_next=train["X_next"], action=train["action"])
    gain = np.exp(DRIFT * rng.normal(size=8))
    offset = DRIFT * rng.normal(size=8)
    deployed = system.run(rng, N_DEPLOYED)
    test = system.run(rng, 1000)

    def figures(model: PADPolicyRegressor, rows: dict[str, NDArray], drift: bool) -> dict[str, float]:
        X, X_next = (rows[name] * gain + offset if drift else rows[name] for name in ("X", "X_next"))
        error = np.mean((model.predict(X) - rows["expert"]) ** 2) / np.var(rows["expert"], axis=0).mean()
        return {"error": float(error), "loss": model.auxiliary_loss(X, X_next=X_next, action=rows["action"])}

    found = {"clean": figures(policy, test, False), "drift": figures(policy, test, True)}
    for name, settings in SCOPES.items():
        adapted = policy.clone_episode().set_params(**settings)
        seen = {key: deployed[key] * gain + offset for key in ("X", "X_next")}
        adapted.partial_fit(**seen, action=deployed["action"])
        found[name] = figures(adapted, test, True)
    return found


def spread(values: NDArray) -> str:
    """Return a median, and the least and the greatest value."""
    return f"{np.median(values):.3f} ({np.min(values):.3f} to {np.max(values):.3f})"


@claim(
    "policy_adaptation_linear_system",
    paper="policy_adaptation",
    statement="A policy that goes on learning by inverse dynamics after deployment, without rewards, regains most of "
    "what a change of its observations has cost.",
    seeds=5,
    packages=("torch",),
)
def policy_adaptation_linear_system(seeds: int, jobs: int) -> Result:
    done = Parallel(n_jobs=jobs)(delayed(linear_run)(seed) for seed in range(seeds))

    def of(name: str, figure: str) -> NDArray:
        return np.array([one[name][figure] for one in done])

    rows = []
    ratio = {}
    fall = {}
    for name in ("clean", "drift", *SCOPES):
        row = [name, spread(of(name, "error")), spread(of(name, "loss")), "", "", ""]
        if name in SCOPES:
            ratio[name] = of(name, "error") / of("drift", "error")
            fall[name] = of("drift", "loss") / of(name, "loss")
            row[3:] = [spread(ratio[name]), f"{np.median(fall[name]):.0f}", f"{np.sum(ratio[name] < 1)} of {seeds}"]
        rows.append(row)
    error = float(np.median(ratio[OURS]))
    tenfold = float(np.median(fall[OURS]))
    shows: Shows = "shows" if error <= 0.6 and tenfold >= 10 else "mixed" if error < 1 else "does not show"
    return Result(
        shows,
        f"With drifting sensors the error of the policy after the adaptation is {error:.2f} times that before (median "
        f"of {seeds} seeds), and the inverse loss falls by the factor {tenfold:.0f}. Encoder and head on the latest "
        f"transition, as in the paper: {np.median(ratio[PAPERS_OWN]):.2f}.",
        f"linear systems of 4 states and 2 actions with 8 tanh sensors, drawn for each seed; {N_TRAIN} transitions "
        f"of a linear-quadratic regulator with exploration noise; then each sensor gets a gain exp({DRIFT} z) and an "
        f"offset {DRIFT} z, and {N_DEPLOYED} transitions without labels are seen; judged on 1000 others",
        "PADPolicyRegressor with its defaults; the error is the mean squared difference to the expert's actions over "
        "their variance. Encoder at learning rate 0.001. It shows if the median ratio of errors is at most 0.6 and the "
        "median fall of the inverse loss at least tenfold; it is mixed if the error falls. The setting was built to be "
        "one in which inverse dynamics identify the sensors",
        [
            Table(
                f"Median of {seeds} seeds (least to greatest)",
                ["policy", "error / variance", "inverse loss", "error after / before", "loss before / after", "better"],
                rows,
            )
        ],
        {"ratio": error, "fall": tenfold, "paper": float(np.median(ratio[PAPERS_OWN]))},
    )


N_EPISODES = 20
# how a policy adapts, and whether every episode starts with the fitted one
WAYS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "adapter, inverse": ("inverse", {}, False),
    "adapter, rotation": ("rotation", {}, False),
    "paper, inverse": ("inverse", PAPER, True),
    "paper, rotation": ("rotation", PAPER, True),
}
CONVOLUTIONS = {
    "hidden_channels": (8, 16),
    "strides": 2,
    "hidden_layer_sizes": (32,),
    "head_layer_sizes": (32,),
    "batch_size": 32,
    "max_iter": 12,
    "adapt_batch_size": 16,
    "adapt_window": 128,
}


def cloned(task: Any, auxiliary: str, seed: int) -> Any:
    """Return a policy cloned from the expert of a task."""
    train = task.record(np.random.default_rng([seed, 1]), 1500 // task.n_steps)
    expert = np.ravel(train["expert"])
    kind = PADPolicyClassifier if expert.dtype.kind == "i" else PADPolicyRegressor
    settings: dict[str, Any] = {"max_iter": 30, **(CONVOLUTIONS if task.images else {})}
    policy = kind(auxiliary=auxiliary, device="cpu", random_state=seed, **settings)
    return policy.fit(train["X"], expert, X_next=train["X_next"], action=np.ravel(train["action"]))


def episodes_run(name: str, seed: int) -> dict[tuple[str, str], float]:
    """Return mean returns by shift and way, and those of policies that stay as they are."""
    from benchmarks.control import TASKS, returns  # gymnasium is needed for a run alone

    torch.set_num_threads(1)
    task = TASKS[name]
    policies = {auxiliary: cloned(task, auxiliary, seed) for auxiliary in ("inverse", "rotation")}
    found = {}
    for number, shift in enumerate((None, *task.shifts)):

        def deployed(policy: Any, shift: Any = shift, number: int = number, **how: Any) -> float:
            env = task.make(shift, np.random.default_rng([seed, number]))
            return float(returns(task, env, policy, N_EPISODES, seed=seed, **how).mean())

        for auxiliary, policy in policies.items():
            found[shift or "none", f"stays, {auxiliary}"] = deployed(policy, adapts=False)
        for way, (auxiliary, changes, each) in WAYS.items():
            if shift is None:
                continue
            policy = policies[auxiliary].clone_episode().set_params(**changes)
            found[shift, way] = deployed(policy, adapts=True, each=each)
    return found


def with_interval(values: NDArray) -> str:
    """Return a mean and its 95 % interval over seeds."""
    low, high = interval(values)
    return f"{values.mean():+.1f} [{low:+.1f}, {high:+.1f}]{arrow(low, high)}"


def control_result(name: str, seeds: int, jobs: int, data: str) -> Result:
    """Return what the adaptation changes in the returns of a task."""
    done = Parallel(n_jobs=jobs)(delayed(episodes_run)(name, seed) for seed in range(seeds))
    shifts = [shift for shift in dict.fromkeys(shift for shift, _ in done[0]) if shift != "none"]

    def of(shift: str, way: str) -> NDArray:
        return np.array([one[shift, way] for one in done])

    stays = [f"stays, {auxiliary}" for auxiliary in ("inverse", "rotation")]
    gains = {
        way: np.array([of(shift, way) - of(shift, f"stays, {auxiliary}") for shift in shifts])
        for way, (auxiliary, _, _) in WAYS.items()
    }
    rows = [["no shift", *(f"{of('none', way).mean():.1f}" for way in stays), *([""] * len(WAYS))]]
    for i, shift in enumerate(shifts):
        levels = (f"{of(shift, way).mean():.1f}" for way in stays)
        rows.append([shift, *levels, *(with_interval(gains[way][i]) for way in WAYS)])
    rows.append(["mean of the shifts", "", "", *(with_interval(gains[way].mean(axis=0)) for way in WAYS)])
    gained = {way: sum(interval(gain)[0] > 0 for gain in gains[way]) for way in WAYS}
    lost = {way: sum(interval(gain)[1] < 0 for gain in gains[way]) for way in WAYS}
    confidence = 1.0 - 0.05 / len(WAYS)
    on_average = [way for way in WAYS if interval(gains[way].mean(axis=0), confidence)[0] > 0]
    most = max(gained.values())
    shows: Shows = "shows" if most > len(shifts) / 2 else "mixed" if on_average else "does not show"
    cost = np.mean([of("none", way) - of(shift, way) for way in stays for shift in shifts])
    parts = [f"{way}: {gains[way].mean():+.1f} ({gained[way]} up, {lost[way]} down)" for way in WAYS]
    return Result(
        shows,
        f"The shifts cost {cost:.1f} of the return without adaptation. Mean change by the adaptation over "
        f"{len(shifts)} shifts, and in how many of them it lies beyond its interval: {'; '.join(parts)}.",
        data,
        f"{kind_of(name)} cloned from an expert on 1500 transitions with exploration; {seeds} seeds, "
        f"{N_EPISODES} episodes for each seed and shift, partial_fit after every 10 transitions. The adapter goes on "
        "over the episodes; the paper's scope (encoder and head, latest transition, learning rate 0.001) starts each "
        "episode with the fitted policy, as in the paper. Changes are against the same policy without adaptation, with "
        "95 % intervals over seeds. It shows if some way of adapting gains beyond the interval in most shifts; it is "
        "mixed if one gains on the mean over the shifts, beyond an interval that is corrected for the number of ways",
        [Table(f"Returns without adaptation, and what the adaptation changes, {name}", ["shift", *stays, *WAYS], rows)],
        {**{way: float(gains[way].mean()) for way in WAYS}, "cost": float(cost), "up": float(most)},
    )


def kind_of(name: str) -> str:
    """Return how the policy of a task is described."""
    if "frames" in name:
        return "PADPolicyRegressor with convolutions (8, 16) of stride 2 before 32 units, 12 epochs,"
    return f"PADPolicy{'Classifier' if name == 'CartPole' else 'Regressor'} with its defaults, 30 epochs,"


VECTORS = (
    "Pendulum-v1 of gymnasium, its own observations; shifts after deployment, drawn for each seed: gains exp(0.6 z), "
    "offsets and noise of about half their spread, mass x 1.4, gravity x 1.3; 40 steps an episode"
)
FRAMES = (
    "Pendulum-v1 of gymnasium near its top, two frames of 24 x 24 pixels in three colours; shifts after deployment: a "
    "camera rotated by 20 degrees, mixed colours, low contrast, noise of 0.2, mass x 1.4; 20 steps an episode"
)


@claim(
    "policy_adaptation_pendulum",
    paper="policy_adaptation",
    statement="Adaptation during deployment improves the returns in most environments that differ from the training "
    "(31 of 36 in the paper, all from images; here a pendulum whose state is observed).",
    seeds=5,
    packages=("torch", "gymnasium"),
)
def policy_adaptation_pendulum(seeds: int, jobs: int) -> Result:
    return control_result("Pendulum", seeds, jobs, VECTORS)


@claim(
    "policy_adaptation_frames",
    paper="policy_adaptation",
    statement="Adaptation during deployment improves the returns in most environments that differ from the training "
    "(31 of 36 in the paper, all from images; here a pendulum seen in two small frames).",
    seeds=5,
    packages=("torch", "gymnasium", "pygame"),
)
def policy_adaptation_frames(seeds: int, jobs: int) -> Result:
    return control_result("Pendulum frames", seeds, jobs, FRAMES)
