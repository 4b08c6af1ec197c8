"""Claims, each with what is published and its one primary comparison.

A comparison is a difference, soft labels less hard ones unless the claim says otherwise; `effect` is the
published one in the same unit, where a number could be found.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from softlabels.analysis import published

GROUPS = {
    "papers": "The three papers",
    "others": "Others who repeat them",
    "ours": "This book's own questions",
}
HIGHER, LOWER = 1, -1


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes
    ----------
    id : str
    group : str
        One of `GROUPS`.
    source : str
        Key in the bibliography, or nothing for the book's own.
    text : str
    primary : str
        The one comparison that decides, in words.
    better : int
        `HIGHER` or `LOWER`: the sign of the claimed difference; 0 claims that there is none.
    effect : float or None
        The published difference.
    unit : str
        "%" or "points" (differences are shown in hundredths), or nothing.
    digits : int
    margin : float
        Of a claim of no difference: what still counts as none.
    """

    id: str
    group: str
    source: str
    text: str
    primary: str
    better: int
    effect: float | None = None
    unit: str = ""
    digits: int = 4
    margin: float = 0.0


def _human(*keys: str) -> Mapping:
    return published.get("human_uncertainty", *keys)


def _change(kind: str, measure: str) -> float:
    """Published change of accuracy (as it is) or of cross-entropy (relative) from labels to distributions."""
    hard, soft = (_human("shift", kind)[arm][measure] for arm in ("hard", "soft"))
    return soft - hard if measure == "accuracy" else soft / hard - 1


def _mean_change(name: str, measure: str) -> float:
    """Mean over the published networks of a relative change."""
    entry = _human(name)
    return float(np.mean(entry["soft"][measure]) / np.mean(entry["hard"][measure]) - 1)


def _all() -> list[Claim]:
    fgsm, pgd, second = _human("fgsm"), _human("pgd"), _human("second_best_accuracy")
    singh, kohli = _human("distributions"), _human("saturation")
    text = "small network on published logits, SNLI, five splits"
    lite0 = "EfficientNet-Lite0 from ImageNet weights, stated recipe, synthetic images"
    bone = "MiceBone's photographs"
    scratch = "small network from random weights, ten folds, soft − CIFAR label"
    tuned = "fine-tuned network, ten folds, soft − CIFAR label"
    bhl, huc = "grossmann2022", "peterson2019"
    return [
        Claim(
            "bhl-accuracy",
            "papers",
            bhl,
            "Soft labels give the higher macro accuracy on synthetic images",
            lite0,
            HIGHER,
            published.bhl_difference("synthetic", "macro_accuracy"),
            "points",
            2,
        ),
        Claim(
            "bhl-kl",
            "papers",
            bhl,
            "Soft labels give the lower KL on synthetic images",
            lite0,
            LOWER,
            published.bhl_difference("synthetic", "kl"),
            "",
            3,
        ),
        Claim(
            "bhl-accuracy-bone",
            "papers",
            bhl,
            "Soft labels give the higher macro accuracy on MiceBone",
            bone,
            HIGHER,
            published.bhl_difference("micebone", "macro_accuracy"),
            "points",
            2,
        ),
        Claim(
            "bhl-kl-bone",
            "papers",
            bhl,
            "Soft labels give the lower KL on MiceBone",
            bone,
            LOWER,
            published.bhl_difference("micebone", "kl"),
            "",
            3,
        ),
        Claim(
            "bhl-features",
            "papers",
            bhl,
            "Soft labels give a more regular feature space (its Figure 1)",
            "distance correlation of features and label distributions, network of Figure 1, synthetic images",
            HIGHER,
            digits=3,
        ),
        Claim(
            "bhl-features-bone",
            "papers",
            bhl,
            "Soft labels give a more regular feature space (its Figure 2)",
            f"the same on {bone}",
            HIGHER,
            digits=3,
        ),
        Claim(
            "huc-loss",
            "papers",
            huc,
            "Human distributions lower the cross-entropy on held-out images",
            f"{scratch}, relative",
            LOWER,
            _change("held-out", "cross_entropy"),
            "%",
            1,
        ),
        Claim(
            "huc-accuracy",
            "papers",
            huc,
            "Human distributions raise the accuracy on held-out images",
            scratch,
            HIGHER,
            _change("held-out", "accuracy"),
            "points",
            2,
        ),
        Claim(
            "huc-second",
            "papers",
            huc,
            "The second choice is the people's more often",
            scratch,
            HIGHER,
            second["soft"] - second["hard"],
            "points",
            2,
        ),
        Claim(
            "huc-shift-loss",
            "papers",
            huc,
            "Under shift they lower the cross-entropy (CIFAR-10's training images)",
            f"{scratch}, relative; JPEG copy",
            LOWER,
            _change("training images", "cross_entropy"),
            "%",
            1,
        ),
        Claim(
            "huc-shift-accuracy",
            "papers",
            huc,
            "Under shift they raise the accuracy (CIFAR-10's training images)",
            f"{scratch}; JPEG copy",
            HIGHER,
            _change("training images", "accuracy"),
            "points",
            2,
        ),
        Claim(
            "huc-fine-tuned",
            "papers",
            huc,
            "Fine-tuned on human distributions, networks lose less cross-entropy to the people",
            f"{tuned}, relative, against the people",
            LOWER,
            _mean_change("fine_tuned", "cross_entropy_people"),
            "%",
            1,
        ),
        Claim(
            "huc-fgsm-accuracy",
            "papers",
            huc,
            "Accuracy under FGSM is higher (radius 8/255)",
            tuned,
            HIGHER,
            fgsm["soft"]["accuracy"] - fgsm["hard"]["accuracy"],
            "points",
            2,
        ),
        Claim(
            "huc-fgsm-loss",
            "papers",
            huc,
            "Cross-entropy under FGSM is lower (radius 8/255)",
            f"{tuned}, relative",
            LOWER,
            fgsm["soft"]["cross_entropy"] / fgsm["hard"]["cross_entropy"] - 1,
            "%",
            1,
        ),
        Claim(
            "huc-pgd-accuracy",
            "papers",
            huc,
            "Accuracy under PGD is higher (radius 4/255, two steps of 1/255)",
            tuned,
            HIGHER,
            pgd["soft"][2] - pgd["hard"][2],
            "points",
            2,
        ),
        Claim(
            "huc-pgd-loss",
            "papers",
            huc,
            "Cross-entropy under PGD is lower (radius 4/255, nine steps of 1/255)",
            f"{tuned}, relative",
            LOWER,
            pgd["soft_loss"][9] / pgd["hard_loss"][9] - 1,
            "%",
            1,
        ),
        Claim(
            "am-best",
            "papers",
            "herde2024",
            "annot-mix is the most accurate of the twelve methods",
            "music genres, last epoch, annot-mix − the best other method in print (madl), ten seeds",
            HIGHER,
            _difference("mgc", "annot-mix", "madl"),
            "points",
            1,
        ),
        Claim(
            "am-row",
            "papers",
            "herde2024",
            "annot-mix reaches the published accuracy on music genres",
            "mean of ten seeds − the published mean; no difference means two points or less",
            0,
            0.0,
            "points",
            1,
            0.02,
        ),
        Claim(
            "am-mixing",
            "papers",
            "herde2024",
            "Mixing images, annotators and labels raises accuracy",
            "music genres, last epoch, α = 1 less α = 0, ten seeds",
            HIGHER,
            unit="points",
            digits=1,
        ),
        Claim(
            "targeted",
            "others",
            "tyrvainen2021",
            "Networks trained on soft labels resist targeted attacks better",
            f"PGD of radius 1/255 to a random class, {tuned}",
            HIGHER,
            unit="points",
            digits=2,
        ),
        Claim(
            "singh-kl",
            "others",
            "singh2025",
            "Soft labels lower the KL to the people",
            f"{scratch}, relative; published over three datasets",
            LOWER,
            singh["kl_change"],
            "%",
            1,
        ),
        Claim(
            "singh-entropy",
            "others",
            "singh2025",
            "Soft labels raise the correlation of the network's and the people's entropy",
            f"{scratch}, relative; published over three datasets",
            HIGHER,
            singh["entropy_correlation_change"],
            "%",
            1,
        ),
        Claim(
            "text-kl",
            "others",
            "singh2025",
            "For text too, soft labels lower the KL to the people",
            f"{text}, votes − their majority, relative; published over three datasets",
            LOWER,
            singh["kl_change"],
            "%",
            1,
        ),
        Claim(
            "text-entropy",
            "others",
            "singh2025",
            "For text too, they raise the correlation of entropies",
            f"{text}, votes − their majority, relative; published over three datasets",
            HIGHER,
            singh["entropy_correlation_change"],
            "%",
            1,
        ),
        Claim(
            "text-accuracy",
            "others",
            "singh2025",
            "… at the same accuracy",
            f"{text}, votes − their majority; no difference means two points or less",
            0,
            0.0,
            "points",
            2,
            0.02,
        ),
        Claim(
            "text-saturation",
            "others",
            "kohli2026",
            f"KL is saturated with {kohli['kl']} votes on each pair of texts",
            f"{text}: share of the improvement from one vote to a hundred, less the least share in print",
            HIGHER,
            unit="points",
            digits=0,
        ),
        Claim(
            "text-later",
            "others",
            "kohli2026",
            "The correlation of entropies needs more votes than KL",
            f"{text}: share of KL's improvement with {kohli['kl']} votes, less that of the correlation's",
            HIGHER,
            unit="points",
            digits=0,
        ),
        Claim(
            "text-smoothing",
            "others",
            "kohli2026",
            "Votes give a higher correlation of entropies than any label smoothing",
            f"{text}, votes − the best of five strengths",
            HIGHER,
            kohli["correlation_with_votes"] - kohli["correlation_with_smoothing"][1],
            "",
            3,
        ),
        Claim(
            "blur-doubt",
            "others",
            "",
            "On blurred images soft-label networks doubt more",
            f"entropy at σ = 1 pixel, {tuned}",
            HIGHER,
            digits=3,
        ),
        Claim(
            "blur-calibration",
            "others",
            "",
            "On blurred images soft-label networks are better calibrated",
            f"ECE at σ = 1 pixel, {tuned}",
            LOWER,
            digits=3,
        ),
        Claim(
            "review",
            "others",
            "",
            "The doubt of soft-label networks is the better guide to what a person should see",
            f"area under the risk-coverage curve, {tuned}",
            LOWER,
            digits=4,
        ),
        Claim(
            "people-smoothing",
            "ours",
            "",
            "It is the people's information that helps, not any softening",
            "KL to the people, fine-tuned network, soft − smoothing of the same mean entropy",
            LOWER,
            digits=3,
        ),
        Claim(
            "people-permuted",
            "ours",
            "",
            "It is what people said of this image, not of its class",
            "KL to the people, fine-tuned network, soft − distributions of other images of the class",
            LOWER,
            digits=3,
        ),
        Claim(
            "people-pgd",
            "ours",
            "",
            "Under attack too it is the people, not any softening",
            "accuracy under PGD of radius 1/255, fine-tuned network, soft − smoothing",
            HIGHER,
            unit="points",
            digits=2,
        ),
        Claim(
            "few-help",
            "ours",
            "",
            "A few annotations an image are better than one",
            "KL to the people, two annotations − one",
            LOWER,
            digits=3,
        ),
    ]


def _difference(row: str, method: str, other: str) -> float:
    """Published accuracies of two methods of AM, last epoch; printed in %."""
    means = published.get("annotmix", "last", row)
    return (means[method][0] - means[other][0]) / 100


CLAIMS = {claim.id: claim for claim in _all()}
