"""Intrinsic dimension: time, agreement and duplicates beside scikit-dimension, and the errors at known dimensions.

    python benchmarks/bench_dimension.py [--parts PART ...] [--rounds N] [--out FILE.md]

One process and one thread; both sides take turns. DADApy is a second oracle of TwoNN where it is installed; its
released version needs an older numpy than this environment has. The search of faiss is timed where it is installed.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skdim.id import MLE, TwoNN
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._fresh import memory
from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import cpu_seconds, seconds
from skpapers.datasets import make_manifold
from skpapers.dimension import IntrinsicDimension

K = 20
N = 10_000
ANCHORS = 1000
FULL_PEER = 20_000  # rows of the peer's run that is scaled up to 100 000 rows; its time grows as the square


def rows_of(n: int, p: int, d: int = 8, seed: int = 0) -> NDArray[np.float64]:
    return make_manifold(n, d, p, kind="nonlinear", random_state=seed)[0]


def turns(jobs: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Return the CPU seconds of each job in each round, and its last answer. The jobs take turns, in either order."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    answers: dict[str, Any] = {}

    def run(name: str) -> None:
        answers[name] = jobs[name]()

    for number in range(rounds):
        for name in list(jobs)[:: 1 if number % 2 == 0 else -1]:
            times[name].append(cpu_seconds(partial(run, name)))
    return times, answers


def time_rows(shape: str, times: dict[str, list[float]], answers: dict[str, Any]) -> list[list[str]]:
    """Return a row for each job: median, ratio to the first job within each round, and the answer."""
    first = np.array(next(iter(times.values())))
    rows = []
    for name, spent in times.items():
        ratios = first / np.array(spent)
        answer = "" if answers[name] is None else f"{answers[name]:.9f}"
        spread = f"{ratios.min():.2f} to {ratios.max():.2f}"
        rows.append([f"{shape}: {name}", seconds(float(np.median(spent))), f"{np.median(ratios):.2f}", spread, answer])
    return rows


def peer_mle(X: NDArray) -> float:
    return float(MLE().fit(X, n_neighbors=K).dimension_)


def peer_two_nn(X: NDArray) -> float:
    return float(TwoNN().fit(X).dimension_)


def peer_dadapy(X: NDArray) -> float:
    from dadapy import Data

    return float(Data(X).compute_id_2NN()[0])


def faiss_search(X: NDArray) -> None:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatL2(X.shape[1])
    index.add(X.astype(np.float32))
    index.search(X.astype(np.float32), K + 1)


def ours(X: NDArray, **options: Any) -> float:
    return IntrinsicDimension(K, random_state=0, **options).fit(X).dimension_


COLUMNS = ["rows x columns: program", "CPU time", "times faster", "in the rounds", "estimate"]


def speed(rounds: int) -> list[Table]:
    rows = []
    for p in (20, 784):
        X = rows_of(N, p)
        jobs: dict[str, Callable[[], Any]] = {
            "scikit-dimension MLE": partial(peer_mle, X),
            "ours": partial(ours, X),
            "ours, float32": partial(ours, X.astype(np.float32)),
        }
        if find_spec("faiss"):
            jobs["faiss, search alone, float32"] = partial(faiss_search, X)
        rows += time_rows(f"{N} x {p}", *turns(jobs, rounds))
        two = {"scikit-dimension TwoNN": partial(peer_two_nn, X), "ours, twonn": partial(ours, X, method="twonn")}
        if find_spec("dadapy"):
            two["DADApy 2NN"] = partial(peer_dadapy, X)
        rows += time_rows(f"{N} x {p}", *turns(two, rounds))
    note = f"k = {K}; one thread; median of {rounds} rounds. Times of a search alone have no estimate."
    return [Table("All rows", COLUMNS, rows, note)]


def anchors(rounds: int) -> list[Table]:
    """1000 anchors among 1e5 rows against all of them. The full time of the peer is scaled from fewer rows."""
    X = rows_of(100_000, 20)
    small = X[:FULL_PEER]
    jobs = {
        "scikit-dimension, scaled": partial(peer_mle, small),
        "ours, 1000 anchors": partial(ours, X, max_anchors=ANCHORS),
    }
    times, answers = turns(jobs, rounds)
    factor = (len(X) / FULL_PEER) ** 2
    times["scikit-dimension, scaled"] = [factor * spent for spent in times["scikit-dimension, scaled"]]
    times["ours, all rows"] = [cpu_seconds(lambda: answers.__setitem__("ours, all rows", ours(X)))] * rounds
    answers["scikit-dimension, scaled"] = None
    note = (
        f"The peer's time on {FULL_PEER} rows times {factor:.0f}: its search grows as the square of the rows. "
        "'ours, all rows' was run once."
    )
    return [Table("100 000 rows of 20 columns", COLUMNS, time_rows("100000 x 20", times, answers), note)]


def million() -> list[Table]:
    rows = []
    for dtype in (np.float64, np.float32):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((1_000_000, 20)).astype(dtype)
        ours(X[:3000], max_anchors=100)
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
        found: list[float] = []
        spent = cpu_seconds(lambda data=X, into=found: into.append(ours(data, max_anchors=ANCHORS)))
        peak = memory("VmHWM")
        cells = [seconds(spent), f"{X.nbytes / 1e9:.2f}", f"{(peak - before) / 1e9:.2f}", f"{peak / 1e9:.2f}"]
        rows.append([f"{np.dtype(dtype).name}, {ANCHORS} anchors", *cells, f"{found[0]:.2f}"])
    columns = ["1 000 000 x 20", "CPU time", "X, GB", "beyond it, GB", "process, GB", "estimate"]
    return [
        Table("A million rows", columns, rows, "Normal rows of dimension 20; the process holds both sides' libraries.")
    ]


def known() -> list[Table]:
    rows = []
    for d in (2, 5, 10, 20, 40):
        X = rows_of(2000, 784, d)
        models = [{"method": "mle"}, {"method": "twonn"}, {"method": "geomle"}]
        fitted = [IntrinsicDimension(10, random_state=0, **options).fit(X) for options in models]
        cells = [
            f"{one.dimension_:.2f} ± {one.dimension_std_error_:.2f} ({one.dimension_ / d - 1:+.0%})" for one in fitted
        ]
        rows.append([str(d), *cells, f"{MLE().fit(X, n_neighbors=10).dimension_:.2f}"])
    columns = ["dimension", "maximum likelihood", "TwoNN", "GeoMLE", "scikit-dimension MLE"]
    return [
        Table("Known dimensions", columns, rows, "2000 rows of 784 columns, nonlinear, k = 10; ± the standard error.")
    ]


def duplicates() -> list[Table]:
    rows = []
    sets = {"manifold of dimension 5": rows_of(2000, 100, 5), "digits": load_digits().data}
    for name, X in sets.items():
        copies = X.copy()
        n_copies = len(X) // 100
        copies[:n_copies] = X[-n_copies:]
        plain = ours(X)
        model = IntrinsicDimension(K).fit(copies)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of logarithms of zero
            peer = [peer_mle(X), peer_mle(copies)]
        change = f"{model.dimension_ / plain - 1:+.2%}"
        rows.append(
            [
                name,
                f"{plain:.4f}",
                f"{model.dimension_:.4f}",
                change,
                str(model.n_duplicates_),
                f"{peer[0]:.4f}",
                f"{peer[1]:.4f}",
            ]
        )
    columns = ["rows", "ours", "with 1 % copies", "change", "reported", "scikit-dimension", "with 1 % copies"]
    return [Table("Exact duplicates", columns, rows)]


def agreement() -> list[Table]:
    rows = []
    for name, X in {"1500 x 20": rows_of(1500, 20), "1500 x 784": rows_of(1500, 784)}.items():
        for k in (5, 20):
            model = IntrinsicDimension(k).fit(X)
            peer = MLE().fit(X, n_neighbors=k)
            local = float(np.abs(model.local_dimension_ / peer.dimension_pw_ - 1).max())
            rows.append([f"{name}, k = {k}", f"{abs(model.dimension_ / peer.dimension_ - 1):.1e}", f"{local:.1e}"])
        two = abs(IntrinsicDimension(K, method="twonn").fit(X).dimension_ / peer_two_nn(X) - 1)
        rows.append([f"{name}, TwoNN", f"{two:.1e}", ""])
    search = NearestNeighbors(n_neighbors=K + 1).fit(X).kneighbors(X)[0][:, 1:]
    note = f"Relative differences. The last rows have distances from {search.min():.2g} to {search.max():.2g}."
    return [Table("Agreement with scikit-dimension", ["rows", "global", "largest of the local ones"], rows, note)]


def main() -> None:
    parts = ("agreement", "known", "duplicates", "speed", "anchors", "million")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts, metavar="PART", help=", ".join(parts))
    parser.add_argument("--rounds", type=int, default=3, help="rounds of a timing, default 3")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    tables: list[Table] = []
    with threadpool_limits(1):
        for method in ("mle", "twonn"):
            for dtype in (np.float64, np.float32):
                ours(rows_of(2000, 20).astype(dtype), method=method)  # compiles
        makers = {"agreement": agreement, "known": known, "duplicates": duplicates, "million": million}
        makers |= {"speed": partial(speed, args.rounds), "anchors": partial(anchors, args.rounds)}
        for part in parts:
            if part in args.parts:
                made = makers[part]()
                tables += made
                for table in made:
                    table.print()
    packages = [name for name in ("faiss-cpu", "dadapy") if find_spec(name.partition("-")[0])]
    line = versions_line(versions("skpapers", "scikit-dimension", "scikit-learn", "numpy", "numba", *packages))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        texts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
        args.out.write_text("\n\n".join(["# Intrinsic dimension", *texts, line]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
