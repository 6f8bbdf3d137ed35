"""Who gets a public test summary, and what keeps a product from having one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa

from sampling.policy import sampling_policy_in_force
from sampling.problem import Cell
from serving.decisions.cases import CaseEvidence, CaseState, case_state, results_of_skus
from serving.decisions.index import DecisionIndex, decision_index
from serving.decisions.legal_grounds import Ground, failed_elsewhere, open_notices
from serving.decisions.policy import DecisionPolicy, decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.dossiers.records import Dossier, LabTest
from serving.notices.store import ShopperNotice, decided_cases, read_notices
from serving.online.store import OnlineStore
from serving.trust.policy import TrustPolicy

MOST_NOTICES = 100
CASES_AT_ONCE = 4_096


@dataclass(frozen=True)
class TrustCase:
    """All that decides whether a product gets a summary: dossier, state of its case and newest tests today.

    `failures_elsewhere` are failed tests of the same SKU that stand in other markets, `reported` the notices of
    shoppers on which nobody has decided yet.
    """

    dossier: Dossier
    state: CaseState
    tests: tuple[LabTest, ...]
    failures_elsewhere: tuple[Ground, ...]
    policy: DecisionPolicy
    today: date
    reported: tuple[ShopperNotice, ...] = ()

    @property
    def key(self) -> SkuKey:
        """The SKU and its market."""
        return self.state.key


def trust_case(engine: sa.Engine, store: OnlineStore, key: SkuKey, today: date) -> TrustCase | None:
    """The case of a SKU as it is at this moment; None where the catalogue lacks it."""
    (case,) = trust_cases(engine, store, [key], today)
    return case and replace(case, reported=_undecided_notices(engine, key))


def trust_cases(
    engine: sa.Engine, store: OnlineStore, keys: Sequence[SkuKey], today: date
) -> Iterator[TrustCase | None]:
    """The cases of many SKUs, in their order, without what shoppers reported; None where the catalogue lacks one."""
    decisions, policy = decision_index(engine), decision_policy_in_force(today)
    for start in range(0, len(keys), CASES_AT_ONCE):
        some = keys[start : start + CASES_AT_ONCE]
        results = results_of_skus(engine, {key.sku_id for key in some})
        known = _Known(store.publication.as_of, _dossiers_of(store, some), results, decisions)
        for key in some:
            yield _case_of(key, known, policy, today)


@dataclass(frozen=True)
class _Known:
    """What is known of some SKUs: dossiers of the scoring of `as_of`, by SKU and market, newer results, decisions."""

    as_of: date
    dossiers: dict[str, dict[str, Dossier]]
    results: dict[SkuKey, tuple[LabTest, ...]]
    decisions: DecisionIndex


def _dossiers_of(store: OnlineStore, keys: Collection[SkuKey]) -> dict[str, dict[str, Dossier]]:
    """The dossiers of SKUs in all their markets."""
    markets, sku_ids = store.queue.markets, dict.fromkeys(key.sku_id for key in keys)
    asked = [(sku_id, market) for sku_id in sku_ids for market in markets]
    positions = store.snapshot.find([sku_id for sku_id, _ in asked], [market for _, market in asked])
    found = [(*each, at) for each, at in zip(asked, positions.tolist(), strict=True) if at >= 0]
    dossiers: dict[str, dict[str, Dossier]] = {}
    for (sku_id, market, _), dossier in zip(found, store.dossiers.facts_of([at for *_, at in found]), strict=True):
        dossiers.setdefault(sku_id, {})[market] = dossier
    return dossiers


def _case_of(key: SkuKey, known: _Known, policy: DecisionPolicy, today: date) -> TrustCase | None:
    dossiers = known.dossiers.get(key.sku_id, {})
    if key.market not in dossiers:
        return None
    dossier, results = dossiers[key.market], known.results
    supplier = dossier.listing.supplier_id
    evidence = CaseEvidence(key, supplier, known.as_of, dossier, results.get(key, ()))
    others = [
        (each, results.get(SkuKey(key.sku_id, market), ()))
        for market, each in dossiers.items() if market != key.market
    ]  # fmt: skip
    return TrustCase(
        dossier, case_state(evidence, known.decisions.of(key, supplier), policy, today), evidence.tests,
        failed_elsewhere(others, known.as_of), policy, today,
    )  # fmt: skip


def _undecided_notices(engine: sa.Engine, key: SkuKey) -> tuple[ShopperNotice, ...]:
    notices = [each.notice for each in read_notices(engine, MOST_NOTICES, key)]
    decided = decided_cases(engine, {each.case_id for each in notices}) if notices else frozenset[str]()
    return tuple(each for each in notices if each.case_id not in decided)


def passed_test(case: TrustCase, policy: TrustPolicy) -> LabTest | None:
    """The newest independent test with the full package that passed and is young enough; None where there is none."""
    cell = Cell(case.dossier.listing.category, case.dossier.listing.market)
    full = sampling_policy_in_force(case.today).options(cell)[0]
    if not full.finds_laboratory_failures:
        return None
    passed = (test for test in case.tests if is_full_pass(test, full.name))
    young = [test for test in passed if (case.today - test.known_on).days <= policy.valid_days]
    return max(young, key=lambda test: (test.happened_on, test.known_on, test.test_id), default=None)


def is_full_pass(test: LabTest, package: str | None) -> bool:
    """Whether a test in its newest version is an independent pass with this package."""
    return test.independent and test.has_result and test.result == "pass" and test.package == package


def obstacles(case: TrustCase, policy: TrustPolicy) -> tuple[str, ...]:
    """Sentences on what keeps a product from having a summary; empty where nothing does."""
    return tuple(dict.fromkeys(sentence for rule in _RULES for sentence in rule(case, policy)))


def _test_is_missing(case: TrustCase, policy: TrustPolicy) -> Iterator[str]:
    if passed_test(case, policy) is None:
        yield f"It has no independent test with the full package that passed in the last {policy.valid_days} days."


def _fact_stands(case: TrustCase, _: TrustPolicy) -> Iterator[str]:
    yield from (ground.sentence for ground in case.state.grounds)


def _is_restricted(case: TrustCase, _: TrustPolicy) -> Iterator[str]:
    if case.state.restrictions:
        yield "A restriction is in force."
    if any(case.policy.restricts(each.disposition) for each in case.state.proposals):
        yield "A restriction is proposed and awaits approval."


def _notice_is_open(case: TrustCase, policy: TrustPolicy) -> Iterator[str]:
    notices = open_notices(case.dossier, case.dossier.as_of)
    if any(each.injury_severity is None or each.injury_severity >= policy.critical_injury for each in notices):
        yield "A notice of a danger is open."


def _notice_waits(case: TrustCase, policy: TrustPolicy) -> Iterator[str]:
    if any(each.injury_severity is None or each.injury_severity >= policy.critical_injury for each in case.reported):
        yield "A shopper reported a danger, and nobody has decided on it yet."


def _failed_in_other_market(case: TrustCase, policy: TrustPolicy) -> Iterator[str]:
    if policy.other_markets:
        yield from (ground.sentence for ground in case.failures_elsewhere)


def _person_is_missing(case: TrustCase, _: TrustPolicy) -> Iterator[str]:
    if not case.dossier.listing.responsible_person:
        yield "The listing names no responsible person."


_RULES: Collection[Callable[[TrustCase, TrustPolicy], Iterator[str]]] = (
    _test_is_missing, _fact_stands, _is_restricted, _notice_is_open, _notice_waits, _failed_in_other_market,
    _person_is_missing,
)  # fmt: skip
