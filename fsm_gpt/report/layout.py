"""Where the states of a graph stand.

Windows over two tokens have a well-known drawing, that of the de Bruijn graph: the
constant windows at the two ends, and in between each window at (number of ones, how
far the ones lie to the right). For L = 3 no two transitions cross in it. A chain of
some of the windows (a text's own chain, say) keeps their places, so that pictures can
be compared.

Shorter contexts stand outside, above or below the windows that they lead to. All
other chains stand on a circle; windows in the order of a de Bruijn sequence (each is
a successor of the one before), plain states in their own order, or in that in which tokens
lead from one to the next if this shortens the arrows.

Distances are in units of one step between neighbours.

References
----------
de Bruijn (1946), "A combinatorial problem", Proc. Kon. Ned. Akad. v. Wetensch. 49.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain

__all__ = ["positions"]

Points: TypeAlias = npt.NDArray[np.float64]
Contexts: TypeAlias = npt.NDArray[np.int64]

#: Longest windows over two tokens that are drawn in the well-known way.
LONGEST_DRAWN = 4
#: Of more windows than this the order of a de Bruijn sequence is not gone through.
MOST_WINDOWS = 2**16
#: So many states on a circle are given more room for the labels between them.
ROOMY = 12
#: By window length: how far the two halves of the drawing are moved apart, and its scale.
WIDER = {2: 0.0, 3: 0.48, 4: 0.4}
STRETCH = {2: 1.1, 3: 1.05, 4: 1.3}


def positions(chain: Chain) -> Points:
    """Coordinates of every state, shape (N, 2), y upwards.

    >>> chain = Chain([[0.5, 0.5]] * 4)
    >>> positions(chain).round(2).tolist()
    [[0.0, 0.0], [1.1, 0.9], [1.1, -0.9], [2.2, 0.0]]
    """
    contexts = chain.states.contexts()
    if contexts is None or chain.n_tokens < 2 or contexts.shape[1] == 1:
        return _circle(chain.n_states)[_places(chain)]
    if chain.n_tokens ** contexts.shape[1] > MOST_WINDOWS:  # few of them: no order is known
        return _circle(chain.n_states)[_led(chain)]
    lengths = (contexts >= 0).sum(axis=1)
    full = lengths == contexts.shape[1]
    place = np.zeros((chain.n_states, 2))
    if chain.n_tokens == 2 and contexts.shape[1] <= LONGEST_DRAWN:
        place[full] = _drawn(contexts[full])
    else:
        place[full] = _ring(contexts[full], chain.n_tokens)
    if not full.all():
        _place_shorter(place, contexts, lengths, flat=chain.n_tokens == 2)
    return place


def _circle(n: int, start: float = math.pi / 2) -> Points:
    """Points on a circle, clockwise from the top; one point, or two side by side."""
    if n == 1:
        return np.zeros((1, 2))
    if n == 2:
        return np.array([[0.0, 0.0], [1.7, 0.0]])
    radius = max(0.95, min(n, ROOMY) * 1.12 / (2 * math.pi), n * 0.92 / (2 * math.pi))
    angles = start - 2 * math.pi * np.arange(n) / n
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _places(chain: Chain) -> npt.NDArray[np.int64]:
    """The place of each plain state on the circle."""
    own = np.arange(chain.n_states)
    if chain.n_states < 4 or chain.kind == "symbolic" or chain.states.contexts() is not None:
        return own
    return _led(chain)


def _led(chain: Chain) -> npt.NDArray[np.int64]:
    """Places in their own order, or in that in which tokens lead on, if arrows are shorter then."""
    own = np.arange(chain.n_states)
    edges = chain.edges()
    weight = edges.probability.astype(float)
    order = _led_on(chain.n_states, edges.source, edges.target, weight)
    led = np.empty_like(own)
    led[order] = own

    def length(place: npt.NDArray[np.int64]) -> float:
        turn = np.pi * (place[edges.source] - place[edges.target]) / len(own)
        return float(weight @ np.abs(np.sin(turn)))

    return led if length(led) < 0.95 * length(own) else own


def _led_on(
    n: int,
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    weight: Points,
) -> list[int]:
    """The states in the order of the likeliest way on to one not yet met, from the first."""
    P = np.zeros((n, n))
    np.add.at(P, (source, target), weight)
    order = [0]
    left = set(range(1, n))
    while left:
        order.append(max(sorted(left), key=lambda s: P[order[-1], s]))
        left.remove(order[-1])
    return order


def _drawn(windows: Contexts) -> Points:
    """The well-known drawing of windows over two tokens."""
    L = windows.shape[1]
    count = windows.sum(axis=1)
    weight = np.arange(L) - (L - 1) / 2
    lean = windows @ weight
    farthest = np.array([max(1e-9, k * (L - k) / 2) for k in count.tolist()])
    aside = 1 - np.abs(lean) / farthest
    spread = (windows @ weight**2) - count * (weight**2).mean()
    tied = (count == L / 2) & (np.abs(lean) < 1e-9) & (L > 2)
    between = (count > 0) & (count < L) & (L > 2)
    x = count + WIDER[L] * np.sign(count - L / 2) * between
    x = x + 0.45 * np.sign(L / 2 - count) * aside * between + 0.75 * np.sign(spread) * tied
    return np.stack([STRETCH[L] * x, (1.8 if L == 2 else 1.0) * lean], axis=1)


def _ring(windows: Contexts, n_tokens: int) -> Points:
    """Windows on a circle in the order of a de Bruijn sequence, those that are there."""
    L = windows.shape[1]
    known = {tuple(window): i for i, window in enumerate(windows.tolist())}
    order = [known[w] for w in _de_bruijn_order(n_tokens, L) if w in known]
    place = np.empty((len(windows), 2))
    place[order] = _circle(len(windows))
    return place


def _de_bruijn_order(n_tokens: int, length: int) -> list[tuple[int, ...]]:
    """Every window once, each a successor of the one before.

    Starting from zeros, the largest token that gives a new window is appended
    (Martin 1934); that this visits them all is his theorem.
    """
    window = (0,) * length
    order, seen = [window], {window}
    while True:
        for token in range(n_tokens - 1, -1, -1):
            following = (*window[1:], token)
            if following not in seen:
                break
        else:
            return order
        window = following
        seen.add(window)
        order.append(window)


def _place_shorter(place: Points, contexts: Contexts, lengths: Contexts, *, flat: bool) -> None:
    """Put contexts shorter than L outside, near what they lead to."""
    L = contexts.shape[1]
    known = {tuple(c[c >= 0].tolist()): s for s, c in enumerate(contexts)}
    full = place[lengths == L]
    middle = full.mean(axis=0) if len(full) else np.zeros(2)
    reach = np.abs(full - middle).max(axis=0) if len(full) else np.ones(2)
    for length in range(L - 1, 0, -1):
        level = np.flatnonzero(lengths == length)
        for place_in_level, s in enumerate(level.tolist()):
            name = tuple(contexts[s][contexts[s] >= 0].tolist())
            below = [p for c, p in known.items() if len(c) == length + 1 and c[:length] == name]
            centre = place[below].mean(axis=0) if below else middle
            if flat:
                up = 1 if name[0] == 0 else -1
                place[s] = (centre[0], middle[1] + up * (reach[1] + 0.55 + 0.4 * (L - length)))
            else:
                angle = math.pi / 2 - 2 * math.pi * place_in_level / max(1, len(level))
                out = reach.max() + 0.95 * (L - length)
                place[s] = middle + out * np.array([math.cos(angle), math.sin(angle)])
