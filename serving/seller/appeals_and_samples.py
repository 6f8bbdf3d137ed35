"""The pages on which a seller appeals and asks for the counter-sample."""

from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Request, Response

from data.errors import UserError
from serving.console.letter_sources import draft_letters
from serving.decisions.appeals import answer_due_on, appeals, file_appeal
from serving.decisions.deadlines import add_months
from serving.decisions.policy import DecisionPolicy, decision_policy_in_force
from serving.decisions.records import Appeal, Decision
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from serving.letters.appeal_period import appeal_period_starts
from serving.letters.facts import STATEMENTS
from serving.seller.counter_samples import CounterSampleWishes, ask_counter_sample, counter_samples_of
from serving.seller.forms import FormReader, SentForm
from serving.seller.opened_page import Opened, OpenedPage, day_of, redirect_to_task, render_page, told_failures
from serving.seller.task_status import CLOSED, DONE, TO_DO, WAITS, TaskStatus

router = APIRouter(prefix="/s", include_in_schema=False)

SUPPLIER = "supplier"
"""The role of who files an appeal here; no officer has it."""


@dataclass(frozen=True)
class AppealableDecision:
    """A decision in force that a statement told of: the last day to appeal against it, and its open appeal."""

    decision: Decision
    until: date
    open_appeal: Appeal | None


@dataclass(frozen=True)
class AppealState:
    """The decisions that can be appealed against, and the appeals that were filed, the newest first."""

    decisions: tuple[AppealableDecision, ...]
    filed: tuple[Appeal, ...]
    policy: DecisionPolicy

    @property
    def possible(self) -> tuple[AppealableDecision, ...]:
        """Those without an open appeal."""
        return tuple(each for each in self.decisions if each.open_appeal is None)

    def due_on(self, appeal: Appeal) -> date:
        """The day by which an appeal has to be answered."""
        return answer_due_on(appeal, self.policy)


def read_appeals(opened: OpenedPage) -> AppealState:
    """What can be appealed against on a page: decisions whose statement was sent for this case, and nothing else."""
    engine, policy = opened.context.engine, decision_policy_in_force(opened.today)
    told = {letter.about for letter in opened.letters() if letter.kind in STATEMENTS}
    decisions = Decisions(engine, policy).by_ids(told)
    filed = tuple(each for each in appeals(engine) if each.decision_id in told)
    listed = []
    for decision in decisions.values():
        starts = appeal_period_starts(engine, decision.decision_id)
        until = add_months(starts, policy.appeals.months) if starts else opened.today
        restricts = decision.is_in_force(opened.today) and policy.restricts(decision.disposition)
        if restricts and opened.today <= until and decision.supplier_id == opened.link.supplier_id:
            waiting = (each for each in filed if each.decision_id == decision.decision_id and each.outcome is None)
            listed.append(AppealableDecision(decision, until, next(waiting, None)))
    return AppealState(tuple(listed), filed, policy)


def appeal_status(opened: OpenedPage) -> TaskStatus:
    """Whether an appeal is possible, open or answered."""
    state = read_appeals(opened)
    waiting = next((each for each in state.filed if each.outcome is None), None)
    if waiting is not None:
        return TaskStatus("tasks.appealed", WAITS, {"due": state.due_on(waiting)})
    if state.possible:
        return TaskStatus("tasks.possible_until", TO_DO, {"until": state.possible[0].until})
    answered = state.filed[0].outcome if state.filed else None
    return TaskStatus(f"appeals.outcome_{answered}", DONE) if answered else TaskStatus("tasks.not_possible", CLOSED)


@router.get("/{token}/appeal")
def appeal(request: Request, opened: Opened) -> Response:
    """The seller's appeals, and a form for one."""
    return _appeal_page(request, opened)


@router.post("/{token}/appeal")
def send_appeal(request: Request, opened: Opened, form: SentForm) -> Response:
    """File the appeal of a seller, as an officer would who takes it in; the same form twice is one appeal."""
    reader, state, context = FormReader(opened, form), read_appeals(opened), opened.context
    known = {each.decision.decision_id: each for each in state.decisions}
    decision_id = reader.choice("decision", "appeals.decision", tuple(known))
    grounds = reader.text("grounds", "appeals.grounds")
    if reader.problems:
        return _appeal_page(request, opened, reader)
    chosen = known[decision_id]
    if chosen.open_appeal is None:
        filer = Officer(opened.link.case.actor, SUPPLIER, opened.link.link_id)
        signature = Signature(filer, context.now())
        try:
            file_appeal(context.engine, chosen.decision, grounds, signature, state.policy)
        except UserError as refusal:
            reader.problems["grounds"] = str(refusal)
            return _appeal_page(request, opened, reader)
        draft_letters(context)
    return redirect_to_task(request, opened, "appeal")


def _appeal_page(request: Request, opened: OpenedPage, reader: FormReader | None = None) -> Response:
    state = read_appeals(opened)
    return render_page(
        request, opened, "seller_appeal.html", 400 if reader else 200, state=state, day_of=day_of,
        fields=reader.fields() if reader else {}, problems=reader.problems if reader else {},
    )  # fmt: skip


def counter_sample_status(opened: OpenedPage) -> TaskStatus:
    """Whether a counter-sample can be asked for, was asked for, or was answered."""
    asked = counter_samples_of(opened.context.engine, opened.link.case)
    if asked:
        return TaskStatus(f"counter_sample.badge_{asked[0].state}", WAITS if asked[0].state == "asked" else DONE)
    return TaskStatus("tasks.possible") if told_failures(opened) else TaskStatus("tasks.not_possible", CLOSED)


@router.get("/{token}/counter-sample")
def counter_sample(request: Request, opened: Opened) -> Response:
    """The requests of the case, and a form for one."""
    return _counter_sample_page(request, opened)


@router.post("/{token}/counter-sample")
def send_counter_sample(request: Request, opened: Opened, form: SentForm) -> Response:
    """Take a request to test the counter-sample of a report that a letter told of."""
    reader = FormReader(opened, form)
    reports = tuple(each.test_id for each in told_failures(opened))
    test_id = reader.choice("test_id", "counter_sample.test", reports)
    laboratory = reader.line("laboratory", "counter_sample.laboratory", required=True)
    others = reader.line("wishes", "counter_sample.wishes", most=opened.policy.texts.most_characters)
    if reader.problems:
        return _counter_sample_page(request, opened, reader)
    wishes = CounterSampleWishes(test_id, laboratory, others)
    ask_counter_sample(opened.context.engine, opened.link, wishes, opened.context.now())
    return redirect_to_task(request, opened, "counter-sample")


def _counter_sample_page(request: Request, opened: OpenedPage, reader: FormReader | None = None) -> Response:
    asked = counter_samples_of(opened.context.engine, opened.link.case)
    taken = {each.test_id for each in asked}
    return render_page(
        request, opened, "seller_counter_sample.html", 400 if reader else 200, asked=asked, day_of=day_of,
        tests=[each for each in told_failures(opened) if each.test_id not in taken],
        fields=reader.fields() if reader else {}, problems=reader.problems if reader else {},
    )  # fmt: skip
