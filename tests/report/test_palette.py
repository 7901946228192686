"""Colours can be told apart, by eyes that lack a kind of cones as well.

The matrices are those of Machado, Oliveira & Fernandes (2009), "A physiologically-based model for
simulation of color vision deficiency", IEEE Transactions on Visualization and Computer Graphics 15
(6), 1291-1298, supplementary table, severity 1.0. They act on linear RGB. Distances are those
of CIE 1976 L*a*b* under D65 (CIE 15:2004), in which 2.3 is just noticeable (Mahy, Van Eycken &
Oosterlinck 1994, Color Res. Appl. 19, 105-121).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fsm_gpt.report.style import DARK, LIGHT, Palette

EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
#: sRGB (IEC 61966-2-1) to CIE XYZ, and its white.
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])

#: Four times what is just noticeable between hues of tokens, and more between outlines of classes,
#: which are thin.
TOKENS, CLASSES = 4 * 2.3, 20.0


def linear(colour: str) -> np.ndarray:
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    ratio = XYZ @ light / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(a: str, b: str, eyes: str = "all cones") -> float:
    seen = [lab(np.clip(EYES[eyes] @ linear(colour), 0, 1)) for colour in (a, b)]
    return float(np.hypot.reduce(seen[0] - seen[1]))


def nearest(colours: tuple[str, ...], eyes: str) -> tuple[float, str, str]:
    return min((distance(a, b, eyes), a, b) for a, b in combinations(colours, 2))


def test_the_instruments() -> None:
    assert distance("#000000", "#ffffff") == pytest.approx(100, abs=0.01)
    # CIE L*a*b* of the sRGB primaries as in Lindbloom's tables: red 53.24, 80.09, 67.20.
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    for name, matrix in EYES.items():  # grey stays grey: each row sums to one
        assert matrix.sum(axis=1) == pytest.approx(1, abs=2e-6), name
    # Red and green of one lightness, which is what the words red-green blindness are about.
    assert distance("#b35c44", "#6f7a35") > 40
    assert distance("#b35c44", "#6f7a35", "deuteranopia") < 15


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_tokens_can_be_told_apart(colours: Palette, eyes: str) -> None:
    assert nearest(colours.tokens, eyes)[0] > TOKENS, nearest(colours.tokens, eyes)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_classes_can_be_told_apart(colours: Palette, eyes: str) -> None:
    assert nearest(colours.classes, eyes)[0] > CLASSES, nearest(colours.classes, eyes)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_an_alert_is_no_mass(colours: Palette, eyes: str) -> None:
    assert distance(colours.alert, colours.mass, eyes) > 25


def test_two_that_are_one_to_some_eyes_are_found() -> None:
    # A grey and Okabe and Ito's reddish purple, which had stood side by side here once.
    assert distance("#8b939e", "#cc79a7") > TOKENS > distance("#8b939e", "#cc79a7", "deuteranopia")


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_are_seen_on_the_paper(colours: Palette) -> None:
    def luminance(colour: str) -> float:
        return float(XYZ[1] @ linear(colour))

    for line in (colours.mass, colours.muted, *colours.classes):
        low, high = sorted((luminance(line), luminance(colours.paper)))
        assert (high + 0.05) / (low + 0.05) >= 2.9, line  # WCAG 2.1, 1.4.11 asks for 3
