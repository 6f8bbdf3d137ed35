"""A seller's page as it was opened: its link, its language, and what the seller may read of the case."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from data.errors import UserError
from serving.console.context import AppContext
from serving.console.letter_sources import letter_sources
from serving.console.session import ContextDep
from serving.decisions.ground_rows import GroundTest
from serving.letters.facts import LetterFacts
from serving.letters.policy import letter_policy_in_force
from serving.letters.render import render
from serving.letters.sources import facts_of, letter_terms
from serving.letters.store import Letter, letters_to
from serving.letters.words import LetterWords, Term
from serving.public.pages import public_address, public_page
from serving.seller.links import SellerLink, find_link, page_path
from serving.seller.policy import SellerPolicy, seller_policy_in_force
from serving.seller.words import seller_words
from serving.trends.edition import commonest_hazards

MEGABYTE = 1_000_000


class ClosedLinkError(Exception):
    """The address opens no page: it expired, was revoked, or never was one."""


@dataclass(frozen=True)
class OpenedPage:
    """A page of a case, opened by its link today, in one of the languages of letters."""

    context: AppContext
    link: SellerLink
    token: str
    words: LetterWords
    policy: SellerPolicy
    today: date

    @property
    def path(self) -> str:
        """The address of the list of tasks."""
        return page_path(self.token)

    @property
    def query(self) -> str:
        """The query that keeps the language."""
        return f"?lang={self.words.language}"

    @property
    def limits(self) -> dict[str, str]:
        """The limits of files, as values of words."""
        return {"megabytes": f"{self.policy.files.most_bytes / MEGABYTE:g}"}

    def letters(self) -> list[Letter]:
        """The letters of the case that were sent, the newest first."""
        case = self.link.case
        return letters_to(self.context.engine, case.supplier_id, case.sku_id, case.market)

    def facts(self, letter: Letter, language: str) -> LetterFacts | None:
        """The facts of a letter; None where they are gone."""
        terms = letter_terms(language, letter.sent_on or self.today)
        try:
            return facts_of(letter, letter_sources(self.context), terms)
        except UserError:
            return None


@dataclass(frozen=True)
class ShownLetter:
    """A letter as the seller reads it here; `translated` where it was sent in another language."""

    letter: Letter
    article: Markup
    translated: bool


def shown_letters(page: OpenedPage) -> list[ShownLetter]:
    """The letters of the case in the language of the page where their facts are known, else as they were sent."""
    return [_shown(page, letter) for letter in page.letters()]


def _shown(page: OpenedPage, letter: Letter) -> ShownLetter:
    language = page.words.language
    facts = page.facts(letter, language) if letter.language != language else None
    if facts is None:
        as_sent = Markup(letter.html or "")  # noqa: S704 - rendered by `render` when it was sent
        return ShownLetter(letter, as_sent, translated=False)
    terms = letter_terms(language, letter.sent_on or page.today)
    return ShownLetter(letter, render(facts, terms).html, translated=True)


def commonest_failures(page: OpenedPage) -> tuple[str, ...]:
    """The hazards for which products of the SKU's category failed most, of the newest published edition; else none."""
    sku_id, market = page.link.sku_id, page.link.market
    if sku_id is None or market is None:
        return ()
    dossier = letter_sources(page.context).find_dossier(sku_id, market)
    return commonest_hazards(page.context.settings.workspace, dossier.listing.category) if dossier is not None else ()


def told_failures(page: OpenedPage) -> tuple[GroundTest, ...]:
    """The failed tests that letters of the case told of, the newest letter first."""
    facts = [page.facts(letter, letter.language) for letter in page.letters()]
    tests = [each.finding for each in facts if each is not None and each.finding is not None]
    return tuple({test.test_id: test for test in tests if test.result == "fail"}.values())


def open_page(context: ContextDep, token: str, lang: str = "") -> OpenedPage:
    """The page that a token opens now; ClosedLinkError where it opens none."""
    now = context.now()
    link = find_link(context.engine, token, now.date())
    if link is None:
        raise ClosedLinkError
    languages = letter_policy_in_force(now.date()).languages
    language = next((each for each in (lang, link.language) if each in languages), languages[0])
    return OpenedPage(
        context, link, token, seller_words(language), seller_policy_in_force(now.date()), now.date()
    )  # fmt: skip


Opened = Annotated[OpenedPage, Depends(open_page)]


def render_page(request: Request, page: OpenedPage, template: str, status: int = 200, **values: Any) -> Response:
    """Render a template of sellers' pages with: words, page, its address, sender and title of the product."""
    sender = letter_policy_in_force(page.today).sender
    titles = [each.title for each in page.letters() if each.title]
    shared: dict[str, Any] = {
        "words": page.words, "language": page.words.language, "opened": page, "sender": sender,
        "here": public_address(request, page.path), "product_title": titles[0] if titles else None,
        "until": date.fromisoformat(page.link.expires_on), "term": Term,
        "received": request.query_params.get("sent") == "1",
    }  # fmt: skip
    return public_page(request, template, status, **shared, **values)


def redirect_to_task(request: Request, page: OpenedPage, task: str) -> Response:
    """Lead to the page of a task, which says that it was received."""
    return RedirectResponse(public_address(request, f"{page.path}/{task}{page.query}&sent=1"), 303)


def day_of(moment: str) -> date:
    """The day of a stored moment."""
    return date.fromisoformat(moment[:10])


def closed_page(request: Request, _: Exception) -> Response:
    """The page at an address that opens nothing; it is the same whatever the cause."""
    context: AppContext = request.app.state.context()
    sender = letter_policy_in_force(context.now().date()).sender
    return public_page(request, "seller_closed.html", 404, sender=sender)
