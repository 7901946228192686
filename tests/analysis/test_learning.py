"""The study of learning: the order in which models come near to the n-grams of their text."""

import pytest

import fsm_gpt as fg
from analysis.learning import run, source
from analysis.study import Study
from analysis.subject import SEED, TEXT
from fsm_gpt.errors import InvalidArgument


def test_the_second_text_is_learned_order_by_order(quick: dict[str, Study]) -> None:
    """Unigram, bigram, then the text, as Edelman et al. (2024) see it of larger ones."""
    rows = [row for row in quick["learning"].tables["moments"].rows if "second" in str(row[0])]
    assert len(rows) == 2
    for _, _, bigram, whole, first, second, *_ in rows:
        assert first == 0
        assert second == bigram
        assert 0 < bigram < (whole or 1000)
    assert any(row[3] == row[7] for row in rows)


def test_the_article_s_text_is_learned_at_once(quick: dict[str, Study]) -> None:
    table = quick["learning"].tables["steps_article"]
    assert table.cell(40, "nearest order") == 0
    assert table.cell(200, "nearest order") == 3
    assert 1 not in table.column("nearest order")


def test_medians_are_those_of_the_trainings(quick: dict[str, Study]) -> None:
    table = quick["learning"].tables["steps_article"]
    data = fg.Chain.from_text(TEXT, context=3, end="drop")
    kl = []
    for seed in range(SEED, SEED + 2):
        chain = fg.extract(fg.train(TEXT, context=3, steps=40, seed=seed).model)
        kl.append(fg.compare(data, chain).kl_bits_per_token)
    assert table.cell(40, "KL from the text (bits)") == pytest.approx(sum(kl) / 2, abs=1e-12)


def test_the_source_is_symmetric() -> None:
    """Exchanging 0 and 1 changes nothing, so its unigram is even."""
    rows = source().next_token
    assert (rows == rows[::-1, ::-1]).all()
    assert fg.n_gram(source(), 0).next_token.tolist() == [[0.5, 0.5]]


def test_it_has_texts_of_its_own() -> None:
    with pytest.raises(InvalidArgument, match="fsm-gpt watch watches"):
        run(text="01")
