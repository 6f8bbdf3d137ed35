"""Previewing, checking and sending a letter: what was checked is what is sent, on the day of the sending."""

from dataclasses import dataclass, replace
from datetime import date

from markupsafe import Markup

from serving.decisions.rules import Signature
from serving.letters.facts import LetterFacts
from serving.letters.render import RenderedLetter, content_digest, render
from serving.letters.sentences import AnswerPage
from serving.letters.sources import LetterSources, facts_of, letter_terms
from serving.letters.store import CheckedContent, Letter, check, letter_by_id, send
from serving.letters.words import WebAddress
from serving.seller.links import NewLink, SellerCase, last_day, page_path, without_tokens
from serving.seller.policy import seller_policy_in_force


@dataclass(frozen=True)
class LetterPreview:
    """A letter as it was sent, or as it would be sent today; `changed`: its facts changed since it was checked.

    `facts` are those of today. The secret of the seller's page is left out of it.
    """

    rendered: RenderedLetter
    facts: LetterFacts
    changed: bool


def preview(sources: LetterSources, letter: Letter, language: str, today: date) -> LetterPreview:
    """Render a letter in a language; one that was sent, as it was sent. UserError where its facts are gone."""
    terms = letter_terms(language, today)
    facts = facts_of(letter, sources, terms)
    if letter.is_sent:
        html = Markup(without_tokens(letter.html or ""))  # noqa: S704 - rendered by `render` when it was sent
        text = without_tokens(letter.text or "")
        return LetterPreview(RenderedLetter(letter.language, letter.subject or "", html, text), facts, False)
    in_its_own = letter_terms(letter.language, today)
    changed = letter.checked_digest not in (None, content_digest(facts, in_its_own))
    return LetterPreview(render(facts, terms, draft=True), facts, changed)


def check_letter(sources: LetterSources, letter_id: str, language: str, signature: Signature) -> Letter:
    """Check a letter in a language. UserError where it was sent, or its facts are gone."""
    terms = letter_terms(language, signature.at.date())
    facts = facts_of(letter_by_id(sources.engine, letter_id), sources, terms)
    return check(sources.engine, letter_id, content_digest(facts, terms), language, signature)


def send_letter(sources: LetterSources, letter_id: str, signature: Signature) -> Letter:
    """Send a checked letter. UserError where it was not checked, or says something else than what was checked."""
    letter = letter_by_id(sources.engine, letter_id)
    if letter.is_sent:
        return letter
    terms = letter_terms(letter.language, signature.at.date())
    facts = facts_of(letter, sources, terms)
    page = _new_page(sources, letter, signature)
    if page is not None:
        address = WebAddress(f"{sources.public_url}{page_path(page.token)}")
        terms = replace(terms, answer_page=AnswerPage(address, page.expires_on))
    content = CheckedContent(content_digest(facts, terms), render(facts, terms), page)
    return send(sources.engine, letter_id, content, signature)


def _new_page(sources: LetterSources, letter: Letter, signature: Signature) -> NewLink | None:
    """The seller's page that a letter leads to; None for kinds that carry no link, and without a public address."""
    today = signature.at.date()
    policy = seller_policy_in_force(today)
    if sources.public_url is None or letter.kind not in policy.letters:
        return None
    case = SellerCase(letter.supplier_id, letter.sku_id, letter.market)
    return NewLink(case, letter.language, last_day(today, policy.link_days), letter_id=letter.letter_id)
