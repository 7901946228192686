"""The mathematics: every question that is answered about a chain.

Each module opens with its definitions and their sources. Everything here takes a
:class:`fsm_gpt.Chain` and nothing here knows what a GPT is.
"""

from __future__ import annotations

from fsm_gpt.markov.absorption import Absorption, absorption
from fsm_gpt.markov.bounds import AfterBounds, HittingBounds, bounds_after, hitting_bounds
from fsm_gpt.markov.calibration import Calibration, calibration
from fsm_gpt.markov.causal import CausalStates, causal_states
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.compare import Comparison, compare
from fsm_gpt.markov.condition import ConditionNumber, condition_number
from fsm_gpt.markov.conditioned import conditioned
from fsm_gpt.markov.context_distance import ContextDistance, context_distance
from fsm_gpt.markov.context_use import ContextUse, context_use
from fsm_gpt.markov.convergence import ConvergenceBound, convergence_bound
from fsm_gpt.markov.drift import EntropyDrift, entropy_drift
from fsm_gpt.markov.entropy import EntropyRate, entropy_rate
from fsm_gpt.markov.first_tokens import FirstTokens, first_tokens
from fsm_gpt.markov.functional import HittingTime, KLRate, StationaryProbability, TokenEntropy
from fsm_gpt.markov.greedy import GreedyMap, greedy_map
from fsm_gpt.markov.hitting import Hitting, hitting
from fsm_gpt.markov.induction import InductionScore, induction_score
from fsm_gpt.markov.last_before_end import LastBeforeEnd, last_before_end
from fsm_gpt.markov.leading import LeadingEigenvalues, leading_eigenvalues
from fsm_gpt.markov.length import length_distribution
from fsm_gpt.markov.length_result import LengthDistribution
from fsm_gpt.markov.limiting import LimitingDistribution, limiting_distribution
from fsm_gpt.markov.lumping import Lumping, lumping
from fsm_gpt.markov.memory import MemoryCurve, memory_curve
from fsm_gpt.markov.metastable import MetastableSets, metastable_sets
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.minimize import minimize
from fsm_gpt.markov.mixing import MixingTime, mixing_time
from fsm_gpt.markov.mixing_bounds import MixingBounds, mixing_bounds
from fsm_gpt.markov.n_gram import n_gram
from fsm_gpt.markov.n_gram_distances import NGramDistances, n_gram_distances
from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.markov.passage import (
    FundamentalMatrix,
    KemenyConstant,
    MeanFirstPassage,
    fundamental_matrix,
    kemeny_constant,
    mean_first_passage,
)
from fsm_gpt.markov.path import MostLikelyPath, most_likely_path
from fsm_gpt.markov.quasi_stationary import QuasiStationary, quasi_stationary
from fsm_gpt.markov.reach import Reach, reach
from fsm_gpt.markov.reversal import Reversibility, reversibility, time_reversal
from fsm_gpt.markov.reward import Reward, reward
from fsm_gpt.markov.sensitivity import RowSensitivity, row_sensitivity
from fsm_gpt.markov.spectrum import Spectrum, spectrum
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.markov.steps import StepDistribution, distribution_after
from fsm_gpt.markov.time_scales import TimeScales, time_scales
from fsm_gpt.markov.until import Until, always, eventually, until
from fsm_gpt.markov.visits import ExpectedVisits, expected_visits

__all__ = [
    "Absorption",
    "AfterBounds",
    "Calibration",
    "CausalStates",
    "CommunicatingClasses",
    "Comparison",
    "ConditionNumber",
    "ContextDistance",
    "ContextUse",
    "ConvergenceBound",
    "EntropyDrift",
    "EntropyRate",
    "ExpectedVisits",
    "FirstTokens",
    "FundamentalMatrix",
    "GreedyMap",
    "Hitting",
    "HittingBounds",
    "HittingTime",
    "InductionScore",
    "KLRate",
    "KemenyConstant",
    "LastBeforeEnd",
    "LeadingEigenvalues",
    "LengthDistribution",
    "LimitingDistribution",
    "Lumping",
    "MeanFirstPassage",
    "MemoryCurve",
    "MetastableSets",
    "MinimalMachine",
    "MixingBounds",
    "MixingTime",
    "MostLikelyPath",
    "NGramDistances",
    "ParetoCurve",
    "QuasiStationary",
    "Reach",
    "Reversibility",
    "Reward",
    "RowSensitivity",
    "Spectrum",
    "StationaryDistribution",
    "StationaryProbability",
    "StepDistribution",
    "TimeScales",
    "TokenEntropy",
    "Until",
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
    "most_likely_path",
    "n_gram",
    "n_gram_distances",
    "quasi_stationary",
    "reach",
    "reversibility",
    "reward",
    "row_sensitivity",
    "spectrum",
    "stationary_distribution",
    "time_reversal",
    "time_scales",
    "until",
]
