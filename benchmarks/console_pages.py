"""Milliseconds of the console's pages, as an officer is served them, without a change and right after a decision."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote

import httpx
import numpy as np
import pyarrow.compute as pc

from benchmarks.casework import Desk, flagged_positions, view_at
from benchmarks.served import Server
from serving.auth.permissions import CONSOLE
from serving.decisions.index import decision_index
from serving.decisions.records import IN_FORCE, SkuKey
from serving.dossiers.reader import LISTING

LIMIT_MS, ROUNDS, ROUNDS_AFTER = 200.0, 10, 4
PAGES: Mapping[str, str] = MappingProxyType({
    "failed and still on sale": "/?view=failed", "due": "/?view=due", "mine": "/?view=mine",
    "your estimate first": "/?view=estimate", "flagged, without the decided": "/?view=flagged",
    "decided": "/?view=decided", "newly flagged": "/?view=new", "random checks": "/?view=random",
    "decided against the score": "/?view=disagree", "last page of the whole catalogue": "/?view=all&page=1000000",
    "most failing units": "/?view=all&sort=harm", "one market, one category": "/?view=all&market=EU&category=childcare",
    "search: two words": "/?view=all&q=usb+charger", "search: one SKU": "/?view=all&q={sku}",
    "search: nothing": "/?view=all&q=no+such+words", "hazard in reviews": "/?view=all&evidence=reviews",
    "largest supplier in the queue": "/?view=all&supplier={supplier}", "largest supplier": "/supplier/{supplier}",
    "factory": "/factory/{factory}", "SKU of the largest supplier": "/sku/{market}/{sku}",
    "restricted SKU": "/sku/{restricted}", "form of a decision": "/decide?market={market}&sku_id={sku}",
    "decisions": "/decisions", "one decision": "/decisions/{decision}", "appeals": "/appeals", "letters": "/letters",
    "overview": "/overview",
})  # fmt: skip


def measure_pages(desk: Desk, server: Server, secret: str) -> dict[str, dict[str, float]]:
    """First, median, p95 and slowest of each page, and median and slowest of its first answer after a decision."""
    names = _names(desk)
    paths = {name: path.format(**names) for name, path in PAGES.items()}
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}{CONSOLE}", timeout=60) as officer:
        _sign_in(officer, secret)
        took = {name: [_milliseconds(officer, path)] for name, path in paths.items()}
        for _ in range(ROUNDS):
            for name, path in paths.items():
                took[name].append(_milliseconds(officer, path))
        after: dict[str, list[float]] = {name: [] for name in paths}
        decisions = _decisions(desk)
        for _ in range(ROUNDS_AFTER):
            for name, path in paths.items():
                next(decisions)
                after[name].append(_milliseconds(officer, path))
    return {name: _summary(took[name], after[name]) for name in paths}


def _names(desk: Desk) -> dict[str, str]:
    """What the addresses name: the largest supplier, its riskiest SKU, a factory, a restriction and its SKU."""
    store, engine = desk.store, desk.context.engine
    supplier = store.queue.column("supplier")
    first = np.flatnonzero(supplier == np.bincount(supplier).argmax())[:1]
    listing = store.dossiers.of(int(store.queue.positions(first)[0])).listing
    listings = store.dossiers.rows(LISTING, ("factory_id",))
    assert listings is not None
    made = pc.value_counts(listings["factory_id"].drop_null())
    factory = made.field("values")[int(np.argmax(made.field("counts")))].as_py()
    removals = (each.decision for each in decision_index(engine).all() if each.decision.disposition == "remove")
    restriction = next(each for each in removals if each.state == IN_FORCE)
    return {
        "supplier": quote(listing.supplier_id, safe=""), "sku": quote(listing.sku_id, safe=""),
        "market": listing.market, "factory": quote(factory, safe=""),
        "decision": restriction.decision_id,
        "restricted": f"{restriction.market}/{quote(restriction.sku_id, safe='')}",
    }  # fmt: skip


def _decisions(desk: Desk) -> Iterator[None]:
    """Take a decision at each step: pauses in force and decisions that restrict nothing in turn."""
    index = decision_index(desk.context.engine)
    decided = {each.decision.key for each in index.all()}
    for number, position in enumerate(flagged_positions(desk.store).tolist()):
        listing = desk.store.dossiers.of(position).listing
        if SkuKey(listing.sku_id, listing.market) not in decided:
            view = view_at(desk, position, number)
            desk.decide(view, ("pause", "no_action", "request_documents")[number % 3], datetime.now(UTC))
            yield


def _sign_in(officer: httpx.Client, secret: str) -> None:
    page = officer.get("/sign-in").raise_for_status().text
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    if token is None:
        raise RuntimeError("The sign-in has no form.")
    answer = officer.post("/sign-in", data={"csrf": token[1], "key": secret})
    if answer.status_code != httpx.codes.SEE_OTHER:
        raise RuntimeError(f"The sign-in answered {answer.status_code}.")


def _milliseconds(officer: httpx.Client, path: str) -> float:
    start = time.perf_counter()
    answer = officer.get(path)
    milliseconds = 1000 * (time.perf_counter() - start)
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:300]}")
    return milliseconds


def _summary(took: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    first, *later = took
    return {
        "first_ms": first, "median_ms": float(np.median(later)), "p95_ms": float(np.quantile(later, 0.95)),
        "max_ms": max(later), "after_decision_median_ms": float(np.median(after)),
        "after_decision_max_ms": max(after),
    }  # fmt: skip
