"""AM's claims held against our records; the rule is that of `verdicts`."""

from dataclasses import replace

from softlabels.analysis import competence, published
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.results import Results, over_images, paired
from softlabels.analysis.statistics import paired_interval
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.chapters.annot_mix.tables import points
from softlabels.runs.experiments_annotators import UNMIXED

ROW = "mgc"  # music genres: real annotators, the paper's split


def annotmix(results: Results, ablations: Results, row: str = ROW) -> list[Verdict]:
    """Judge every claim of AM that our records speak about, on one of its datasets."""
    return [best(results, row), reproduced(results, row), mixing(results, ablations, row)]


def best(results: Results, row: str) -> Verdict:
    """Judge "annot-mix is the most accurate" against the method that is second in print."""
    found = results.difference(row, "annot-mix", "madl")
    others = [
        sign
        for name in results.complete()
        if name != row and (d := results.difference(name, "annot-mix", "madl")) is not None
        for sign in [d.sign]
    ]
    words = f"other datasets: {others.count(1)} of {len(others)} alike, {others.count(-1)} against"
    return judge(CLAIMS["am-best"], found, _lacking(results, row), words if others else "")


def reproduced(results: Results, row: str) -> Verdict:
    """Judge whether annot-mix comes to the published accuracy where data and protocol are the same."""
    ours = results.values(row, "annot-mix", "accuracy")
    mean = published.get("annotmix", "last", ROW, "annot-mix")[0] / 100
    found = paired_interval(list(ours), [mean] * len(ours)) if row == ROW and len(ours) else None
    return judge(CLAIMS["am-row"], found, _lacking(results, row))


def mixing(results: Results, ablations: Results, row: str) -> Verdict:
    """Judge "mixing is what makes the difference": annot-mix against itself without mixup."""
    base = results.runs.get(row, {}).get("annot-mix", {})
    other = ablations.runs.get(UNMIXED, {}).get("annot-mix", {})
    found, images = paired(base, other), over_images(base, other)
    words = f"over images {points(images)}" if images is not None else ""
    if found is not None and images is not None and images.sign != found.sign:
        # The test part is one sample of songs: what holds over seeds only is not yet a finding about songs.
        found = replace(
            found,
            low=min(found.low or 0.0, images.low or 0.0),
            high=max(found.high or 0.0, images.high or 0.0),
        )
    return judge(CLAIMS["am-mixing"], found, _lacking(results, row), words)


def _lacking(results: Results, row: str) -> str:
    return competence.shortcoming(results.of(row, "annot-mix"))
