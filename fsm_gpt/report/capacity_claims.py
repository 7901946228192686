"""What the article says of the size of a GPT's state, beside what is true.

The article is a Chinese write-up of 2023 of A. Karpathy's baby GPT notebook. Its
statements are quoted in English; every number in a correction is computed here, from the
sizes of the models and memories in the table.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm_gpt.capacity import all_memories, capacity
from fsm_gpt.result import Result

__all__ = ["Claim", "claims"]

#: Historic memories that the article has in mind.
_MOON = "Apollo Guidance Computer (Block II) erasable"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Claim(Result):
    """One statement of the article, and the correction."""

    about: str
    article: str
    """What the article says."""
    verdict: str
    """right, wrong, or a matter of translation."""
    corrected: str
    """What is true, with numbers computed here."""

    def __str__(self) -> str:
        return f"{self.about}: {self.article} -> {self.verdict}: {self.corrected}"


def claims() -> tuple[Claim, ...]:
    """The article's statements on capacity with their corrections.

    >>> print(claims()[1])
    GPT-2's context: 50,257 tokens, context 2048 -> wrong: The released model has a context of
    1,024: log2(50,257) * 1,024 = 15,991.846 bits = 1,998.981 bytes.
    """
    baby, gpt2 = capacity("baby GPT"), capacity("gpt2")
    gpt2_as_said = capacity("gpt2", context=2048)
    gpt3, gpt3_as_said = capacity("gpt-3"), capacity("gpt-3", context=4096)
    gpt4 = capacity("gpt-4-32k")
    gpt4_as_said = capacity("gpt-4-32k", vocabulary=50257)
    memory = {entry.name: entry.bytes for entry in all_memories()}
    V, L = baby.vocabulary, baby.context
    lengths = [V**k for k in range(1, L + 1)]
    return (
        Claim(
            about="The baby GPT",
            article='a state space of 8, "in reality" 14 = 2 + 4 + 8',
            verdict="right",
            corrected=(
                f"{V}^{L} = {V**L} full windows, and {sum(lengths)} = "
                f"{' + '.join(map(str, lengths))} contexts of 1 to {L} tokens. The empty context "
                f"is not counted, and the shorter ones are transient."
            ),
        ),
        Claim(
            about="GPT-2's context",
            article="50,257 tokens, context 2048",
            verdict="wrong",
            corrected=(
                f"The released model has a context of {gpt2.context:,}: "
                f"log2({gpt2.vocabulary:,}) * {gpt2.context:,} = {gpt2.bits_text} bits = "
                f"{gpt2.bytes_text} bytes."
            ),
        ),
        Claim(
            about="The unit",
            article="log2(50257) * 2048 = 31,984 bits = 3,998 kB",
            verdict="wrong",
            corrected=(
                f"{gpt2_as_said.bits_text} bits are {gpt2_as_said.bytes:,.0f} bytes, which is "
                f"{gpt2_as_said.bytes / 1000:.3f} kB: the article's unit is off by 1,000."
            ),
        ),
        Claim(
            about="GPT-3",
            article="context 4096, 8 kB, an Atari 800",
            verdict="wrong",
            corrected=(
                f"GPT-3 was released with a context of {gpt3.context:,}: {gpt3.bytes:,.0f} bytes. "
                f"{gpt3_as_said.context:,} tokens give {gpt3_as_said.bytes:,.0f} bytes, about the "
                f"{memory['Atari 800']:,} with which the Atari 800 came out (later it had 48 KB)."
            ),
        ),
        Claim(
            about="GPT-4",
            article="context 32K, 64 kB, a Commodore 64",
            verdict="wrong",
            corrected=(
                f"{gpt4_as_said.bytes:,.0f} bytes if its vocabulary were GPT-2's "
                f"{gpt4_as_said.vocabulary:,}; with its own {gpt4.vocabulary:,} tokens "
                f"{gpt4.bytes:,.0f} bytes, more than a Commodore 64's "
                f"{memory['Commodore 64']:,}."
            ),
        ),
        Claim(
            about="The Moon",
            article='"enough to achieve quantitative change"; in other translations "enough to '
            'reach the Moon"',
            verdict="a matter of translation",
            corrected=(
                f"The Apollo Guidance Computer had 2,048 words of 15 bits of erasable memory, "
                f"{memory[_MOON]:,} bytes: GPT-2's state is {gpt2.bytes / memory[_MOON]:.2f} of "
                f"it, GPT-3's {gpt3.bytes / memory[_MOON]:.2f}."
            ),
        ),
    )
