"""A manifest says what a folder holds, and names every file that is not what was written."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.manifest import Manifest


@dataclass(frozen=True)
class Content:
    """What a folder of a test holds."""

    as_of: date
    names: tuple[str, ...]
    shares: dict[str, float | None]


MANIFEST = Manifest("folder.json", "folder", 3, Content)
CONTENT = Content(date(2026, 3, 1), ("a", "b"), {"known": 0.1, "unknown": None})
CONTENTS = st.builds(
    Content, st.dates(), st.lists(st.text(max_size=5)).map(tuple),
    st.dictionaries(st.text(max_size=5), st.none() | st.floats(allow_nan=False, allow_infinity=False)),
)  # fmt: skip


@given(content=CONTENTS)
def test_a_content_is_read_as_it_was_written(content: Content, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With its days, tuples, order and unknown values, and the same bytes each time."""
    folder = tmp_path_factory.mktemp("manifest")
    MANIFEST.write(folder, content)
    text = (folder / "folder.json").read_bytes()
    again = MANIFEST.read(folder, MANIFEST.digest(folder))
    assert again == content
    assert list(again.shares) == list(content.shares)
    (folder / "folder.json").unlink()
    MANIFEST.write(folder, again)
    assert (folder / "folder.json").read_bytes() == text


@given(content=st.binary(min_size=1, max_size=200), place=st.integers(min_value=0), flipped=st.integers(1, 255))
def test_one_changed_byte_is_found(
    content: bytes, place: int, flipped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By reading every file; opening reads none of them."""
    folder = tmp_path_factory.mktemp("sums")
    (folder / "a").write_bytes(content)
    MANIFEST.write(folder, CONTENT)
    assert MANIFEST.verify(folder) == CONTENT
    at = place % len(content)
    (folder / "a").write_bytes(content[:at] + bytes([content[at] ^ flipped]) + content[at + 1 :])
    assert MANIFEST.read(folder) == CONTENT
    with pytest.raises(UserError, match=r"a in .* changed since it was written\. Run `touchstone score`"):
        MANIFEST.verify(folder)


def test_a_file_cut_short_or_gone_is_named_without_reading(tmp_path: Path) -> None:
    """Its length tells."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name * 9)
    MANIFEST.write(tmp_path, CONTENT)
    (tmp_path / "b").write_text("b")
    with pytest.raises(UserError, match=r"b is not whole \(9 bytes expected\)"):
        MANIFEST.read(tmp_path)
    (tmp_path / "b").unlink()
    with pytest.raises(UserError, match=r"b is not whole"):
        MANIFEST.verify(tmp_path)


def changed(**parts: Any) -> str:
    """A manifest of an empty folder with other parts."""
    whole = {"format": 3, "content": {"as_of": "2026-03-01", "names": [], "shares": {}}, "files": {}}
    return json.dumps(whole | parts)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not the manifest of a folder"), ("[]", "is not the manifest"), ("{}", r"is not the manifest.*format"),
        (changed(format=2, content={}), "has format 2, this version reads 3"),
        (changed(content={"names": []}), r"is not the manifest of a folder \(.*as_of.*\)"),
        (changed(content=None), "is not the manifest"), (changed(files={"a": 3}), "is not the manifest"),
        (changed(files={"a": {"bytes": 3, "sha256": ""}}), r"a is not whole"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, text: str, sentence: str) -> None:
    """An older format, another file, a file half-written."""
    (tmp_path / "folder.json").write_text(text)
    with pytest.raises(UserError, match=sentence + r".*Run `touchstone score` to write it anew\."):
        MANIFEST.read(tmp_path)


def test_an_absent_or_another_manifest_is_refused(tmp_path: Path) -> None:
    """A folder without one is half-written; one of another digest is not the one that was published."""
    with pytest.raises(UserError, match=r"no complete folder in .*: folder\.json is missing"):
        MANIFEST.read(tmp_path)
    MANIFEST.write(tmp_path, CONTENT)
    with pytest.raises(UserError, match="holds another folder than the one that was published"):
        MANIFEST.read(tmp_path, "0" * 64)
