"""What an answer of an issuer must bring before it is recorded, in sentences for whoever records it."""

import re
from datetime import date

from serving.certificates.issuer_policy import IssuerPolicy
from serving.certificates.records import IssuerAnswer
from serving.certificates.states import ANSWERS, NEED_SECOND_OFFICER
from serving.decisions.days import long_date
from serving.decisions.document_policy import DocumentPolicy
from serving.dossiers.records import Certificate

DIGEST = re.compile(r"[0-9a-f]{64}")
MOST_NOTE = 2_000
WORDS = {
    "confirmed": "confirmed", "denied": "not issued by them", "out_of_scope": "does not cover the product",
    "withdrawn": "withdrawn",
}  # fmt: skip
"""The answers in words."""


def why_not_asked(document: Certificate, issuers: IssuerPolicy, documents: DocumentPolicy) -> str | None:
    """Why nobody can be asked about a document; None where its issuer can."""
    kind = documents.kind_of(document)
    if kind is None:
        return "policy/documents does not know what kind of document this is, so nobody can be asked. Add its scheme."
    if not kind.others_confirm:
        return f"Its maker alone signs a {kind.name}: nobody else can confirm or deny it. Check the reports behind it."
    issuer = issuers.find(document.issuer)
    if issuer is None:
        named = f"the issuer {document.issuer!r}" if document.issuer else "an issuer of a document that names none"
        return f"policy/issuers does not know {named}, so we cannot tell whom to ask. Add it there, or ask the seller."
    if not issuer.mailbox and not issuer.register_url:
        return f"policy/issuers has neither a mailbox nor a register of {issuer.name}. Add where it is asked."
    return None


def broken_answer_rules(
    document: Certificate, given: IssuerAnswer, issuers: IssuerPolicy, documents: DocumentPolicy, today: date
) -> list[str]:
    """The rules that an answer breaks, one sentence each."""
    if given.answer not in ANSWERS:
        return [f"The answer is {given.answer!r}; it may be {', '.join(ANSWERS)}."]
    why = why_not_asked(document, issuers, documents)
    if why is not None:
        return [why]
    broken = []
    if given.answered_on > today:
        broken.append(f"The answer is dated {long_date(given.answered_on)}, which is in the future.")
    if given.answered_on < document.happened_on:
        broken.append(
            f"The answer is dated {long_date(given.answered_on)}, before the document was claimed on "
            f"{long_date(document.happened_on)}."
        )
    if given.note is not None and len(given.note) > MOST_NOTE:
        broken.append(f"The note has {len(given.note):,} characters; {MOST_NOTE:,} are possible.")
    return broken + _broken_reply_rules(document, given, issuers)


def _broken_reply_rules(document: Certificate, given: IssuerAnswer, issuers: IssuerPolicy) -> list[str]:
    """What is wrong with the reply; a denial and a withdrawal need one, since a removal may rest on them."""
    if given.reply is None:
        if given.answer in NEED_SECOND_OFFICER:
            word = WORDS[given.answer]
            return [f"'{word.capitalize()}' needs the issuer's reply: its file and the address that sent it."]
        return []
    broken, issuer = [], issuers.find(document.issuer)
    if not DIGEST.fullmatch(given.reply.digest):
        broken.append("The digest of the reply is not a SHA-256 in lower-case hex (64 digits).")
    if issuer is not None and not issuer.may_answer_from(given.reply.sender):
        broken.append(
            f"{given.reply.sender!r} is no address of {issuer.name}; it answers from {', '.join(issuer.domains)}. "
            "Ask the issuer under the address in policy/issuers."
        )
    return broken
