"""The lists of the verification desk: what to ask, what was asked, what awaits a second officer, what was answered."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from serving.certificates.issuer_policy import IssuerPolicy
from serving.certificates.records import Check, DocumentKey, key_of
from serving.certificates.states import ANSWERS, State
from serving.certificates.work_list import WorkItem
from serving.decisions.document_policy import DocumentPolicy
from serving.decisions.new_documents import NewDocuments
from serving.dossiers.records import Certificate

TO_ASK, ASKED, SECOND, ANSWERED = "to_ask", "asked", "second", "answered"
VIEWS: Mapping[str, str] = {
    TO_ASK: "To ask", ASKED: "Asked", SECOND: "Awaiting a second officer", ANSWERED: "Answered",
}  # fmt: skip
_STATES: Mapping[str, frozenset[State]] = {
    ASKED: frozenset({"asked"}), SECOND: frozenset({"proposed"}), ANSWERED: frozenset(ANSWERS),
}  # fmt: skip


@dataclass(frozen=True)
class DeskRow:
    """A row of a list: the document with its name in words, its state today, its case, and its place in the work list.

    `item` is None where the document stands in no work list, `check` where nobody was asked yet.
    """

    document: Certificate
    name: str
    state: State
    check: Check | None
    item: WorkItem | None
    sku_id: str | None
    market: str | None

    @property
    def due_on(self) -> date | None:
        """The last day for the issuer's answer."""
        return self.check.due_on if self.check and self.state == "asked" else None


@dataclass(frozen=True)
class Board:
    """The work list of a publication, the checks of all documents, and what was answered since, on a day."""

    items: Sequence[WorkItem]
    checks: Mapping[DocumentKey, Check]
    answered: NewDocuments
    issuers: IssuerPolicy
    documents: DocumentPolicy
    today: date

    def rows(self, view: str, issuer: str = "") -> list[DeskRow]:
        """The rows of a view in its order, of one issuer or of all."""
        rows = self._to_ask() if view == TO_ASK else self._checked(_STATES[view], newest_first=view == ANSWERED)
        return [row for row in rows if not issuer or row.document.issuer == issuer]

    def counts(self) -> dict[str, int]:
        """The number of rows of each view."""
        return {view: len(self.rows(view)) for view in VIEWS}

    def issuers_to_ask(self) -> list[tuple[str, int]]:
        """The issuers of the documents to ask about that the policy knows, with their numbers, the most first."""
        counted = Counter(row.document.issuer for row in self._to_ask())
        return [(name, rows) for name, rows in counted.most_common() if name and self.issuers.find(name)]

    def _to_ask(self) -> list[DeskRow]:
        rows, seen = [], set[DocumentKey]()
        for item in self.items:
            key = key_of(item.document)
            check = self.checks.get(key)
            state = check.state_on(self.today) if check else "unchecked"
            is_open = state in ("unchecked", "unanswered") or (state == "confirmed" and item.reason == "expiring")
            if key not in seen and is_open and not self._is_answered(item):
                seen.add(key)
                rows.append(self._row(item.document, state, check, item))
        return rows

    def _is_answered(self, item: WorkItem) -> bool:
        """Whether an answer came in since the list was made, over whatever way."""
        new = self.answered.of(item.document.sku_id or "", item.document.supplier_id)
        own = [each for each in new if each.certificate_id == item.document.certificate_id]
        return any(each.status != item.document.status for each in own)

    def _checked(self, states: Iterable[State], newest_first: bool) -> list[DeskRow]:
        items = {key_of(item.document): item for item in reversed(self.items)}
        rows = [
            self._row(check.document, check.state_on(self.today), check, items.get(key))
            for key, check in self.checks.items()
            if check.state_on(self.today) in states
        ]
        if newest_first:
            return sorted(rows, key=_opened_at, reverse=True)
        return sorted(rows, key=lambda row: (row.due_on or date.max, row.document.certificate_id))

    def _row(self, document: Certificate, state: State, check: Check | None, item: WorkItem | None) -> DeskRow:
        name = self.documents.name_of(document)
        sku_id = document.sku_id or (check.sku_id if check else None)
        market = item.market if item else check.market if check else None
        return DeskRow(document, name[0].upper() + name[1:], state, check, item, sku_id, market)


def _opened_at(row: DeskRow) -> str:
    return row.check.opened_at.isoformat() if row.check else ""
