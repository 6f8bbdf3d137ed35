"""Previewing, checking and sending a letter: what was checked is what is sent, on the day of the sending."""

from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from serving.decisions.rules import Signature
from serving.letters.facts import LetterFacts
from serving.letters.render import RenderedLetter, content_digest, render
from serving.letters.sources import LetterSources, facts_of, letter_terms
from serving.letters.store import CheckedContent, Letter, check, letter_by_id, send


@dataclass(frozen=True)
class LetterPreview:
    """A letter as it was sent, or as it would be sent today; `changed`: its facts changed since it was checked.

    `facts` are those of today.
    """

    rendered: RenderedLetter
    facts: LetterFacts
    changed: bool


def preview(sources: LetterSources, letter: Letter, language: str, today: date) -> LetterPreview:
    """Render a letter in a language; one that was sent, as it was sent. UserError where its facts are gone."""
    terms = letter_terms(language, today)
    facts = facts_of(letter, sources, terms)
    if letter.is_sent:
        html = Markup(letter.html or "")  # noqa: S704 - rendered by `render` when it was sent
        return LetterPreview(
            RenderedLetter(letter.language, letter.subject or "", html, letter.text or ""), facts, False
        )  # fmt: skip
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
    content = CheckedContent(content_digest(facts, terms), render(facts, terms))
    return send(sources.engine, letter_id, content, signature)
