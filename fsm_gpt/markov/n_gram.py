"""The n-grams of a chain: what it looks like to those who look back k tokens.

The *order-k approximation* of a stationary source is the Markov chain of k tokens' context
that has its law of k + 1 tokens in a row J,

    G[c, t] = J(c t) / sum_t J(c t).

Order 0 is the unigram, tokens drawn one by one as often as they occur; order 1 the bigram.
Of all chains that look back k tokens it is the one that predicts the source best, and the KL
rate to it is h_k - h, the memory curve above its end. Shannon's "series of approximations to
English" are those of a language. Models in training are seen to stay at the first two for a
while (Edelman et al. 2024; Makkuva et al. 2024).

References
----------
Shannon (1948), Bell System Technical Journal 27, section 3. Cover & Thomas (2006), Elements of
Information Theory, section 6.4. Edelman, Edelman, Goel, Malach & Tsilivis (2024), arXiv
2402.11004. Makkuva et al. (2024), arXiv 2402.04161.
"""

from __future__ import annotations

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, NotDefined
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.token_blocks import BlockLaw, block_law, check_order
from fsm_gpt.result import UNCERTIFIED
from fsm_gpt.rows import Numbers
from fsm_gpt.space import NamedStates, SomeContexts

__all__ = ["n_gram", "n_gram_of"]


def n_gram(chain: Chain, order: int) -> Chain:
    """The chain that looks back ``order`` tokens and is most like this one in the long run.

    Its states are the contexts of so many tokens that occur; of order 0 it has one state, which
    is named by the empty context. In rationals where the chain is. The n-gram of a text is
    Chain.from_text(text, context=order).

    Parameters
    ----------
    chain
        Any chain with one closed class.
    order
        How many tokens are looked back on: 0 for unigrams, 1 for bigrams, 2 for trigrams.

    Raises
    ------
    InvalidArgument
        The order is not a whole number of 0 or more.
    NotUnique
        The chain has several closed classes.
    NotDefined
        The rows hold symbols.
    StateSpaceTooLarge
        There are too many contexts of so many tokens.

    References
    ----------
    Shannon (1948), section 3. Cover & Thomas (2006), section 6.4.

    Examples
    --------
    A source that repeats a token of two ago with probability 3/4 has no memory of one token:

    >>> rows = [["3/4", "1/4"], ["3/4", "1/4"], ["1/4", "3/4"], ["1/4", "3/4"]]
    >>> chain = Chain(rows)
    >>> print(n_gram(chain, 1).listing())
    input [0] ---> [1/2, 1/2]
    input [1] ---> [1/2, 1/2]
    >>> print(n_gram(chain, 0).listing())
    input [∅] ---> [1/2, 1/2]
    """
    require_complete(chain, "n-gram")
    order = check_order(order, "n-gram")
    if chain.kind == "symbolic":
        raise NotDefined(
            "n-gram: the rows hold symbols, so which contexts occur is not known in numbers. Put "
            "numbers in for them first."
        )
    return n_gram_of(chain, order, block_law(chain, order + 1, "n-gram"))


def n_gram_of(chain: Chain, order: int, law: BlockLaw) -> Chain:
    """The same where the law of one token more is known."""
    V = chain.n_tokens
    context, token = np.divmod(law.number, V)
    seen, source = np.unique(context, return_inverse=True)
    source = source.reshape(-1)
    total = np.zeros(len(seen), dtype=law.weight.dtype)
    np.add.at(total, source, law.weight)
    probability = law.weight / total[source]
    notes = [*chain.notes]
    if law.bound == UNCERTIFIED:
        notes.append(f"probabilities of an n-gram, uncertified ({law.reason})")
    elif law.bound:
        notes.append(f"probabilities of an n-gram, right to {2.1 * float(law.bound):.0e} of each")
    provenance = {**chain.provenance, "n_gram": f"order {order}"}
    if order and len(law.number) == V ** (order + 1):
        rows: Numbers = probability.reshape(-1, V)
        return Chain(
            rows, vocabulary=chain.vocabulary, context=order, notes=notes, provenance=provenance
        )
    after = law.number % V**order
    target = np.searchsorted(seen, after)
    if (seen[np.minimum(target, len(seen) - 1)] != after).any():
        raise NotConverged(
            f"n-gram: some context of {order} tokens is so rare that what follows it is lost by "
            f"underflow. Compute with rationals (chain.exact()), or take a lower order."
        )
    if order:
        powers = V ** np.arange(order - 1, -1, -1, dtype=np.int64)
        states: SomeContexts | NamedStates = SomeContexts(
            chain.vocabulary, seen[:, None] // powers % V
        )
    else:
        states = NamedStates(("",))
    return Chain.from_edges(
        source,
        token,
        target,
        probability,
        vocabulary=chain.vocabulary,
        states=states,
        notes=notes,
        provenance=provenance,
    )
