"""How the edges of a graph run, and where their labels fit.

Plain geometry in points, with no drawing in it. States are discs. An edge is a
quadratic Bezier curve from disc to disc, bent just enough to keep clear of other
discs, of its own twin in the other direction, and of crossings; a loop is a part of a
circle on the free side of its disc. A label is a box; candidates lie along its curve, and
those are taken that touch no disc and no other label. What finds no room is left out
and counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Curve", "boxes_overlap", "fitted", "place_labels", "route"]

Points: TypeAlias = npt.NDArray[np.float64]

#: Bends tried, as a share of the distance.
BENDS = (0.0, 0.1, -0.1, 0.2, -0.2, 0.32, -0.32, 0.48, -0.48)
#: Space kept between a curve and a disc that is none of its ends.
CLEARANCE = 9.0
#: Length and half width of an arrow head for a line of width 1.
HEAD = (8.0, 3.4)
#: Radius of a loop.
LOOP = 15.0
SAMPLES = np.linspace(0.0, 1.0, 33)


@dataclass(frozen=True, eq=False)
class Curve:
    """A Bezier curve by its three control points; a loop by many points along it."""

    controls: Points
    #: Where the line starts and where the tip of the arrow is, as parameters.
    start: float
    tip: float

    @property
    def is_loop(self) -> bool:
        """Whether it returns to its own disc."""
        return len(self.controls) > 3

    def at(self, t: npt.ArrayLike) -> Points:
        """Points of the curve, shape (n, 2)."""
        ts = np.atleast_1d(np.asarray(t, dtype=float))
        if self.is_loop:
            known = np.linspace(0, 1, len(self.controls))
            return np.stack([np.interp(ts, known, axis) for axis in self.controls.T], axis=1)
        return _bezier(self.controls, ts)

    def visible(self, n: int = len(SAMPLES)) -> Points:
        """Points of the part outside the discs."""
        return self.at(np.linspace(self.start, self.tip, n))

    def back_from_tip(self, length: float) -> float:
        """The parameter at which the tip is this far away, measured straight."""
        ts = np.linspace(self.tip, self.start, 65)
        far = np.hypot(*(self.at(ts) - self.at(self.tip)).T) >= length
        return float(ts[np.argmax(far)]) if far.any() else self.start

    def piece(self, first: float, last: float) -> Points:
        """Control points of the part between two parameters (de Casteljau), or points along it."""
        if self.is_loop:
            return self.at(np.linspace(first, last, 25))
        controls = _cut(self.controls, last)[0]
        return _cut(controls, first / last)[1] if last > 0 else controls


def _bezier(controls: Points, t: Points) -> Points:
    points = np.repeat(controls[None], len(t), axis=0)
    while points.shape[1] > 1:
        points = points[:, :-1] * (1 - t)[:, None, None] + points[:, 1:] * t[:, None, None]
    return np.asarray(points[:, 0])


def _cut(controls: Points, t: float) -> tuple[Points, Points]:
    left, right = [controls[0]], [controls[-1]]
    while len(controls) > 1:
        controls = controls[:-1] * (1 - t) + controls[1:] * t
        left.append(controls[0])
        right.append(controls[-1])
    return np.array(left), np.array(right[::-1])


def _trimmed(controls: Points, centres: Sequence[Points], radii: Sequence[float]) -> Curve:
    """A curve that starts and ends at the rims of its two discs."""
    ts = np.linspace(0, 1, 241)
    points = _bezier(controls, ts)
    outside_first = np.hypot(*(points - centres[0]).T) >= radii[0]
    outside_last = np.hypot(*(points - centres[1]).T) >= radii[1]
    start = float(ts[np.argmax(outside_first)])
    tip = float(ts[len(ts) - 1 - np.argmax(outside_last[::-1])])
    return Curve(controls, start, max(tip, start + 1e-6))


def _bent(a: Points, b: Points, bend: float) -> Points:
    across = np.array([b[1] - a[1], a[0] - b[0]])
    return np.array([a, (a + b) / 2 + 2 * bend * across / 2, b])


def route(centres: Points, radii: Points, pairs: Sequence[tuple[int, int]]) -> list[Curve]:
    """A curve for each (source, target), in the order given.

    Straight edges are settled first, two rounds, each against all others; then loops.
    """
    present = set(pairs)
    curves: list[Curve | None] = [None] * len(pairs)
    lines: list[Points | None] = [None] * len(pairs)
    plain = [i for i, (u, v) in enumerate(pairs) if u != v]
    for _ in range(2):
        for i in plain:
            u, v = pairs[i]
            others = np.array(
                [line for j, line in enumerate(lines) if j != i and line is not None]
            ).reshape(-1, len(SAMPLES), 2)
            twin = (v, u) in present
            gap = _gap(radii, u, v)
            best: tuple[float, Curve] | None = None
            for bend in BENDS:
                curve = _trimmed(_bent(centres[u], centres[v], bend), (centres[u], centres[v]), gap)
                cost = _bend_cost(curve, bend, centres, radii, (u, v), others, twin)
                if best is None or cost < best[0]:
                    best = cost, curve
            assert best is not None
            curves[i] = best[1]
            lines[i] = best[1].visible()
    for i, (u, v) in enumerate(pairs):
        if u == v:
            curves[i] = _loop(u, centres, radii, [line for line in lines if line is not None])
            lines[i] = curves[i].visible()  # type: ignore[union-attr]
    return [curve for curve in curves if curve is not None]


def _gap(radii: Points, u: int, v: int) -> tuple[float, float]:
    """How far from the two centres an edge begins and ends."""
    return float(radii[u]) + 1.5, float(radii[v]) + 2.5


def fitted(
    curves: Sequence[Curve], pairs: Sequence[tuple[int, int]], centres: Points, radii: Points
) -> list[Curve]:
    """The same curves where the discs have other radii: they begin and end at the new rims.

    >>> centres, radii = np.array([[0.0, 0.0], [100.0, 0.0]]), np.array([30.0, 30.0])
    >>> pairs = [(0, 1)]
    >>> (curve,) = fitted(route(centres, radii, pairs), pairs, centres, radii - 10)
    >>> curve.at([curve.start, curve.tip])[:, 0].round().tolist()
    [22.0, 78.0]
    """
    found = []
    for curve, (u, v) in zip(curves, pairs, strict=True):
        if curve.is_loop:
            across, up = curve.at(0.5)[0] - centres[u]
            found.append(_loop_curve(centres[u], float(radii[u]), math.atan2(up, across)))
        else:
            ends = (centres[u], centres[v])
            found.append(_trimmed(curve.controls, ends, _gap(radii, u, v)))
    return found


def _bend_cost(
    curve: Curve,
    bend: float,
    centres: Points,
    radii: Points,
    ends: tuple[int, int],
    others: Points,
    twin: bool,
) -> float:
    points = curve.visible()
    cost = 40 * abs(bend) + (60 if twin and abs(bend) < 0.15 else 0) + (4 if bend < 0 else 0)
    aside = np.ones(len(centres), dtype=bool)
    aside[list(ends)] = False
    if aside.any():
        away = np.hypot(*(points[:, None] - centres[aside][None]).transpose(2, 0, 1)).min(axis=0)
        cost += 150 * float(np.clip((radii[aside] + CLEARANCE - away) / CLEARANCE, 0, 2).sum())
    if len(others):
        cost += 9 * _crossings(points, others)
        middle = points[8:25:4]
        near = np.hypot(*(others[:, None, ::2] - middle[None, :, None]).transpose(3, 0, 1, 2))
        cost += 60 * float((near.min(axis=2) < 11).all(axis=1).sum())
    return cost


def _crossings(line: Points, others: Points) -> int:
    """How many of the other lines this one crosses; both are chains of short segments."""
    p, r = line[:-1:4], np.diff(line[::4], axis=0)
    q, s = others[:, :-1:4], np.diff(others[:, ::4], axis=1)
    offset = q[:, None] - p[None, :, None]
    cross = r[None, :, None, 0] * s[:, None, :, 1] - r[None, :, None, 1] * s[:, None, :, 0]
    cross = np.where(np.abs(cross) < 1e-9, np.inf, cross)
    t = (offset[..., 0] * s[:, None, :, 1] - offset[..., 1] * s[:, None, :, 0]) / cross
    w = (offset[..., 0] * r[None, :, None, 1] - offset[..., 1] * r[None, :, None, 0]) / cross
    hit = (t > 0) & (t < 1) & (w > 0) & (w < 1)
    return int(hit.any(axis=(1, 2)).sum())


def _loop(u: int, centres: Points, radii: Points, others: Sequence[Points]) -> Curve:
    """A loop on the free side of a disc, preferring to point away from the middle."""
    middle = centres.mean(axis=0)
    outwards = centres[u] - middle
    lines = np.concatenate(others) if others else np.zeros((0, 2))
    best: tuple[float, Curve] | None = None
    for k in range(24):
        angle = 2 * math.pi * k / 24
        direction = np.array([math.cos(angle), math.sin(angle)])
        apex = centres[u] + direction * (radii[u] + LOOP * 1.6)
        cost = -8 * float(direction @ outwards) / (np.hypot(*outwards) + 1e-9)
        cost -= 5.5 * abs(float(direction[1])) + 2.5 * float(
            direction[1]
        )  # up, if all else is even
        if np.hypot(*outwards) < 1e-6:
            cost = -8 * float(direction[1])
        away = np.hypot(*(np.delete(centres, u, axis=0) - apex).T) - np.delete(radii, u)
        cost += 20 * float(np.clip((40 - away) / 20, 0, None).sum())
        if len(lines):
            cost += 3 * float((np.hypot(*(lines - apex).T) < 26).sum())
        if best is None or cost < best[0]:
            best = cost, _loop_curve(centres[u], float(radii[u]), angle)
    assert best is not None
    return best[1]


def _loop_curve(centre: Points, radius: float, angle: float) -> Curve:
    """The part of a small circle that lies outside the disc, run clockwise."""
    middle = centre + (radius + LOOP * 0.62) * np.array([math.cos(angle), math.sin(angle)])
    turn = angle + math.pi - np.linspace(0, 2 * math.pi, 361)
    points = middle + LOOP * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    away = np.hypot(*(points - centre).T)
    first = int(np.argmax(away >= radius + 1.0))
    last = len(points) - 1 - int(np.argmax(away[::-1] >= radius + 2.5))
    return Curve(points[first : last + 1], 0.0, 1.0)


# ---- labels ----

Box: TypeAlias = tuple[float, float, float, float]  # left, bottom, right, top


def boxes_overlap(a: Points, b: Points) -> npt.NDArray[np.bool_]:
    """Which boxes of a, shape (n, 4), overlap which of b, shape (m, 4): (n, m)."""
    a, b = a[:, None], b[None]
    return np.asarray(
        (a[..., 0] < b[..., 2])
        & (b[..., 0] < a[..., 2])
        & (a[..., 1] < b[..., 3])
        & (b[..., 1] < a[..., 3])
    )


def _candidates(curve: Curve, size: Points) -> tuple[Points, Points]:
    """Centres where a label of this size may stand, and what each costs."""
    if curve.is_loop:
        foot, apex = (curve.controls[0] + curve.controls[-1]) / 2, curve.at(0.5)[0]
        out = (apex - foot) / np.hypot(*(apex - foot))
        half = abs(out[0]) * size[0] / 2 + abs(out[1]) * size[1] / 2
        beyond = np.array([0.0, half * 0.9, half + 3])
        centres = [apex + out * d for d in beyond]
        side = np.array([-out[1], out[0]])
        centres += [apex + side * k * (size[0] / 2 + 12) for k in (1, -1)]
        return np.array(centres), np.array([2.0, 0.5, 0.0, 3.0, 3.0])
    length = curve.tip - curve.start
    shares = np.concatenate([np.linspace(0.2, 0.78, 21), [0.47]])
    ts = curve.start + shares * length
    on = curve.at(ts)
    ahead = curve.at(np.clip(ts + 0.01, 0, 1)) - curve.at(np.clip(ts - 0.01, 0, 1))
    normal = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    normal /= np.hypot(*normal.T)[:, None] + 1e-12
    reach = (np.abs(normal) @ size) / 2 + 3
    cost = 6 * np.abs(shares - 0.47)
    points = [on, on + normal * reach[:, None], on - normal * reach[:, None]]
    return np.concatenate(points), np.concatenate([cost, cost + 5, cost + 5])


def place_labels(
    curves: Sequence[Curve],
    sizes: Points,
    centres: Points,
    radii: Points,
    importance: Points,
) -> list[Points | None]:
    """The centre of each label, or None where it found no room.

    A label never touches a disc or another label; it prefers to cover no line but its
    own. Where two want one place, the more important edge has it.
    """
    order = np.argsort(-importance, kind="stable").tolist()
    lines = [curve.visible(25) for curve in curves]
    tips = np.array([line[-1] for line in lines]).reshape(-1, 2)
    owner = np.repeat(np.arange(len(curves)), 25)
    points = np.concatenate(lines) if lines else np.zeros((0, 2))
    options: list[tuple[Points, Points]] = []
    for i, curve in enumerate(curves):
        at, cost = _candidates(curve, sizes[i])
        half = sizes[i] / 2 + 1.5
        boxes = np.concatenate([at - half, at + half], axis=1)
        nearest = np.clip(centres[None], boxes[:, None, :2], boxes[:, None, 2:])
        free = (np.hypot(*(nearest - centres[None]).transpose(2, 0, 1)) > radii + 2).all(axis=1)
        inside = ((points[None] > boxes[:, None, :2]) & (points[None] < boxes[:, None, 2:])).all(
            axis=2
        )
        inside = np.asarray(inside & (owner != i))
        covered = np.array([len(set(owner[row].tolist())) for row in inside])
        on_head = (
            (tips[None] > boxes[:, None, :2] - 6) & (tips[None] < boxes[:, None, 2:] + 6)
        ).all(axis=2)
        cost = cost + 4 * covered + 8 * on_head.sum(axis=1)
        options.append((boxes[free], cost[free]))
    chosen: dict[int, int] = {}
    for _ in range(3):
        for i in order:
            boxes, cost = options[i]
            if len(boxes):
                rivals = [options[j][0][k] for j, k in chosen.items() if j != i]
                chosen[i] = int(np.argmin(cost + 50 * _clashes(boxes, rivals)))
    kept: dict[int, int] = {}
    for i in order:
        boxes, cost = options[i]
        if len(boxes):
            settled = _clashes(boxes, [options[j][0][k] for j, k in kept.items()])
            open_ones = [options[j][0][k] for j, k in chosen.items() if j != i and j not in kept]
            total = np.where(settled > 0, np.inf, cost + 20 * _clashes(boxes, open_ones))
            if np.isfinite(total).any():
                kept[i] = int(np.argmin(total))
    return [
        (options[i][0][kept[i]][:2] + options[i][0][kept[i]][2:]) / 2 if i in kept else None
        for i in range(len(curves))
    ]


def _clashes(boxes: Points, rivals: Sequence[Points]) -> Points:
    """How many of the rivals each box overlaps."""
    if not rivals:
        return np.zeros(len(boxes))
    return np.asarray(boxes_overlap(boxes, np.array(rivals)).sum(axis=1), dtype=float)
