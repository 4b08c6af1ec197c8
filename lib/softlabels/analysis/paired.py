"""One measure of several arms that are compared run by run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from softlabels.analysis.statistics import Interval, mean_sd, paired_interval


@dataclass(frozen=True)
class Panel:
    """One measure of several arms: ``values[arm][pair]``; pairs that an arm lacks are left out with it."""

    values: Mapping[str, Mapping[Any, float]]
    overlap: float = 0.0  # test images per training image where the pairs are random splits that overlap

    @property
    def arms(self) -> list[str]:
        """Arms with at least one value, in the grid's order."""
        return [arm for arm, found in self.values.items() if found]

    def summary(self, arm: str) -> tuple[float, float, int]:
        """Mean, standard deviation and number of values of an arm."""
        found = list(self.values.get(arm, {}).values())
        return *mean_sd(found), len(found)

    def pairs(self, arm: str, base: str) -> tuple[list[float], list[float]]:
        """Values of both arms on the pairs that both have, in one order."""
        a, b = self.values.get(arm, {}), self.values.get(base, {})
        common = sorted(set(a) & set(b))
        return [a[key] for key in common], [b[key] for key in common]

    def difference(self, arm: str, base: str) -> Interval | None:
        """Mean of arm - base with its paired 95 % interval; None without a pair."""
        a, b = self.pairs(arm, base)
        return paired_interval(a, b, overlap=self.overlap) if a else None

    def relative(self, arm: str, base: str) -> Interval | None:
        """Mean of (arm - base) / base with its paired 95 % interval."""
        a, b = self.pairs(arm, base)
        ones = np.ones(len(a))
        return paired_interval(np.divide(a, b), ones, overlap=self.overlap) if a else None
