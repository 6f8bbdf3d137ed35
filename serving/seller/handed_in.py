"""What sellers hand in as rows of the lake: documents as claimed certificates, accepted actions as remediations."""

from datetime import date

from data.contract import CERTIFICATES, REMEDIATIONS
from data.contract_schema import Table
from data.handed_in_rows import AcceptedRows, HandIn, RowSender, accept_rows, file_rows
from data.lake.handed_in_rows import Row
from serving.console.context import AppContext
from serving.decisions.rules import Signature
from serving.seller.corrective_actions import CorrectiveAction
from serving.seller.files import OTHER, SellerFile

CLAIMED = "claimed"


def document_row(file: SellerFile) -> dict[str, object]:
    """The row of `certificates` that a document becomes: claimed, until whoever issued it confirms it."""
    day = date.fromisoformat(file.uploaded_at[:10])
    return {
        "certificate_id": file.file_id, "supplier_id": file.supplier_id, "sku_id": file.sku_id, "status": CLAIMED,
        "happened_on": day, "known_on": day, "kind": file.kind, "issuer": file.issuer, "number": file.number,
        "standard": file.standard,
        "expires_on": date.fromisoformat(file.expires_on) if file.expires_on else None,
    }  # fmt: skip


def hand_in_document(context: AppContext, file: SellerFile) -> AcceptedRows | None:
    """Hand a document in as a row; None for a photo or the like. Doing it again changes nothing."""
    if file.kind == OTHER:
        return None
    sender = RowSender(file.case.actor, file.link_id, context.now(), {"file": file.file_id})
    return _hand_in(context, CERTIFICATES, document_row(file), sender)


def hand_in_action(context: AppContext, action: CorrectiveAction, signature: Signature) -> AcceptedRows | None:
    """Hand an accepted action in as it stands now, None for another. Doing it again changes nothing."""
    if not action.was_accepted:
        return None
    officer = signature.officer
    sender = RowSender(officer.name, officer.key_id, signature.at, {"action": action.action_id})
    return _hand_in(context, REMEDIATIONS, action.remediation(), sender)


def _hand_in(context: AppContext, table: Table, row: Row, sender: RowSender) -> AcceptedRows:
    accepted = accept_rows(context.engine, context.settings.workspace, HandIn(table, [row], sender, amends=True))
    if accepted.hand_in is not None:
        file_rows(context.engine, context.settings.workspace, sender.now)
    return accepted
