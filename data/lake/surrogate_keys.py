"""Codes: the whole numbers by which the lake knows SKUs, so that events are grouped without comparing texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from data.contract import SKUS
from data.contract_schema import Table

if TYPE_CHECKING:
    import ibis.expr.types as ir

SKU_CODE: Final = "sku_code"
SKU_RANK: Final = "sku_rank"
SKU_KEY: Final = SKUS.key


def has_sku_code(table: Table) -> bool:
    """Whether each row of this table of events is of one SKU in one market."""
    return table.timed and bool(table.references) and table.references[0].columns == SKU_KEY


def sku_join_keys(left: "ir.Table", right: "ir.Table") -> Sequence[str]:
    """The columns on which both tables name a SKU in a market: its code, where both know it, else its key."""
    coded = SKU_CODE in left.columns and SKU_CODE in right.columns
    return (SKU_CODE,) if coded else SKU_KEY


def sku_key_columns(table: "ir.Table") -> Sequence[str]:
    """The columns of this table that name a SKU in a market: its key, and its code where the table has it."""
    return (*SKU_KEY, SKU_CODE) if SKU_CODE in table.columns else SKU_KEY


def assign_sku_codes(skus: "ir.Table", before: "ir.Table | None" = None) -> "ir.Table":
    """`skus` with `sku_code` (int32) and `sku_rank`, the place of each in the order of their keys, from 0.

    A SKU keeps the code that it has in `before`, the SKUs of the lake before; the others get the next codes in
    order of their keys, so that events of days that have not changed need not be written again.
    """
    import ibis

    rank = ibis.row_number().over(order_by=list(SKU_KEY)).cast("int32")
    if before is None:
        return skus.mutate(**{SKU_RANK: rank, SKU_CODE: rank})
    known = skus.left_join(before.select(*SKU_KEY, known_code=before[SKU_CODE]), list(SKU_KEY))
    known = known.select(*skus.columns, "known_code")
    unknown = known.known_code.isnull()
    number = ibis.row_number().over(group_by=unknown, order_by=list(SKU_KEY))
    first = before[SKU_CODE].max().as_scalar().fill_null(-1) + 1
    code = known.known_code.fill_null((first + number).cast("int32")).cast("int32")
    return known.mutate(**{SKU_RANK: rank, SKU_CODE: code}).drop("known_code")


def join_sku_codes(events: "ir.Table", skus: "ir.Table") -> "ir.Table":
    """`events` of SKUs among the coded `skus`, with `sku_code`."""
    codes = skus.select(*SKU_KEY, SKU_CODE)
    return events.inner_join(codes, list(SKU_KEY)).select(*events.columns, SKU_CODE)
