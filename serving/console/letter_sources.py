"""What letters are made of for the application: its workspace, its database, the catalogue in service."""

from contextlib import suppress

from data.errors import UserError
from serving.console.case import dossier_of
from serving.console.context import AppContext
from serving.dossiers.records import Dossier
from serving.letters.drafting import ensure_letters
from serving.letters.sources import LetterSources
from serving.notices.letters import send_outcomes


def letter_sources(context: AppContext) -> LetterSources:
    """The sources of letters; a SKU that the catalogue lacks, or none in service, has no dossier."""

    def find_dossier(sku_id: str, market: str) -> Dossier | None:
        try:
            return dossier_of(context, sku_id, market)
        except UserError:
            return None

    settings = context.settings
    return LetterSources(context.engine, settings.workspace, find_dossier, settings.public_url)


def draft_letters(context: AppContext) -> None:
    """Draft the letters that a step causes; where that fails, the next look at the list of letters drafts them."""
    with suppress(UserError):
        ensure_letters(letter_sources(context), context.now())
        send_outcomes(context.engine, context.now())
