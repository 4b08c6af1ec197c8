"""What is published of the ten datasets of the DCIC benchmark (Schmarje et al. 2022)."""

from dataclasses import dataclass

from softlabels import errors


@dataclass(frozen=True)
class Known:
    """What is published of a dataset: pixels, classes with the images whose majority they are, fold sizes,
    and mean and standard deviation of the channels in [0, 1].
    """

    pixels: int
    classes: dict[str, int]
    folds: tuple[int, ...]
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    licence: str = "CC BY-SA 4.0"


_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_TREE = ("bark", "bud", "flower", "fruit", "leaf", "whole_plant")
_PLANKTON = {
    "bubbles": 514,
    "collodaria_black": 853,
    "collodaria_globule": 709,
    "cop": 1405,
    "det": 1057,
    "no_fit": 3710,
    "phyto_puff": 572,
    "phyto_tuft": 1602,
    "pro_rhizaria_phaeodaria": 1115,
    "shrimp": 743,
}
_BENTHIC = ("coral", "crustacean", "cucumber", "encrusting", "other_fauna", "sponge", "star", "worm")

# Facts of the benchmark's public code (github Emprime/dcic @ 4357451, src/datasets).
KNOWN: dict[str, Known] = {
    "MiceBone": Known(
        224,
        {"g": 1068, "nr": 5103, "ug": 1069},
        (1540, 1513, 1325, 1319, 1543),
        (0.4443,) * 3,
        (0.2463,) * 3,
    ),
    "Synthetic": Known(
        224,
        {"bc": 2320, "be": 2635, "gc": 2590, "ge": 2540, "rc": 2490, "re": 2425},
        (3000,) * 5,
        (0.1577, 0.1690, 0.1672),
        (0.3466, 0.3571, 0.3550),
    ),
    "CIFAR10H": Known(
        32,
        dict(zip(_CIFAR, (1003, 998, 999, 995, 981, 1004, 1005, 1015, 999, 1001), strict=True)),
        (1953, 1981, 2067, 1969, 2030),
        (0.4942, 0.4851, 0.4504),
        (0.2467, 0.2429, 0.2616),
        "CC BY-NC-SA 4.0",
    ),
    "Benthic": Known(
        112,
        dict(zip(_BENTHIC, (506, 471, 267, 1216, 856, 566, 465, 520), strict=True)),
        (907, 955, 958, 990, 1057),
        (0.3473, 0.4001, 0.4110),
        (0.1285, 0.1364, 0.1426),
    ),
    "Pig": Known(
        96,
        {"1_intact": 4221, "2_short": 3032, "3_fresh": 2183, "4_notVisible": 801},
        (1947, 2129, 2007, 2039, 2115),
        (0.6090, 0.5285, 0.5061),
        (0.2615, 0.2360, 0.2424),
    ),
    "Plankton": Known(96, _PLANKTON, (2444, 2462, 2468, 2457, 2449), (0.9663,) * 3, (0.1007,) * 3),
    "QualityMRI": Known(224, {"0": 108, "1": 202}, (60, 64, 62, 62, 62), (0.1490,) * 3, (0.1861,) * 3),
    "Treeversity#1": Known(
        224,
        dict(zip(_TREE, (990, 1928, 3014, 1135, 1539, 883), strict=True)),
        (1820, 1912, 1905, 1966, 1886),
        (0.4453, 0.4512, 0.3713),
        (0.2340, 0.2279, 0.2605),
    ),
    "Treeversity#6": Known(
        224,
        dict(zip(_TREE, (1011, 1839, 3072, 1170, 1872, 862), strict=True)),
        (1892, 1972, 1972, 2032, 1958),
        (0.4440, 0.4509, 0.3691),
        (0.2341, 0.2276, 0.2601),
    ),
    "Turkey": Known(
        192,
        {"head_injury": 875, "not_injured": 1059, "plumage_injury": 6106},
        (1384, 1761, 1672, 1431, 1792),
        (0.4210, 0.5411, 0.4240),
        (0.2131, 0.2504, 0.2498),
    ),
}


def official(name: str) -> str:
    """Return the benchmark's own spelling of a dataset's name; case and ``#`` may be left out.

    Raises
    ------
    ConfigError
        There is no such dataset.
    """
    plain = {known.replace("#", "").casefold(): known for known in KNOWN}
    found = plain.get(name.replace("#", "").casefold())
    if found is None:
        raise errors.unknown("dataset of the DCIC benchmark", name, KNOWN)
    return found
