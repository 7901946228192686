"""Pages of other kinds: of explorations that stopped early, of machines, of comparisons."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, TopP
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.bounds import hitting_bounds
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.report.brief import briefly
from fsm_gpt.report.page import Report, report
from fsm_gpt.report.paper import PaperReport
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import decimal as plain_decimal, number, powers
from tests.report.chains import AFTER, HOSTILE, TEXT, gambler, hostile, of_ones, weather, windows
from tests.report.kinds import (
    card,
    cells,
    chinese,
    explored,
    hostile_exploration,
    model,
    near,
    with_a_loop,
)
from tests.report.test_page import Reader, requests


def decimal(value: Any, places: int = 4) -> str:
    """A number as the page has it, powers of ten raised."""
    return powers(plain_decimal(value, places))


ONE = Chain([[1.0]], vocabulary="a", context=1)


def data() -> Chain:
    return Chain.from_text(TEXT, context=3, end="drop")


def other_hostile() -> Chain:
    rows = [[0.5, 0.5, 0], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]]
    return Chain.from_matrix(rows, vocabulary=HOSTILE)


PAGES: dict[str, Callable[[], PaperReport]] = {
    "exploration": lambda: fg.report(explored(14)),  # type: ignore[dict-item, return-value]
    "nothing but the prompt": lambda: fg.report(explored(1)),  # type: ignore[dict-item, return-value]
    "large exploration": lambda: fg.report(explored(5000)),  # type: ignore[dict-item, return-value]
    "loop": lambda: fg.report(with_a_loop(8)),  # type: ignore[dict-item, return-value]
    "Chinese exploration": lambda: fg.report(chinese()),  # type: ignore[dict-item, return-value]
    "hostile exploration": lambda: fg.report(  # type: ignore[dict-item, return-value]
        hostile_exploration(), title=HOSTILE[0], provenance={HOSTILE[0]: HOSTILE[2]}
    ),
    "exact machine": lambda: fg.report(fg.minimize(of_ones(AFTER).with_decoding(TopP(0.75)))),
    "machine at a price": lambda: fg.report(fg.minimize(windows(2, 6), max_states=5)),
    "machine of one state": lambda: fg.report(fg.minimize(ONE)),
    "hostile machine": lambda: fg.report(fg.minimize(hostile(), max_states=2)),
    "machine of two classes": lambda: fg.report(fg.minimize(gambler())),
    "machine of many states": lambda: fg.report(fg.minimize(windows(3, 4))),
    "lumping": lambda: fg.report(fg.lumping(weather(), blocks=[["nice"], ["rain", "snow"]])),
    "no lumping": lambda: fg.report(fg.lumping(weather(), blocks=[["rain"], ["nice", "snow"]])),
    "comparison": lambda: fg.report(fg.compare(data(), of_ones(AFTER))),
    "of one state": lambda: fg.report(fg.compare(ONE, ONE)),
    "the same": lambda: fg.report(fg.compare(of_ones(AFTER), of_ones(AFTER))),
    "infinite": lambda: fg.report(
        fg.compare(of_ones(AFTER), of_ones(AFTER).with_decoding(Greedy()))
    ),
    "hostile comparison": lambda: fg.report(
        fg.compare(hostile(), other_hostile()), names=(HOSTILE[0], HOSTILE[2])
    ),
    "27 tokens": lambda: fg.report(fg.compare(windows(27, 1), windows(27, 2, seed=3))),
}


@pytest.fixture(scope="module", params=PAGES)
def written(request: pytest.FixtureRequest) -> PaperReport:
    return PAGES[request.param]()


def test_every_page_is_whole_and_asks_for_nothing(written: PaperReport) -> None:
    reader = Reader(written.html)
    assert reader.problems == []
    assert requests(reader) == []
    assert "<script" not in written.html
    levels = [level for level, _ in reader.headings]
    assert levels[0] == 1 == levels.count(1)
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {v[1:] for _, name, v in reader.attributes if name == "href" and v[:1] == "#"}
    assert targets <= set(ids)


def test_json_says_its_schema_and_kind(written: PaperReport) -> None:
    document = json.loads(written.json)
    assert list(document)[:2] == ["schema", "kind"]
    assert document["schema"] == 1
    assert document["kind"] == written.facts.kind


def test_markdown_has_the_numbers_of_the_page(written: PaperReport) -> None:
    """Every table of the page, cell by cell, and every card."""
    page = written._paper
    for part in page.parts:
        for table in (*part.tables, *part.wide, *(one.table for one in part.barred)):
            for line in table.markdown():
                assert line in written.markdown
            shown = cells(written.html, table.caption)[1:]
            heads = len(table.heads)
            expected = [[" ".join(powers(c).split()) for c in row] for row in table.rows]
            assert [[" ".join(c.split()) for c in row[:heads]] for row in shown] == expected
    for one in page.cards:
        assert one.name in written.html or "‖" in one.name or "&" in one.name


# ---- explorations ----


def test_the_numbers_of_an_exploration() -> None:
    found = explored(200)
    page = fg.report(found)
    assert isinstance(page, PaperReport)
    first = fg.first_tokens(found.chain, found.horizon, start=found.start)
    assert card(page.html, "States explored") == "200"
    assert card(page.html, "Frontier") == f"{found.frontier:,} more states"
    T = found.horizon
    assert card(page.html, f"Left after {T} tokens") == part_of(min(1.0, found.unexplored_after(T)))
    document = json.loads(page.json)
    assert document["exploration"]["n_frontier"] == found.frontier
    assert document["exploration"]["complete"] is False
    assert document["first_tokens"]["left"] == first.left.tolist()
    low, high = first.bits_per_token
    assert document["bits_per_token"] == {"tokens": T, "low": low, "high": high}
    rows = {row[0]: row for row in cells(page.html, "Token by token")[1:]}
    for n in (1, 2, 4, T):
        x = fg.distribution_after(found.chain, n, start=found.start).probabilities
        assert rows[f"{n}"][1] == decimal(min(1.0, float(x[found.chain.unexplored]) * (1 + 1e-12)))
    depths = cells(page.html, "States by their distance from the prompts, in tokens")[1:]
    assert [int(row[1]) for row in depths] == np.bincount(found.depth).tolist()
    edges = found.chain.edges()
    out = set(edges.source[edges.target == found.chain.unexplored].tolist()) - {200}
    assert sum(int(row[2]) for row in depths) == len(out)


def test_the_most_visited_states_stand_between_their_bounds() -> None:
    found = explored(14)
    page = fg.report(found)
    first = fg.first_tokens(found.chain, found.horizon, start=found.start)
    rows = cells(page.html, "States by visits")[1:]
    for label, _, least, most, *_ in rows:
        s = found.chain.state(label)
        assert least == number(float(first.visits[s]))
        assert most == number(min(found.horizon, float(first.visits[s] + first.visits_left_open)))


def test_a_loop_that_was_reached_is_said_with_its_probability() -> None:
    found = with_a_loop(8)
    assert not found.complete
    page = fg.report(found)
    (row,) = cells(page.html, "What is written for ever, and how likely a text ends there")[1:]
    # b for ever with 3/4 exactly; and what is not looked at cannot lead there, which nobody knows.
    low, high = hitting_bounds(found.chain, "bbb").from_start(found.start)
    assert low == pytest.approx(0.75, abs=1e-12)
    assert row[:2] == ["b", "1"]
    assert row[2:] == [decimal(low), decimal(high), "0"]
    (loop,) = json.loads(page.json)["loops"]
    assert loop["ends_here"] == {"low": low, "high": high}
    assert loop["text"] == "b"
    (ahead,) = cells(page.html, "Where a prompt leads when the likeliest token is always taken")[1:]
    assert ahead == ["a", "3", "b", "1"]
    assert "probability" in page.markdown


def test_with_nothing_but_the_prompt_it_says_so() -> None:
    found = explored(1)
    page = fg.report(found)
    assert card(page.html, "States explored") == "1"
    assert card(page.html, "Known without a gap") == "0 tokens"
    assert "No loop was reached" in page.html
    assert "What cannot be said" in page.html
    assert "stationary distribution here" in page.markdown


def test_a_missing_bound_is_said() -> None:
    """So improbable a path that its products lose digits."""
    logits = np.array([[0.0, -360.0], [0.0, -360.0]])
    found = fg.explore(
        lambda ids: logits[ids[:, -1]], "a", vocabulary="ab", context=8, max_states=6
    )
    page = fg.report(found)
    assert isinstance(page, PaperReport)
    first = fg.first_tokens(found.chain, found.horizon, start=found.start)
    assert not first.certified
    assert "uncertified" in card(page.html, f"Left after {found.horizon} tokens") or (
        "outside by then, uncertified" in page.html
    )
    assert all("uncertified" in row[1] for row in cells(page.html, "Token by token")[1:])


def test_long_contexts_are_called_by_their_newest_tokens() -> None:
    found = fg.explore(
        model(12, 60),
        ["abcdefghijkl" * 5],
        decoding=fg.TopK(2),
        vocabulary="abcdefghijkl",
        context=60,
        max_states=40,
    )
    names = briefly(found.chain).labels()
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 40
    for s, name in enumerate(names[:-1]):
        assert found.chain.label(s).endswith(name.split(" #")[0].removeprefix("…"))
    assert max(len(row[0]) for row in cells(fg.report(found).html, _visits(found))[1:]) < 40


def _visits(found: Any) -> str:
    return f"States by visits, the 24 most visited of {found.n_explored:,}"


def test_a_whole_exploration_is_a_chain_with_how_it_was_found() -> None:
    found = chinese(10_000, L=4)
    assert found.complete
    page = fg.report(found)
    assert isinstance(page, Report)
    document = json.loads(page.json)
    assert (document["schema"], document["kind"]) == (1, "exploration")
    assert document["exploration"]["n_explored"] == found.n_explored
    assert document["chain"]["n_states"] == found.n_explored
    assert "What was explored" in page.html
    assert "春眠不" in page.html
    assert json.loads(fg.report(of_ones(AFTER)).json)["kind"] == "chain"


def test_few_states_of_very_many_windows_are_drawn_at_once() -> None:
    """Nobody goes through 12**40 windows for the place of a few."""
    found = fg.explore(
        lambda ids: np.eye(12)[(ids[:, -1] + 1) % 12] * 50,
        ["a"],
        decoding=Greedy(),
        vocabulary="abcdefghijkl",
        context=40,
        max_states=60,
    )
    fg.state_graph(
        fg.explore(
            lambda ids: np.zeros((len(ids), 12)),
            ["a"],
            decoding=Greedy(),
            vocabulary="abcdefghijkl",
            context=20,
        ).chain
    )
    assert found.n_explored > 40


def test_a_part_alone_and_options_of_another_kind_are_refused() -> None:
    part = explored(3)
    with pytest.raises(NotDefined, match="Give the exploration itself"):
        report(part.chain)
    with pytest.raises(InvalidArgument, match="text belongs"):
        report(part, text="abc")
    with pytest.raises(InvalidArgument, match="names belongs"):
        report(fg.minimize(ONE), names=("a", "b"))  # type: ignore[call-overload]
    with pytest.raises(InvalidArgument, match="before, losses belong "):
        report(fg.minimize(ONE), before=ONE, losses=[1.0])  # type: ignore[call-overload]


# ---- machines ----


def test_the_numbers_of_a_machine_at_a_price() -> None:
    chain = windows(2, 6)
    found = fg.minimize(chain, max_states=5)
    page = fg.report(found)
    kl = fg.compare(chain, found.chain).kl_bits_per_token
    assert found.kl_bits_per_token == pytest.approx(kl, abs=1e-12)
    assert card(page.html, "States") == "5 of 64"
    assert card(page.html, "Price") == f"{number(kl)} bits/token"
    machine = fg.causal_states(found.chain)
    assert card(page.html, "Statistical complexity C") == (
        f"{number(machine.statistical_complexity_bits)} bits"
    )
    kept = {row[0]: row for row in cells(page.html, "Numbers of the chain and of the machine")}
    rate = fg.entropy_rate(chain).bits_per_token
    assert kept["entropy rate, bits per token"][1] == number(float(rate))
    assert kept["total variation of texts of 10 tokens, at most"][2] == number(
        found.total_variation_bound(10)
    )
    assert "proven" in kept["KL rate, bits per token"][3]
    whole = fg.causal_states(chain)
    memory = {row[0]: row for row in cells(page.html, "Memory of the chain and of the machine")}
    assert memory["Crypticity C − E, bits"][1:3] == [
        number(whole.crypticity_bits),
        number(machine.crypticity_bits),
    ]
    rows = cells(page.html, "States")[1:]
    mass = np.bincount(found.block, fg.stationary_distribution(chain).pi)
    for s, row in enumerate(rows):
        members = found.members(s)
        assert row[1] == f"{len(members)}"
        assert row[2].split(", ")[0].split(" and ")[0] == chain.label(int(members[0]))
        assert row[3] == decimal(mass[s], 5)
    document = json.loads(page.json)
    assert document["machine"]["kl_bits_per_token"] == found.kl_bits_per_token
    assert document["pareto"]["n_states"] == found.pareto().n_states.tolist()
    assert document["sizes"] == np.bincount(found.block).tolist()


def test_an_exact_machine_loses_nothing_and_says_what_it_merges() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]] * 2)
    page = fg.report(fg.minimize(chain))
    assert card(page.html, "Price") == "0 bits/token"
    rows = cells(page.html, "States")[1:]
    assert [row[2] for row in rows] == ["00, 10", "01, 11"]
    assert "Where the price is paid" not in page.html


def test_a_lumping_says_which_states_stand_against_it() -> None:
    """Kemeny & Snell (1976), section 6.3: nice and bad weather is lumpable, rain is not."""
    good = fg.report(fg.lumping(weather(), blocks=[["nice"], ["rain", "snow"]]))
    assert card(good.html, "Lumpable") == "yes"
    rows = {row[0]: row for row in cells(good.html, "Blocks")[1:]}
    assert rows["nice"][3] == "1/5"
    assert rows["rain +1"][2] == "rain, snow"
    bad = fg.report(fg.lumping(weather(), blocks=[["rain"], ["nice", "snow"]]))
    assert card(bad.html, "Lumpable") == "no"
    assert "into {rain} goes nice with probability 1/2 and snow" in bad.html
    assert json.loads(bad.json)["merged"] == "lumping"


# ---- comparisons ----


def test_the_numbers_of_a_comparison() -> None:
    reference = windows(2, 4)
    model = near(reference)
    page = fg.report(fg.compare(reference, model), names=("the first", "the second"))
    forward, backward = fg.compare(reference, model), fg.compare(model, reference)
    assert "the second against the first" in page.html
    for name, answer in (("reference ‖ model", forward), ("model ‖ reference", backward)):
        assert card(page.html, f"KL({name})") == f"{number(answer.kl_bits_per_token)} bits/token"
    distance = fg.context_distance(reference, model)
    assert card(page.html, "Total variation") == f"{number(distance.total_variation)} of 1"
    pi, nu = (fg.stationary_distribution(c).pi for c in (reference, model))
    assert distance.total_variation == pytest.approx(np.abs(pi - nu).sum() / 2)
    for row in cells(page.html, "Texts of 4 tokens in a row")[1:]:
        s = reference.state(row[0])
        assert row[1:3] == [decimal(pi[s]), decimal(nu[s])]
        assert row[4] == part_of(abs(pi[s] - nu[s]) / float(np.abs(pi - nu).sum()))
    P, Q = reference.next_token, model.next_token
    kl = (P * np.log2(P / Q)).sum(axis=1)
    for row in cells(page.html, "Contexts by their share of the divergence")[1:]:
        s = reference.state(row[0])
        assert row[4] == decimal(kl[s])
        assert row[6] == part_of(float(pi[s] * kl[s] / (pi @ kl)))
    for row in cells(page.html, "Next-token probabilities")[1:]:
        s = reference.state(row[0])
        assert row[2:] == [decimal(x) for x in (P[s, 0], Q[s, 0], P[s, 1], Q[s, 1])]
    h = [memory_curve(c).bits_per_token for c in (reference, model)]
    for k, row in enumerate(cells(page.html, "Uncertainty of the next token, in bits")[1:]):
        assert row[1:3] == [decimal(h[0][k]), decimal(h[1][k])]
    document = json.loads(page.json)
    assert document["reference_to_model"]["kl_bits_per_token"] == forward.kl_bits_per_token
    assert document["model_to_reference"]["kl_bits_per_token"] == backward.kl_bits_per_token
    assert document["names"] == ["the first", "the second"]
    grams = fg.n_gram_distances(reference, model)
    rows = {r[0]: r for r in cells(page.html, "Distances to n-grams: KL rates in bits per token")}
    assert rows["model from its own n-gram"][1] == decimal(grams.model_to_its_own_bits[0])


def test_one_way_may_be_undefined_or_infinite() -> None:
    page = fg.report(fg.compare(data(), of_ones(AFTER)))
    assert card(page.html, "KL(model ‖ reference)") == "none"
    assert "visits context '000'" in page.markdown
    assert "absent" in json.loads(page.json)["model_to_reference"]
    endless = fg.report(fg.compare(of_ones(AFTER), of_ones(AFTER).with_decoding(Greedy())))
    assert card(endless.html, "KL(reference ‖ model)") == "infinite bits/token"
    assert "rules out something" in endless.html
    assert json.loads(endless.json)["reference_to_model"]["kl_bits_per_token"] == "inf"


def test_a_hostile_name_stays_a_name() -> None:
    page = PAGES["hostile comparison"]()
    assert "<script>alert" not in page.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.html
    assert "\u202e" not in page.html + page.markdown
    assert "<script>alert" not in page.markdown


def test_a_comparison_of_many_states_stays_small() -> None:
    reference = windows(2, 12)
    page = fg.report(fg.compare(reference, near(reference)))
    assert len(page.html.encode()) < 2_000_000
    assert "the 24 costliest of 4,096" in page.html
    assert '"left_out"' not in page.json
