"""Matches of alerts with SKUs by number, brand and title: candidates by rare words, never every pair.

A match is a suspicion to verify. It depends on the SKU, the alert and the alerts known until that one's day, and on no
other SKU: rare is what few alerts name.
"""

import hashlib
import json
from functools import reduce
from typing import Final

import ibis
import ibis.expr.types as ir

from data.alerts.policy import FIRST_DAY, alert_policies
from data.alerts.words import (
    brand_key,
    gtins_of,
    holds_all,
    longest_word,
    model_like_words,
    models_of,
    plain_text,
    words_in,
)
from data.lake.surrogate_keys import sku_key_columns
from data.lake.tables import Tables

HOW: Final = ("sku_id", "gtin", "model", "brand_and_title", "title")
"""Ways of matching, the strongest first; the first three name the product by a number."""
BY_NUMBER: Final = HOW[:3]
MATCHES: Final = "alert_matches"
MATCH_SCHEMA: Final = {
    "alert_id": "string", "sku_id": "string", "market": "string", "happened_on": "date", "known_on": "date",
    "shared_words": "int64", "alert_words": "int64", "similarity": "float64", "how": "string",
}  # fmt: skip
MATCHING: Final = 1
"""The number of this way of matching: raise it where a change of the code makes other matches."""
LAST_DAY: Final = FIRST_DAY.replace(year=9999)
_THOUSAND: Final = 1_000


def alert_matches(tables: Tables) -> ir.Table:
    """The matches that these tables carry as MATCHES, or else those of `match_alerts`."""
    return tables.given[MATCHES] if tables.has(MATCHES) else match_alerts(tables)


def matching_version() -> str:
    """`m-` and 12 hex digits that change with MATCHING and with every policy."""
    said = [[day.isoformat(), policy.model_dump(exclude={"not_a_brand"}), sorted(policy.not_a_brand)]
            for day, policy in alert_policies()]  # fmt: skip
    return f"m-{hashlib.sha256(json.dumps([MATCHING, said]).encode()).hexdigest()[:12]}"


def match_alerts(tables: Tables) -> ir.Table:
    """Table of matches, a row per `alert_id`, `sku_id` and `market`, by the strongest way, as an expression of DuckDB.

    `how` is one of HOW; `shared_words` of the `alert_words` in the alert's title are in the SKU's title, `similarity`
    is their share by weight (1 for a number). `happened_on` and `known_on` are the alert's.
    """
    alerts, skus = _alerts(tables["alerts"]), _skus(tables["skus"])
    words = _weighed_words(alerts)
    ways = [_by_sku_id(alerts, skus), _by_number(alerts, skus, "gtin"), _by_model(alerts, skus),
            _by_title(alerts, skus, words)]  # fmt: skip
    found = reduce(lambda one, other: one.union(other), (way.select(*_columns(skus)) for way in ways))
    best = ibis.row_number().over(group_by=["alert_id", "sku_id", "market"], order_by=["rank", "similarity"])
    ranked = found.mutate(place=best).filter(lambda row: row.place == 0)
    dated = ranked.inner_join(alerts.select("alert_id", "happened_on", "known_on"), "alert_id")
    how = dated.rank.cases(*((rank, name) for rank, name in enumerate(HOW)))
    return dated.select(
        "alert_id", *sku_key_columns(skus), "happened_on", "known_on", "shared_words", "alert_words", "similarity",
        how=how,
    )  # fmt: skip


def _columns(skus: ir.Table) -> tuple[str, ...]:
    return ("alert_id", *sku_key_columns(skus), "rank", "shared_words", "alert_words", "similarity")


def _alerts(alerts: ir.Table) -> ir.Table:
    """The alerts with their numbers, brand and words in one spelling, and the policy of their day."""
    policies = _policies()
    rows = alerts.inner_join(policies, [alerts.known_on >= policies.holds_from, alerts.known_on < policies.holds_until])
    brand = brand_key(rows.brand, rows.not_a_brand)
    spelled = rows.select(
        "alert_id", "happened_on", "known_on", *(name for name in policies.columns if name != "not_a_brand"),
        named_in=rows.market, named_sku=rows.sku_id, alert_brand=brand, gtins=gtins_of(rows.gtin),
        models=models_of(rows.model), brand_words=words_in(brand),
        title_words=words_in(plain_text(rows.title)),
    )  # fmt: skip
    own = spelled.title_words.filter(lambda word: ~spelled.brand_words.contains(word))
    models = spelled.models.filter(lambda model: model.length() >= spelled.shortest_model)
    return spelled.mutate(words=own, models=models)


def _policies() -> ir.Table:
    """Every policy with the days on which it holds."""
    dated = list(alert_policies())
    until = [day for day, _ in dated[1:]] + [LAST_DAY]
    rows = [
        {"holds_from": day, "holds_until": end, **policy.model_dump(), "not_a_brand": sorted(policy.not_a_brand)}
        for (day, policy), end in zip(dated, until, strict=True)
    ]
    schema = {
        "holds_from": "date", "holds_until": "date", "shortest_model": "int64", "title_share_same_brand": "float64",
        "fewest_words_same_brand": "int64", "title_share_without_brand": "float64",
        "fewest_words_without_brand": "int64", "not_a_brand": "array<string>",
    }  # fmt: skip
    return ibis.memtable(rows, schema=schema)


def _skus(skus: ir.Table) -> ir.Table:
    """The SKUs with their numbers, brand and words in one spelling; model numbers also of their titles."""
    brand = brand_key(skus.brand, ibis.literal([], type="array<string>"))
    return skus.select(
        *sku_key_columns(skus), sku_brand=brand, sku_brand_words=words_in(brand),
        sku_gtins=gtins_of(skus.gtin), sku_models=models_of(skus.model).union(model_like_words(skus.title)),
        sku_words=words_in(plain_text(skus.title)),
    )  # fmt: skip


def _matched(rows: ir.Table, how: str) -> ir.Table:
    """Rows of alert and SKU that a number matches."""
    return rows.filter(_is_in_market(rows)).mutate(
        rank=ibis.literal(HOW.index(how)).cast("int64"), similarity=ibis.literal(1.0),
        shared_words=rows.sku_words.intersect(rows.words).length().cast("int64"),
        alert_words=rows.words.length().cast("int64"),
    )  # fmt: skip


def _is_in_market(row: ir.Table) -> ir.BooleanValue:
    """Whether the alert holds in the market of the SKU."""
    return row.named_in.isnull() | (row.named_in == row.market)


def _by_sku_id(alerts: ir.Table, skus: ir.Table) -> ir.Table:
    return _matched(alerts.inner_join(skus, alerts.named_sku == skus.sku_id), "sku_id")


def _by_number(alerts: ir.Table, skus: ir.Table, kind: str) -> ir.Table:
    """Alerts and SKUs with a number of one kind in common."""
    named = alerts.mutate(number=alerts[f"{kind}s"].unnest())
    sold = skus.mutate(sku_number=skus[f"sku_{kind}s"].unnest())
    return _matched(named.inner_join(sold, named.number == sold.sku_number), kind)


def _by_model(alerts: ir.Table, skus: ir.Table) -> ir.Table:
    """Alerts and SKUs with a model number in common and one brand: other makers may number alike."""
    return _by_number(alerts, skus, "model").filter(_is_same_brand)


def _is_same_brand(row: ir.Table) -> ir.BooleanValue:
    """Whether both state one brand, or one states a brand that the title of the other holds."""
    in_sku = row.sku_brand.isnull() & holds_all(row.sku_words, row.brand_words)
    in_alert = holds_all(row.title_words, row.sku_brand_words)
    return (row.alert_brand == row.sku_brand).fill_null(False) | in_sku | in_alert


def _weighed_words(alerts: ir.Table) -> ir.Table:
    """A row per alert and word of its title, with its weight in thousandths and the weight of its rarer words.

    `alerts_until` and `with_word` count the alerts known until the day of this one.
    """
    split = alerts.select(
        "alert_id", "known_on", "title_share_same_brand", "title_share_without_brand", word=alerts.words.unnest()
    )
    until = ibis.range_window(preceding=None, following=0, order_by="known_on")
    counted = alerts.select("alert_id", alerts_until=alerts.alert_id.count().over(until))
    with_word = split.alert_id.count().over(until.group_by("word"))
    rows = split.mutate(with_word=with_word).inner_join(counted, "alert_id")
    frequency = (1 + rows.alerts_until).cast("float64") / (1 + rows.with_word)
    rows = rows.mutate(weight=((frequency.ln() + 1) * _THOUSAND).round().cast("int64"))
    rarer = ibis.window(preceding=None, following=0, group_by="alert_id", order_by=[ibis.desc("weight"), "word"])
    total = rows.weight.sum().over(group_by="alert_id")
    return rows.mutate(rarer=rows.weight.sum().over(rarer) - rows.weight, total=total)


def _by_title(alerts: ir.Table, skus: ir.Table, words: ir.Table) -> ir.Table:
    """Alerts and SKUs whose titles share enough words, weighed by rarity, and whose brands do not contradict."""
    key = sku_key_columns(skus)
    both = _candidates(alerts, skus, words).inner_join(alerts, "alert_id").inner_join(skus, list(key))
    both = both.mutate(same_brand=_is_same_brand(both))
    both = both.filter(both.same_brand | both.alert_brand.isnull(), _is_in_market(both))
    share = both.same_brand.ifelse(both.title_share_same_brand, both.title_share_without_brand)
    fewest = both.same_brand.ifelse(both.fewest_words_same_brand, both.fewest_words_without_brand)
    rank = both.same_brand.ifelse(HOW.index("brand_and_title"), HOW.index("title")).cast("int64")
    pairs = both.select("alert_id", *key, "sku_words", share=share, fewest=fewest, rank=rank)
    each = pairs.inner_join(words.select("alert_id", "word", "weight"), "alert_id")
    shared = each.sku_words.contains(each.word)
    sums = each.group_by("alert_id", *key, "share", "fewest", "rank").aggregate(
        shared_words=each.count(where=shared), alert_words=each.count(),
        similarity=shared.ifelse(each.weight, 0).sum() / each.weight.sum(),
    )  # fmt: skip
    return sums.filter((sums.similarity >= sums.share) & (sums.shared_words >= sums.fewest))


def _candidates(alerts: ir.Table, skus: ir.Table, words: ir.Table) -> ir.Table:
    """Pairs of alert and SKU that may match by title: one brand and a telling word, or a telling word alone.

    Whoever lacks all telling words of an alert lacks more weight than is allowed.
    """
    key = ("alert_id", *sku_key_columns(skus))
    listed = skus.select(*sku_key_columns(skus), "sku_brand", sku_word=skus.sku_words.unnest())
    branded = _telling(words, words.title_share_same_brand).inner_join(_brand_pairs(alerts, skus), "alert_id")
    branded = branded.rename(own_brand="sku_brand")
    same = branded.inner_join(listed, [branded.word == listed.sku_word, branded.own_brand == listed.sku_brand])
    named = alerts.select("alert_id", brand_word=longest_word(alerts.brand_words))
    unbranded = listed.filter(listed.sku_brand.isnull())
    in_title = named.inner_join(unbranded, named.brand_word == unbranded.sku_word)
    no_brand = alerts.filter(alerts.alert_brand.isnull())
    without = _telling(words, words.title_share_without_brand).semi_join(no_brand, "alert_id")
    alike = without.inner_join(listed, without.word == listed.sku_word)
    return same.select(*key).union(in_title.select(*key), alike.select(*key)).distinct()


def _telling(words: ir.Table, share: ir.FloatingValue) -> ir.Table:
    """The rarest words of each alert, of which a title that holds `share` of the weight holds one at least."""
    return words.filter(words.rarer <= (1 - share) * words.total).select("alert_id", "word")


def _brand_pairs(alerts: ir.Table, skus: ir.Table) -> ir.Table:
    """Pairs of alert and brand of SKUs: the brand that the alert states, or one whose words are in its title."""
    brands = skus.select("sku_brand", "sku_brand_words").drop_null("sku_brand").distinct()
    stated = alerts.inner_join(brands, alerts.alert_brand == brands.sku_brand).select("alert_id", "sku_brand")
    titled = alerts.select("alert_id", "title_words", title_word=alerts.title_words.unnest())
    brands = brands.mutate(brand_word=longest_word(brands.sku_brand_words))
    held = titled.inner_join(brands, titled.title_word == brands.brand_word)
    held = held.filter(holds_all(held.title_words, held.sku_brand_words)).select("alert_id", "sku_brand")
    return stated.union(held).distinct()
