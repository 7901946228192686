"""The stationary distribution by everybody's method, against the number of states.

Each method gets the chain in the form it likes best and one thread, in a fresh process.
Its memory is what came on top of the interpreter and its packages: the chain in that form
and the work. A method that takes longer than the cap is not asked about larger chains of
that family. The error is the largest relative error of any entry against the answer of
fsm_gpt with its proven bound; for fsm_gpt itself it is that bound.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.bench import storm
from analysis.bench.chains import csr, in_words
from analysis.bench.measure import peak, resident_now, timed
from analysis.bench.results import Found, Point, Row, Size
from analysis.bench.tasks import Call, Task, needs, stop_after
from analysis.families import hard_rows
from fsm_gpt.chain import Chain
from fsm_gpt.markov import stationary_distribution

__all__ = ["PEERS", "one", "run", "truth"]

Floats = npt.NDArray[np.float64]
#: The form that a method likes, made before the clock starts; then the method itself.
Prepared = Callable[[], Floats]

FAMILIES: dict[Size, tuple[str, ...]] = {
    "full": ("random", "sharp", "nearly decomposable"),
    "quick": ("random", "nearly decomposable"),
    "tiny": ("random",),
}
BITS: dict[Size, tuple[int, ...]] = {
    "full": (8, 10, 12, 14, 16, 18, 20),
    "quick": (8, 10, 12),
    "tiny": (6, 8),
}
#: Seconds after which a method is not asked about a larger chain.
CAP: dict[Size, float] = {"full": 20, "quick": 4, "tiny": 60}
#: What a process may take beside: starting, making the chain, holding the answer against ours.
STARTING = 25.0


def _ours(chain: Chain) -> Prepared:
    return lambda: np.asarray(stationary_distribution(chain).pi)


def _gth(chain: Chain) -> Prepared:
    gth_solve = needs("quantecon.markov.gth_solve").gth_solve
    gth_solve(np.full((2, 2), 0.5))  # compiles, or loads
    dense = csr(chain).toarray()
    return lambda: np.asarray(gth_solve(dense, overwrite=True))


def _lu(chain: Chain) -> Prepared:
    from scipy.sparse import csc_array, eye_array, vstack
    from scipy.sparse.linalg import splu

    n = chain.n_states
    balance = (eye_array(n) - csr(chain).T).tocsr()
    equations = csc_array(vstack([balance[:-1], csc_array(np.ones((1, n)))]))
    ones = np.zeros(n)
    ones[-1] = 1
    return lambda: np.asarray(splu(equations).solve(ones))


def _arpack(chain: Chain) -> Prepared:
    from scipy.sparse.linalg import eigs

    transposed = csr(chain).T.tocsr()

    def leading() -> Floats:
        vector = eigs(transposed, k=1, which="LR", v0=np.ones(chain.n_states))[1][:, 0].real
        return np.asarray(vector / vector.sum())

    return leading


def _power(chain: Chain) -> Prepared:
    transposed = csr(chain).T.tocsr()

    def iterate() -> Floats:
        x = np.full(chain.n_states, 1 / chain.n_states)
        while True:
            after = transposed @ x
            if np.abs(after - x).sum() < 1e-12:
                return np.asarray(after / after.sum())
            x = after

    return iterate


def _storm(chain: Chain) -> Prepared:
    built = storm.model(chain)
    return lambda: storm.stationary(built)


PEERS: dict[str, Callable[[Chain], Prepared]] = {
    "fsm_gpt": _ours,
    "QuantEcon GTH": _gth,
    "sparse LU": _lu,
    "ARPACK": _arpack,
    "power iteration": _power,
    "Storm": _storm,
}


def truth(family: str, bits: int, path: str) -> list[Found]:
    """Save our answer, which carries a proof, and say what is proven."""
    found = stationary_distribution(Chain(hard_rows(family, 2, bits)), accuracy=1e-10)
    np.save(path, found.pi)
    key = f"peers/{family}/{2**bits}/bound"
    bound = float(found.error_bound) if found.certified else None
    note = "" if found.certified else found.error_sentence
    return [Row(key=key, value=bound, unit="relative", at=in_words(2**bits), note=note)]


def one(peer: str, family: str, bits: int, path: str, cap: float) -> list[Found]:
    """One method on one chain."""
    PEERS[peer](Chain(hard_rows("random", 2, 4)))()  # packages are loaded, loops compiled
    if peer == "fsm_gpt":
        stationary_distribution(Chain(hard_rows("random", 2, 9)), method="multilevel")
    before = resident_now()
    prepared = PEERS[peer](Chain(hard_rows(family, 2, bits)))
    stop_after(cap)
    (x, seconds), most = peak(lambda: timed(prepared), before=before)
    stop_after(0)
    with np.errstate(all="ignore"):
        off = np.abs(x / np.load(path) - 1)
    error = float(off.max()) if np.isfinite(off).all() else None
    problem = "" if error is not None else "its answer holds no numbers"
    return [
        Point(
            peer=peer,
            family=family,
            n_states=2**bits,
            seconds=seconds,
            peak_bytes=most.extra,
            error=error,
            problem=problem,
        )
    ]


def run(call: Call, size: Size) -> list[Found]:
    """Every method on every family, from small chains to large ones until it is too slow."""
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES[size]:
            asked = list(PEERS)
            for bits in BITS[size]:
                path = str(Path(folder) / f"{bits}.npy")
                common = {"family": family, "bits": bits, "path": path}
                key = f"peers/{family}/{2**bits}"
                found += (reference := call(Task(f"{key}/bound", truth, common, limit=120)))
                if not Path(path).exists():
                    break
                for peer in list(asked):
                    arguments = {"peer": peer, "cap": CAP[size], **common}
                    limit = CAP[size] + STARTING
                    task = Task(f"{key}/{peer}", one, arguments, limit=limit)
                    point = _point(call(task), peer, family, 2**bits, reference, CAP[size])
                    found.append(point)
                    if point.seconds is None:
                        asked.remove(peer)
    return found


def _point(
    found: list[Found],
    peer: str,
    family: str,
    n_states: int,
    reference: list[Found],
    cap: float,
) -> Point:
    """The point of a task, or the point that says why there is none."""
    (only,) = found
    if isinstance(only, Row):
        note = f"over {cap:g} s" if only.note.startswith("over ") else only.note
        return Point(peer=peer, family=family, n_states=n_states, seconds=None, problem=note)
    if peer != "fsm_gpt":
        return only
    (bound,) = reference
    assert isinstance(bound, Row)
    return Point(
        peer=peer,
        family=family,
        n_states=n_states,
        seconds=only.seconds,
        peak_bytes=only.peak_bytes,
        error=bound.value,
        problem=bound.note,
    )
