"""A small GPT as a finite-state Markov chain.

A language model with V tokens and a context of L tokens has finitely many contexts.
Each is a state; emitting a token moves to the next one. This package makes that chain
from a model, asks it questions, and shows the answers.

>>> import fsm_gpt as fg
>>> "Chain" in dir(fg)
True

Public names are loaded when first used, so that importing the package takes no time.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from fsm_gpt import errors as errors, plot as plot

__version__ = "0.1.0"

#: Which module holds which public names. The block for type checkers below says the same;
#: a test compares the two.
_PUBLIC = {
    "fsm_gpt.capacity": ["capacity"],
    "fsm_gpt.chain": ["Chain"],
    "fsm_gpt.counts": ["context_coverage"],
    "fsm_gpt.couple": ["couple"],
    "fsm_gpt.cutting": ["cutting_loss"],
    "fsm_gpt.decoding": ["Full", "Greedy", "MinP", "Temperature", "TopK", "TopP"],
    "fsm_gpt.environment": ["Environment"],
    "fsm_gpt.explore": [
        "Exploration",
        "ExplorationInterrupted",
        "explore",
        "greedy_cycles",
        "load_exploration",
        "save_exploration",
    ],
    "fsm_gpt.extract": ["extract"],
    "fsm_gpt.extract_to_store": ["extract_to_store"],
    "fsm_gpt.gpt": ["GPT", "GPTConfig", "TrainingRun", "load_model", "save_model", "train"],
    "fsm_gpt.io": ["export", "load", "read_prism", "save"],
    "fsm_gpt.markov": [
        "absorption",
        "always",
        "bounds_after",
        "calibration",
        "causal_states",
        "communicating_classes",
        "compare",
        "condition_number",
        "conditioned",
        "context_distance",
        "context_use",
        "convergence_bound",
        "distribution_after",
        "entropy_drift",
        "entropy_rate",
        "eventually",
        "expected_visits",
        "first_tokens",
        "fundamental_matrix",
        "greedy_map",
        "hitting",
        "hitting_bounds",
        "induction_score",
        "kemeny_constant",
        "last_before_end",
        "leading_eigenvalues",
        "length_distribution",
        "limiting_distribution",
        "lumping",
        "mean_first_passage",
        "memory_curve",
        "metastable_sets",
        "minimize",
        "mixing_bounds",
        "mixing_time",
        "n_gram",
        "n_gram_distances",
        "quasi_stationary",
        "most_likely_path",
        "reach",
        "reversibility",
        "reward",
        "spectrum",
        "stationary_distribution",
        "time_reversal",
        "time_scales",
        "until",
    ],
    "fsm_gpt.patterns": ["pattern"],
    "fsm_gpt.progress": ["progress_bar"],
    "fsm_gpt.report": ["movie", "report", "state_graph"],
    "fsm_gpt.report.capacity_report": ["capacity_report"],
    "fsm_gpt.sampling": ["sample_entropy_rate", "sample_texts"],
    "fsm_gpt.sensitivity": ["sensitivity"],
    "fsm_gpt.simulate": ["simulate"],
    "fsm_gpt.space": ["ContextSpace", "Vocabulary"],
    "fsm_gpt.watch": ["watch", "watch_models"],
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

if TYPE_CHECKING:
    from fsm_gpt.capacity import capacity as capacity
    from fsm_gpt.chain import Chain as Chain
    from fsm_gpt.counts import context_coverage as context_coverage
    from fsm_gpt.couple import couple as couple
    from fsm_gpt.cutting import cutting_loss as cutting_loss
    from fsm_gpt.decoding import (
        Full as Full,
        Greedy as Greedy,
        MinP as MinP,
        Temperature as Temperature,
        TopK as TopK,
        TopP as TopP,
    )
    from fsm_gpt.environment import Environment as Environment
    from fsm_gpt.explore import (
        Exploration as Exploration,
        ExplorationInterrupted as ExplorationInterrupted,
        explore as explore,
        greedy_cycles as greedy_cycles,
        load_exploration as load_exploration,
        save_exploration as save_exploration,
    )
    from fsm_gpt.extract import extract as extract
    from fsm_gpt.extract_to_store import extract_to_store as extract_to_store
    from fsm_gpt.gpt import (
        GPT as GPT,
        GPTConfig as GPTConfig,
        TrainingRun as TrainingRun,
        load_model as load_model,
        save_model as save_model,
        train as train,
    )
    from fsm_gpt.io import (
        export as export,
        load as load,
        read_prism as read_prism,
        save as save,
    )
    from fsm_gpt.markov import (
        absorption as absorption,
        always as always,
        bounds_after as bounds_after,
        calibration as calibration,
        causal_states as causal_states,
        communicating_classes as communicating_classes,
        compare as compare,
        condition_number as condition_number,
        conditioned as conditioned,
        context_distance as context_distance,
        context_use as context_use,
        convergence_bound as convergence_bound,
        distribution_after as distribution_after,
        entropy_drift as entropy_drift,
        entropy_rate as entropy_rate,
        eventually as eventually,
        expected_visits as expected_visits,
        first_tokens as first_tokens,
        fundamental_matrix as fundamental_matrix,
        greedy_map as greedy_map,
        hitting as hitting,
        hitting_bounds as hitting_bounds,
        induction_score as induction_score,
        kemeny_constant as kemeny_constant,
        last_before_end as last_before_end,
        leading_eigenvalues as leading_eigenvalues,
        length_distribution as length_distribution,
        limiting_distribution as limiting_distribution,
        lumping as lumping,
        mean_first_passage as mean_first_passage,
        memory_curve as memory_curve,
        metastable_sets as metastable_sets,
        minimize as minimize,
        mixing_bounds as mixing_bounds,
        mixing_time as mixing_time,
        most_likely_path as most_likely_path,
        n_gram as n_gram,
        n_gram_distances as n_gram_distances,
        quasi_stationary as quasi_stationary,
        reach as reach,
        reversibility as reversibility,
        reward as reward,
        spectrum as spectrum,
        stationary_distribution as stationary_distribution,
        time_reversal as time_reversal,
        time_scales as time_scales,
        until as until,
    )
    from fsm_gpt.patterns import pattern as pattern
    from fsm_gpt.progress import progress_bar as progress_bar
    from fsm_gpt.report import movie as movie, report as report, state_graph as state_graph
    from fsm_gpt.report.capacity_report import capacity_report as capacity_report
    from fsm_gpt.sampling import (
        sample_entropy_rate as sample_entropy_rate,
        sample_texts as sample_texts,
    )
    from fsm_gpt.sensitivity import sensitivity as sensitivity
    from fsm_gpt.simulate import simulate as simulate
    from fsm_gpt.space import ContextSpace as ContextSpace, Vocabulary as Vocabulary
    from fsm_gpt.watch import watch as watch, watch_models as watch_models
else:
    __all__ = ["errors", "plot", *_HOME]

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}",
                name=name,
                obj=sys.modules[__name__],
            )
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(["__version__", "errors", "plot", *_HOME])


class _Package(ModuleType):
    """This package, in which a public name wins over a module of the same name.

    Importing a module binds it to its package: after ``import fsm_gpt.extract`` the name
    ``fsm_gpt.extract`` would be the module. Here it stays the function.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
