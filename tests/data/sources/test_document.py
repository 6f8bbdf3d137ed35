"""Every example of docs/sources.md is read as it says."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from data.ingest.options import IngestOptions
from data.ingest.report import IngestReport
from data.sources.configuration import TableSource, read_sources
from data.sources.pipeline import ingest_sources
from data.workspace import Workspace
from tests.data.small_marketplace import TODAY, good_frames, ingested
from tests.data.workbooks import write_workbook

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs/sources.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in DOCUMENT.split("\n## ")[1:]}
FILE = re.compile(r"`([\w.]+)`(?:, sheet `(\w+)`)?:\n\n```csv\n(.*?)```", re.DOTALL)


def ingest_example(title: str, home: Path) -> IngestReport:
    """Write the files and the `sources.toml` of a section into a workspace, and ingest them."""
    home.mkdir(exist_ok=True)
    for name, sheet, text in FILE.findall(SECTIONS[title]):
        if sheet:
            write_workbook(home / name, sheet, [line.split(",") for line in text.splitlines()])
        else:
            (home / name).write_text(text, encoding="utf-8")
    [entries] = re.findall(r"```toml\n(.*?)```", SECTIONS[title], re.DOTALL)
    (home / "sources.toml").write_text(entries, encoding="utf-8")
    return ingest_sources(read_sources(home / "sources.toml"), Workspace(home), IngestOptions(TODAY))


def accepted(report: IngestReport) -> Mapping[str, int]:
    """The accepted rows by table; none may be in quarantine."""
    assert not [str(count) for count in report.counts if count.quarantined]
    return {count.table: count.accepted for count in report.counts}


@pytest.mark.parametrize(
    ("title", "rows"),
    [
        ("Sampling results in a workbook", {"suppliers": 2, "skus": 3, "lab_tests": 4}),
        ("Customs declarations in several files", {"suppliers": 2, "skus": 4, "lab_tests": 4}),
    ],
)
def test_an_example_fills_the_lake(tmp_path: Path, title: str, rows: Mapping[str, int]) -> None:
    assert accepted(ingest_example(title, tmp_path / "home")) == rows


def test_an_example_adds_to_a_lake(tmp_path: Path) -> None:
    frames = good_frames()
    del frames["incidents"]
    ingested(frames, tmp_path)
    report = ingest_example("Reports of consumers", tmp_path / "workspace")
    assert accepted(report) == {"incidents": 3}
    assert "skus" in report.kept


def test_the_entry_that_is_explained_is_valid(tmp_path: Path) -> None:
    [entry] = re.findall(r"```toml\n(.*?)```", SECTIONS["An entry"], re.DOTALL)
    (tmp_path / "sources.toml").write_text(entry, encoding="utf-8")
    file = read_sources(tmp_path / "sources.toml")
    assert list(file.tables) == ["skus"]
    told = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", SECTIONS["An entry"], re.MULTILINE))))
    assert told == {field.alias or name for name, field in TableSource.model_fields.items()}
