"""Officers' clicks on quotes become labels that the text model can learn from."""

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from data.database.audit_log import audit_rows
from data.errors import UserError
from serving.decisions.assignment_and_labels import LABELS, LabelledQuote, give_label, labels, labels_of, write_labels
from tests.serving.decisions.cases import ANNA, BERND, NOON

QUOTE = LabelledQuote("R-1", "K-1", "EU", "It caught fire, call me at 0151 2345 6789.", "en", "fire_electric")


def test_the_newest_verdict_of_a_sentence_is_its_label(state: sa.Engine, tmp_path: Path) -> None:
    """A later officer may correct an earlier one; the ledger keeps both."""
    give_label(state, QUOTE, "hazard", ANNA, NOON)
    give_label(state, QUOTE, "other_product", BERND, NOON + timedelta(hours=1))
    [label] = labels(state).to_pylist()
    assert (label["review_id"], label["hazard"], label["verdict"], label["language"]) == (
        "R-1", "fire_electric", "other_product", "en"
    )  # fmt: skip
    assert write_labels(state, tmp_path / "labels.parquet") == 1
    assert pq.read_table(tmp_path / "labels.parquet").schema == LABELS
    assert len(list(audit_rows(state, "K-1 EU"))) == 2


def test_no_phone_number_becomes_a_label(state: sa.Engine) -> None:
    give_label(state, QUOTE, "hazard", ANNA, NOON)
    assert "0151" not in labels(state)["sentence"][0].as_py()
    assert list(labels_of(state, "K-1", "EU").values()) == ["hazard"]
    assert labels_of(state, "K-1", "US") == {}


def test_an_unknown_verdict_is_refused(state: sa.Engine) -> None:
    with pytest.raises(UserError, match="not 'maybe'"):
        give_label(state, QUOTE, "maybe", ANNA, NOON)
    assert len(labels(state)) == 0


def test_the_command_writes_the_labels(tmp_path: Path) -> None:
    """Where the training of the text model finds them; none yet is a file of no labels."""
    from click.testing import CliRunner

    from touchstone import main

    out = tmp_path / "labels.parquet"
    done = CliRunner().invoke(main, ["--home", str(tmp_path), "verdicts", "--out", str(out)])
    assert (done.exit_code, done.output) == (0, f"0 labels are in {out}.\n")
    assert len(pq.read_table(out)) == 0
