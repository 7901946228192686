"""The movie: as many frames as steps, nothing that jumps, one file that asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import FileProblem, InvalidArgument, NotDefined, StateSpaceTooLarge
from fsm_gpt.learning import Watched
from fsm_gpt.report.film import movie
from fsm_gpt.report.learning_curves import learning_figure, learning_plot
from fsm_gpt.report.reel import reel
from tests.report.chains import AFTER, BEFORE, HOSTILE, of_ones, windows
from tests.report.test_graph import overlaps
from tests.report.test_page import Reader, requests

TEXT = "111101111011110"


def between(share: float) -> Chain:
    """On the way from the untrained GPT of the article to the trained one."""
    return of_ones(tuple((1 - share) * a + share * b for a, b in zip(BEFORE, AFTER, strict=True)))


@pytest.fixture(scope="module")
def watched() -> Watched:
    pairs = {
        name: [(step, between(step / 50 * speed)) for step in (0, 10, 30, 50)]
        for name, speed in (("fast", 1.0), ("slow", 0.8))
    }
    return fg.watch_models(pairs, TEXT)


# ---- GIF ----


def test_a_gif_has_as_many_frames_as_steps(watched: Watched, tmp_path: Path) -> None:
    path = movie(watched, tmp_path / "a.gif", milliseconds=120)
    with Image.open(path) as gif:
        assert gif.n_frames == 4
        assert gif.info["loop"] == 0
        size, stay, ground = gif.size, [], []
        for i in range(4):
            gif.seek(i)
            assert gif.size == size
            stay.append(gif.info["duration"])
            ground.append(gif.convert("RGB").getpixel((1, 1)))
    assert stay == [120, 120, 120, 720]
    assert set(ground) == {(255, 255, 255)}


def test_equal_chains_are_frames_of_their_own(tmp_path: Path) -> None:
    """Pillow leaves out a frame that is the one before; the step tells them apart."""
    same = fg.watch_models([(s, Chain([[0.5, 0.5]] * 2)) for s in range(3)])
    with Image.open(movie(same, tmp_path / "a.gif")) as gif:
        assert gif.n_frames == 3


def test_a_part_of_the_steps_in_the_dark(watched: Watched, tmp_path: Path) -> None:
    path = movie(watched, tmp_path / "a.GIF", steps=(50,), run="slow", dark=True)
    with Image.open(path) as gif:
        assert gif.n_frames == 1
        assert gif.convert("RGB").getpixel((1, 1)) == (0x12, 0x16, 0x1C)


# ---- frames ----


def test_nothing_moves_but_what_changed(watched: Watched) -> None:
    chains = [watched.chain(step) for step in watched.steps]
    frames = reel(chains, [f"step {step}" for step in watched.steps])
    first = frames.plans[0]
    for chain, plan in zip(chains, frames.plans, strict=True):
        assert (plan.centres == first.centres).all()
        for i, (place, then) in enumerate(zip(plan.places, first.places, strict=True)):
            assert place is not None
            assert then is not None
            if not plan.curves[i].is_loop:
                assert (place == then).all()
        pi = fg.stationary_distribution(chain).pi
        widest = int(np.argmax(plan.radii))
        assert widest == int(np.argmax(pi))
        p = chain.edges().probability[plan.kept]
        assert plan.widths == pytest.approx([0.7 + 3.1 * q for q in p])
    biggest = max(fg.stationary_distribution(chain).pi.max() for chain in chains)
    assert {plan.most for plan in frames.plans} == {biggest}
    figures = [frames.frame(i).figure for i in range(4)]
    assert len({tuple(figure.get_size_inches()) for figure in figures}) == 1


@pytest.mark.parametrize(
    "chains",
    [
        [of_ones(BEFORE), of_ones(AFTER)],
        [windows(2, 4, seed=1), windows(2, 4, seed=2)],
        [windows(3, 2, seed=1), windows(3, 2, seed=2)],
        [of_ones(BEFORE).with_decoding(Greedy()), of_ones(AFTER).with_decoding(Greedy())],
        [of_ones(AFTER), of_ones(AFTER).with_decoding(Greedy())],
        [Chain([[0.5, 0.5]] * 2), Chain([[1, 0], [0, 1]])],
    ],
)
def test_nothing_overlaps_in_any_frame(chains: list[Chain]) -> None:
    frames = reel(chains, ["step 0", "step 1"])
    for i, chain in enumerate(chains):
        ax = frames.frame(i)
        assert overlaps(ax) == []
        labels = [t for t in ax.texts if (t.get_gid() or "").startswith("edge-label")]
        assert len(labels) == chain.n_edges


# ---- the page ----


@pytest.fixture(scope="module")
def page(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "learning.html"
    return movie(watched, path, title="Learning").read_text(encoding="utf-8")


def test_the_page_asks_for_nothing(page: str) -> None:
    reader = Reader(page)
    assert reader.problems == []
    assert requests(reader) == []
    assert not {tag for tag, *_ in reader.attributes} & {"iframe", "object", "embed", "img"}
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy[1]
    assert not re.search(r"fetch|XMLHttp|import|eval|innerHTML|https?:", inside)


def test_the_page_has_each_step_and_its_numbers(page: str, watched: Watched) -> None:
    reader = Reader(page)
    steps = [value for _, name, value in reader.attributes if name == "data-step"]
    assert steps == ["0", "10", "30", "50"]
    hidden = re.findall(r'<figure class="frame" data-step="\d+"( hidden)?>', page)
    assert hidden == [" hidden"] * 3 + [""], "without a script the last frame is seen"
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for s, step in enumerate(watched.steps):
        loss = watched.number("loss")[0, s]
        rate = watched.number("entropy_rate")[0, s]
        assert f"step {step} · loss {loss:.4f} nats · entropy rate {rate:.4f} bits" in page


def test_the_slider_is_reached_by_the_keyboard(page: str) -> None:
    slider = {name: value for tag, name, value in Reader(page).attributes if tag == "input"}
    assert slider["type"] == "range"
    assert (slider["min"], slider["max"], slider["step"]) == ("0", "3", "1")
    assert f'<label for="{slider["id"]}">' in page
    assert '<button type="button" id="play">' in page
    levels = [level for level, _ in Reader(page).headings]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    chain = Chain([[0.2, 0.8, 0], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]], vocabulary=HOSTILE)
    found = fg.watch_models([(0, chain), (1, chain)])
    page = movie(found, tmp_path / "a.html", title=HOSTILE[0]).read_text(encoding="utf-8")
    reader = Reader(page)
    assert reader.problems == []
    assert requests(reader) == []
    assert page.count("<script>") == 1
    assert "<script>alert" not in page
    movie(found, tmp_path / "a.gif")


# ---- what is refused ----


def test_what_is_refused_leaves_nothing(watched: Watched, tmp_path: Path) -> None:
    for name in ("a.mp4", "a"):
        with pytest.raises(InvalidArgument, match=r"ends neither in \.gif nor in \.html"):
            movie(watched, tmp_path / name)
    with pytest.raises(InvalidArgument, match="step 7 was not watched"):
        movie(watched, tmp_path / "a.gif", steps=(0, 7))
    with pytest.raises(InvalidArgument, match="no step to be shown"):
        movie(watched, tmp_path / "a.gif", steps=())
    with pytest.raises(InvalidArgument, match="milliseconds"):
        movie(watched, tmp_path / "a.gif", milliseconds=1)
    with pytest.raises(FileProblem, match="its folder does not exist"):
        movie(watched, tmp_path / "none" / "a.gif")
    lean = fg.watch_models([(0, of_ones(AFTER))], keep_chains=False)
    with pytest.raises(NotDefined, match="keep_chains"):
        movie(lean, tmp_path / "a.gif")
    large = fg.watch_models([(0, windows(2, 6))])
    with pytest.raises(StateSpaceTooLarge, match=r"64 states.*learning_figure"):
        movie(large, tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_movie_is_written_whole_or_not_at_all(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = movie(watched, tmp_path / "a.gif", steps=(0,))
    old = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(FileProblem, match="the disk or the quota is full"):
        movie(watched, path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


# ---- curves ----


def test_a_curve_is_the_median_in_its_band(watched: Watched) -> None:
    ax = learning_plot(watched, "entropy_rate", low=0, high=1, title="Rate")
    line = ax.lines[0]
    assert line.get_xdata().tolist() == [0, 10, 30, 50]
    assert line.get_ydata() == pytest.approx(np.median(watched.number("entropy_rate"), axis=0))
    (area,) = ax.collections
    vertices = area.get_paths()[0].vertices
    values = watched.number("entropy_rate")
    assert vertices[:, 1].min() == pytest.approx(values.min())
    assert vertices[:, 1].max() == pytest.approx(values.max())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "bits per token")


def test_several_numbers_on_one_panel_have_a_legend(watched: Watched) -> None:
    ax = learning_plot(watched, ("kl_unigram", "kl_text"))
    assert len(ax.lines) == 2
    legend = ax.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == [
        "KL(unigram || model)",
        "KL(text || model)",
    ]
    with pytest.raises(InvalidArgument, match="no number"):
        learning_plot(watched, "los")


def test_the_figure_has_a_panel_for_each_number(watched: Watched) -> None:
    figure = learning_figure(
        watched, ["loss", "nearest_order", ("kl_bigram", "kl_text"), "induction"]
    )
    assert len(figure.axes) == 4
    assert all(axes.get_xlabel() == "step" for axes in figure.axes)


def test_labels_of_uneven_steps_do_not_meet() -> None:
    chain = Chain([[0.5, 0.5]] * 2)
    steps = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400)
    figure = learning_figure(fg.watch_models([(s, chain) for s in steps]))
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [t.get_window_extent() for t in axes.get_xticklabels()]
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
