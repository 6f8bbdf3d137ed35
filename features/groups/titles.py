"""Features of the title: its normalized key, and the learned weights of its words."""

from typing import TYPE_CHECKING

from features.definition import left_join_missing
from features.fitted_tables import FittedTables

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

MILLION = 1_000_000


def title_key(title: "ir.StringValue") -> "ir.StringValue":
    """The title in lower case, everything but letters and digits as single spaces; missing where the rest is empty."""
    lower = title.lower()
    # Most titles need no replacement, and a look is quicker than a replacement without effect.
    plain = lower.re_search(r"[^\p{L}\p{N} ]|  ").ifelse(lower.re_replace(r"[^\p{L}\p{N}]+", " "), lower)
    return plain.strip().nullif("")


def title_words(key: "ir.StringValue") -> "ir.ArrayValue":
    """The distinct words of a title key."""
    return key.split(" ").unique()


def title_signals(days: "ir.Table", _: "Tables", reference: FittedTables) -> "ir.Table":
    """Each title with `words`, the number of its distinct words, and `weight`, their learned weights in all.

    The weight is missing where no word was learned. It is a sum of whole millionths, so that the order of the words
    cannot matter.
    """
    import ibis

    titles = days.select("title_key").distinct()
    split = titles.mutate(word=title_words(titles.title_key)).unnest("word")
    weights = ibis.memtable(reference["title_words"]).rename(learned="word", learned_weight="weight")
    weighed = split.left_join(weights, split.word == weights.learned)
    signals = weighed.group_by("title_key").aggregate(
        words=weighed.word.count(), weight=(weighed.learned_weight * MILLION).round().cast("int64").sum(),
    )  # fmt: skip
    return left_join_missing(days, signals, ("title_key",))
