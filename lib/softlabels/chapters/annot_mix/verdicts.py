"""AM's claims held against our records; the rule is that of `verdicts`."""

import numpy as np

from softlabels.analysis import published
from softlabels.analysis.formatting import NOTHING
from softlabels.analysis.results import RANKED, Results, mean_ranks, over_images, paired, published_ranks
from softlabels.analysis.statistics import holm
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.chapters.annot_mix.tables import COMPARABLE, deviation, percent, points, printed
from softlabels.runs.experiments_annotators import UNMIXED

RULE = (
    "A dataset supports annot-mix where the paired 95 % interval of its accuracy less that of the best other "
    "method lies above zero, contradicts it below, and is open in between. A published row is *reproduced* "
    "if Welch's test with Holm's step finds no method that differs. A dataset says something of mixing where "
    "the interval over seeds and, if all seeds share a test part, the one over its images lie on the same "
    "side of zero. Fewer than two seeds are not counted."
)

FEWEST = 4  # datasets; with fewer, ranks of twelve methods have no power


def annotmix(results: Results, ablations: Results, row: str = "mgc") -> list[Verdict]:
    """Judge every claim of AM that our records speak about."""
    return [reproduced(results), best(results), significant(results), mixing(results, ablations, row)]


def reproduced(results: Results) -> Verdict:
    """Judge whether ours and the published accuracies differ where data and protocol are the same."""
    claim = "The published row of music genres comes out again (last epoch)"
    rows = [(row, m) for row in COMPARABLE for m in RANKED if percent(results, row, m)[2] > 1]
    if not rows:
        return Verdict(claim, NOTHING, NOTHING, "not tested", "no method with two or more seeds")
    found = [deviation(results, *pair) for pair in rows]
    p = holm([q for _, q in found])
    wrong = [f"{m} {d:+.1f}" for (_, m), (d, _), q in zip(rows, found, p, strict=True) if q <= 0.05]
    largest = max(found, key=lambda pair: abs(pair[0]))[0]
    verdict = "reproduced" if not wrong else "partly" if len(wrong) < len(rows) else "not reproduced"
    reason = f"{len(wrong)} of {len(rows)} methods differ" + (f": {', '.join(wrong)}" if wrong else "")
    shown = f"annot-mix {printed('mgc', 'annot-mix', 'last')[0]:.1f} %"
    ours = f"annot-mix {percent(results, 'mgc', 'annot-mix')[0]:.1f} %, largest difference {abs(largest):.1f}"
    return Verdict(claim, shown, ours, verdict, reason)


def best(results: Results) -> Verdict:
    """Judge "annot-mix is the most accurate of twelve", dataset by dataset."""
    signs, shown = [], []
    for row in results.complete():
        others = [m for m in RANKED if m != "annot-mix"]
        rival = max(others, key=lambda m: results.summary(row, m, "accuracy")[0])
        found = results.difference(row, "annot-mix", rival)
        if found is not None and found.n > 1:
            signs.append(found.sign)
            shown.append(f"{row}: {points(found)} to {rival}")
    verdict, reason = judge(signs, "datasets")
    claim = "annot-mix is the most accurate of the twelve methods (last epoch)"
    return Verdict(claim, _firsts(), "; ".join(shown) or NOTHING, verdict, reason)


def _firsts() -> str:
    tables = published.get("annotmix", "last").values()
    firsts = sum(max(row, key=lambda m: row[m][0] if m in RANKED else 0) == "annot-mix" for row in tables)
    return f"first on {firsts} of {len(tables)} datasets"


def significant(results: Results) -> Verdict:
    """Judge "annot-mix ranks significantly better than every other method"."""
    control, claim = RANKED.index("annot-mix"), "annot-mix ranks significantly better than all eleven others"
    rejected = {part: _rejected(published_ranks(part).against(control)) for part in ("last", "best")}
    again = f"last {rejected['last']} of 11, best {rejected['best']} of 11 when Holm's step is done correctly"
    ours = mean_ranks(results)
    if ours is None or ours.n < FEWEST:
        reason = f"ours: fewer than {FEWEST} datasets are complete; printed ranks: {again}"
        return Verdict(claim, "all starred", NOTHING, "not tested", reason)
    n = _rejected(ours.against(control))
    verdict = {0: "not reproduced", len(RANKED) - 1: "reproduced"}.get(n, "partly")
    reason = f"printed ranks: {again}; ours: {n} of 11 on {ours.n} datasets"
    return Verdict(claim, "all starred", f"{n} of 11", verdict, reason)


def _rejected(p: np.ndarray) -> int:
    return int((p[np.isfinite(p)] <= 0.05).sum())


def mixing(results: Results, ablations: Results, row: str) -> Verdict:
    """Judge "mixing is what makes the difference": annot-mix against itself without mixup, row by row."""
    others = {
        name.removeprefix(f"{UNMIXED}, "): name for name in ablations.runs if name.startswith(f"{UNMIXED}, ")
    }
    signs, shown = [], []
    for place, name in ({row: UNMIXED} | others).items():
        base = results.runs.get(place, {}).get("annot-mix", {})
        other = ablations.runs.get(name, {}).get("annot-mix", {})
        found = paired(base, other)
        if found is not None and found.n > 1:
            images = over_images(base, other)  # None where every seed has a test part of its own
            signs.append(found.sign if images is None or images.sign == found.sign else 0)
            shown.append(f"{place}: {points(found)} over seeds, {points(images)} over images")
    verdict, reason = judge(signs, "comparisons")  # two splits of one dataset are two of these
    claim = "Mixing images, annotators and labels raises accuracy (α = 1 against 0, last epoch)"
    return Verdict(claim, "no number found", "; ".join(shown) or NOTHING, verdict, reason)
