"""Which runs a chapter is drawn from: grids of configurations, from the numbers of the profiles.

The numbers stand in `profiles`, and nowhere else.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from softlabels.errors import ConfigError, unknown
from softlabels.learning.config import FRACTIONS, PUBLIC, RunConfig
from softlabels.runs import profiles
from softlabels.runs.profiles import ARMS, HUMAN, HUMAN_ARMS, PROFILES, SEEDS, TEXT_MAIN, Human, Row, chosen


@dataclass(frozen=True)
class Cell:
    """One run in its place in a table: what it is compared by, and its configuration."""

    dataset: str
    network: str
    recipe: str
    arm: str
    seed: int
    config: RunConfig


def _arm(recipe: str, arm: str, settings: Mapping[str, Any]) -> Cell:
    config = RunConfig.from_dict(dict(settings))
    return Cell(config.dataset, config.network, recipe, arm, config.seed, config)


def cell(profile: str, row: Row, recipe: str, arm: str, seed: int, **changes: Any) -> Cell:
    """Configure one run of a profile; `changes` override the recipe."""
    numbers = chosen(PROFILES, profile)
    settings: dict[str, Any] = {"dataset": row.dataset, "network": row.network, "epochs": row.epochs}
    settings |= {"image_size": numbers.image_size, "limit": numbers.limit, "label": arm, "seed": seed}
    settings |= profiles.DATA.get(row.dataset, {})
    settings |= profiles.of_recipe(recipe, row.dataset, row.network, arm)
    return _arm(recipe, arm, settings | changes)


def _cells(profile: str, row: Row, recipes: Iterable[str], seeds: Sequence[int]) -> list[Cell]:
    return [
        cell(profile, row, recipe, arm, seed)
        for seed in seeds[: row.max_seeds]
        for recipe in recipes
        for arm in ARMS
    ]


def _table1(profile: str, seeds: Sequence[int]) -> list[Cell]:
    return [c for row in chosen(PROFILES, profile).table1 for c in _cells(profile, row, row.recipes, seeds)]


def _figure1(profile: str, seeds: Sequence[int]) -> list[Cell]:
    row, recipe = chosen(PROFILES, profile).figure1
    return _cells(profile, row, [recipe], seeds)


def _figure2(profile: str, seeds: Sequence[int]) -> list[Cell]:
    shown = chosen(PROFILES, profile).figure2
    return [c for row, recipe in shown for c in _cells(profile, row, [recipe], seeds)]


def _atlas(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Figure 1's runs, and fine-tuned ones on photographs that people judged: the first fold of each seed."""
    first = chosen(HUMAN, profile).networks[0]
    judged = [c for c in _human(profile, seeds) if c.arm in ARMS and c.network == first]
    return _figure1(profile, seeds) + [c for c in judged if c.config.fold == c.seed]


def _hyperparameters(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """List both arms of every combination, on the first seed only."""
    space, found = chosen(profiles.SPACES, profile), []
    axes = product(space.rates, space.optimisers, space.augmentations, ARMS)
    for lr, (schedule, decay), augmentation, arm in axes:
        changes = {"lr": lr, "schedule": schedule, "weight_decay": decay, "augmentation": augmentation}
        one = cell(profile, space.row, "stated", arm, seeds[0], **changes, **space.changes)
        found.append(replace(one, recipe=f"lr {lr:g}, {schedule}, decay {decay:g}, {augmentation}"))
    return found


def _tuning(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Every rate on the first seed only, judged on its validation part; no test part is looked at."""
    rows = [r for r in chosen(PROFILES, profile).table1 if "tuned" in r.recipes]
    return [
        cell(profile, row, "tuned", arm, seeds[0], lr=rate)
        for row in rows
        for rate in profiles.TUNING_RATES
        for arm in ARMS
    ]


def _distributions(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Both arms from the same annotations; one rate for all, so that the number alone differs."""
    row = chosen(PROFILES, profile).distributions
    return [
        replace(
            cell(profile, row, "tuned", arm, seed, lr=profiles.DISTRIBUTIONS_RATE, annotations=n),
            recipe=f"{n or 'all'} annotation{'' if n == 1 else 's'}",
        )
        for seed in seeds[: row.max_seeds]
        for n in profiles.ANNOTATIONS
        for arm in ARMS
    ]


def _quickstart(profile: str, seeds: Sequence[int]) -> list[Cell]:
    numbers = chosen(PROFILES, profile).quickstart
    return [_arm("quickstart", a, {**numbers, "label": a, "seed": seed}) for seed in seeds for a in ARMS]


# People who judge CIFAR-10, and pairs of texts: arms that differ in what they learn from. What stands for the
# recipe of a cell is the name of its grid.


def _with(cell: Cell, **changes: Any) -> Cell:
    return replace(cell, config=cell.config.replace(**changes))


def _pretrained(n: Human, network: str, number: int) -> dict[str, Any]:
    """One of the networks that fine-tuning starts from."""
    common = {"image_size": 32, "label": "truth", "select": "last", "network": network, "seed": number}
    return {**common, "batch_size": n.batch_size, **n.pretraining}


def _pretraining(profile: str, seeds: Sequence[int] = ()) -> list[Cell]:
    """Every network that fine-tuning starts from; they have numbers of their own, whatever the seeds."""
    n = chosen(HUMAN, profile)
    found = [(network, i) for network in n.networks for i in range(n.pretrained if n.pretraining else 0)]
    return [_arm("pretraining", "truth", _pretrained(n, *place)) for place in found]


def continued(profile: str) -> list[Cell]:
    """Those of `_pretraining`, trained on; in no grid, so that nobody has to train what only says this much.

    `softlabels train --from` trains them where they are wanted.
    """
    more = chosen(HUMAN, profile).continued
    return [_with(cell, **more, start=cell.config.id) for cell in _pretraining(profile) if more]


def base_of(config: RunConfig) -> RunConfig | None:
    """The run whose network another one starts from; None where no profile names it."""
    every = (cell.config for profile in HUMAN for cell in _pretraining(profile))
    return next((base for base in every if base.id == config.start), None)


def _folds(
    grid: str,
    n: Human,
    seeds: Sequence[int],
    arms: Mapping[str, Mapping[str, Any]],
    networks: int = 10**6,
    every: int = 1,
) -> Iterator[Cell]:
    """Every arm on every network and on `every` such fold, pair by pair: an early stop leaves whole pairs."""
    for network in n.networks[:networks]:
        for seed in seeds[: n.max_seeds]:
            for number in range(0, n.folds, every):
                fold = (seed + number) % n.n_folds
                common = {**profiles.CIFAR10H, **n.recipe, "network": network, "epochs": n.epochs, "lr": n.lr}
                common |= {"batch_size": n.batch_size, "limit": n.limit}
                common |= {"n_folds": n.n_folds, "seed": seed, "fold": fold}
                if n.pretraining:
                    common["start"] = RunConfig.from_dict(_pretrained(n, network, fold % n.pretrained)).id
                for arm, settings in arms.items():
                    yield _arm(grid, arm, {**common, **settings})


def _human(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """All arms, and the human distribution at several temperatures."""
    n = chosen(HUMAN, profile)
    heated = {f"soft T={t:g}": {"label": "soft", "temperature": t} for t in n.temperatures}
    return list(_folds("human", n, seeds, HUMAN_ARMS | heated))


def _human_rates(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """A few arms at other common learning rates, on the first fold of the first seed."""
    n = chosen(HUMAN, profile)
    arms = {a: HUMAN_ARMS[a] for a in n.rate_arms}
    every = _folds("human-rates", n, seeds[:1], arms, 1)
    first = [cell for cell in every if cell.config.fold == seeds[0] % n.n_folds]
    return [_with(cell, lr=lr) for lr in n.rates for cell in first]


def _human_scratch(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """From random weights to the end of the schedule, as in the paper's study of generalisation."""
    n = chosen(HUMAN, profile)
    s = n.scratch
    own = replace(n, networks=(s.network,), pretraining={}, epochs=s.epochs, lr=s.lr, recipe=s.recipe)
    every = _folds("human-scratch", own, seeds, {arm: HUMAN_ARMS[arm] for arm in s.folds})
    return [c for c in every if (c.config.fold - c.seed) % n.n_folds < s.folds[c.arm]]


def _networks(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Votes on the first fold from random weights: other networks and lengths, and what the chapters use."""
    tried = chosen(HUMAN, profile).compared
    first = [cell for cell in _human_scratch(profile, seeds[:1]) if cell.arm == "soft"][:1]
    own = [_arm("networks", "soft", cell.config.to_dict()) for cell in first]
    other = [cell.config.replace(network=name, epochs=epochs) for cell in own for name, epochs in tried]
    return [*(_arm("networks", "soft", config.to_dict()) for config in other), *own]


def _budget(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Soft labels from n annotations an image, from one (the arm "sampled") to all (the arm "soft")."""
    n = chosen(HUMAN, profile)
    some = {f"n={k}": {"label": "soft", "annotations": k} for k in n.annotations}
    arms = {"n=1": HUMAN_ARMS["sampled"], **some, "n=all": HUMAN_ARMS["soft"]}
    return list(_folds("budget", n, seeds, arms, 1, n.few))


def _budget_total(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """A fixed number of annotations on fewer and fewer images, with the same number of steps."""
    n = chosen(HUMAN, profile)
    whole = (n.limit or 9500) * (n.n_folds - 2) // n.n_folds  # images of the training part
    arms = {}
    for total, per_image in n.totals:
        for k in per_image:
            images = total // k
            settings = HUMAN_ARMS["sampled"] if k == 1 else {"label": "soft", "annotations": k}
            if images < whole:
                # As many steps as the profile's epochs have on the whole.
                steps, fewer = (max(1, size // n.batch_size) for size in (whole, images))
                epochs = max(1, round(n.epochs * steps / fewer))
                settings = settings | {"train_images": images, "epochs": epochs}
            arms[f"{images} × {k}"] = settings
    return list(_folds("budget-total", n, seeds, arms, 1, n.few))


def kind_of_features(dataset: str) -> str:
    """What follows the name of a dataset: "/logits" of "chaosnli:snli/logits"."""
    longest_first = sorted(profiles.TEXT_CHOSEN, key=len, reverse=True)
    return next(kind for kind in longest_first if dataset.endswith(kind))


def _pairs_of_texts(
    grid: str,
    profile: str,
    seeds: Sequence[int],
    datasets: Sequence[str],
    arms: Mapping[str, Mapping[str, Any]],
    network: str = "mlp-128",
) -> Iterator[Cell]:
    n = chosen(profiles.TEXT, profile)
    for dataset in datasets:
        lr, decay = profiles.TEXT_CHOSEN[kind_of_features(dataset)]
        common = profiles.TEXT_RECIPE | {
            "epochs": n.epochs,
            "limit": n.limit,
            "lr": lr,
            "weight_decay": decay,
        }
        common |= {"dataset": dataset, "network": network, "dropout": 0.5 * (network != "linear")}
        for seed in seeds:
            for arm, settings in arms.items():
                yield _arm(grid, arm, {**common, "seed": seed, **settings})


_MAJORITY_AND_VOTES = {arm: HUMAN_ARMS[arm] for arm in ARMS}


def _text(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """All arms on the main settings."""
    arms = profiles.TEXT_ARMS | profiles.TEXT_SMOOTHED
    return list(_pairs_of_texts("text", profile, seeds, TEXT_MAIN, arms))


def _text_features(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Majority and votes on every dataset and every kind of features; on logits with a linear layer too."""
    others = [name for name in profiles.TEXT_DATASETS if name not in TEXT_MAIN]
    found: list[Cell] = []
    for datasets, network in ((TEXT_MAIN, "mlp-128"), (TEXT_MAIN, "linear"), (others, "mlp-128")):
        found += _pairs_of_texts("text-features", profile, seeds, datasets, _MAJORITY_AND_VOTES, network)
    return found


def _text_budget(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Votes kept for each pair of the training and validation parts, on the main settings."""
    some = {f"n={n}": {"label": "soft", "annotations": n} for n in chosen(profiles.TEXT, profile).budget}
    arms = {**some, "n=100": HUMAN_ARMS["soft"]}
    return list(_pairs_of_texts("text-budget", profile, seeds, TEXT_MAIN, arms))


def _text_rates(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Rates and weight decays of every kind of features, on SNLI with the first seed."""
    datasets = [name for name in profiles.TEXT_DATASETS if name.startswith("chaosnli:snli")]
    every = list(_pairs_of_texts("text-rates", profile, seeds[:1], datasets, _MAJORITY_AND_VOTES))
    return [_with(cell, lr=lr, weight_decay=decay) for lr, decay in profiles.TEXT_RATES for cell in every]


# Many annotators: what stands for the dataset is the row of a table, for the arm the method.


def _crowd(row: str, method: str, settings: Mapping[str, Any], seed: int) -> Cell:
    return replace(_arm("published", method, {**settings, "method": method, "seed": seed}), dataset=row)


def _crowd_seeds(profile: str, seeds: Sequence[int]) -> Sequence[int]:
    return seeds[: profiles.CROWD_LAPTOP_SEEDS] if profile == "laptop" else seeds


def _annot_mix(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """The main table; on images only `IMAGE_METHODS`."""
    return [
        _crowd(row, method, settings, seed)
        for row, settings in chosen(profiles.CROWD_ROWS, profile).items()
        for seed in _crowd_seeds(profile, seeds)
        for method in profiles.crowd_methods(profile, row)
    ]


def _annot_mix_ablations(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Ablations, fewer judgements, and what the public code leaves untrained.

    Without mixup annot-mix is run on every row of vectors: on one test part a difference is one draw.
    """
    rows, seeds = chosen(profiles.CROWD_ROWS, profile), _crowd_seeds(profile, seeds)
    first, kept = profiles.FIRST[profile], product(profiles.AMOUNTS, profiles.AMOUNT_METHODS)
    changes = [(name, "annot-mix", change) for name, change in profiles.ABLATIONS.items()]
    changes += [(f"{n} per image", method, {"annotations": n}) for n, method in kept]
    changes += [("shuffled workers", "annot-mix", {"workers": "shuffled"})]
    found = [_crowd(name, m, rows[first] | change, s) for s in seeds for name, m, change in changes]
    found += [
        _crowd(name, "annot-mix", rows[row] | profiles.ABLATIONS[profiles.UNMIXED], seed)
        for row, name in profiles.unmixed(profile).items()
        for seed in seeds
        if row != first
    ]
    return found + [
        _crowd(profiles.as_in_public(profile, row, method), method, rows[row], seed)
        for row in profiles.printed_rows(profile)
        for seed in seeds
        for method in PUBLIC
    ]


# Your own data.


def own_epochs(profile: str, images: int, steps: float = math.inf) -> int:
    """Epochs that give `Own.steps` steps on so many images, no fewer than the profile's.

    `steps` bounds them from above, where the time does not allow for more; one epoch is the least.
    """
    own = chosen(profiles.OWN, profile)
    each = max(1, int(FRACTIONS["train"] * min(images, own.limit or images)) // own.batch_size)
    wanted = max(own.epochs, -(-own.steps // each))
    return max(1, min(wanted, int(steps // each))) if math.isfinite(steps) else wanted


def your_data(
    profile: str,
    seeds: Sequence[int],
    dataset: str = profiles.STANDIN,
    annotations: int = profiles.STANDIN_ANNOTATIONS,
    length: int | None = None,
    vectors: bool = False,
) -> list[Cell]:
    """List the runs of the chapter on your own data, by default those of the stand-in.

    The recipe of a cell says in words how many annotations it learns from; all annotations come first.

    Parameters
    ----------
    dataset : str
        A name that a run takes: `folder.pin` makes one of a folder. `vectors` says that it holds no images.
    annotations : int
        Annotations that the median image has. Budgets from there on are left out, and with fewer than two
        there is nothing to compare: a single annotation is its own distribution.
    length : int or None
        Epochs at most: a run stops once half as many did not lower its validation loss. None: the profile's.
    """
    own = chosen(profiles.OWN, profile)
    if annotations < 2:
        return []
    images = {"image_size": own.image_size, "network": own.network, "batch_size": own.batch_size}
    common = profiles.OWN_VECTORS if vectors else profiles.OWN_RECIPE | images
    common = common | {"dataset": dataset, "limit": own.limit, "epochs": own.epochs}
    if length is not None:
        common |= {"epochs": length, "patience": max(5, length // 2)}
    found = []
    for kept in (0, *(n for n in own.budgets if n < annotations)):
        words = f"{kept} annotation{'s' if kept > 1 else ''}" if kept else profiles.OWN_ALL
        for seed in seeds:
            for arm in ("hard", "soft") if kept != 1 else ("soft",):  # of one annotation both are the same
                settings = {**common, "label": arm, "annotations": kept, "seed": seed}
                found.append(_arm(words, arm, settings))
    return found


Grid = Callable[[str, Sequence[int]], list[Cell]]
CHAPTERS: dict[str, Grid] = {
    "quickstart": _quickstart,
    "table1": _table1,
    "figure1": _figure1,
    "figure2": _figure2,
    "atlas": _atlas,
    "tuning": _tuning,
    "hyperparameters": _hyperparameters,
    "why_distributions_help": _distributions,
    "annot_mix": _annot_mix,
    "annot_mix_ablations": _annot_mix_ablations,
    "your_data": your_data,
    "human": _human,
    "human-rates": _human_rates,
    "human-scratch": _human_scratch,
    "networks": _networks,
    "pretraining": _pretraining,
    "budget": _budget,
    "budget-total": _budget_total,
    "text": _text,
    "text-features": _text_features,
    "text-budget": _text_budget,
    "text-rates": _text_rates,
}


def seeds_of(given: int | str | Sequence[int]) -> list[int]:
    """Read seeds as people write them: a list, one number, or numbers in words ("[0, 1]", "0 1").

    Anything else raises `ConfigError`.
    """
    words = re.findall(r"[^\s,\[\]()]+", given) if isinstance(given, str) else given
    listed = [words] if isinstance(words, int) else list(words)
    try:
        found = [int(str(seed)) for seed in listed]
    except ValueError as error:
        raise ConfigError(f"seeds: expected a list of numbers such as [0, 1, 2], not {given!r}") from error
    return list(dict.fromkeys(found))


def grid(chapter: str, profile: str = "laptop", seeds: int | str | Sequence[int] = SEEDS) -> list[Cell]:
    """List the runs that a chapter is drawn from, in the order in which they are worth training.

    `seeds` are as `seeds_of` takes them; `ConfigError` if there is no such chapter or profile.
    """
    if chapter not in CHAPTERS:
        raise unknown("chapter", chapter, CHAPTERS)
    return CHAPTERS[chapter](profile, seeds_of(seeds))
