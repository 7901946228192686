"""Frames of a state graph that is learned, as pictures for a page: of the movie, of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fsm_gpt.learning.watched import Watched
from fsm_gpt.report.reel import Reel, reel
from fsm_gpt.report.style import quiet_fonts
from fsm_gpt.report.words import count

__all__ = ["caption", "drawn_frames", "frames_of"]


def caption(watched: Watched, step: int, run: int | str | None) -> str:
    """Step, loss and entropy rate, as a frame is called."""
    r, s = watched.place(step, run)
    loss, rate = (float(watched.numbers[name][r, s]) for name in ("loss", "entropy_rate"))
    words = [f"step {step:,}"]
    words += [] if math.isnan(loss) else [f"loss {loss:.4f} nats"]
    words.append("no one entropy rate" if math.isnan(rate) else f"entropy rate {rate:.4f} bits")
    return " · ".join(words)


def frames_of(watched: Watched, *, run: int | str | None = None) -> list[dict[str, Any]]:
    """Every watched step of a training as a picture for a report, with its step."""
    chains = [watched.chain(step, run) for step in watched.steps]
    titles = [caption(watched, step, run) for step in watched.steps]
    where = " The table of next-token probabilities has the numbers of the last step."
    return drawn_frames(reel(chains, titles), watched.steps, where=where)


def drawn_frames(frames: Reel, steps: Sequence[int], *, where: str = "") -> list[dict[str, Any]]:
    """Frames as pictures for a page, with what is read aloud in place of each."""
    from markupsafe import Markup

    from fsm_gpt.report.svg import inline_svg

    with quiet_fonts():
        return [
            {
                "step": f"{step:,}",
                "svg": Markup(
                    inline_svg(
                        frames.frame(i),
                        label=f"State graph at {frames.titles[i]}: "
                        f"{count(frames.chains[i].n_states, 'state')}, "
                        f"{count(frames.chains[i].n_edges, 'transition')}.{where}",
                        prefix=f"frame-{i}",
                    )
                ),
            }
            for i, step in enumerate(steps)
        ]
