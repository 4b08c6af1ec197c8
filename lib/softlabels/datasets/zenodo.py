"""The archives of the DCIC benchmark: from the data folder, the cache, or their Zenodo record.

Zenodo lists an MD5 for each file. What arrived is checked against it; then the SHA-256 is taken, kept beside
the file and checked whenever the file is read again. A download that breaks off goes on where it stopped.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from softlabels import errors, paths
from softlabels.datasets import fetch, zips

RECORD = "https://zenodo.org/api/records/8115942"
BLOCK = 1 << 18


@dataclass(frozen=True)
class Listed:
    """A file of the record: address, size in bytes, and MD5."""

    url: str
    size: int
    md5: str


def folder(name: str) -> Path:
    """Return the unpacked folder of a dataset; `name` is that of the archive, without ".zip".

    Looked for in this order: ``dcic/<name>/`` in the data folder, what was unpacked before,
    ``dcic/<name>.zip`` in the data folder, a finished download, the network.

    Raises
    ------
    DataError
        A checksum does not match, or the archive is damaged.
    DataUnavailable
        It is not here and cannot be downloaded.
    """
    given = paths.data()
    if given is not None and (given / "dcic" / name / "annotations.json").is_file():
        return given / "dcic" / name
    unpacked = paths.cache() / "dcic" / name
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(unpacked.with_name(f"{name}.lock")):
        if not unpacked.is_dir():
            zips.unpack(_archive(name), unpacked)
    inner = unpacked / name  # the archives hold a folder of the dataset's name
    return inner if inner.is_dir() else unpacked


def _archive(name: str) -> Path:
    given, kept = paths.data(), paths.cache() / "downloads" / "dcic"
    kept.mkdir(parents=True, exist_ok=True)
    # The data folder may be one that cannot be written to: its checksum is kept in the cache.
    own = given / "dcic" / f"{name}.zip" if given is not None else None
    if own is not None and own.is_file():
        beside = own.with_name(f"{own.name}.sha256")
        return _verified(own, beside if beside.is_file() else kept / f"{name}.given.sha256")
    target = kept / f"{name}.zip"
    if not target.is_file():
        _download(f"{name}.zip", target)
    return _verified(target, target.with_name(f"{target.name}.sha256"))


def _verified(path: Path, stated: Path) -> Path:
    """Hold a file to the SHA-256 kept for it; the first time, keep it."""
    found = fetch.sha256(path)
    if not stated.is_file():
        stated.write_text(f"{found}  {path.name}\n")
        return path
    expected = stated.read_text().split()
    if expected[:1] != [found]:
        raise errors.DataError(
            f"{path}: expected SHA-256 {' '.join(expected[:1])} as in {stated}, found {found}; remove "
            "both to download the file again"
        )
    return path


def _download(key: str, target: Path) -> None:
    """Download into a part that outlives a broken connection, and check its MD5."""
    import requests

    part = target.with_name(f"{target.name}.part")
    listed = None
    for pause in (*fetch.PAUSES, None):
        try:
            listed = listed or _listed(key)
            _continue(key, listed, part)
            break
        except requests.RequestException as error:
            status = None if error.response is None else error.response.status_code
            if pause is None or (status is not None and 400 <= status < 500):
                raise _unavailable(key, part, status, error) from None
            time.sleep(pause)
    assert listed is not None
    found = _md5(part)
    if part.stat().st_size != listed.size or found != listed.md5:
        size = part.stat().st_size
        part.unlink()
        raise errors.DataError(
            f"{listed.url}: expected {listed.size} bytes with MD5 {listed.md5}, found {size} with {found}; "
            "try again"
        )
    target.with_name(f"{target.name}.sha256").unlink(missing_ok=True)
    part.replace(target)


def _listed(key: str) -> Listed:
    """Look a file up in the record's list."""
    import requests

    answer = requests.get(RECORD, timeout=fetch.TIMEOUT)
    answer.raise_for_status()
    try:
        files: list[dict[str, Any]] = answer.json()["files"]
        found = {file["key"]: file for file in files}
        if key not in found:
            raise errors.DataUnavailable(f"{RECORD}: expected a file {key}, found {', '.join(sorted(found))}")
        file = found[key]
        kind, _, md5 = file["checksum"].partition(":")
        listed = Listed(file["links"]["self"], int(file["size"]), md5)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.DataUnavailable(f"{RECORD}: expected a list of files, found another answer") from error
    if kind != "md5" or urlsplit(listed.url)[:2] != urlsplit(RECORD)[:2]:
        raise errors.DataError(f"{RECORD}: expected an MD5 and an address of the same server for {key}")
    return listed


def _continue(key: str, listed: Listed, part: Path) -> None:
    """Fetch what is still missing of a file."""
    import requests
    from tqdm.auto import tqdm

    have = part.stat().st_size if part.exists() else 0
    if have >= listed.size:  # whole, or too long and found out by its checksum
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(listed.url, headers=headers, stream=True, timeout=fetch.TIMEOUT) as answer:
        answer.raise_for_status()
        if have and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends all of it again
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(desc=key, initial=have, total=listed.size, unit="B", unit_scale=True, leave=False) as bar,
        ):
            for block in answer.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    if part.stat().st_size < listed.size:
        raise requests.ConnectionError(f"{part.stat().st_size} of {listed.size} bytes arrived")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _unavailable(key: str, part: Path, status: int | None, error: Exception) -> errors.DataUnavailable:
    where = f"{paths.data() or '$SOFTLABELS_DATA'}/dcic/{key}"
    have = part.stat().st_size if part.exists() else 0
    kept = f" {have} bytes are kept; the next call goes on from there." if have else ""
    found = f"HTTP status {status}" if status is not None else f"no answer ({type(error).__name__})"
    return errors.DataUnavailable(
        f"{RECORD}: expected the file {key}, found {found}.{kept} "
        f"Remedy: try again, or put the file at {where}"
    )
