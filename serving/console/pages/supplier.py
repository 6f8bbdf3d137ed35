"""The pages of a supplier and of a factory: tests, gap between its samples and ours, audits, actions, SKUs, cases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray

from data.errors import UserError
from serving.console.blinding import blind_scores
from serving.console.case import current_policy, decisions_of
from serving.console.context import AppContext
from serving.console.pages.sku_documents import DisplayedDocument, displayed_documents, refuted_documents
from serving.console.session import ContextDep, CurrentPerson, Person
from serving.console.templating import page
from serving.decisions.new_documents import new_documents
from serving.decisions.records import Decision, SkuKey
from serving.dossiers.reader import ENTITY_ROW, LISTING
from serving.dossiers.records import Audit, LabTest, Remediation
from serving.online.store import OnlineStore
from serving.review_queue.format import QueueQuery
from serving.review_queue.reader import QueueEntry

router = APIRouter()

MOST_READ = 300
"""The most SKUs whose dossiers are read for one page, the riskiest ones."""

MOST_LISTED = 50


@dataclass(frozen=True)
class SkuSource:
    """Where SKUs come from: a supplier or a factory, by its id."""

    kind: Literal["supplier", "factory"]
    name: str


@dataclass(frozen=True)
class ResultCounts:
    """Tests with a result of pass or fail, and the failed ones among them."""

    tests: int
    failed: int


@dataclass(frozen=True)
class SourceSku:
    """A SKU of the supplier or factory; `is_blinded` where its score is hidden from the person.

    `refuted` says how its documents were refuted.
    """

    entry: QueueEntry
    is_blinded: bool
    refuted: str


@dataclass(frozen=True)
class SourceTest:
    """A laboratory test, and the title of the SKU that was tested."""

    test: LabTest
    title: str | None


@dataclass(frozen=True)
class SourceView:
    """What a page of a supplier or factory shows; `read` of its `count` SKUs were looked through.

    `ours` counts independent tests, `theirs` those of samples that the supplier provided; all lists are newest first.
    """

    source: SkuSource
    suppliers: tuple[str, ...]
    factories: tuple[str, ...]
    count: int
    read: int
    skus: tuple[SourceSku, ...]
    tests: tuple[SourceTest, ...]
    ours: ResultCounts
    theirs: ResultCounts
    audits: tuple[Audit, ...]
    actions: tuple[Remediation, ...]
    documents: tuple[DisplayedDocument, ...]


@router.get("/supplier/{supplier_id:path}")
def supplier(request: Request, context: ContextDep, person: CurrentPerson, supplier_id: str) -> Response:
    """The page of a supplier; UserError where the catalogue has none of its SKUs."""
    query = QueueQuery(supplier=supplier_id)
    view = _source_view(context, person, SkuSource("supplier", supplier_id), query)
    return _source_page(request, context, view, decisions_of(context).of_supplier(supplier_id))


@router.get("/factory/{factory_id:path}")
def factory(request: Request, context: ContextDep, person: CurrentPerson, factory_id: str) -> Response:
    """The page of a factory; UserError where the catalogue has none of its SKUs."""
    query = QueueQuery(among=positions_of_factory(context.store, factory_id))
    view = _source_view(context, person, SkuSource("factory", factory_id), query)
    keys = {SkuKey(each.entry.sku_id, each.entry.market) for each in view.skus}
    return _source_page(request, context, view, decisions_of(context).of_skus(sorted(keys)))


def positions_of_factory(store: OnlineStore, factory_id: str) -> NDArray[np.int64]:
    """The rows of the snapshot that are of a factory."""
    listed = store.dossiers.rows(LISTING, (ENTITY_ROW, "factory_id"))
    if listed is None:
        return np.empty(0, np.int64)
    made = listed.filter(pc.equal(listed["factory_id"], pa.scalar(factory_id)))
    return np.asarray(made[ENTITY_ROW].to_numpy(), dtype=np.int64)


def count_tests(tests: Iterable[LabTest]) -> ResultCounts:
    """Count tests that passed or failed; inconclusive ones say nothing."""
    results = [test.result for test in tests if test.result in ("pass", "fail")]
    return ResultCounts(len(results), results.count("fail"))


def _source_view(context: AppContext, person: Person, source: SkuSource, query: QueueQuery) -> SourceView:
    store = context.store
    blinding = blind_scores(context, store, person)
    numbers = store.queue.find(replace(query, blinded=blinding.hidden))
    if not len(numbers):
        raise UserError(f"The catalogue of {store.publication.as_of} has no SKU of {source.kind} {source.name!r}.")
    entries = store.queue.entries(numbers[:MOST_READ])
    new = new_documents(context.engine, store.publication.as_of)
    dossiers = [new.added_to(store.dossiers.of(entry.position)) for entry in entries]
    tests = {test.test_id: SourceTest(test, each.listing.title) for each in dossiers for test in each.tests}
    documents = {it.row.certificate_id: it for each in dossiers for it in displayed_documents(each)}
    audits = {it.audit_id: it for each in dossiers for it in each.audits}
    return SourceView(
        source=source, suppliers=_names(each.listing.supplier_id for each in dossiers),
        factories=_names(each.listing.factory_id for each in dossiers), count=len(numbers), read=len(entries),
        skus=tuple(
            SourceSku(blinding.redact(entry), blinding.is_hidden(entry), refuted_documents(store, entry))
            for entry in entries
        ),
        tests=tuple(sorted(tests.values(), key=lambda each: each.test.known_on, reverse=True)),
        ours=count_tests(each.test for each in tests.values() if each.test.independent),
        theirs=count_tests(each.test for each in tests.values() if not each.test.independent),
        audits=tuple(
            it for it in sorted(audits.values(), key=lambda each: each.happened_on, reverse=True)
            if source.kind == "supplier" or it.factory_id == source.name
        ),
        actions=tuple({it.remediation_id: it for each in dossiers for it in each.remediations}.values()),
        documents=tuple(sorted(documents.values(), key=lambda each: each.row.known_on, reverse=True)),
    )  # fmt: skip


def _names(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name is not None}))


def _source_page(request: Request, context: AppContext, view: SourceView, cases: Sequence[Decision]) -> Response:
    keys = sorted({each.key for each in cases})
    return page(
        request, "supplier.html", it=view, cases=cases, titles=context.store.titles(keys),
        policy=current_policy(context), most=MOST_LISTED, today=context.now().date(),
    )  # fmt: skip
