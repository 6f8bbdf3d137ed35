"""Documents of the sample marketplace: claimed, sometimes checked with whoever can confirm them, sometimes forged."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.contract import DOCUMENT_KINDS
from data.synthetic.ground_truth import World
from data.synthetic.listings import PAPERS
from data.synthetic.randomness import NUMBER_SPAN, Integers, Truths, format_days, identifiers, random_stream
from data.synthetic.skus import brands
from data.synthetic.suppliers import supplier_ids
from data.synthetic.vocabulary import MARKETS, SyntheticDocument, categories

STATUSES = ("claimed", "confirmed", "out_of_scope", "denied", "withdrawn", "expired")
CLAIMED, CONFIRMED, OUT_OF_SCOPE, DENIED, WITHDRAWN, EXPIRED = range(6)
ISSUERS = ("TUV-A", "SGS-B", "BV-C", "INT-D", "DK-E", "UNI-F", "LAB-G", "LAB-H")
SELF_DECLARED = "declaration_of_conformity"
NUMBER_PREFIX = dict(zip(DOCUMENT_KINDS, ("DOC-", "TYPE-", "TR-", "REG-", "SR-", "M-"), strict=True))
CHECKED = 0.55
# What a check of each kind of paper ends in (none, valid, out_of_scope, expired, unverifiable, fake, withdrawn): the
# outcome and how often a check reaches it.
OUTCOME = np.array([CONFIRMED, CONFIRMED, OUT_OF_SCOPE, CONFIRMED, DENIED, DENIED, WITHDRAWN])
REACHED = np.array([0.0, 1.0, 0.9, 1.0, 0.35, 0.75, 0.8])
FOOLED = 0.15
FAKE = PAPERS.index("fake")


def certificates_table(world: World, products: Integers, sku_ids: pa.Array, chunk: int) -> pa.Table:
    """The contract's certificates of these products, one row per change of status; `sku_ids` are theirs.

    A declaration of conformity is signed by its maker, so nobody else confirms, denies or withdraws it.
    """
    rng = random_stream(world.seed, "certificates", chunk)
    held = np.flatnonzero(world.products.paper[products] > 0)
    product = products[held]
    document = _draw_documents(world, product)
    changes = _draw_status_changes(rng, world, product, document)
    columns = {
        "certificate_id": identifiers("C", product, world.seed),
        "supplier_id": supplier_ids(world.products.supplier[product], world.seed),
        "sku_id": sku_ids.take(pa.array(held)),
        "expires_on": format_days(changes.expires),
        **_document_texts(rng, world, product, document),
    }
    return pa.table({
        "happened_on": format_days(changes.day),
        "known_on": format_days(changes.known),
        "status": pa.array(STATUSES).take(pa.array(changes.status)),
        **{name: column.take(pa.array(changes.row)) for name, column in columns.items()},
    })  # fmt: skip


@dataclass(frozen=True)
class _StatusChanges:
    """Changes of status, one entry each: row of the document, status code, day, day known; `expires` per document."""

    row: Integers
    status: Integers
    day: Integers
    known: Integers
    expires: Integers


def _draw_status_changes(
    rng: np.random.Generator, world: World, product: Integers, document: Integers
) -> _StatusChanges:
    paper, size, until = world.products.paper[product], len(product), world.period.until
    claimed = world.products.listed[product] + rng.integers(0, 20, size)
    # A lapsed paper had less than a year to go when it was claimed; the others have two to four.
    years = np.where(paper == PAPERS.index("expired"), rng.uniform(0.1, 0.8, size), rng.uniform(2.0, 4.0, size))
    expires = claimed + (365 * years).astype(np.int64)
    declared = np.array([each.kind == SELF_DECLARED for each in _documents()])[document]
    checked = (rng.random(size) < CHECKED) & ~declared
    reached = rng.random(size) < REACHED[paper]
    fooled = (paper == FAKE) & ~reached & (rng.random(size) < FOOLED / (1 - REACHED[FAKE]))
    outcome = np.where(fooled, CONFIRMED, OUTCOME[paper])
    decided_on = claimed + rng.integers(10, 121, size)
    decided_on = np.where(outcome == WITHDRAWN, decided_on + rng.integers(30, 300, size), decided_on)
    decided = checked & (reached | fooled)
    events: list[tuple[Integers, Integers, Integers]] = [
        (np.flatnonzero(claimed <= until), np.full(size, CLAIMED), claimed),
        (np.flatnonzero(decided & (decided_on <= until)), outcome, decided_on),
        (np.flatnonzero((expires <= until) & (expires > decided_on)), np.full(size, EXPIRED), expires),
    ]
    row = np.concatenate([entries for entries, _, _ in events])
    status = np.concatenate([codes[entries] for entries, codes, _ in events])
    day = np.concatenate([days[entries] for entries, _, days in events])
    known = np.where(status == CLAIMED, day, np.minimum(day + rng.integers(0, 8, len(day)), until))
    return _StatusChanges(row, status, day, known, expires)


@lru_cache(maxsize=1)
def _documents() -> tuple[SyntheticDocument, ...]:
    """The documents of all categories; a document's code is its position."""
    return tuple(document for category in categories() for document in category.documents)


def _draw_documents(world: World, product: Integers) -> Integers:
    """The code of the document of each product: one of its category for one of the markets where it is sold."""
    first = np.searchsorted(world.listings.product, product)
    markets = np.searchsorted(world.listings.product, product, side="right") - first
    number = world.products.design[product] >> 50
    market = world.listings.market[first + number % markets]
    options = _documents_by_cell()
    count = np.array([len(codes) for codes in options])
    cell = world.products.category[product] * len(MARKETS) + market
    start = (np.cumsum(count) - count)[cell]
    codes: Integers = np.concatenate(options)[start + (number // markets) % count[cell]]
    return codes


@lru_cache(maxsize=1)
def _documents_by_cell() -> tuple[Integers, ...]:
    """The codes of the documents for each category and market, market by market within a category."""
    codes, cells = 0, list[Integers]()
    for category in categories():
        own = range(codes, codes + len(category.documents))
        codes += len(category.documents)
        cells += [np.array([code for code in own if market in _documents()[code].markets]) for market in MARKETS]
    return tuple(cells)


def _document_texts(
    rng: np.random.Generator, world: World, product: Integers, document: Integers
) -> dict[str, pa.Array]:
    """Scheme, kind, standard, issuer, number and holder of each document; a forged one names another's company."""
    declared = _documents()
    paper, supplier = world.products.paper[product], world.products.supplier[product]
    named = np.where(paper == FAKE, (supplier + 1) % len(world.suppliers), supplier)
    code = pa.array(document)
    prefix = pa.array([NUMBER_PREFIX[each.kind] for each in declared]).take(code)
    digits = pc.utf8_upper(pc.utf8_slice_codeunits(identifiers("N", product + NUMBER_SPAN, world.seed), 1, 9))
    register = pa.array([each.register or None for each in declared]).take(code)
    self_declared = pa.array([each.kind == SELF_DECLARED for each in declared]).take(code)
    issuer = pc.coalesce(register, _draw_issuers(rng, paper))
    return {
        **{name: pa.array([getattr(each, name) for each in declared]).take(code)
           for name in ("scheme", "kind", "standard")},
        "issuer": pc.if_else(self_declared, pa.scalar(None, pa.string()), issuer),
        "number": pc.binary_join_element_wise(prefix, digits, ""),
        "holder": pc.binary_join_element_wise(brands(named), pa.scalar(" Co., Ltd."), ""),
    }  # fmt: skip


def _draw_issuers(rng: np.random.Generator, paper: Integers) -> pa.Array:
    """The issuer of each paper; doubtful ones name the last issuers of the list more often."""
    doubtful: Truths = paper >= PAPERS.index("unverifiable")
    position = rng.random(len(paper)) ** np.where(doubtful, 0.5, 1.3)
    return pa.array(ISSUERS).take(pa.array((position * len(ISSUERS)).astype(np.int64)))
