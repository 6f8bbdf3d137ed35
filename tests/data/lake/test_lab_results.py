"""Files of hand-ins: many become one, and whoever reads meanwhile reads the same."""

import threading
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from data.lake.lab_results import SCHEMA, accepted_results, result_hand_ins
from data.workspace import Workspace


def result(number: int) -> dict[str, object]:
    """One result."""
    day = date(2026, 7, 1)
    known = {"test_id": f"t{number:05}", "sku_id": "k", "market": "DE", "happened_on": day, "known_on": day,
             "result": "pass", "origin": "warehouse", "version": 1}  # fmt: skip
    return dict.fromkeys(SCHEMA.names) | known


def filled(home: Path, count: int) -> Workspace:
    """A workspace with so many hand-ins of one result each."""
    workspace = Workspace(home)
    for number in range(count):
        result_hand_ins(workspace).write(f"{number:012x}", [result(number)])
    return workspace


def test_compacting_changes_files_and_nothing_else(tmp_path: Path) -> None:
    """The results and their digest stay; so do they where hand-ins come afterwards and are compacted again."""
    workspace = filled(tmp_path, 9)
    before, digest = accepted_results(workspace), result_hand_ins(workspace).digest()
    result_hand_ins(workspace).compact(most_files=9)
    assert len(result_hand_ins(workspace).files()) == 9
    result_hand_ins(workspace).compact(most_files=8)
    assert [path.name[:2] for path in result_hand_ins(workspace).files()] == ["c-"]
    assert accepted_results(workspace).equals(before)
    assert result_hand_ins(workspace).digest() == digest
    result_hand_ins(workspace).write("f" * 12, [result(99)])
    assert len(result_hand_ins(workspace).names()) == len(accepted_results(workspace)) == 10
    assert result_hand_ins(workspace).digest() != digest


def test_an_end_between_writing_and_removing_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows stand in two files then and are read once; the next time their files go."""
    workspace = filled(tmp_path, 4)
    before, digest = accepted_results(workspace), result_hand_ins(workspace).digest()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _end)
        with pytest.raises(KeyboardInterrupt):
            result_hand_ins(workspace).compact(most_files=3)
    assert len(result_hand_ins(workspace).files()) == 5
    assert accepted_results(workspace).equals(before)
    assert result_hand_ins(workspace).digest() == digest
    result_hand_ins(workspace).compact(most_files=3)
    assert len(result_hand_ins(workspace).files()) == 1
    assert accepted_results(workspace).equals(before)


def _end(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_whoever_reads_while_others_compact_reads_every_result_once(tmp_path: Path) -> None:
    """A reader never sees fewer results than were written before it began."""
    workspace, written, wrong = filled(tmp_path, 1), [1], list[tuple[int, pa.Table]]()

    def write() -> None:
        for number in range(1, 60):
            result_hand_ins(workspace).write(f"{number:012x}", [result(number)])
            written.append(number + 1)
            result_hand_ins(workspace).compact(most_files=3)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        least = written[-1]
        ids = accepted_results(workspace)["test_id"].to_pylist()
        if len(ids) < least or len(set(ids)) != len(ids):
            wrong.append((least, ids))
    writer.join()
    assert not wrong
    assert len(accepted_results(workspace)) == 60
