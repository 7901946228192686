"""Formulas spoiled on purpose: each must be caught by the tests of the mathematics.

    python tests/mutants.py            all of them, a few minutes
    python tests/mutants.py period     those with this word in their name

Each mutant is one substitution of text in a temporary copy of the package, against which the
tests of ``markov`` run until the first failure. The exit code is 1 if a mutant survives, if
its text no longer occurs exactly once, if it breaks more than a formula (the tests cannot even
be collected), or if the unspoiled copy fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

#: The tests of the mathematics, the quick ones first.
FIRST = ("reference_chains", "entropy", "passage", "mixing", "elimination")
LAST = ("properties", "multilevel")


class Mutant(NamedTuple):
    """A formula and its spoiled form."""

    name: str
    right: str
    wrong: str


MUTANTS = [
    Mutant(
        "shares of a closed class are not scaled before they are added up",
        "x = np.ldexp(x, -int(np.frexp(x.max())[1]))",
        "x = x + 0.0",
    ),
    Mutant(
        "a logarithm of a quotient forgets what the floats cannot divide",
        "np.where(usual, found, np.log2(a) - np.log2(b))",
        "np.where(usual, found, np.log2(a))",
    ),
    Mutant(
        "what is left open of an entropy is that of the next token after",
        "low + left[:T] * math.log2",
        "low + left[1:] * math.log2",
    ),
    Mutant(
        "visits of the first tokens without the start",
        "        visits += x\n        found = mean_entropy",
        "        visits += x * (n > 0)\n        found = mean_entropy",
    ),
    Mutant(
        "a backoff cycle from disk weighs the newest token",
        "weight = x.reshape(V, -1).sum(axis=0)",
        "weight = x.reshape(-1, V).sum(axis=1)",
    ),
    Mutant(
        "a class read from disk keeps the oldest token",
        "target = place[source % R * V + token]",
        "target = place[source // V * V + token]",
    ),
    Mutant(
        "certificate from disk forgets the root's side",
        "total = abs(math.fsum(x) - 1) + 2 * (V + 4) * _UNIT\n    return (most_wrong + total",
        "total = abs(math.fsum(x) - 1) + 2 * (V + 4) * _UNIT\n    return (0 * most_wrong + total",
    ),
    Mutant(
        "period without the step",
        "level[source] + 1 - level[target]",
        "level[source] - level[target]",
    ),
    Mutant(
        "closed means left",
        "closed_numbers = np.flatnonzero(~leaving)",
        "closed_numbers = np.flatnonzero(leaving)",
    ),
    Mutant(
        "phases of the period shifted to one class",
        "states[level % period == phase]",
        "states[level % (period + 1) == phase]",
    ),
    Mutant(
        "elimination forgets what leaves",
        "s[k] = F[k, :k].sum() + e[k]",
        "s[k] = F[k, :k].sum() + 0 * e[k]",
    ),
    Mutant(
        "null vector by rows",
        "x[k] = (x[:k] * F[:k, k]).sum()",
        "x[k] = (x[:k] * F[k, :k]).sum()",
    ),
    Mutant(
        "certificate with its largest change alone",
        "return math.fsum(changes) * (1 + 8 * _UNIT)",
        "return max(changes) * (1 + 8 * _UNIT)",
    ),
    Mutant(
        "certificate loses a subtree",
        "excess[above] += carried",
        "excess[above] += 0",
    ),
    Mutant(
        "pi that does not sum to one",
        "return back(x / x.sum())",
        "return back(x / x[0])",
    ),
    Mutant(
        "limit that forgets transient states",
        "weights + begin[outside] @ ends.probabilities",
        "weights + 0 * begin[outside] @ ends.probabilities",
    ),
    Mutant(
        "nats for bits",
        "bits = -np.log2(p)",
        "bits = -np.log(p)",
    ),
    Mutant(
        "the likeliest token without its care",
        "-np.log1p(-rest[row]) / np.log(2)",
        "-np.log2(1 - rest[row])",
    ),
    Mutant(
        "the newest token folded away",
        "joint.reshape(V, -1, V).sum(axis=0)",
        "joint.reshape(-1, V, V).sum(axis=1)",
    ),
    Mutant(
        "a row's own mass forgotten",
        "_by_halves(own * bits)",
        "_by_halves(bits)",
    ),
    Mutant(
        "tail counted from the wrong step",
        "tail = tail + tail[jump]",
        "tail = tail + 1",
    ),
    Mutant(
        "greedy takes the highest id",
        "first : first + step] = block.argmax(axis=1)",
        "first : first + step] = V - 1 - block[:, ::-1].argmax(axis=1)",
    ),
    Mutant(
        "a step's roundings counted once",
        "steps * (chain.n_tokens + into + 1)",
        "0 * (chain.n_tokens + into + 1)",
    ),
    Mutant(
        "factorial moment without its factor",
        "b = known.within(f)[live] * times",
        "b = known.within(f)[live]",
    ),
    Mutant(
        "variance without the mean",
        "/ self.ending.value + mean.value - mean.value * mean.value",
        "/ self.ending.value - mean.value * mean.value",
    ),
    Mutant(
        "square of a tail counted once",
        "d**2 * q * (1 + q) / rest**3",
        "d**2 * q / rest**3",
    ),
    Mutant(
        "visits for last states",
        "at_end = visits * s",
        "at_end = visits",
    ),
    Mutant(
        "the class of smallest rate",
        "key=lambda k: found[k].rate",
        "key=lambda k: -found[k].rate",
    ),
    Mutant(
        "texts that meet a token early",
        "ends = agreed[:-1] - agreed[1:]",
        "ends = agreed[1:] - agreed[1:]",
    ),
    Mutant(
        "what was not met forgotten",
        "_first_tail_below(S, epsilon - D[t])",
        "_first_tail_below(S, 1 - D[t])",
    ),
    Mutant(
        "what is unexplored never comes",
        "(inside + rest) * (1 + e)",
        "(inside + 0 * rest) * (1 + e)",
    ),
    Mutant(
        "what is unexplored may stay away on both sides",
        "[*goal.tolist(), chain.unexplored]",
        "[*goal.tolist()]",
    ),
    Mutant(
        "a bound rounded back onto the number",
        "np.nextafter(h + by, math.copysign(math.inf, by))",
        "(h + by)",
    ),
    Mutant(
        "excess entropy one term short",
        "np.maximum(curve[:-1] - h, 0)",
        "np.maximum(curve[1:] - h, 0)",
    ),
    Mutant(
        "censored steps take one unit",
        "stay[B] + P_BA @ without.solve(stay[A])",
        "stay[B] + 0 * P_BA @ without.solve(stay[A])",
    ),
    Mutant(
        "recurrence by the wrong targets",
        "recurrence = 1 + (P * M.T).sum(axis=1)",
        "recurrence = 1 + (P * M).sum(axis=1)",
    ),
    Mutant(
        "trace of Z without the one",
        "return self.mean_steps + 1",
        "return self.mean_steps",
    ),
    Mutant(
        "fundamental matrix without the one",
        "Z = pi * (1 + from_pi - times)",
        "Z = pi * (from_pi - times)",
    ),
    Mutant(
        "absorption into the wrong class",
        "home[states] = c",
        "home[states] = len(closed) - 1 - c",
    ),
    Mutant(
        "twice the total variation",
        "0.5 * np.abs(mu - nu)",
        "np.abs(mu - nu)",
    ),
    Mutant(
        "mixing one step early",
        "return t + 1\n",
        "return t\n",
    ),
    Mutant(
        "gap of the real parts",
        "1.0 - float(abs(self.eigenvalues[1]))",
        "1.0 - float(self.eigenvalues[1].real)",
    ),
    Mutant(
        "discs a billion times too small",
        "(E.sum(axis=1) + spread) * (1 + gamma)",
        "(E.sum(axis=1) + spread) * 1e-9",
    ),
    Mutant(
        "time run forwards",
        "backwards = F.T / F.T.sum(axis=1)[:, None]",
        "backwards = F / F.sum(axis=1)[:, None]",
    ),
    Mutant(
        "entropy production in nats",
        "ratio = log2_ratio(",
        "ratio = np.log(2) * log2_ratio(",
    ),
    Mutant(
        "the divergence turned round",
        "P * surprise(Q)",
        "Q * surprise(P)",
    ),
    Mutant(
        "intervals divided the wrong way",
        "self.low / other.high",
        "self.low / other.low",
    ),
    Mutant(
        "residual without its sign",
        "-f[edges.target[at]]",
        "f[edges.target[at]]",
    ),
    Mutant(
        "a reward without what comes after",
        "worth = self.value + after[self.target]",
        "worth = self.value + 0 * after[self.target]",
    ),
    Mutant(
        "Poisson's equation proven by nothing",
        "math.sqrt(2 * time) * spread",
        "0 * spread",
    ),
    Mutant(
        "a total without the variance of its start",
        "x * (variance + (mean - centre) ** 2)",
        "x * (variance + 0 * (mean - centre) ** 2)",
    ),
    Mutant(
        "END earns something",
        "np.where(edges.source == chain.end, ",
        "np.where(edges.source < 0, ",
    ),
    Mutant(
        "totals on the wrong lattice",
        "tokens * least + int(k) * step",
        "least + int(k) * step",
    ),
    Mutant(
        "a bounded until that may go anywhere",
        "return _within(chain, goal, stay & ~goal, within)",
        "return _within(chain, goal, ~goal, within)",
    ),
    Mutant(
        "an until that may go anywhere",
        "return _ever(closed_off(chain), goal, ~stay & ~goal)",
        "return _ever(closed_off(chain), goal, goal & ~goal)",
    ),
    Mutant(
        "a bounded until's roundings not counted",
        "n * (2 * most + 1) * _UNIT",
        "0 * (2 * most + 1) * _UNIT",
    ),
    Mutant(
        "a variance without its step",
        "mean[target] - mean[source] + 1",
        "mean[target] - mean[source]",
    ),
    Mutant(
        "a variance trusted as if the mean were exact",
        "2 * np.abs(change) * delta + delta**2",
        "0 * np.abs(change) * delta",
    ),
    Mutant(
        "visits to what is not returned to are infinite",
        "returns = counted & ~left[member]",
        "returns = counted & left[member]",
    ),
    Mutant(
        "a relative error without the longest stay",
        "float((wrong / x).max()) * longest",
        "float((wrong / x).max())",
    ),
    Mutant(
        "a path of the least likely steps",
        "length = -np.log(",
        "length = 1 + 0 * np.log(",
    ),
    Mutant(
        "exact zeros of the spectrum not counted",
        "n_zero=chain.n_states - len(values)",
        "n_zero=chain.n_states - chain.n_states",
    ),
    Mutant(
        "a gradient that forgets the row's mean",
        "away = found.worth - mean[edges.source]",
        "away = found.worth - 0 * mean[edges.source]",
    ),
    Mutant(
        "the worth of a state that is near",
        "worth = -pi[state] * h[edges.target]",
        "worth = pi[state] * h[edges.target]",
    ),
    Mutant(
        "visits counted from everywhere",
        "begin = (unknown == start).astype(np.float64)",
        "begin = np.ones(len(unknown))",
    ),
    Mutant(
        "pairs that look clear while in doubt",
        "clear |= ((a >= 0) | (b >= 0)) & ~doubt",
        "clear |= (a >= 0) | (b >= 0)",
    ),
    Mutant(
        "excess entropy without the rate",
        "float(mass @ row_entropies(laws @ rows)) - h, 0.0)",
        "float(mass @ row_entropies(laws @ rows)), 0.0)",
    ),
    Mutant(
        "a position among newer tokens",
        "table = joint.reshape(-1, V, V ** (i - 1), V).sum(axis=1)",
        "table = joint.reshape(-1, V, V ** (i - 1), V).sum(axis=2)",
    ),
    Mutant(
        "a condition number of the mean passage time",
        "reached = times.max(axis=0)",
        "reached = times.mean(axis=0)",
    ),
    Mutant(
        "price weighed by the machine",
        "terms = mass * (p * log2_ratio(p, q))",
        "terms = mass * (q * log2_ratio(p, q))",
    ),
    Mutant(
        "rows of blocks as plain means",
        "columns = [_sums(block, weight * _column(chain, t), K) for t in range(V)]",
        "columns = [_sums(block, _column(chain, t), K) for t in range(V)]",
    ),
    Mutant(
        "Pinsker with half of it",
        "math.sqrt(int(n) * kl * math.log(2) / 2)",
        "math.sqrt(int(n) * kl * math.log(2) / 8)",
    ),
    Mutant(
        "suffix tree that is not closed under the shift",
        "inner[k - 1][words // V] = True",
        "inner[k - 1][words // V] |= False",
    ),
    Mutant(
        "merging that stops at the pair",
        "left.append((int(to[token]), int(too[token])))",
        "left.append((a, b))",
    ),
    Mutant(
        "lumping that forgets which block is entered",
        "into * (int(number.max()) + 1) + number",
        "number",
    ),
    Mutant(
        "a cycle is taken for slow",
        "return self.turn_tokens < math.inf and self.turn_tokens <= self.tokens",
        "return self.turn_tokens < math.inf and self.turn_tokens > self.tokens",
    ),
    Mutant(
        "an eigenvalue proven to be too near",
        "last = float(beta[-1]) + float(off[-1]) * rho",
        "last = 0 * float(beta[-1]) + float(off[-1]) * rho",
    ),
    Mutant(
        "an eigenvalue without the quadratic term",
        "below = (1 - alpha) ** 2 - 4 * kappa * widest",
        "below = (1 - alpha) ** 2 - 4 * kappa * 0 * widest",
    ),
    Mutant(
        "flux between sets to the wrong successor",
        "yield source, token, source % R * V + token, flow[place, token]",
        "yield source, token, source // V * V + token, flow[place, token]",
    ),
    Mutant(
        "functions that are not orthonormal under pi",
        "return np.asarray(np.linalg.solve(R.T, table.T).T)",
        "return np.asarray(table @ R)",
    ),
    Mutant(
        "a stay as if all of the time were spent in the set",
        "leave, stay = flux.leaving / flux.share, flux.share / flux.leaving",
        "leave, stay = flux.leaving / flux.share, 1 / flux.leaving",
    ),
    Mutant(
        "a model's context of the oldest tokens",
        "table[seen][:, -M:]",
        "table[seen][:, :M]",
    ),
    Mutant(
        "a longer context without the way to it",
        "weight = weight[which] * edges.probability[edge]",
        "weight = weight[which] / counts[which]",
    ),
    Mutant(
        "pairs that run into what is ruled out",
        "left[member[source[~on | (member[source] != member[target])]]] = True",
        "left[member[source[on & (member[source] != member[target])]]] = True",
    ),
    Mutant(
        "the model's distance less the reference's rate",
        "towards, across - h_Q)",
        "towards, across - h_P)",
    ),
    Mutant(
        "an accuracy of the reference's own likeliest token",
        "accuracy[here] = np.take_along_axis(P, likeliest, axis=1)[:, 0]",
        "accuracy[here] = P.max(axis=1)",
    ),
    Mutant(
        "bins that hold their lower edge",
        'np.searchsorted(edges, confidence, side="left")',
        'np.searchsorted(edges, confidence, side="right")',
    ),
    Mutant(
        "a drift that is a token ahead",
        "        if t:\n            least",
        "        if True:\n            least",
    ),
    Mutant(
        "induction from the first place instead of the last",
        "for place in range(table.shape[1] - 1):  # later",
        "for place in range(table.shape[1] - 2, -1, -1):  # later",
    ),
    Mutant(
        "an own bigram that is not conditional",
        "by_bigram + weight @ (joint[now, token] / single[now])",
        "by_bigram + weight @ joint[now, token]",
    ),
    Mutant(
        "a text's surprise from the contexts' first tokens on",
        "space.offset(L) + windows[:, :-1] @ V ** np.arange(L - 1, -1, -1, dtype=np.int64)",
        "space.offset(L) + windows[:, :-1] @ V ** np.arange(L, dtype=np.int64)",
    ),
]


def fresh_copy(folder: Path) -> None:
    """The package, its tests and the studies whose chains these share, as they are now."""
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("fsm_gpt", "tests", "analysis"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)


def files_in_order(folder: Path) -> list[str]:
    """The files of tests in the order in which they are run."""
    names = {path.stem.removeprefix("test_") for path in (folder / "tests/markov").glob("test_*")}
    others = sorted(names - {*FIRST, *LAST})
    ordered = [name for name in (*FIRST, *others, *LAST) if name in names]
    return [f"tests/markov/test_{name}.py" for name in ordered]


def first_failure(folder: Path) -> str | None:
    """The first test that fails, None if all pass; an error if they cannot be collected."""
    tests = files_in_order(folder)
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
               "--tb=no", "-rf", *tests]  # fmt: skip
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    if ran.returncode == 0:
        return None
    found = re.search(r"^FAILED (.+?)(?: - .*)?$", ran.stdout, flags=re.MULTILINE)
    if ran.returncode != 1 or found is None:
        raise RuntimeError(ran.stdout[-2000:] + ran.stderr[-2000:])
    return found[1].removeprefix("tests/markov/")


def outcome(mutant: Mutant, folder: Path) -> tuple[bool, str]:
    """Whether the mutant was caught, and by which test."""
    files = sorted((folder / "fsm_gpt" / "markov").rglob("*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    holding = [path for path in files for _ in range(texts[path].count(mutant.right))]
    if len(holding) != 1:
        return False, f"its text occurs {len(holding)} times in fsm_gpt/markov"
    (path,) = holding
    path.write_text(texts[path].replace(mutant.right, mutant.wrong), encoding="utf-8")
    try:
        caught = first_failure(folder)
    except (RuntimeError, subprocess.TimeoutExpired) as problem:
        return False, f"the tests did not run: {problem}"
    finally:
        path.write_text(texts[path], encoding="utf-8")
    return caught is not None, caught or "SURVIVES"


def main(words: list[str]) -> int:
    """Runs the mutants whose names have one of the words, or all."""
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh_copy(folder)
        failing = first_failure(folder)
        if failing is not None:
            print(f"The unspoiled package fails {failing}; mend that first.")
            return 1
        width = max(len(m.name) for m in chosen)
        for mutant in chosen:
            begin = time.perf_counter()
            caught, by = outcome(mutant, folder)
            bad += not caught
            mark = "caught" if caught else "BAD   "
            seconds = time.perf_counter() - begin
            print(f"{mark}  {mutant.name:{width}}  {seconds:5.1f} s  {by}", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} caught")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
