"""What is taken of models in training: each is extracted, decoded and measured as it then is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.cutting import analysis_bytes
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import InvalidArgument, InvalidChain, NotConverged, StateSpaceTooLarge
from fsm_gpt.extract import extract
from fsm_gpt.learning.measure import Snapshot, Yardstick, measured
from fsm_gpt.learning.watched import Watched, gathered
from fsm_gpt.markov.remembered import forget
from fsm_gpt.space import ContextSpace

__all__ = ["Album", "listed", "refuse_too_large"]


class Album:
    """What has been taken so far of each training: at each step its numbers, and its chain."""

    def __init__(
        self,
        rules: tuple[Rule, ...],
        yardstick: Yardstick | None,
        space: ContextSpace,
        keep_chains: bool,
        max_memory_gib: float,
    ) -> None:
        self.rules, self.yardstick, self.space = rules, yardstick, space
        self.keep, self.max_memory_gib = keep_chains, max_memory_gib
        self.taken: dict[int | str, list[tuple[int, Snapshot, Chain | None]]] = {}
        self.before: Chain | None = None
        self.n_kept = 0

    def take(
        self,
        run: int | str,
        step: int,
        model: Model | Chain,
        *,
        truncate_to: int | None = None,
        context: int | None = None,
    ) -> None:
        """Extract, decode and measure a model as it now is."""
        pictures = self.taken.setdefault(run, [])
        if pictures and step <= pictures[-1][0]:
            raise InvalidArgument(
                f"watch: step {step} comes after step {pictures[-1][0]}, and steps have to ascend. "
                f"Sort the models by their steps."
            )
        V, L = len(self.space.vocabulary), self.space.length
        self.n_kept += self.keep
        refuse_too_large(V, L, self.n_kept, self.max_memory_gib)
        undecoded = self._extracted(model, run, step, truncate_to, context)
        chain = undecoded.with_decoding(*self.rules) if self.rules else undecoded
        before = self.before if pictures else None
        snapshot = measured(chain, undecoded=undecoded, yardstick=self.yardstick, before=before)
        forget(chain)
        self.before = chain
        pictures.append((step, snapshot, chain if self.keep else None))

    def _extracted(
        self,
        model: Model | Chain,
        run: int | str,
        step: int,
        truncate_to: int | None,
        context: int | None,
    ) -> Chain:
        try:
            chain = (
                model
                if isinstance(model, Chain)
                else extract(
                    model,
                    vocabulary=self.space.vocabulary,
                    context=context,
                    truncate_to=truncate_to,
                    max_memory_gib=self.max_memory_gib,
                )
            )
        except InvalidChain as problem:
            raise NotConverged(
                f"watch, {run}: after {step} steps the model has no chain, as the weights of one "
                f"that diverged have none ({problem})"
            ) from None
        if not chain.is_window or chain.states != self.space:
            raise InvalidArgument(
                f"watch: the model of {run} at step {step} has {chain}, and those before it have "
                f"all contexts of {self.space.length} over {len(self.space.vocabulary)} tokens. "
                f"Watch models of one vocabulary and context, and chains over all contexts."
            )
        return chain

    def bound(self, text: str | None, *, names: tuple[str, ...] = ()) -> Watched:
        """All that was taken, as one answer."""
        for name in names:
            self.taken.setdefault(name, [])
        steps = {run: tuple(step for step, _, _ in taken) for run, taken in self.taken.items()}
        first, *others = steps
        for other in others:
            if steps[other] != steps[first]:
                raise InvalidArgument(
                    f"watch: the series {first} and {other} were looked at after different numbers "
                    f"of steps, {listed(steps[first])} and {listed(steps[other])}. A band needs "
                    f"the same steps in all; give those that they share, or watch each by itself."
                )
        return gathered(
            self.taken,
            context=self.space.length,
            vocabulary=self.space.vocabulary,
            decoding=self.rules,
            text=text,
            yardstick=self.yardstick,
        )


def listed(names: Sequence[object], most: int = 8) -> str:
    """The first of some names.

    >>> listed(range(3)), listed(range(3), 2), listed(())
    ('0, 1, 2', '0, 1, ...', 'none')
    """
    shown = ", ".join(map(str, names[:most])) or "none"
    return shown + (", ..." if len(names) > most else "")


def refuse_too_large(V: int, L: int, n_kept: int, max_memory_gib: float) -> None:
    """Refuse what does not fit before it is begun: one analysis, and the rows that are kept."""
    log2_states = L * math.log2(max(V, 2))
    kept = analysis = math.inf
    if log2_states < 60:
        states = V**L
        analysis = analysis_bytes(states, states * V) / 2**30
        kept = 8 * states * V * n_kept / 2**30
    if analysis + kept <= max_memory_gib:
        return
    size = f"{V}**{L} contexts"
    if analysis > max_memory_gib:
        raise StateSpaceTooLarge(
            f"watch: a chain of {size} needs {analysis:,.1f} GiB to be measured, above the limit "
            f"of {max_memory_gib:g} GiB. Shorten the context, watch fewer kinds of tokens, or "
            f"raise max_memory_gib where there is more memory."
        )
    raise StateSpaceTooLarge(
        f"watch: {n_kept:,} chains of {size} need {kept:,.1f} GiB to be kept beside the "
        f"{analysis:,.1f} GiB that measuring one takes, above the limit of {max_memory_gib:g} GiB. "
        f"Watch fewer steps or seeds, keep the numbers alone (keep_chains=False), or raise "
        f"max_memory_gib."
    )
