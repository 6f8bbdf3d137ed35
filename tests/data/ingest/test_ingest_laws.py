"""Laws of ingest, for whatever anybody hands over."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data.contract import BY_NAME
from data.ingest.pipeline import TableCount, ingest
from data.lake.store import open_lake
from data.workspace import Workspace
from tests.data.small_marketplace import TODAY, good_frames, write_csv, write_parquet

Frames = dict[str, pd.DataFrame]
KEPT_TABLES = ("suppliers", "skus", "lab_tests", "holds")
# Each example is a whole ingest: few of them, and none spent on shrinking.
FEW = settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
PLAUSIBLE = ("s1", "s2", "s9", "k1", "k2", "t1", "DE", "FR", "toy", "pass", "fail", "warehouse", "brand", "2025-01-10",
             "2025-05-05 12:30:00", "2099-01-01", "infinity", "31/12/2024", "0", "1", "-1", "1.5", "1e400", "nan",
             "true", "", " ", '"', "a,b", "a\nb")  # fmt: skip
# Carriage returns and NUL are no part of a CSV field here: what is one row then is a matter of opinion.
GARBAGE = st.one_of(
    st.none(), st.sampled_from(PLAUSIBLE), st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)
)


@st.composite
def frames_with_garbage(draw: st.DrawFn) -> Frames:
    """The good marketplace with garbage rows below the good ones."""
    frames = {name: frame for name, frame in good_frames().items() if name in KEPT_TABLES}
    for name in KEPT_TABLES:
        columns = list(BY_NAME[name].column_names)
        rows = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, GARBAGE)), max_size=4))
        bad = pd.DataFrame(rows, columns=columns, dtype=object)
        frames[name] = pd.concat([frames[name].astype(object), bad], ignore_index=True) if rows else frames[name]
    return frames


def counts_of(source: Path, workspace: Workspace) -> dict[str, TableCount]:
    return {count.table: count for count in ingest(source, workspace, TODAY)}


def broken_rules(workspace: Workspace) -> list[list[str]]:
    """The rules of every quarantined row."""
    return [list(rules) for path in workspace.quarantine.iterdir() for rules in pd.read_parquet(path).broken_rules]


@pytest.mark.slow
@FEW
@given(frames_with_garbage(), st.sampled_from([write_csv, write_parquet]))
def test_accepted_and_quarantined_rows_are_the_rows_read_and_each_bad_row_names_a_rule(frames, write):  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home) / "workspace")
        counts = counts_of(write(frames, Path(home) / "source"), workspace)
        tables = open_lake(workspace)
        for name, count in counts.items():
            assert count.accepted + count.quarantined == count.read == len(frames[name])
            assert tables[name].count().to_pyarrow().as_py() == count.accepted
        rules = broken_rules(workspace)
        assert len(rules) == sum(count.quarantined for count in counts.values())
        assert all(rules)
        tables.backend.disconnect()


@pytest.mark.slow
@FEW
@given(frames_with_garbage())
def test_ingesting_the_accepted_rows_alone_quarantines_nothing_and_gives_the_same_lake(frames: Frames) -> None:
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home) / "workspace")
        counts_of(write_parquet(frames, Path(home) / "source"), workspace)
        tables = open_lake(workspace)
        again = Workspace(Path(home) / "again")
        counts = counts_of(workspace.lake / tables.fingerprint, again)
        assert sum(count.quarantined for count in counts.values()) == 0
        assert open_lake(again).fingerprint == tables.fingerprint


@pytest.mark.slow
@FEW
@given(frames_with_garbage(), st.randoms(use_true_random=False))
def test_permuting_columns_changes_neither_the_lake_nor_the_counts(frames: Frames, random) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as home:
        shuffled = {name: frame[random.sample(list(frame), len(frame.columns))] for name, frame in frames.items()}
        first, second = Workspace(Path(home) / "first"), Workspace(Path(home) / "second")
        assert counts_of(write_csv(frames, Path(home) / "a"), first) == counts_of(
            write_csv(shuffled, Path(home) / "b"), second
        )
        assert open_lake(first).fingerprint == open_lake(second).fingerprint


@pytest.mark.slow
@FEW
@given(frames_with_garbage())
def test_csv_and_parquet_of_the_same_values_give_the_same_lake(frames: Frames) -> None:
    with tempfile.TemporaryDirectory() as home:
        first, second = Workspace(Path(home) / "first"), Workspace(Path(home) / "second")
        of_csv = counts_of(write_csv(frames, Path(home) / "a"), first)
        assert of_csv == {
            name: replace(count, notes=tuple(note.replace(".parquet: ", ".csv: ", 1) for note in count.notes))
            for name, count in counts_of(write_parquet(frames, Path(home) / "b"), second).items()
        }
        assert open_lake(first).fingerprint == open_lake(second).fingerprint
