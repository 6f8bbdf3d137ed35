"""Files are what was written, or are named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.manifest import file_sums, require_unchanged, require_whole, sums_of, sums_record


@given(content=st.binary(min_size=1, max_size=200), place=st.integers(min_value=0), flipped=st.integers(1, 255))
def test_one_changed_byte_is_found(
    content: bytes, place: int, flipped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sums")
    (folder / "a").write_bytes(content)
    sums = file_sums(folder, ["a"])
    require_unchanged(folder, sums)
    at = place % len(content)
    (folder / "a").write_bytes(content[:at] + bytes([content[at] ^ flipped]) + content[at + 1 :])
    require_whole(folder, sums)
    with pytest.raises(UserError, match=r"a in .* changed since it was written"):
        require_unchanged(folder, sums)


def test_a_file_cut_short_or_gone_is_named_without_reading(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name * 9)
    sums = file_sums(tmp_path, ["a", "b"])
    (tmp_path / "b").write_text("b")
    with pytest.raises(UserError, match=r"b is not whole \(9 bytes expected\)"):
        require_whole(tmp_path, sums)
    (tmp_path / "b").unlink()
    with pytest.raises(UserError, match=r"b is not whole"):
        require_unchanged(tmp_path, sums)


def test_sums_survive_json(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0\1")
    sums = file_sums(tmp_path, ["a"])
    assert sums_of(json.loads(json.dumps(sums_record(sums)))) == sums
