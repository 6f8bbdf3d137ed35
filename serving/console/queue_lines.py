"""What one line of the queue says to one person: on the page, in the export, when tests are ordered."""

from collections.abc import Sequence
from dataclasses import dataclass

from features.catalogue import BY_NAME
from models.reasons import brief_of, fact_of
from serving.console.deadlines import Deadlines
from serving.console.house import House
from serving.console.veil import Veil
from serving.decisions.clock import Due
from serving.decisions.owners import owners
from serving.published import Published
from serving.queue.reading import Entry, Numbers

RAISES_NOTHING = "No single fact raises it"


@dataclass(frozen=True)
class Line:
    """A SKU, whose case it is, until when.

    `veiled`: the person gives an own estimate before they see the score, and `entry` tells nothing of it.
    """

    entry: Entry
    veiled: bool
    owner: str | None
    due: Due | None

    @property
    def brief(self) -> str:
        """The main reason as one short line; empty where it must not show."""
        if self.veiled:
            return ""
        name = self.entry.reason
        return RAISES_NOTHING if name is None else brief_of(BY_NAME[name], self.entry.reason_value)

    @property
    def reason(self) -> str:
        """The main reason as a sentence; empty where it must not show."""
        if self.veiled:
            return ""
        name = self.entry.reason
        return f"{RAISES_NOTHING}." if name is None else fact_of(BY_NAME[name], self.entry.reason_value)


class Lines:
    """The lines of one publication for one person; asks the state once, for all owners and decisions."""

    def __init__(self, house: House, published: Published, veil: Veil) -> None:
        self._store, self._veil = published.queue, veil
        self._owners, self._deadlines = owners(house.engine), Deadlines(house, published)

    def of(self, numbers: Numbers) -> Sequence[Line]:
        """One line per number, in their order."""
        return [
            Line(
                self._veil.over(entry), self._veil.hides(entry), self._owners.get((entry.sku_id, entry.market)), due
            )
            for entry, due in zip(self._store.entries(numbers), self._deadlines.of(numbers), strict=True)
        ]  # fmt: skip
