"""`POST /screen`: a listing joined with what the catalogue knows of its entities, decided by the policy's rules."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from data.database.audit_log import AuditEvent, Versions
from features.groups.new_listing import ListingReader, NewListing
from models.reasons import RowContext
from serving.api.screening_policy import (
    Ask,
    ScreeningDecision,
    ScreeningPolicy,
    Situation,
    Stage,
    screening_policy_in_force,
)
from serving.auth.api_keys import Key
from serving.decisions.cases import CaseEvidence, CaseState, case_state, results_of
from serving.decisions.index import decision_index
from serving.decisions.legal_grounds import Ground, failed_elsewhere
from serving.decisions.new_documents import new_documents_of
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import Decision, SkuKey
from serving.dossiers.records import Dossier, LabTest
from serving.online.store import OnlineStore
from serving.schemas import Question, Reason, Text

Longer = Annotated[str, Field(min_length=1, max_length=2_000)]


class Listing(Question):
    """A listing in the words of the input contract; leave out what it does not state.

    `supplier_id` and `category` join what the catalogue knows of them; `sku_id` joins the product itself where it is
    known already. `own` holds values of the marketplace's own columns of `skus`, by the name of the column.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sku_id": "K-900001", "market": "EU", "supplier_id": "P160cd59a9e", "category": "mains_chargers",
                "title": "USB-C fast charger 65 W", "price_eur": 9.9, "battery": "none", "mains_powered": True,
            }
        },
    )  # fmt: skip

    sku_id: Text
    market: Text
    supplier_id: Text
    category: Text
    factory_id: Text | None = None
    title: Longer | None = None
    brand: Text | None = None
    price_eur: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    age_grade_months: Annotated[int, Field(ge=0, le=1200)] | None = None
    battery: Literal["none", "button", "li_ion", "other"] | None = None
    mains_powered: bool | None = None
    radio: bool | None = None
    skin_contact: bool | None = None
    food_contact: bool | None = None
    responsible_person: bool | None = None
    own: Annotated[dict[Text, str | float | bool], Field(max_length=200)] = Field(default_factory=dict)


class ScreenQuestion(Question):
    """The listing, and how far on its way it is."""

    listing: Listing
    stage: Stage


class Known(BaseModel):
    """Whether the catalogue knows the product in this market, its supplier, and its category in this market."""

    sku: bool
    supplier: bool
    category: bool


class RestrictionInForce(BaseModel):
    """A decision in force that restricts the product; `ends_on` is the last day of a pause.

    `binds` is sku, or supplier where it holds for all products of the supplier.
    """

    decision_id: str
    disposition: str
    binds: Literal["sku", "supplier"]
    since: str
    ends_on: date | None


class ScreenAnswer(BaseModel):
    """What to do with the listing at this stage, and why.

    `rule` names the rule of the screening policy that decided. `restrictions` are the decisions in force on the product
    or its supplier, which hold it at every stage. `facts` are all that stand, failed tests of the same SKU in other
    markets among them; `hold` rests on a restriction or a fact of this market, never on the score alone. `test_first`
    asks for a test or for documents before it goes on. `hazard`, `hazard_share` and `risk_level` are as in a score row;
    they change no decision. `policy_version` is the screening policy's.
    """

    sku_id: str
    market: str
    stage: Stage
    decision: ScreeningDecision
    ask: Ask
    rule: str
    restrictions: list[RestrictionInForce]
    facts: list[Ground]
    p_fail: float
    p_low: float
    p_high: float
    band: str
    hazard: str | None
    hazard_share: float | None
    risk_level: str | None
    reasons: list[Reason]
    known: Known
    model_version: str
    feature_version: str
    policy_version: str
    bands_version: str
    as_of: date


Floats = NDArray[np.float64]

Results = Mapping[SkuKey, tuple[LabTest, ...]]

MAX_SUPPLIERS = 10_000
"""At most so many are cached."""


class ListingScreener:
    """Decides on listings by one publication."""

    def __init__(self, published: OnlineStore) -> None:
        self._published = published
        self._reader = ListingReader(published.artifact.reference)
        self._policy: ScreeningPolicy = screening_policy_in_force(published.publication.as_of)
        self._suppliers: dict[str, int] = {}
        keys = published.snapshot.keys(0, len(published.snapshot)).select(["category", "market"])
        self._categories = frozenset(
            (row["category"], row["market"]) for row in keys.group_by(["category", "market"]).aggregate([]).to_pylist()
        )
        self._markets = sorted({market for _, market in self._categories})

    def decide(self, listing: Listing, stage: Stage, engine: sa.Engine, today: date) -> ScreenAnswer:
        """The decision on a listing at a stage, by what is in force today.

        Raises UserError where the catalogue was scored without dossiers, or the database cannot be read.
        """
        published, as_of = self._published, self._published.publication.as_of
        new = NewListing(**listing.model_dump(exclude={"sku_id"}))
        position = int(published.snapshot.find([listing.sku_id], [listing.market])[0])
        row = self._features(new, position)
        scored = published.scorer.score(row[None, :])
        results = results_of(engine, listing.sku_id)
        state = self._case(listing, position, results, engine, today)
        facts, p_fail = (*state.grounds, *self._facts_elsewhere(listing, results)), float(scored.p_fail[0])
        band = str(published.scorer.bands.band(p_fail))
        missing = [name for name in Listing.model_fields if getattr(listing, name) in (None, False)]
        kinds, restricted = {fact.kind for fact in facts}, bool(state.restrictions)
        rule = self._policy.decide(Situation(stage, listing.market, restricted, kinds, band, missing))
        reasons = self._reasons(RowContext(new.category, float(scored.margin[0]), row), scored.contributions[0])
        cell = (new.category, new.market, new.supplier_id)
        harm = published.scorer.harm_columns([cell], row[None, :], scored.p_fail)
        return ScreenAnswer(
            sku_id=listing.sku_id, market=listing.market, stage=stage, decision=rule.decision, ask=rule.ask,
            rule=rule.name, restrictions=[_restriction(each) for each in state.restrictions], facts=list(facts),
            p_fail=p_fail,
            p_low=float(scored.p_low[0]), p_high=float(scored.p_high[0]), band=band, reasons=reasons,
            **{name: values[0] for name, values in harm.items()},
            known=Known(
                sku=position >= 0, supplier=self._supplier_position(listing.supplier_id) >= 0,
                category=(listing.category, listing.market) in self._categories,
            ),
            model_version=published.publication.model_version,
            feature_version=published.publication.feature_version, policy_version=self._policy.version,
            bands_version=published.scorer.policy_version, as_of=as_of,
        )  # fmt: skip

    def _features(self, listing: NewListing, position: int) -> Floats:
        """The features (features,): those of the product or its entities, replaced by those of the listing itself."""
        snapshot, known = self._published.snapshot, position >= 0
        row: Floats = (
            snapshot.matrix_at(np.array([position]))[0] if known else snapshot.new_listing_features(listing.keys)
        )
        on_demand = self._reader.features(listing, snapshot.as_of)
        if known:
            del on_demand["sku_listing_age_days"]
        for column, name in enumerate(snapshot.feature_names):
            if name in on_demand:
                row[column] = on_demand[name]
        return row

    def _case(self, listing: Listing, position: int, results: Results, engine: sa.Engine, today: date) -> CaseState:
        """The state of the case: of the product where the catalogue knows it, else of its supplier's range."""
        dossiers, key = self._published.dossiers, SkuKey(listing.sku_id, listing.market)
        dossier, supplier = None, listing.supplier_id
        if position >= 0:
            dossier = dossiers.of(position)
            supplier = dossier.listing.supplier_id
        elif (other := self._supplier_position(listing.supplier_id)) >= 0:
            dossier = _supplier_dossier(dossiers.of(other), listing.market)
        if dossier is not None:
            dossier = new_documents_of(engine, listing.sku_id, supplier).added_to(dossier)
        index = decision_index(engine)
        of_both = (*index.of(key, supplier), *index.of(key, listing.supplier_id))
        decisions = tuple({each.decision.decision_id: each for each in of_both}.values())
        evidence = CaseEvidence(key, supplier, self._published.publication.as_of, dossier, results.get(key, ()))
        return case_state(evidence, decisions, decision_policy_in_force(today), today)

    def _facts_elsewhere(self, listing: Listing, results: Results) -> tuple[Ground, ...]:
        others = [market for market in self._markets if market != listing.market]
        positions = self._published.snapshot.find([listing.sku_id] * len(others), others)
        dossiers = [
            (self._published.dossiers.of(position), results.get(SkuKey(listing.sku_id, market), ()))
            for market, position in zip(others, positions.tolist(), strict=True)
            if position >= 0
        ]
        return failed_elsewhere(dossiers, self._published.publication.as_of)

    def _supplier_position(self, supplier_id: str) -> int:
        """The position of any product of a supplier, -1 where the catalogue has none."""
        if supplier_id not in self._suppliers:
            if len(self._suppliers) >= MAX_SUPPLIERS:
                self._suppliers.clear()
            suppliers = self._published.snapshot.keys(0, len(self._published.snapshot))["supplier_id"]
            self._suppliers[supplier_id] = int(pc.index(suppliers, supplier_id).as_py())
        return self._suppliers[supplier_id]

    def _reasons(self, row: RowContext, contributions: Floats) -> list[Reason]:
        writer = self._published.reason_writer
        reasons = writer.reasons_to_tell(row, contributions)
        return [
            Reason(feature=each.feature, value=None if np.isnan(each.value) else each.value,
                   contribution=each.contribution, sentence=sentence)
            for each, sentence in zip(reasons, writer.sentences(reasons), strict=True)
        ]  # fmt: skip


@lru_cache(maxsize=1)
def screener_of(published: OnlineStore) -> ListingScreener:
    """The screener of a publication, made once. Raises UserError where the policy is not whole."""
    return ListingScreener(published)


def screening_event(answer: ScreenAnswer, key: Key) -> AuditEvent:
    """Audit event of a screening that did not simply allow."""
    content = {
        "stage": answer.stage, "decision": answer.decision, "ask": answer.ask, "rule": answer.rule, "key": key.id,
        "p_fail": answer.p_fail, "band": answer.band, "as_of": answer.as_of.isoformat(),
        "facts": [fact.row_id for fact in answer.facts],
        "restrictions": [each.decision_id for each in answer.restrictions],
    }  # fmt: skip
    versions = Versions(answer.model_version, answer.feature_version, answer.policy_version)
    return AuditEvent(key.name, "screen", f"{answer.sku_id} {answer.market}", content, versions)


def _restriction(decision: Decision) -> RestrictionInForce:
    return RestrictionInForce.model_validate({
        "decision_id": decision.decision_id, "disposition": decision.disposition, "binds": decision.binds,
        "since": decision.since, "ends_on": decision.ends_on,
    })  # fmt: skip


def _supplier_dossier(dossier: Dossier, market: str) -> Dossier:
    """The dossier of a supplier's unknown product: the rows that concern the supplier's whole range."""
    return replace(
        dossier, listing=replace(dossier.listing, market=market), tests=(), incidents=(), quotes=(),
        certificates=tuple(each for each in dossier.certificates if each.sku_id is None),
        holds=tuple(each for each in dossier.holds if each.sku_id is None and each.market in (None, market)),
    )  # fmt: skip
