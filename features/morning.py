"""One day on which the whole catalogue is looked at."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from features.reference import Reference

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables


@dataclass(frozen=True)
class Morning:
    """The morning of `as_of`: `tables` with rows known before it and maybe later ones, and what training learned."""

    as_of: date
    tables: "Tables"
    reference: Reference

    @property
    def day(self) -> "ir.DateScalar":
        """The day as an expression."""
        import ibis

        return ibis.literal(self.as_of)
