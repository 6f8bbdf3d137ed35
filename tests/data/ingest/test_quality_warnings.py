"""What is accepted but suspicious is counted with an example, and refused by a strict ingest."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data.errors import ExitCode
from tests.data.small_marketplace import REQUIRED, good_frames, ingested, write_csv
from touchstone import main


def required_frames() -> dict[str, pd.DataFrame]:
    """The good frames of the tables that every ingest needs."""
    return {name: good_frames()[name] for name in REQUIRED}


def test_each_kind_of_warning_has_its_sentence(tmp_path: Path) -> None:
    frames = required_frames()
    frames["skus"]["category"] = ["toys", "Toys", " toys"]
    frames["skus"].loc[1, "title"] = "Robot\u200b"
    frames["suppliers"]["supplier_id"] = ["s1 ", "s2"]
    frames["suppliers"].loc[1, "onboarded_on"] = "9999-12-31"
    counts = ingested(frames, tmp_path)
    assert counts["suppliers"].warnings == (
        "supplier_id: the blanks around 1 value cut off, such as 's1 '",
        "onboarded_on: 1 value read as not given, since 9999-12-31 is a placeholder",
    )
    assert counts["skus"].warnings == (
        "category: the blanks around 1 value cut off, such as ' toys'",
        "title: characters that nobody sees in 1 value, such as 'Robot\\u200b'",
        "3 spellings of one category: ' toys', Toys, toys",
    )


def test_an_unknown_id_that_lost_its_zeros_is_recognised(tmp_path: Path) -> None:
    frames = required_frames()
    frames["skus"]["sku_id"] = ["007", "008", "007"]
    frames["lab_tests"]["sku_id"] = ["007", "8", "nobody"]
    [line] = [each for each in str(ingested(frames, tmp_path)["lab_tests"]).splitlines() if "unknown" in each]
    assert line.strip() == "2 unknown sku_id, market, such as '8', 'DE', which lacks the zeros in front of '008'"


@pytest.mark.parametrize("strict", [True, False])
def test_a_strict_ingest_accepts_nothing_suspicious(tmp_path: Path, strict: bool) -> None:
    frames = required_frames()
    frames["skus"]["category"] = ["toys", "Toys", "toys"]
    words = ["--home", str(tmp_path / "home"), "ingest", str(write_csv(frames, tmp_path / "in"))]
    said = CliRunner().invoke(main, [*words, *(["--strict"] if strict else [])])
    assert said.exit_code == (ExitCode.REFUSED if strict else 0)
    assert ("A strict ingest accepts nothing suspicious" in said.output) == strict
    assert "2 spellings of one category: toys, Toys" in said.output


def test_a_file_of_results_without_a_sound_row_is_refused(tmp_path: Path) -> None:
    """With where the refused rows are."""
    home = tmp_path / "workspace"
    ingested(required_frames(), tmp_path)
    (tmp_path / "results.csv").write_text(
        "test_id,sku_id,market,happened_on,known_on,result,origin\nr1,nobody,DE,2026-01-01,2026-01-02,pass,warehouse\n",
        encoding="utf-8",
    )
    said = CliRunner().invoke(main, ["--home", str(home), "results", str(tmp_path / "results.csv")])
    assert said.exit_code == ExitCode.REFUSED
    assert "Not one of the" in said.output
    assert str(home / "quarantine") in said.output.replace("\n", "")
