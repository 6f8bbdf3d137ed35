"""The head of a case says what may be done now, and on which fact."""

from dataclasses import replace
from datetime import timedelta

from serving.console.context import AppContext
from tests.serving.browser.shop import FAILED_SKU
from tests.serving.console.conftest import csrf_of, signed_into, soup_of

WORDS = "The laboratory found a shock hazard."


def head_of(context: AppContext, role: str, sku_id: str = FAILED_SKU) -> str:
    """The head of a case for a role, in words."""
    soup = soup_of(signed_into(context, role), f"/ui/sku/EU/{sku_id}")
    return " ".join(each.get_text(" ", strip=True) for each in soup.select(".case-bar, .case-now"))


def test_a_failed_test_comes_first_with_what_it_allows(shop: AppContext) -> None:
    head = head_of(shop, "officer")
    assert head.startswith("A test has failed, and the product is still on sale due")
    assert "(critical)" in head or "An order of" in head
    assert "remove listing" in head
    assert "Decide" in head


def test_a_proposal_is_reviewed_by_another_and_stops_no_clock(shop: AppContext) -> None:
    """Its proposer is led to no approval; the other officer is."""
    officer = signed_into(shop, "officer")
    page = soup_of(officer, f"/ui/decide?market=EU&sku_id={FAILED_SKU}")
    hidden = {str(each["name"]): str(each["value"]) for each in page.select("form.decide input[type=hidden]")}
    sent = {**hidden, "disposition": "remove", "code": "failed_independent_test", "explanation": WORDS}
    where = officer.post("/ui/decide", data=sent).headers["location"]
    own, other = head_of(shop, "officer"), head_of(shop, "admin")
    assert "Remove listing: awaiting approval due" in own
    assert "Review the proposal" not in own
    assert "Review the proposal" in other
    assert "It stops no clock until it is approved." in other
    assert "allows: remove listing" not in other
    admin = signed_into(shop, "admin")
    assert admin.post(f"{where}/approve", data={"csrf": csrf_of(admin, where)}).status_code == 303
    head = head_of(shop, "officer")
    assert head.startswith("Remove listing: in force")
    assert "due" not in head.split("Decide")[0]


def test_what_is_decided_or_restricted_leaves_the_default_queue(shop: AppContext) -> None:
    """And stands in the view of decided ones; a search still finds it."""
    officer = signed_into(shop, "officer")
    listed = [str(each["value"]) for each in soup_of(officer, "/ui/").select("table.queue input[name=sku]")]
    market, sku_id = listed[0].split("/")
    page = soup_of(officer, f"/ui/decide?market={market}&sku_id={sku_id}")
    hidden = {str(each["name"]): str(each["value"]) for each in page.select("form.decide input[type=hidden]")}
    sent = {**hidden, "disposition": "no_action", "code": "known_good_maker", "explanation": WORDS}
    assert officer.post("/ui/decide", data=sent).status_code == 303
    for query, there in (("", False), ("view=decided", True), (f"q={sku_id}", True), ("view=all", True)):
        found = [str(each["value"]) for each in soup_of(officer, f"/ui/?{query}").select("input[name=sku]")]
        assert (listed[0] in found) == there, query


def test_the_navigation_counts_what_waits(shop: AppContext) -> None:
    officer = signed_into(shop, "officer")
    before = soup_of(officer, "/ui/").select_one("a[href='/ui/decisions'] .count")
    assert before is None
    page = soup_of(officer, f"/ui/decide?market=EU&sku_id={FAILED_SKU}")
    hidden = {str(each["name"]): str(each["value"]) for each in page.select("form.decide input[type=hidden]")}
    sent = {**hidden, "disposition": "remove", "code": "failed_independent_test", "explanation": WORDS}
    officer.post("/ui/decide", data=sent)
    after = soup_of(officer, "/ui/").select_one("nav a[href='/ui/decisions'] .count")
    assert after is not None
    assert after.get_text(" ", strip=True) == "1 awaiting approval"


def test_what_others_sent_stands_under_one_entry_with_tabs(shop: AppContext) -> None:
    officer = signed_into(shop, "officer")
    for path, tabs in (("appeals", ["Appeals", "Sellers", "Shoppers"]), ("notices", ["Appeals", "Sellers", "Shoppers"]),
                       ("results", ["Plan", "Lists", "Laboratories"]), ("ledger", [])):  # fmt: skip
        soup = soup_of(officer, f"/ui/{path}")
        assert len(soup.select("nav[aria-label=Pages] a[aria-current]")) == 1, path
        assert [each.find(string=True) for each in soup.select("main > nav.views a")] == tabs
        assert [each["href"] for each in soup.select("main > nav.views a[aria-current=page]")] == (
            [f"/ui/{path}"] if tabs else []
        )


def test_old_scores_are_announced_on_every_page(shop: AppContext) -> None:
    later = replace(shop, now=lambda: shop.now() + timedelta(days=30))
    assert "30 days old; at most 7 are allowed" in soup_of(signed_into(later, "officer"), "/ui/decisions").text
    assert "days old" not in soup_of(signed_into(shop, "officer"), "/ui/decisions").text
