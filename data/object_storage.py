"""Object storage by address (`s3://bucket/path`, `gs://`, `abfs://`, `hdfs://`): files fetched from it and put there.

Whatever pyarrow's file systems read: credentials come from the environment as of the provider's own tools, and an
address may end with options such as `?region=eu-central-1` or `?endpoint_override=HOST:PORT&scheme=http`.
"""

import os
import re
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from data.errors import UnavailableError, UserError
from data.workspace import replace_atomically

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
BLOCK_BYTES = 1 << 24
_WILDCARD = re.compile(r"[*?\[]")


def is_in_object_storage(place: str) -> bool:
    """Whether a text is an address of object storage."""
    return place.partition("://")[0] in SCHEMES and "://" in place


def fetch_files(pattern: str, folder: Path) -> list[Path]:
    """The files below an address that match its pattern (`*` also matches `/`), as copies in `folder`, in order.

    A copy of the same size and moment of change is not fetched again; one that is not there any more goes. Raises
    UnavailableError where the storage does not answer.
    """
    storage, path = _open(pattern)
    start = path[: found.start()].rpartition("/")[0] if (found := _WILDCARD.search(path)) else path
    with _StorageErrors(pattern):
        given = _files_below(storage, start)
    wanted = {each.path: folder / _name_below(start, each.path) for each in given if fnmatch(each.path, path)}
    for each in given:
        copy = wanted.get(each.path)
        if copy is None or _is_copy(copy, each):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        with _StorageErrors(pattern), replace_atomically(copy) as attempt:
            _download(storage, each.path, attempt)
        os.utime(copy, ns=(each.mtime_ns, each.mtime_ns))
    for old in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if old.is_file() and old not in wanted.values():
            old.unlink()
    return sorted(wanted.values())


def upload_folder(folder: Path, address: str) -> int:
    """Put the files of a folder below an address, in place of what was there, and return their number.

    Raises UnavailableError where the storage does not take them.
    """
    storage, path = _open(address)
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    names = {each: f"{path}/{each.relative_to(folder).as_posix()}" for each in files}
    with _StorageErrors(address):
        for each in files:
            with each.open("rb") as content, storage.open_output_stream(names[each]) as target:
                while block := content.read(BLOCK_BYTES):
                    target.write(block)
        for old in _files_below(storage, path):
            if old.path not in names.values():
                storage.delete_file(old.path)
    return len(files)


def write_object(address: str, content: bytes) -> None:
    """Write one object. Raises UnavailableError where the storage does not take it."""
    storage, path = _open(address)
    with _StorageErrors(address), storage.open_output_stream(path) as target:
        target.write(content)


def join_address(address: str, name: str) -> str:
    """The address of something below another; options stay at the end."""
    place, mark, options = address.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{options}"


class _StorageErrors:
    """Turns what pyarrow raises into one sentence."""

    def __init__(self, address: str) -> None:
        self._place = address.partition("?")[0]

    def __enter__(self) -> None:
        """Nothing is opened."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError | pa.ArrowException):
            reason = str(error).splitlines()[0][:300].rstrip(". ")
            raise UnavailableError(f"{self._place} cannot be used: {reason}. Check address and credentials.") from error


def _open(address: str) -> "tuple[fs.FileSystem, str]":
    place, mark, options = address.partition("?")
    wildcard = _WILDCARD.search(place)
    head = place[: wildcard.start()] if wildcard else place
    with _StorageErrors(address):
        try:
            storage, path = fs.FileSystem.from_uri(f"{head}{mark}{options}")
        except pa.ArrowInvalid as error:
            raise UserError(f"{place} is no address of object storage: {error}. Mend it.") from error
    rest = place[wildcard.start() :] if wildcard else ""
    return storage, (path + "/" if head.endswith("/") and not path.endswith("/") else path) + rest


def _files_below(storage: fs.FileSystem, path: str) -> list[fs.FileInfo]:
    """The files at or below a path."""
    at = storage.get_file_info(path)
    if at.type == fs.FileType.File:
        return [at]
    found = storage.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return sorted((each for each in found if each.type == fs.FileType.File), key=lambda each: str(each.path))


def _name_below(start: str, path: str) -> str:
    return path.rpartition("/")[2] if path == start else path.removeprefix(start).lstrip("/")


def _is_copy(copy: Path, given: fs.FileInfo) -> bool:
    return copy.is_file() and (copy.stat().st_size, copy.stat().st_mtime_ns) == (given.size, given.mtime_ns)


def _download(storage: fs.FileSystem, source: str, target: Path) -> None:
    with storage.open_input_stream(source) as content, target.open("wb") as file:
        while block := content.read(BLOCK_BYTES):
            file.write(block)
