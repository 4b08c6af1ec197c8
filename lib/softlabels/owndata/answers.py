"""The plain answer of the chapter on your own data, in sentences that are computed from the records."""

from softlabels import owndata
from softlabels.analysis.comparisons import HIGHER_IS_BETTER, Comparison
from softlabels.analysis.formatting import NAMES, interval, number, signed
from softlabels.owndata import OwnData


def answer(own: OwnData) -> list[str]:
    """Answer in plain sentences, each computed from the records."""
    if not own.settings:
        share = float((own.data.counts.sum(1) >= 2).mean())
        return [
            f"**This cannot be answered.** The median image has {own.annotations} annotation; {share:.0%} "
            "of the images have two or more. The majority of one vote is its distribution: hard and soft "
            "labels are the same, no disagreement is seen, and how good a perfect model could be is unknown. "
            "Have a few hundred images judged by several people each; then this page can answer."
        ]
    whole = own.whole
    if whole is None or not whole.seeds:
        return ["**Not answered yet**: the runs with all annotations are missing."]
    return [_pays(whole), *(_by_how_much(whole, metric) for metric in owndata.METRICS), *_more(own)]


def _pays(whole: Comparison) -> str:
    kl, accuracy = whole.winner("kl"), whole.winner("macro_accuracy")
    if kl == "soft" and accuracy != "hard":
        better = "and in accuracy" if accuracy == "soft" else "and accuracy does not decide against it"
        return f"**Keeping the distribution pays here**: in KL, {better}."
    if kl == "soft":
        return "**Keeping the distribution pays if you use the probabilities**: KL is better, accuracy worse."
    if "hard" in (kl, accuracy):
        worse = " and ".join(w for w, v in (("KL", kl), ("accuracy", accuracy)) if v == "hard")
        return f"**Keeping the distribution does not pay here**: hard labels are better in {worse}."
    if accuracy == "soft":
        return "**Keeping the distribution pays in accuracy**; KL does not decide."
    pairs = len(whole.seeds)
    return (
        f"**Not decided** by {pairs} pair{'s' if pairs > 1 else ''} of runs; more seeds narrow the interval."
    )


def _by_how_much(whole: Comparison, metric: str) -> str:
    difference = whole.difference(metric)
    means = [whole.summary(arm, metric)[0] for arm in ("hard", "soft")]
    unit = " nats" if metric == "kl" else ""
    better = "higher" if HIGHER_IS_BETTER[metric] else "lower"
    return (
        f"{NAMES[metric].capitalize() if metric != 'kl' else 'KL'} ({better} is better): hard "
        f"{number(means[0])}, soft {number(means[1])}{unit}; soft − hard {interval(difference)}, with the "
        f"paired 95 % interval over {len(whole.seeds)} random splits."
    )


def _more(own: OwnData) -> list[str]:
    points = owndata.curve(own, "soft", "kl")
    found = []
    if len(points) >= 2 and points[0][0] == 1:
        first, last = points[0][1], points[-1][1]
        found.append(
            f"One annotation an image gives KL {number(first)}, all {points[-1][0]} give {number(last)}: "
            f"{signed(last - first)} nats for {points[-1][0] - 1} more."
        )
    change = owndata.doubling(own)
    if change is not None:
        trust = "" if change.sign else " That is not told from nothing."
        found.append(
            f"Twice as many annotations ({owndata.TIMES * own.annotations} an image) would change it by "
            f"about {interval(change)} nats, extrapolated as a + b / n from the budgets above.{trust}"
        )
    return found


def ceiling_in_words(own: OwnData) -> str:
    """Say how good a perfect model could be against this panel, and how near the soft arm comes."""
    found = owndata.noise_ceiling(own)
    if found is None:
        return (
            f"How good a perfect model could be is not known: fewer than {owndata.FEW} images have "
            f"{owndata.PANEL} annotations or more, and smaller panels cannot be split."
        )
    words = (
        f"Against this panel even a model that knew the true distribution would have KL {number(found.kl)} "
        f"[{number(found.kl_low)}, {number(found.kl_high)}] nats, at most {number(found.kl_above)}, "
        f"and accuracy {number(found.accuracy)} [{number(found.accuracy_low)}, "
        f"{number(found.accuracy_high)}] (from {found.n_images:,} images; 95 % bootstrap intervals)."
    )
    if own.whole is None or not own.whole.seeds:
        return words
    hard, soft = (own.whole.summary(arm, "kl")[0] for arm in ("hard", "soft"))
    share = (hard - soft) / (hard - found.kl) if hard > found.kl else float("nan")
    return f"{words} Of the way in KL from hard labels to that ceiling, soft labels go {share:.0%}."


def curve_in_words(own: OwnData) -> str:
    """Say what the budget curve shows, for people who do not see it."""
    ends = {arm: owndata.curve(own, arm, "kl") for arm in ("hard", "soft")}
    if not all(ends.values()):
        return "An empty figure: there is nothing to compare yet."
    words = [
        f"{arm} labels from {number(points[0][1], 3)} with {points[0][0]} to {number(points[-1][1], 3)} with "
        f"{points[-1][0]}"
        for arm, points in ends.items()
    ]
    return f"Accuracy and KL against annotations per image. KL goes, for {' and for '.join(words)}."
