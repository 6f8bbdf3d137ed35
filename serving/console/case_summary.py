"""What stands above a case: what may be done now and why, in sentences, and where the primary button leads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serving.console.case import CaseView, DispositionOption, officer_of
from serving.console.session import Person
from serving.decisions.days import long_date
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_TEST, Ground
from serving.decisions.records import Decision
from serving.decisions.rules import carrying_grounds


@dataclass(frozen=True)
class CaseSummary:
    """The head of a case for one person: a `headline`, sentences, a proposal to settle, whether they may decide.

    `to_settle` is the oldest proposal that they may approve or decline, None where there is none.
    """

    headline: str
    sentences: tuple[str, ...]
    to_settle: Decision | None
    may_decide: bool


def summarize_case(case: CaseView) -> CaseSummary:
    """The head of a case: its state, then what the person may do about it now and on which facts."""
    person = case.person
    open_options = [option for option in case.options if option.barred is None]
    standing = {each.disposition for each in (*case.state.restrictions, *case.state.proposals)}
    possible = [option for option in open_options if option.possible and option.disposition.name not in standing]
    officer = officer_of(person)
    to_settle = [
        each for each in case.state.proposals
        if person.role in case.policy.disposition(each.disposition).roles
        and not officer.is_same_as(each.proposed_by, each.proposer_key)
    ]  # fmt: skip
    return CaseSummary(
        headline=_headline(case), sentences=(*_allowed(case, possible), *_not_allowed(open_options, person)),
        to_settle=to_settle[-1] if to_settle else None, may_decide=bool(possible),
    )  # fmt: skip


def _headline(case: CaseView) -> str:
    state = case.state
    if state.restriction is not None:
        return f"{case.policy.disposition(state.restriction.disposition).title}: in force"
    if state.proposals:
        return f"{case.policy.disposition(state.proposals[0].disposition).title}: awaiting approval"
    if state.is_failed_on_sale:
        return "A test has failed, and the product is still on sale"
    if state.tests_ordered:
        return "A test is ordered"
    return "No decision is in force"


def _allowed(case: CaseView, possible: Sequence[DispositionOption]) -> tuple[str, ...]:
    """What is possible now: what rests on facts by its facts, the rest in one sentence."""
    by_reason: dict[str, list[str]] = {}
    for option in sorted(possible, key=lambda each: -each.disposition.strength):
        if option.disposition.needs_fact:
            grounds = carrying_grounds(option.disposition, case.file.grounds_for(option.disposition), case.today)
            by_reason.setdefault(_in_short(grounds), []).append(option.disposition.title)
    sentences = [f"{reason}: {_joined(titles)}." for reason, titles in by_reason.items()]
    others = [option.disposition.title for option in possible if not option.disposition.needs_fact]
    if others:
        sentences.append(f"{'Also possible' if sentences else 'Possible now'}: {_joined(others)}.")
    return tuple(sentences)


def _not_allowed(open_options: Sequence[DispositionOption], person: Person) -> tuple[str, ...]:
    """What lacks a fact, or that the role decides nothing."""
    if not open_options:
        return (f"You signed in as {person.role}: you can read this case, and an officer decides on it.",)
    missing = [option.disposition.title for option in open_options if option.missing]
    return (f"Not possible without more facts: {_joined(missing)}.",) if missing else ()


def _in_short(grounds: Sequence[Ground]) -> str:
    """The newest ground in a few words, how many more there are, and that they allow something."""
    newest = max(grounds, key=lambda each: each.since)
    kind, since = newest.kind, long_date(newest.since)
    if kind == FAILED_TEST:
        words = f"A failed test of {since}" + (f" ({newest.severity})" if newest.severity else "")
    elif kind == DENIED_CERTIFICATE:
        words = f"A refuted document of {since}"
    else:
        words = f"An order of {newest.author or 'an authority'} of {since}"
    more = len(grounds) - 1
    return f"{words} allows" if not more else f"{words} and {more} other fact{'' if more == 1 else 's'} allow"


def _joined(titles: Iterable[str]) -> str:
    """Titles in a sentence, each with a small first letter."""
    return ", ".join(title[:1].lower() + title[1:] for title in titles)
