"""Records packed into one archive, to be carried from the machine that trained to the repository."""

import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path

from softlabels.errors import RecordError, StorageError
from softlabels.runs import records
from softlabels.store import write_atomically

_LARGEST = 64 << 20  # bytes of one member; a record's arrays are well below
_TOTAL = 8 << 30  # bytes of all
_RATIO = 100  # of text to what it is packed to; arrays are packed already
_SLACK = 1 << 20  # bytes below which that ratio says nothing


def export(path: Path, ids: Collection[str] | None = None, features: bool = False) -> int:
    """Pack records (all at hand, or those of `ids`) into a zip file; returns how many.

    Raises
    ------
    RecordError
        If none of the chosen runs has a record.
    """
    chosen = [r for r in records.everything() if ids is None or r.id in ids]
    if not chosen:
        raise RecordError("none of the chosen runs has a record here; train them first (softlabels train)")
    part = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(part, "w") as archive:
        for record in chosen:
            files = [record.folder / f"{record.id}{suffix}" for suffix in records.SUFFIXES[:2]]
            for file in [*files, record.features_file() if features else None]:
                if file:
                    archive.write(file, file.name)
    part.replace(path)
    return len(chosen)


def load(path: Path) -> tuple[int, int]:
    """Check every record of an archive, then add the new ones to the committed records.

    Features that a committed record came without are added to it.

    Returns
    -------
    added, known : int
        Records that were new, and those that were here already with the same results.

    Raises
    ------
    RecordError
        If the archive or a record in it is damaged, or contradicts a record that is here; then
        nothing is added.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _unpack(path, Path(scratch))
        found = [records.read(file) for file in sorted(Path(scratch).glob("*.json"))]
        if not found:
            raise RecordError(f"{path}: no records in it")
        for record in found:
            record.arrays()
        fresh = [record for record in found if not _known(record)]
        for record in found:
            name = f"{record.id}.features.npz"
            brings = (record.folder / name).exists() and not (records.SHELF.committed / name).exists()
            if record in fresh or brings:
                records.publish(record, features=brings)
    return len(fresh), len(found) - len(fresh)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if (total := sum(member.file_size for member in members)) > _TOTAL:
                raise RecordError(f"{path}: it unpacks to {total} bytes, more than {_TOTAL}")
            for member in members:
                packed = _RATIO * member.compress_size
                large = member.file_size > min(_LARGEST, max(_SLACK, packed))
                if large or not records.FILE.fullmatch(member.filename):
                    raise RecordError(f"{path}: {member.filename!r} is not a file of a record")
                write_atomically(folder / member.filename, archive.read(member))
    except (RecordError, StorageError):
        raise
    except Exception as error:  # zipfile raises whatever a damaged file makes it
        raise RecordError(f"{path}: not an archive of records ({error})") from error


def _known(record: records.Record) -> bool:
    here = records.SHELF.committed / f"{record.id}.json"
    if not here.exists():
        return False
    if records.read(here).metrics != record.metrics:
        raise RecordError(
            f"run {record.id}: the archive's metrics differ from those of {here}; "
            "keep one: delete the other and import again"
        )
    return True
