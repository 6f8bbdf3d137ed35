"""What sellers hand in as rows of the lake: documents as claimed certificates, accepted actions as remediations."""

from datetime import date, datetime

import sqlalchemy as sa

from data.contract import CERTIFICATES, REMEDIATIONS
from data.handed_in_rows import AcceptedRows, HandIn, RowSender, accept_rows, file_rows
from data.workspace import Workspace
from serving.console.context import AppContext
from serving.decisions.rules import Signature
from serving.seller.corrective_actions import FOLLOWING, CorrectiveAction, actions_in
from serving.seller.files import OTHER, SellerFile, all_files

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
    return _hand_in(context, HandIn(CERTIFICATES, [document_row(file)], sender))


def hand_in_action(context: AppContext, action: CorrectiveAction, signature: Signature) -> AcceptedRows | None:
    """Hand an accepted action in as it stands now, None for another. Doing it again changes nothing."""
    if not action.was_accepted:
        return None
    officer = signature.officer
    sender = RowSender(officer.name, officer.key_id, signature.at, {"action": action.action_id})
    return _hand_in(context, HandIn(REMEDIATIONS, [action.remediation()], sender, amends=True))


def hand_in_missing(engine: sa.Engine, workspace: Workspace, now: datetime) -> int:
    """Hand in what no row says yet, such as where the service ended in between; return how many rows are new."""
    sender = RowSender("touchstone", "sellers' pages", now)
    documents = [document_row(each) for each in all_files(engine) if each.kind != OTHER]
    actions = [each.remediation() for each in actions_in(engine, tuple(FOLLOWING)) if each.was_accepted]
    hand_ins = (HandIn(CERTIFICATES, documents, sender), HandIn(REMEDIATIONS, actions, sender, amends=True))
    new = sum(accept_rows(engine, workspace, each).count("new") for each in hand_ins if each.rows)
    if new:
        file_rows(engine, workspace, now)
    return new


def _hand_in(context: AppContext, hand_in: HandIn) -> AcceptedRows:
    accepted = accept_rows(context.engine, context.settings.workspace, hand_in)
    if accepted.hand_in is not None:
        file_rows(context.engine, context.settings.workspace, hand_in.sender.now)
    return accepted
