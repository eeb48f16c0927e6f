"""Classic control of gymnasium for policies that adapt: experts, drifting sensors, other dynamics, small frames.

It needs the extra `rl`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # frames are drawn without a screen

import gymnasium

Shift = Callable[[gymnasium.Env, np.random.Generator], gymnasium.Env]
SIDE = 24  # of a frame
CHUNK = 10  # transitions for each call of partial_fit


class Sensors(gymnasium.ObservationWrapper):
    """Each value of an observation has a gain, an offset and noise.

    Parameters
    ----------
    env : gymnasium.Env

    gain, offset : ndarray of the shape of an observation

    noise : float or ndarray
        Standard deviation.

    rng : Generator
        Of the noise.
    """

    def __init__(self, env: gymnasium.Env, gain: Any, offset: Any, noise: Any, rng: np.random.Generator) -> None:
        super().__init__(env)
        self.gain = gain
        self.offset = offset
        self.noise = noise
        self.rng = rng

    def observation(self, observation: NDArray) -> NDArray:
        return observation * self.gain + self.offset + self.noise * self.rng.normal(size=observation.shape)


class OtherDynamics(gymnasium.Wrapper):
    """The constants of the system are multiplied by factors.

    Parameters
    ----------
    env : gymnasium.Env

    **factors : float
        By the name of the attribute, such as `length`.
    """

    def __init__(self, env: gymnasium.Env, **factors: float) -> None:
        super().__init__(env)
        system: Any = env.unwrapped
        for name, factor in factors.items():
            setattr(system, name, getattr(system, name) * factor)
        if hasattr(system, "masspole"):  # of CartPole, which keeps sums and products of its constants
            system.total_mass = system.masspole + system.masscart
            system.polemass_length = system.masspole * system.length


class Frames(gymnasium.ObservationWrapper):
    """The last two frames of a pendulum, (6, SIDE, SIDE), with values from 0 to 1; the torque is not shown."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.system: Any = env.unwrapped
        self.system.screen_dim = 4 * SIDE
        self.last: NDArray | None = None

    def reset(self, **options: Any) -> tuple[NDArray, dict]:
        self.last = None
        return super().reset(**options)

    def observation(self, observation: NDArray) -> NDArray:
        self.system.last_u = None  # gymnasium draws the torque into the frame
        drawn = np.asarray(self.system.render(), dtype=np.float64) / 255.0
        frame = drawn.reshape(SIDE, 4, SIDE, 4, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
        before = frame if self.last is None else self.last
        self.last = frame
        return np.concatenate([before, frame])


class Pictures(gymnasium.ObservationWrapper):
    """A function of the frames, such as a camera that is not level.

    Parameters
    ----------
    env : gymnasium.Env

    change : callable
        It takes and returns frames, (6, SIDE, SIDE).
    """

    def __init__(self, env: gymnasium.Env, change: Callable[[NDArray], NDArray]) -> None:
        super().__init__(env)
        self.change = change

    def observation(self, observation: NDArray) -> NDArray:
        return np.clip(self.change(observation), 0.0, 1.0)


def rotated(frames: NDArray, degrees: float) -> NDArray:
    """Return frames rotated about their centre; what comes from outside repeats the edge. Nearest pixels."""
    angle = np.deg2rad(degrees)
    center = (SIDE - 1) / 2.0
    row, column = np.mgrid[:SIDE, :SIDE] - center
    source_row = np.cos(angle) * row + np.sin(angle) * column + center
    source_column = -np.sin(angle) * row + np.cos(angle) * column + center
    rows = np.clip(np.rint(source_row).astype(int), 0, SIDE - 1)
    columns = np.clip(np.rint(source_column).astype(int), 0, SIDE - 1)
    return frames[:, rows, columns]


def recoloured(frames: NDArray, matrix: NDArray) -> NDArray:
    """Return frames whose three colours are mixed by a matrix."""
    return np.einsum("ij,fjhw->fihw", matrix, frames.reshape(2, 3, SIDE, SIDE)).reshape(frames.shape)


def _colours(env: gymnasium.Env, rng: np.random.Generator) -> gymnasium.Env:
    matrix = np.eye(3) + 0.5 * rng.normal(size=(3, 3))
    return Pictures(env, partial(recoloured, matrix=matrix / np.abs(matrix).sum(axis=1, keepdims=True)))


def _contrast(env: gymnasium.Env, rng: np.random.Generator) -> gymnasium.Env:
    gain = rng.uniform(0.3, 0.6)
    return Pictures(env, lambda frames: gain * frames + 0.3)


IMAGE_SHIFTS: dict[str, Shift] = {
    "camera rotated": lambda env, rng: Pictures(env, partial(rotated, degrees=20.0 * rng.choice([-1, 1]))),
    "colours mixed": _colours,
    "low contrast": _contrast,
    "noise": lambda env, rng: Pictures(env, lambda frames: frames + 0.2 * rng.normal(size=frames.shape)),
    "heavier pendulum": lambda env, rng: OtherDynamics(env, m=1.4),
}


@dataclass(frozen=True)
class Task:
    """An environment with an expert.

    Parameters
    ----------
    name : str
        Of gymnasium.

    n_steps : int
        Length of an episode.

    spread : ndarray
        Typical size of each observation: offsets and noise are in these units.

    expert : callable
        From the state of the system to an action: a label, or an array of one number.

    explore : callable
        From an action and a generator to the action that is executed in training.

    shifts : dict of str to Shift
        What is different after deployment.

    start : dict
        Options of `reset`.
    """

    name: str
    n_steps: int
    spread: NDArray
    expert: Callable[[Any], Any]
    explore: Callable[[Any, np.random.Generator], Any]
    shifts: dict[str, Shift]
    start: dict[str, float]
    images: bool = False

    def make(self, shift: str | None = None, rng: np.random.Generator | None = None) -> gymnasium.Env:
        """Return the environment, with a shift or without one."""
        options = {"max_episode_steps": self.n_steps, "disable_env_checker": True}
        env = gymnasium.make(self.name, **options, render_mode="rgb_array" if self.images else None)
        if self.images:
            env = Frames(env)
        return env if shift is None else self.shifts[shift](env, rng or np.random.default_rng())

    def record(self, rng: np.random.Generator, n_episodes: int) -> dict[str, NDArray]:
        """Return transitions under the expert with exploration."""
        env = self.make()
        found: dict[str, list] = {"X": [], "X_next": [], "action": [], "expert": []}
        for _ in range(n_episodes):
            observation, _ = env.reset(seed=int(rng.integers(2**31)), options=self.start)
            done = False
            while not done:
                wanted = self.expert(env.unwrapped)
                executed = self.explore(wanted, rng)
                after, _, terminated, truncated, _ = env.step(executed)
                for key, value in zip(found, (observation, after, executed, wanted), strict=True):
                    found[key].append(value)
                observation = after
                done = terminated or truncated
        return {key: np.array(values) for key, values in found.items()}


def _vector_shifts(spread: NDArray, **dynamics: dict[str, float]) -> dict[str, Shift]:
    """Return sensors with other gains, offsets and noise, and systems with other constants."""

    def sensors(env: gymnasium.Env, rng: np.random.Generator, gain: float, offset: float, noise: float) -> Sensors:
        gains = np.exp(gain * rng.normal(size=len(spread)))
        return Sensors(env, gains, offset * spread * rng.normal(size=len(spread)), noise * spread, rng)

    return {
        "gains": partial(sensors, gain=0.6, offset=0.0, noise=0.0),
        "offsets": partial(sensors, gain=0.0, offset=0.6, noise=0.0),
        "noise": partial(sensors, gain=0.0, offset=0.0, noise=0.5),
        **{name: partial(_system, factors=factors) for name, factors in dynamics.items()},
    }


def _system(env: gymnasium.Env, rng: np.random.Generator, factors: dict[str, float]) -> gymnasium.Env:
    return OtherDynamics(env, **factors)


def _balance(system: Any) -> int:
    x, speed, angle, turning = system.state
    return int(angle + 0.25 * turning + 0.05 * x + 0.08 * speed > 0)


def _swing_up(system: Any) -> NDArray:
    """Return the torque of an energy controller, and near the top that of a linear one."""
    angle = (system.state[0] + np.pi) % (2.0 * np.pi) - np.pi
    speed = system.state[1]
    missing = 15.0 * (1.0 - np.cos(angle)) - 0.5 * speed**2
    torque = -(10.0 * angle + 2.0 * speed) if abs(angle) < 0.5 else missing * np.sign(speed or 1.0)
    return np.array([np.clip(torque, -2.0, 2.0)])


def _other_push(action: int, rng: np.random.Generator) -> int:
    return int(rng.integers(2)) if rng.random() < 0.3 else action


def _other_torque(action: NDArray, rng: np.random.Generator) -> NDArray:
    return np.clip(action + 0.7 * rng.normal(size=1), -2.0, 2.0)


CART = np.array([0.3, 0.4, 0.06, 0.4])
PENDULUM = np.array([0.5, 0.5, 2.0])
TASKS = {
    "CartPole": Task(
        "CartPole-v1",
        60,
        CART,
        _balance,
        _other_push,
        _vector_shifts(CART, pole={"length": 2.0, "masspole": 3.0}, push={"force_mag": 0.5}),
        {},
    ),
    "Pendulum": Task(
        "Pendulum-v1",
        40,
        PENDULUM,
        _swing_up,
        _other_torque,
        _vector_shifts(PENDULUM, mass={"m": 1.4}, gravity={"g": 1.3}),
        {"x_init": np.pi / 2, "y_init": 1.0},
    ),
    "Pendulum frames": Task(
        "Pendulum-v1",
        20,
        PENDULUM,
        _swing_up,
        _other_torque,
        IMAGE_SHIFTS,
        {"x_init": 0.6, "y_init": 0.5},
        images=True,
    ),
}


def decide(module: torch.nn.Module, policy: Any, observation: NDArray) -> Any:
    """Return what a policy does; its module is made once for several steps."""
    with torch.no_grad():
        output = module(torch.from_numpy(np.asarray(observation, dtype=np.float64).reshape(1, -1)))
    if hasattr(policy, "classes_"):
        return policy.classes_[int(output.item() > 0)]
    return np.clip(output.numpy().reshape(1), -2.0, 2.0)


def returns(
    task: Task, env: gymnasium.Env, policy: Any, n_episodes: int, *, adapts: bool, each: bool = False, seed: int = 0
) -> NDArray:
    """Return the sum of rewards of each episode.

    Parameters
    ----------
    task, env : Task, gymnasium.Env
        The environment of a task, with a shift.

    policy : fitted estimator
        It stays as it is.

    n_episodes : int
        One after another.

    adapts : bool
        Whether a copy adapts, after every `CHUNK` transitions.

    each : bool
        Whether every episode starts with the fitted policy, as in the paper.

    seed : int
        Of the starts.
    """
    found = np.zeros(n_episodes)
    agent = policy.clone_episode()
    for episode in range(n_episodes):
        if each:
            agent = policy.clone_episode()
        module = agent.to_torch()
        observation, _ = env.reset(seed=1000 * seed + episode, options=task.start)
        seen: list[tuple] = []
        done = False
        while not done:
            action = decide(module, agent, observation)
            after, reward, terminated, truncated, _ = env.step(action)
            found[episode] += reward
            done = terminated or truncated
            seen.append((observation, after, action))
            observation = after
            if adapts and (len(seen) == CHUNK or done):
                X, X_next, actions = (np.array(values) for values in zip(*seen, strict=True))
                agent.partial_fit(X, X_next=X_next, action=actions)
                module = agent.to_torch()
                seen = []
    return found
