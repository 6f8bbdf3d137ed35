"""A returned order file: what of it would be accepted, row by row, and accepting it as the service accepts results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from data.lab_results.store import Sender, compare_results
from serving.api.lab_results import LabResultIntake, ResultsAnswer, accept_results, validate_results
from serving.lab_orders.files import Record, ReturnedRow, read_returned_file
from serving.lab_orders.orders import OrderSources, lab_order_policy_in_force, lab_orders

Outcome = Literal["new", "known", "changed", "refused"]


@dataclass(frozen=True)
class RowOutcome:
    """What would become of a row: `new` is accepted, `known` and `changed` change nothing, `refused` says `why`."""

    row: ReturnedRow
    outcome: Outcome
    why: tuple[str, ...] = ()


def returned_rows(intake: LabResultIntake, content: bytes, sender: Sender) -> list[ReturnedRow]:
    """The rows of a returned file, matched with the orders of the workspace; UserError where it is no order file."""
    sources = OrderSources(intake.workspace, intake.engine, intake.published)
    return read_returned_file(content, lab_orders(sources), lab_order_policy_in_force(sender.now.date()))


def preview_rows(intake: LabResultIntake, rows: Sequence[ReturnedRow], sender: Sender) -> list[RowOutcome]:
    """The outcome of every row by the rules of `accept_results`; nothing is stored."""
    checked = validate_results(intake, _records(rows), sender)
    compared = compare_results(intake.engine, intake.workspace, list(checked.valid.values()), sender)
    why = {each.place: tuple(each.why) for each in checked.refused_with(compared)}
    places = _places(rows)
    known: dict[str, Outcome] = {
        **dict.fromkeys(compared.known, "known"), **dict.fromkeys(compared.changed, "changed")
    }  # fmt: skip
    outcomes = []
    for row, place in zip(rows, places, strict=True):
        if row.record is None:
            outcomes.append(RowOutcome(row, "refused", (row.refused or "",)))
        elif place in why:
            outcomes.append(RowOutcome(row, "refused", why[place]))
        else:
            outcomes.append(RowOutcome(row, known.get(row.record["test_id"], "new")))
    return outcomes


def accept_rows(intake: LabResultIntake, rows: Sequence[ReturnedRow], sender: Sender) -> ResultsAnswer:
    """Accept the rows that have a record; those that the rules refuse are reported."""
    return accept_results(intake, _records(rows), sender)


def _records(rows: Sequence[ReturnedRow]) -> list[Record]:
    return [row.record for row in rows if row.record is not None]


def _places(rows: Sequence[ReturnedRow]) -> Iterator[int | None]:
    """The position of each row's record among those that are sent, None where it has none."""
    sent = 0
    for row in rows:
        yield None if row.record is None else sent
        sent += row.record is not None
