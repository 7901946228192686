"""Classes and periods beside scipy, QuantEcon and networkx.

Two chains: random rows, where every token can follow every window and that alone decides,
and the same rows under a decoding rule that leaves zeros, where the classes are looked for.
scipy's time is that of building CSR with 32-bit indices and of strong components, without
the period.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.bench.chains import csr, in_words, thinned
from analysis.bench.measure import Spread, alternating, peak, ratios, timed
from analysis.bench.results import Found, Row, Size
from analysis.bench.tasks import Call, Task, needs
from analysis.families import hard_rows
from fsm_gpt.chain import Chain
from fsm_gpt.markov import communicating_classes

__all__ = ["beside", "large", "run"]

CHAINS = ("random", "min-p 0.3")
ROUNDS: dict[Size, int] = {"full": 5, "quick": 3, "tiny": 1}


def _rows(name: str, L: int) -> np.ndarray:
    rows = hard_rows("random", 2, L)
    return rows if name == "random" else np.asarray(thinned(rows).next_token).copy()


def _support(rows: np.ndarray) -> Any:
    P = csr(Chain(rows))
    P.eliminate_zeros()
    return P


def _scipy(rows: np.ndarray) -> int:
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(_support(rows), connection="strong")[0])


def _quantecon(rows: np.ndarray) -> int:
    graph = needs("quantecon").DiGraph(_support(rows))
    if graph.is_strongly_connected:
        return int(graph.period)
    return int(graph.num_strongly_connected_components)


def _networkx(rows: np.ndarray) -> int:
    import networkx as nx

    graph = nx.from_scipy_sparse_array(_support(rows), create_using=nx.DiGraph)
    return sum(1 for _ in nx.strongly_connected_components(graph))


PEERS: dict[str, Callable[[np.ndarray], int]] = {
    "scipy": _scipy,
    "QuantEcon": _quantecon,
    "networkx": _networkx,
}


def beside(name: str, L: int, peer: str, rounds: int) -> list[Found]:
    """Ours and a peer's time in turn, from the rows to the classes."""
    rows = _rows(name, L)
    works = {
        "ours": lambda: communicating_classes(Chain(rows)),
        "theirs": lambda: PEERS[peer](rows),
    }
    seconds = alternating(works, rounds=rounds)
    at = f"{in_words(2**L)}, {name}"
    key = f"structure/{peer}/{name}"
    return [
        ratios(seconds["ours"], seconds["theirs"]).row(f"{key}/ratio", unit="times", at=at),
        Spread.of(seconds["ours"]).row(f"{key}/ours", unit="s", at=at),
        Spread.of(seconds["theirs"]).row(f"{key}/theirs", unit="s", at=at),
    ]


def large(name: str, L: int) -> list[Found]:
    """Seconds and memory of ours on the largest chain."""
    communicating_classes(Chain(_rows(name, 17)))  # compiles, or loads
    chain = Chain(_rows(name, L))
    (found, seconds), most = peak(lambda: timed(lambda: communicating_classes(chain)))
    at = f"{in_words(2**L)}, {name}"
    note = f"{found.n_classes:,} classes, {len(found.closed):,} of them closed"
    key = f"structure/large/{name}"
    return [
        Row(key=f"{key}/seconds", value=seconds, unit="s", at=at, note=note),
        Row(key=f"{key}/memory", value=most.whole / 1e9, unit="GB", at=at),
        Row(key=f"{key}/extra memory", value=most.extra / 1e9, unit="GB", at=at),
    ]


def run(call: Call, size: Size) -> list[Found]:
    """Beside each peer, and alone on a large chain."""
    found: list[Found] = []
    L = {"full": 20, "quick": 17, "tiny": 8}[size]
    for name in CHAINS:
        for peer in PEERS:
            bits = min(L - 4, 16) if peer == "networkx" else L
            arguments = {"name": name, "L": bits, "peer": peer, "rounds": ROUNDS[size]}
            found += call(Task(f"structure/{peer}/{name}", beside, arguments, limit=180))
        arguments = {"name": name, "L": {"full": 24, "quick": 20, "tiny": 9}[size]}
        found += call(Task(f"structure/large/{name}", large, arguments))
    return found
