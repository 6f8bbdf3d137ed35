"""The documents of a SKU as its page shows them: what each is, its status in words, and how it is drawn."""

from dataclasses import dataclass
from datetime import date

from serving.decisions.document_policy import REFUTED, DocumentPolicy, document_policy_in_force
from serving.dossiers.records import Certificate, Dossier


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
    return tuple(_displayed(policy, each, dossier.as_of) for each in dossier.standing_certificates)


def _displayed(policy: DocumentPolicy, document: Certificate, as_of: date) -> DisplayedDocument:
    """Only what somebody else than its maker confirmed, and is in force, is drawn as good."""
    kind, lapsed = policy.kind_of(document), document.expires_on is not None and document.expires_on < as_of
    status = document.status
    if status in ("claimed", "confirmed") and lapsed:
        status = "expired"
    elif kind is not None and not kind.others_confirm and status not in ("expired", "out_of_scope"):
        status = "self_declared"
    tone = "bad" if status in REFUTED else {"confirmed": "good", "expired": "warn"}.get(status, "none")
    name = policy.name_of(document)
    return DisplayedDocument(document, name[0].upper() + name[1:], getattr(policy.statuses, status), tone)
