"""What is computed, pinned: values of every feature and readings of a few reviews, in `golden_values.json`.

Code that changes a value without changing its declaration is noticed here. Where the change is meant, raise EXTRACTOR
in the extractor if reviews are read differently, and run `python -m tests.features.test_golden_values`.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data.contract import BY_NAME
from features.registry import FEATURE_NAMES
from features.review_text.extractor import ReviewBatch, extract_mentions
from tests.features.small_world import Rows, SmallWorld

GOLDEN = Path(__file__).with_name("golden_values.json")


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """The committed rows, spine, values and readings."""
    kept: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return kept


def test_every_feature_has_its_golden_values(world: SmallWorld, golden: Mapping[str, Any]) -> None:
    """Each to nine digits, missing where it was missing."""
    values = computed_values(world, golden)
    assert list(values) == list(golden["values"])
    expected = np.array(list(golden["values"].values()), dtype=np.float64)
    different = ~np.isclose(np.array(list(values.values()), dtype=np.float64), expected, 1e-9, 0.0, equal_nan=True)
    assert [FEATURE_NAMES[row] for row in np.flatnonzero(different.any(axis=1))] == []


def test_the_golden_rows_say_something_about_almost_every_feature(golden: Mapping[str, Any]) -> None:
    """At least nine features in ten are known somewhere, and most differ between SKUs or days."""
    values = golden["values"].values()
    assert sum(any(value is not None for value in row) for row in values) >= 0.9 * len(FEATURE_NAMES)
    assert sum(len(set(row)) > 1 for row in values) >= 0.75 * len(FEATURE_NAMES)


def test_reviews_are_read_as_before(golden: Mapping[str, Any]) -> None:
    """Hazards, severities and probabilities of reviews in six languages."""
    expected = golden["readings"]
    assert [reading["text"] for reading in expected] == [text for _, text in TEXTS]
    for reading, again in zip(expected, readings(), strict=True):
        assert [mention[:2] for mention in again["mentions"]] == [mention[:2] for mention in reading["mentions"]]
        assert [mention[2] for mention in again["mentions"]] == pytest.approx(
            [mention[2] for mention in reading["mentions"]], abs=1e-6
        )


def computed_values(world: SmallWorld, golden: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """The values of every feature on the golden spine, None where missing."""
    spine = [(sku, market, date.fromisoformat(day)) for sku, market, day in golden["spine"]]
    frame = world.features(with_days(golden["rows"]), spine)
    return {name: [None if np.isnan(value) else float(value) for value in frame[name]] for name in FEATURE_NAMES}


def with_days(rows: Mapping[str, list[dict[str, Any]]]) -> Rows:
    """Rows as JSON holds them with their days as dates."""

    def is_day(table: str, column: str) -> bool:
        return column == "known_on" or any(c.name == column and c.kind == "day" for c in BY_NAME[table].columns)

    return {
        table: [
            {name: date.fromisoformat(value) if value and is_day(table, name) else value for name, value in row.items()}
            for row in of_table
        ]
        for table, of_table in rows.items()
    }


def readings() -> list[dict[str, Any]]:
    """Each text with its mentions: hazard, severity, probability."""
    language, text = zip(*TEXTS, strict=True)
    batch = ReviewBatch(np.arange(len(TEXTS)), pl.Series(text), pl.Series(language), np.zeros(len(TEXTS), dtype=bool))
    mentions = extract_mentions(batch).mentions.select("row", "hazard", "severity", "probability").rows()
    return [
        {"text": said, "mentions": [list(mention[1:]) for mention in mentions if mention[0] == row]}
        for row, said in enumerate(text)
    ]


TEXTS = (
    ("en", "It caught fire on the second day and I burned my hand."),
    ("en", "My old one caught fire, this one is great."),
    ("en", "Never got hot, no smoke. My son swallowed the button battery and we went to hospital."),
    ("en", "Looks fake, the certificate is a fake too, and the label has no warnings."),
    ("en", "Arrived broken. Sharp edges, I cut my finger."),
    ("de", "Nach zwei Wochen fing es an zu rauchen, ich bekam einen Stromschlag."),
    ("fr", "La prise a pris feu et mon fils a eu une réaction allergique."),
    ("es", "Me dio una descarga eléctrica y huele a quemado."),
    ("ja", "充電中に発火しました。"),
    ("zh", "用了两天就开始冒烟,还漏电。"),
    ("en", "Great product, my kids love it."),
)  # fmt: skip


def write(path: Path = GOLDEN) -> None:
    """Compute the values and readings anew and write them, the rows and the spine as they stand."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    new = {**golden, "values": computed_values(SmallWorld(), golden), "readings": readings()}
    lines = {name: _by_line(given, 2 if name == "rows" else 1) for name, given in new.items()}
    path.write_text("{" + ",\n".join(f'"{name}": {text}' for name, text in lines.items()) + "}\n", encoding="utf-8")


def _by_line(given: Any, depth: int) -> str:
    """JSON with a line for each row, feature and text, which lie at `depth`."""
    if not depth:
        return json.dumps(given, ensure_ascii=False)
    if isinstance(given, dict):
        return "{\n" + ",\n".join(f'"{name}": {_by_line(each, depth - 1)}' for name, each in given.items()) + "}"
    return "[\n" + ",\n".join(_by_line(each, depth - 1) for each in given) + "]"


if __name__ == "__main__":
    write()
