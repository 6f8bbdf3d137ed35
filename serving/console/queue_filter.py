"""The queue's address: what its parameters ask for, and the addresses that differ from it in one thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from serving.queue.shape import Evidence
from serving.queue.wanted import SORTS, Wanted

ESTIMATE = "estimate"
VIEWS: Mapping[str, str] = MappingProxyType({
    "flagged": "Flagged", "mine": "Mine", ESTIMATE: "Your estimate first", "due": "Due today",
    "new": "New since yesterday", "random": "Random stratum",
    "disagree": "Model and officer disagree", "all": "Whole catalogue",
})  # fmt: skip
"""The saved views by name."""

SORTED: Mapping[str, str] = MappingProxyType({
    "risk": "Highest predicted risk", "harm": "Most failing units expected", "units": "Most units sold",
    "tested": "Longest without a test", "sku": "SKU",
})  # fmt: skip

EVIDENCE: Mapping[str, tuple[Evidence, str]] = MappingProxyType({
    "failed": (Evidence.FAILED, "failed a test"), "passed": (Evidence.PASSED, "passed every test"),
    "certificate": (Evidence.CERTIFICATE, "certificate refuted"), "returns": (Evidence.RETURNS, "safety returns"),
    "reviews": (Evidence.REVIEWS, "hazard in reviews"), "hold": (Evidence.HOLD, "held by an authority"),
    "incident": (Evidence.INCIDENT, "incident reported"),
})  # fmt: skip
NEVER = "never"
LONGEST_SEARCH = 200
MOST_WORDS = 8
LARGEST_PAGE = 1_000_000


@dataclass(frozen=True)
class QueueFilter:
    """What somebody asked of the queue, as the address says it; unknown names ask for nothing."""

    view: str = "flagged"
    search: str = ""
    band: str = ""
    market: str = ""
    category: str = ""
    supplier: str = ""
    evidence: str = ""
    sort: str = "risk"
    number: int = 1

    @property
    def query(self) -> str:
        """The query of its address, without what asks for nothing."""
        plain = QueueFilter()
        named = {"q": "search", "page": "number"} | {name: name for name in _NAMES}
        told = {key: getattr(self, name) for key, name in named.items() if getattr(self, name) != getattr(plain, name)}
        return urlencode(told)

    def turned(self, number: int) -> str:
        """The query of another page of the same list."""
        return replace(self, number=number).query

    def seen_as(self, view: str) -> str:
        """The query of a saved view."""
        return QueueFilter(view=view).query

    def wanted(self, bands: Sequence[str], flagged: Sequence[str]) -> Wanted:
        """What the queue on disk is asked for; `flagged` are the bands that ask for a test."""
        asked = Evidence(0)
        if self.evidence in EVIDENCE:
            asked |= EVIDENCE[self.evidence][0]
        if self.view == "new":
            asked |= Evidence.NEW
        chosen = (self.band,) if self.band in bands else tuple(flagged) if self.view == "flagged" else ()
        words = tuple(self.search.split()[:MOST_WORDS])
        if self.view == "flagged" and (words or self.supplier) and self.band not in bands:
            chosen = ()
        return Wanted(
            bands=chosen, markets=(self.market,) if self.market else (),
            categories=(self.category,) if self.category else (), supplier=self.supplier, words=words,
            evidence=asked, never_tested=self.evidence == NEVER, sort=self.sort,
        )  # fmt: skip


_NAMES = ("view", "band", "market", "category", "supplier", "evidence", "sort")


def read_filter(asked: QueryParams) -> QueueFilter:
    """The filter of an address."""
    told = {name: asked.get(name, "")[:LONGEST_SEARCH].strip() for name in _NAMES}
    number = asked.get("page", "1")
    return QueueFilter(
        **{**told, "view": told["view"] if told["view"] in VIEWS else "flagged",
           "sort": told["sort"] if told["sort"] in SORTS else "risk"},
        search=asked.get("q", "")[:LONGEST_SEARCH].strip(),
        number=min(max(int(number), 1), LARGEST_PAGE) if number.isascii() and number.isdigit() else 1,
    )  # fmt: skip
