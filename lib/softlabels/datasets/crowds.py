"""Songs, photographs and sentences labelled by many named people, with a true label beside theirs.

Only a part of each was annotated, and that part is for training. Everything else counts its own label
once, so that ``counts`` is a vote where people voted and the truth where they did not.
"""

import numpy as np

from softlabels.datasets import fetch, texts
from softlabels.datasets.base import Annotations, Dataset, Source, checksum
from softlabels.errors import DataError
from softlabels.labels import votes as labels

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
SCENES = ("highway", "insidecity", "tallbuilding", "street", "forest", "coast", "mountain", "opencountry")
POLARITY = ("negative", "positive")
N_SENTENCES = {"train": 4_999, "test": 3_999}
N_SONGS, N_FEATURES = {"gold": 700, "test": 300}, 124
PARTS = ("train", "valid", "test")  # of LabelMe

# Rows of the test file that AM keep for validation: scikit-learn's stratified split of 300 songs into
# 100 and 200 with seed 0, written down because it is part of the published protocol.
MUSIC_VALIDATION = (
    "1 13 22 23 24 26 36 39 41 47 48 50 55 56 58 59 64 67 70 81 82 86 88 91 92 93 94 95 96 98 99 103 106 109 "
    "114 118 123 126 130 132 135 137 138 144 150 151 153 156 158 160 161 165 166 169 171 172 174 177 178 179 "
    "182 183 186 188 190 195 197 203 208 213 215 217 218 224 225 229 232 234 236 239 241 249 261 263 265 267 "
    "269 271 272 275 279 280 281 284 287 290 293 296 298 299"
)


def load_mgc(image_size: int | None = None) -> Dataset:
    """Return music genres (Rodrigues et al. 2013): 1,000 songs, 124 features, 44 people on the first 700.

    ``splits`` are AM's: 700 songs to train on, 100 and 200 of the other 300 for validation and test. As all
    loaders here it takes ``image_size`` because every loader does, and raises as `fetch`.
    """
    import pandas as pd

    names, x, truth = zip(*(_songs(part) for part in N_SONGS), strict=True)
    row = {name: i for i, name in enumerate(np.concatenate(names))}
    path = fetch.fetch("music/music_genre_answers.csv")
    answers = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    try:
        triples = [(row[a["id"]], int(a["annotator"]), GENRES.index(a["class"])) for a in answers]
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: an answer names an unknown song, annotator or genre ({error})") from error
    rest = np.arange(700, 1000)
    valid = np.isin(rest - 700, np.array(MUSIC_VALIDATION.split(), np.int64))
    splits = {"train": np.arange(700), "validation": rest[valid], "test": rest[~valid]}
    return crowd(
        "mgc",
        np.concatenate(x),
        np.concatenate(truth),
        Annotations(*np.array(triples, np.int64).T),
        GENRES,
        splits,
        variant="124 audio features of 1,000 songs; 44 people labelled 700",
        url="https://github.com/shahanaibrahimosu/end-to-end-crowdsourcing",
    )


def _songs(part: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, features float32 [n, 124] and genres int64 [n] of one file."""
    import pandas as pd

    path = fetch.fetch(f"music/music_genre_{part}.csv")
    rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    x = np.array([[float(r[f"feature{j}"]) for j in range(N_FEATURES)] for r in rows], np.float32)
    if x.shape != (N_SONGS[part], N_FEATURES):
        raise DataError(f"{path}: expected {N_SONGS[part]} songs of {N_FEATURES} features, found {x.shape}")
    return [r["id"] for r in rows], x, np.array([GENRES.index(r["class"]) for r in rows])


def load_labelme(image_size: int | None = None) -> Dataset:
    """Return LabelMe (Rodrigues & Pereira 2018): pooled VGG16 features of 2,688 photographs, 59 people.

    ``splits`` are the authors': 1,000 annotated photographs to train on, 500 and 1,188 for validation and
    test.
    """
    x = [np.load(fetch.fetch(f"labelme/LabelMe_VGG_avg_{p}.npy"), allow_pickle=False) for p in PARTS]
    truth = [np.loadtxt(fetch.fetch(f"labelme/LabelMe_Z_{p}.txt")).astype(np.int64) for p in PARTS]
    answers = np.loadtxt(fetch.fetch("labelme/answers.txt"), dtype=np.int64)
    variant = "VGG16 features, pooled (512), of 2,688 photographs; 59 people labelled 1,000"
    return _labelme("labelme", np.concatenate(x).astype(np.float32), truth, answers, variant)


def load_labelme_images(image_size: int | None = None) -> Dataset:
    """Return the same photographs at 64 px."""
    with np.load(fetch.fetch("labelme/labelme_64px.npz"), allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays}
    images = np.concatenate([found[f"x_{p}"] for p in PARTS])
    truth = [found[f"y_{p}"].astype(np.int64) for p in PARTS]
    variant = "2,688 photographs at 64 px; 59 people labelled 1,000"
    return _labelme("labelme-64px", images, truth, found["answers"].astype(np.int64), variant)


def _labelme(
    name: str, images: np.ndarray, truth: list[np.ndarray], answers: np.ndarray, variant: str
) -> Dataset:
    image, annotator = np.nonzero(answers >= 0)
    ends = np.cumsum([len(part) for part in truth])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    return crowd(
        name,
        images,
        np.concatenate(truth),
        Annotations(image, annotator, answers[image, annotator]),
        SCENES,
        dict(zip(("train", "validation", "test"), rows, strict=True)),
        variant=variant,
        url="https://github.com/fmenat/PyLearningCrowds",
    )


def load_sentiment(image_size: int | None = None) -> Dataset:
    """Return sentence polarity (Rodrigues et al. 2013): 8,998 sentences, 203 people on the first 4,999.

    ``splits``: the annotated sentences to train on, 500 of the other 3,999 for validation, the rest for test.
    `DataUnavailable` is raised, too, where the extra "text" (wordllama) is not installed, and `DataError`
    where the parts do not fit together or the package brings other vectors.
    """
    sentences, truth = zip(*(_sentences(part) for part in N_SENTENCES), strict=True)
    answers = np.loadtxt(fetch.fetch("sentiment/answers.txt"), dtype=np.int64)
    sentence, annotator = np.nonzero(answers >= 0)
    rows = np.random.default_rng(0).permutation(N_SENTENCES["test"]) + N_SENTENCES["train"]
    choosing, test = (np.sort(part) for part in np.split(rows, [500]))
    splits = {"train": np.arange(N_SENTENCES["train"]), "validation": choosing, "test": test}
    return crowd(
        "sentiment",
        texts.encode([sentence for part in sentences for sentence in part]),
        np.concatenate(truth),
        Annotations(sentence, annotator, answers[sentence, annotator]),
        POLARITY,
        splits,
        variant="mean token vectors (256, wordllama) of 8,998 sentences; 203 people labelled 4,999",
        url="https://github.com/fmenat/PyLearningCrowds",
    )


def _sentences(part: str) -> tuple[list[str], np.ndarray]:
    """Sentences and their true classes, int64 [n]."""
    path = fetch.fetch(f"sentiment/Sentiment_text_{part}.txt")
    found = path.read_text("utf-8").rstrip("\n").split("\n")
    truth = np.loadtxt(fetch.fetch(f"sentiment/Sentiment_Z_{part}.txt")).astype(np.int64)
    if not len(found) == len(truth) == (n := N_SENTENCES[part]):
        raise DataError(f"{path}: expected {n} sentences, found {len(found)} and {len(truth)} classes")
    return found, truth


def crowd(
    name: str,
    images: np.ndarray,
    truth: np.ndarray,
    annotations: Annotations,
    classes: tuple[str, ...],
    splits: dict[str, np.ndarray],
    variant: str,
    url: str,
    licence: str = "not stated",
) -> Dataset:
    """Put images, truth and single judgements together; images without a judgement count their truth once."""
    votes = labels.counts(annotations.image, annotations.label, len(images), len(classes))
    unseen = votes.sum(1) == 0
    votes[unseen] = labels.one_hot(truth[unseen], len(classes))
    content = checksum(images, truth, annotations.image, annotations.annotator, annotations.label)
    return Dataset(
        name=name,
        images=images,
        counts=votes,
        classes=classes,
        source=Source(name, licence, variant, content, url),
        ids=np.arange(len(images)),
        annotations=annotations,
        truth=truth.astype(np.int64),
        splits=splits,
    )
