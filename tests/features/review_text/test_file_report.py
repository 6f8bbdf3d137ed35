"""Signals of a file: one row per mention, whatever the file holds."""

import csv
from pathlib import Path

import polars as pl
import pytest

from data.errors import UserError
from features.review_text import file_report as module
from features.review_text.classifier import COUNTS_FROM
from features.review_text.file_report import FileSummary, signals

ROWS = [
    ("1", "It caught fire, mail me: ann@example.com."),
    ("2", "Works well, no smell at all."),
    ("3", "J'adore. La prise a pris feu."),
    ("4", ""),
    ("5", "Two lines,\nit exploded."),
]


def write(path: Path, rows: list[tuple[str, str]] = ROWS, delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, delimiter=delimiter)
        writer.writerow(["id", "text"])
        writer.writerows(rows)
    return path


def found(tmp_path: Path, source: Path, **options: str) -> tuple[FileSummary, pl.DataFrame]:
    summary = signals(source, "text", tmp_path / "out.parquet", language=options.get("language"))
    return summary, pl.read_parquet(tmp_path / "out.parquet")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_each_mention_is_a_row_with_its_place_in_the_text(tmp_path: Path, delimiter: str) -> None:
    summary, mentions = found(tmp_path, write(tmp_path / "in.csv", delimiter=delimiter))
    assert mentions.columns == ["row", "hazard", "severity", "probability", "counts", "sentence", "start", "end"]
    assert mentions["counts"].to_list() == (mentions["probability"] >= COUNTS_FROM).to_list()
    likely = mentions.filter("counts")
    assert f"{len(likely)} of which count: their probability is 0.14 or more" in summary.lines()[0]
    assert likely["row"].unique().sort().to_list() == [1, 3, 5]
    third = likely.filter(pl.col("row") == 3).row(0, named=True)
    assert ROWS[2][1][third["start"] : third["end"]] == third["sentence"] == "La prise a pris feu."
    assert "ann@example.com" not in "".join(mentions["sentence"])
    assert summary.rows == 5
    assert summary.rows_with_hazard["fire_electric"] == 3
    assert "5 rows read" in "\n".join(summary.lines())


def test_files_are_read_in_batches_as_they_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "in.csv")
    _, whole = found(tmp_path, source)
    monkeypatch.setattr(module, "BATCH_ROWS", 2)
    _, parts = found(tmp_path, source)
    assert whole.equals(parts)


def test_another_encoding_is_read_and_lines_that_are_no_row_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(b"id,text\n1,\xff\xfe it caught fire \xed\xa0\x80\n2\n\x00,it exploded\n")
    summary, mentions = found(tmp_path, source, language="en")
    assert set(mentions["row"]) == {1}
    assert (summary.rows, summary.unreadable) == (1, 2)
    assert summary.notes == ("in.csv: read as Windows-1252",)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text,text\nfine,It caught fire\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"names the column text twice. Rename or remove one."):
        found(tmp_path, source)


def test_a_file_without_the_column_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,body\n1,x\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no column 'text'; it has: id, body"):
        found(tmp_path, source)
    assert not (tmp_path / "out.parquet").exists()


def test_a_missing_file_and_an_unknown_language_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        found(tmp_path, tmp_path / "absent.csv")
    with pytest.raises(UserError, match="no phrases in the language 'it'"):
        found(tmp_path, write(tmp_path / "in.csv"), language="it")


def test_an_empty_file_of_a_header_has_no_mentions(tmp_path: Path) -> None:
    summary, mentions = found(tmp_path, write(tmp_path / "in.csv", []))
    assert (summary.rows, len(mentions)) == (0, 0)
