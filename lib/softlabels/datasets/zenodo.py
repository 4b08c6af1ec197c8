"""The archives of the DCIC benchmark: from the data folder, the cache, or their Zenodo record.

Zenodo lists an MD5 for each file. What arrived is checked against it; then the SHA-256 is taken, kept beside
the file and checked whenever the file is read again. A download that breaks off goes on where it stopped.
An archive is unpacked once, with care.
"""

import hashlib
import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock
from tqdm.auto import tqdm

from softlabels import errors, paths
from softlabels.datasets import fetch
from softlabels.datasets.base import file_sha256
from softlabels.datasets.cache import whole_folder
from softlabels.datasets.images import BROKEN_ZIP

RECORD = "https://zenodo.org/api/records/8115942"
BLOCK = 1 << 18


MAX_TOTAL = 64 << 30  # bytes unpacked
MAX_RATIO = 200  # unpacked to packed; images hardly shrink, and JSON by a factor of about 20
MAX_FILES = 2_000_000
SLACK = 1 << 20  # bytes below which a ratio says nothing


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
            unpack(_archive(name), unpacked)
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
    found = file_sha256(path)
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
    part = target.with_name(f"{target.name}.part")

    def failure(status: int | None, error: Exception) -> errors.DataUnavailable:
        return _unavailable(key, part, status, error)

    listed = fetch.persist(lambda: _listed(key), failure)
    fetch.persist(lambda: _continue(key, listed, part), failure)
    with part.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
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


def _unavailable(key: str, part: Path, status: int | None, error: Exception) -> errors.DataUnavailable:
    where = f"{paths.data() or '$SOFTLABELS_DATA'}/dcic/{key}"
    have = part.stat().st_size if part.exists() else 0
    kept = f" {have} bytes are kept; the next call goes on from there." if have else ""
    found = f"HTTP status {status}" if status is not None else f"no answer ({type(error).__name__})"
    return errors.DataUnavailable(
        f"{RECORD}: expected the file {key}, found {found}.{kept} "
        f"Remedy: try again, or put the file at {where}"
    )


# Unpacking: nothing outside of the target, no links, no bombs.


def unpack(archive: Path, target: Path) -> Path:
    """Unpack a zip file; the folder `target` appears whole or not at all. One process at a time.

    Raises
    ------
    DataError
        It is no zip file or damaged, or a member would lie outside of `target`, is a link, occurs twice, or
        is out of all proportion to its packed size.
    """

    def extract(folder: Path) -> None:
        with zipfile.ZipFile(archive) as opened:
            for member in tqdm(_checked(archive, opened), desc=archive.name, unit="file", leave=False):
                _extract(opened, member, folder)

    try:
        return whole_folder(target, extract)
    except BROKEN_ZIP as error:
        raise errors.DataError(f"{archive}: damaged ({error}); remove it and try again") from error
    except OSError as error:  # a full disk, or names that this file system cannot hold
        what = error.strerror or error
        raise errors.DataError(f"{archive}: cannot be unpacked to {target} ({what})") from error


def _checked(archive: Path, opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Members of an archive, after a look at all of them and before anything is written."""
    members = opened.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MAX_FILES or total > MAX_TOTAL:
        raise _refused(archive, "the archive", f"{len(members)} files of {total} bytes in all")
    seen = set()
    for member in members:
        _check_path(archive, member)
        if member.filename in seen:
            raise _refused(archive, member.filename, "it occurs twice")
        seen.add(member.filename)
        if member.file_size > SLACK and member.file_size > MAX_RATIO * max(1, member.compress_size):
            found = f"{member.compress_size} bytes that unpack to {member.file_size}"
            raise _refused(archive, member.filename, found)
    return members


def _check_path(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise _refused(archive, name, "it would lie outside of the target folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "no plain file"
        raise _refused(archive, name, f"it is {what}")


def _refused(archive: Path, name: str, found: str) -> errors.DataError:
    return errors.DataError(f"{archive}: {name!r} is refused: {found}; get the archive from its authors")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = folder / member.filename
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Zipfile reads no more than the size stated in the archive, and that was checked.
    with opened.open(member) as source, path.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
