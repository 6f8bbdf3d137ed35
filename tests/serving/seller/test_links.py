"""A link opens its one case until its last day, and nothing else ever."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import read_transaction
from data.database.seller_schema import SELLER_LINKS
from serving.seller.links import (
    NewLink,
    SellerCase,
    find_link,
    links_of,
    new_token,
    page_path,
    renew_link,
    revoke_links,
    without_tokens,
)
from tests.serving.seller.conftest import AT, CASE, OLGA, link_to

TODAY = AT.date()


def test_a_link_opens_its_case_for_its_days(state: sa.Engine) -> None:
    token = new_token()
    link_to(state, token=token)
    for days in (0, 29):
        link = find_link(state, token, TODAY + timedelta(days=days))
        assert link is not None
        assert link.case == CASE
    assert find_link(state, token, TODAY + timedelta(days=30)) is None


@given(st.text(max_size=40), st.integers(0, 31), st.sampled_from("abcXYZ019_-"))
def test_guessed_and_altered_tokens_open_nothing(memory: sa.Engine, guess: str, position: int, letter: str) -> None:
    token = new_token()
    link_to(memory, token=token)
    altered = token[:position] + letter + token[position + 1 :]
    for other in (guess, new_token(), altered, token.upper(), token + "A", token[:-1], f" {token}"):
        if other != token:
            assert find_link(memory, other, TODAY) is None
    assert find_link(memory, token, TODAY) is not None


def test_a_revoked_link_opens_nothing_and_the_new_one_does(state: sa.Engine) -> None:
    """Revoking again changes nothing; links of other suppliers and of the supplier's other cases stay."""
    first, others = new_token(), [new_token(), new_token()]
    link_to(state, token=first)
    for case, token in zip((SellerCase("S-2", "K-1", "EU"), SellerCase("S-1")), others, strict=True):
        link_to(state, case, token)
    second = new_token()
    renew_link(state, NewLink(CASE, "zh-Hans", TODAY, second), OLGA)
    assert find_link(state, first, TODAY) is None
    opened = find_link(state, second, TODAY)
    assert opened is not None
    assert (opened.case, opened.language) == (CASE, "zh-Hans")
    assert revoke_links(state, CASE, OLGA) == 1
    assert revoke_links(state, CASE, OLGA) == 0
    assert find_link(state, second, TODAY) is None
    assert all(find_link(state, token, TODAY) for token in others)
    assert [each.revoked_by for each in links_of(state, CASE)] == ["Olga", "Olga"]


def test_nothing_that_is_stored_opens_a_page(state: sa.Engine) -> None:
    """Neither the table nor the ledger holds the secret, and a page that shows a letter leaves it out."""
    token = new_token()
    link_to(state, token=token)
    with read_transaction(state) as connection:
        assert token not in str(connection.execute(sa.select(SELLER_LINKS)).all())
    assert token not in str(list(audit_rows(state)))
    verify_chain(state)
    url = f"https://shop.example{page_path(token)}"
    assert without_tokens(f"Open {url} now") == "Open https://shop.example/s/… now"
    assert without_tokens(f'Open <a href="{url}">{url}</a>') == "Open https://shop.example/s/…"


@pytest.mark.parametrize("text", ["", "No link here", "/s/short"])
def test_text_without_a_link_stays_as_it_is(text: str) -> None:
    assert without_tokens(text) == text
