"""The documents of a SKU as pages show them: what each is, its status in words, and how it is drawn."""

from dataclasses import dataclass
from datetime import date

from serving.decisions.document_policy import REFUTED, DocumentPolicy, document_policy_in_force
from serving.dossiers.records import Certificate, Dossier
from serving.online.store import OnlineStore
from serving.review_queue.format import QueueEvidence
from serving.review_queue.reader import QueueEntry


@dataclass(frozen=True)
class DisplayedDocument:
    """A document: its row, its name and status in words, and the tone of its mark (good, none, warn or bad)."""

    row: Certificate
    name: str
    status: str
    tone: str


def displayed_documents(dossier: Dossier) -> tuple[DisplayedDocument, ...]:
    """The standing documents of a dossier, newest first, as of its day."""
    policy = document_policy_in_force(dossier.as_of)
    return tuple(displayed_document(policy, each, dossier.as_of) for each in dossier.standing_certificates)


def displayed_document(policy: DocumentPolicy, document: Certificate, as_of: date) -> DisplayedDocument:
    """A document as of a day: only what somebody else than its maker confirmed, and is in force, is drawn as good."""
    kind, lapsed = policy.kind_of(document), document.expires_on is not None and document.expires_on < as_of
    status = document.status
    if status in ("claimed", "confirmed") and lapsed:
        status = "expired"
    elif kind is not None and not kind.others_confirm and status not in ("expired", "out_of_scope"):
        status = "self_declared"
    tone = "bad" if status in REFUTED else {"confirmed": "good", "expired": "warn"}.get(status, "none")
    name = policy.name_of(document)
    return DisplayedDocument(document, name[0].upper() + name[1:], getattr(policy.statuses, status), tone)


def refuted_documents(store: OnlineStore, entry: QueueEntry) -> str:
    """How the refuted documents of a SKU itself were refuted: "document denied"; empty where none was."""
    if not entry.evidence & QueueEvidence.CERTIFICATE:
        return ""
    statuses = {each.status for each in store.dossiers.own_documents(entry.position)}
    words = [status.replace("_", " ") for status in REFUTED if status in statuses]
    return f"document {' and '.join(words or ['refuted'])}"
