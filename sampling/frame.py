"""The SKUs a round may test: validated, in an order that depends on nothing but their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.refusal import Refusal
from sampling.chance import Floats, Integers, Words, key_words

KEY = ("sku_id", "market")
REQUIRED = (*KEY, "category", "p_fail", "as_of")
VERSIONS = ("model_version", "feature_version")
_TYPE = {"p_fail": pa.float64(), "as_of": pa.date32()}


@dataclass(frozen=True)
class Frame:
    """Candidates for testing, ordered by `words`, the hash of (sku_id, market).

    `category_code` and `market_code` number the sorted names; `digest` names this exact content.
    """

    table: pa.Table
    words: Words
    p_fail: Floats
    categories: tuple[str | None, ...]
    category_code: Integers
    market_code: Integers
    as_of: date
    digest: str

    def __len__(self) -> int:
        """How many SKUs may be drawn."""
        return len(self.words)


def frame_of(candidates: pa.Table, in_test: pa.Table | None = None) -> Frame:
    """The frame of a round: the `candidates` (columns `REQUIRED`) without those `in_test` (sku_id, market).

    Raises Refusal where a column is missing, a key is empty or comes twice, a `p_fail` is no probability, the
    scores are of several days, or nothing is left to test.
    """
    known = _known(candidates, REQUIRED, VERSIONS)
    words = key_words(*(known[name].to_pylist() for name in KEY))
    if in_test is not None and len(in_test):
        waiting = _known(in_test, KEY)
        free = ~np.isin(words, key_words(*(waiting[name].to_pylist() for name in KEY)))
        known, words = known.filter(pa.array(free)), words[free]
    if not len(known):
        raise Refusal("There is no candidate SKU to test: the table is empty or all are in test. Score first.")
    _refuse_impossible(known["p_fail"])
    order = np.argsort(words, kind="stable")
    words = words[order]
    table = known.take(pa.array(order)).combine_chunks()
    _refuse_repeated(words, table)
    as_of = _only_day(table["as_of"])
    p_fail = table["p_fail"].to_numpy()
    categories, category_code = _numbered(table["category"])
    markets, market_code = _numbered(table["market"])
    content = [words.astype("<u8"), p_fail.astype("<f8"), category_code.astype("<i8"), market_code.astype("<i8")]
    names = repr((as_of.isoformat(), categories, markets)).encode()
    digest = sha256(b"".join(column.tobytes() for column in content) + names).hexdigest()
    return Frame(table, words, p_fail, categories, category_code, market_code, as_of, digest)


def _known(table: pa.Table, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pa.Table:
    """The columns a plan needs, in its types."""
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise Refusal(f"The table of SKUs lacks {', '.join(missing)}. Give the columns {', '.join(required)}.")
    names = (*required, *(name for name in optional if name in table.column_names))
    schema = pa.schema([(name, _TYPE.get(name, pa.string())) for name in names])
    try:
        known = table.select(names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refusal(f"The table of SKUs has a column of another type: {error}. Give {schema.to_string()}.") from error
    for name in KEY:
        if known[name].null_count:
            raise Refusal(f"{known[name].null_count:,} rows of the table of SKUs have no {name}. Leave them out.")
    return known


def _refuse_impossible(p_fail: pa.ChunkedArray) -> None:
    possible = pc.and_(pc.greater_equal(p_fail, 0), pc.less_equal(p_fail, 1))
    if p_fail.null_count or not pc.all(possible).as_py():
        raise Refusal("Some candidates have a p_fail that is missing or not between 0 and 1. Score them again.")


def _only_day(column: pa.ChunkedArray) -> date:
    days = pc.unique(column).to_pylist()
    if len(days) != 1 or not isinstance(days[0], date):
        raise Refusal(f"The candidates were scored on {days[:3]}. Give the scores of one day.")
    return days[0]


def _refuse_repeated(words: Words, table: pa.Table) -> None:
    twice = np.flatnonzero(words[1:] == words[:-1])
    if len(twice):
        key = {name: table[name][int(twice[0])].as_py() for name in KEY}
        raise Refusal(
            f"SKU {key['sku_id']!r} in market {key['market']!r} is a candidate twice ({len(twice):,} repeats). "
            "Give one row per SKU and market."
        )


def _numbered(column: pa.ChunkedArray) -> tuple[tuple[str | None, ...], Integers]:
    """The sorted names of a column, the missing one first, and the number of each row's name."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    names: Sequence[str | None] = encoded.dictionary.to_pylist()
    by_name = sorted(range(len(names)), key=lambda code: (names[code] is not None, names[code] or ""))
    rank = np.empty(len(names), dtype=np.int64)
    rank[by_name] = np.arange(len(names))
    return tuple(names[code] for code in by_name), rank[encoded.indices.to_numpy()]
