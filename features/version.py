"""Versions of the features: of what is computed (`f-`, which a model is bound to) and of how it is worded (`w-`)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from features.definition import KEYS, Entity, EventSource, Feature, Source
from features.fitted_tables import UNTRAINED_RATES, FittedTables, Prior, rates_table
from features.registry import CATALOGUE

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.expr.operations import Node

    from data.lake.tables import Tables


def feature_version(reference: FittedTables | None = None) -> str:
    """The version of what is computed, `f-` and 12 hex digits: of the registry, and of the own features of `reference`.

    Of own features it covers what they are computed of, not how they are said.
    """
    if reference is None or not reference.own:
        return _registry_version()
    computed = [
        each.model_dump(mode="json", exclude={"meaning", "unit", "sentence", "missing"}) for each in reference.own
    ]
    return "f-" + _digest([_registry_version(), computed])[:12]


@cache
def _registry_version() -> str:
    return version_of(CATALOGUE)


@cache
def wording_version() -> str:
    """The version of how the features are said (meaning, unit, group, sentence, missing), `w-` and 12 hex digits."""
    said = [(f.name, f.meaning, f.unit, f.group, f.sentence, f.missing, f.counts, f.comparison) for f in CATALOGUE]
    return f"w-{_digest(said)[:12]}"


def version_of(features: Sequence[Feature]) -> str:
    """The version of what `features` compute: names, entities, directions, sources and expressions, in their order.

    Covers also the keys of the entities, the rates that are used before training, the extractor that reads reviews and
    the matching of alerts. Words, functions, modules and the SQL that an expression compiles to do not enter it.
    """
    from data.alerts.matching import matching_version
    from features.groups.lab_history import entity_keys
    from features.review_text.extractor import extractor_version

    declared = _DeclarationDigests()
    return "f-" + _digest([
        extractor_version(), matching_version(), KEYS, UNTRAINED_RATES,
        declared.expressions.digest(entity_keys(declared.tables)),
        [declared.digest(feature) for feature in features],
    ])[:12]  # fmt: skip


class _DeclarationDigests:
    """Digests of declarations, their expressions made over empty tables of the contract; equal rows only once."""

    def __init__(self) -> None:
        self.tables, self.reference = _contract_tables(), _reference()
        self.expressions = ExpressionDigests()
        self._rows: dict[object, tuple[str, ir.Table]] = {}

    def digest(self, feature: Feature) -> str:
        """The digest of one feature's declaration without its words."""
        source = feature.source
        rows, seen = self._rows_of(source, feature.entity)
        on = source.on if isinstance(source, EventSource) else ()
        value = self.expressions.digest(feature.value(seen, self.reference))
        return _digest([feature.name, feature.entity, feature.direction, source.needs, on, rows, value])

    def _rows_of(self, source: Source, entity: Entity) -> "tuple[str, ir.Table]":
        """The digest of the source's rows, and a table of their columns for values to be expressed over."""
        import ibis

        made_by = source.rows if isinstance(source, EventSource) else (source.rows, entity)
        if made_by not in self._rows:
            if isinstance(source, EventSource):
                rows = source.rows(self.tables)
            else:
                days = ibis.table({**dict.fromkeys(KEYS[entity], "string"), "as_of": "date"}, name="days")
                rows = source.rows(days, self.tables, self.reference)
            columns = {**rows.schema(), "as_of": "date", "age_days": "int64"}
            self._rows[made_by] = self.expressions.digest(rows), ibis.table(columns, name="rows")
        return self._rows[made_by]


class ExpressionDigests:
    """Digests of Ibis expressions: of the tree of operations, their arguments, literals, columns and types.

    A table stands by its name and those of its columns that are used; rows in memory stand by their values. Ibis names
    tables in memory and views at random: those names do not enter.
    """

    def __init__(self) -> None:
        self._of_node: dict[Node, str] = {}
        self._views: dict[object, int] = {}

    def digest(self, expression: "ir.Expr") -> str:
        """The digest of the expression, 64 hex digits.

        Raises TypeError where it holds something that has no plain form, such as a connection.
        """
        return self._node(expression.op())

    def _node(self, node: "Node") -> str:
        if node not in self._of_node:
            self._of_node[node] = _digest([type(node).__name__, self._arguments(node)])
        return self._of_node[node]

    def _arguments(self, node: "Node") -> object:
        import ibis.expr.operations as ops

        if isinstance(node, ops.UnboundTable):
            return node.name
        if isinstance(node, ops.InMemoryTable):
            return [self._plain(node.schema), self._plain(node.data.to_pyarrow(node.schema).to_pylist())]
        if isinstance(node, ops.SelfReference):
            return [self._node(node.parent), self._views.setdefault(node.identifier, len(self._views))]
        given = {name: self._plain(value) for name, value in zip(node.argnames, node.args, strict=True)}
        dtype = str(node.dtype) if isinstance(node, ops.Field) else None
        return [dtype, {name: value for name, value in given.items() if value is not None}]

    def _plain(self, value: object) -> object:
        """The argument of an operation as JSON holds it."""
        from ibis.expr.datatypes import DataType
        from ibis.expr.operations import Node

        match value:
            case Node():
                return self._node(value)
            case None | bool() | int() | float() | str():
                return value
            case DataType() | date() | Enum():
                return str(value)
            case frozenset():
                return sorted(self._plain(each) for each in value)  # type: ignore[type-var]
            case Mapping():
                return [[self._plain(name), self._plain(each)] for name, each in value.items()]
            case tuple() | list():
                return [self._plain(each) for each in value]
        raise TypeError(
            f"An expression of a feature holds {value!r}, a {type(value).__name__}, which has no plain form to take a "
            "version of. Build it from columns, literals and tables of the contract."
        )


def _contract_tables() -> "Tables":
    import ibis
    import polars as pl

    from data.alerts.matching import MATCH_SCHEMA, MATCHES
    from data.contract import TABLES
    from data.lake.tables import Tables, schema_of
    from features.groups.reviews import READ
    from features.review_text.records import REVIEW

    given = {table.name: ibis.table(schema_of(table), name=table.name) for table in TABLES}
    given[READ] = ibis.table(ibis.Schema.from_polars(pl.Schema(REVIEW)), name=READ)
    given[MATCHES] = ibis.table(MATCH_SCHEMA, name=MATCHES)
    return Tables(ibis.duckdb.connect(), given, "empty")


def _reference() -> FittedTables:
    """A reference in which every rate has numbers of its own, made of its name, to tell which one is used."""
    numbers = {rate: int(_digest(rate)[:12], 16) / 16**12 for rate in UNTRAINED_RATES}
    return FittedTables({"rates": rates_table({rate: Prior(number, 1 + number) for rate, number in numbers.items()})})


def _digest(declared: object) -> str:
    return hashlib.sha256(json.dumps(declared).encode("utf-8")).hexdigest()
