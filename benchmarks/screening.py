"""Milliseconds of `/screen` over HTTP, and the time from an approval in one process to a hold answered by others."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.casework import Desk, flagged_positions, view_at
from benchmarks.served import Client, Server
from serving.console.case import catalogue_cases_of
from serving.decisions.index import decision_index

ROUNDS, WARM_ROUNDS, LOAD_CLIENTS, LOAD_SECONDS = 500, 50, 8, 20
QUESTIONS, APPROVALS = 500, 25
STAGES = ("listing", "payment", "shipment")
MOST_P99_MS = 25.0
KINDS: Mapping[str, str] = MappingProxyType({
    "restricted": "a SKU that a decision in force restricts", "unrestricted": "a SKU without a restriction",
    "unknown_of_suspended": "an unknown SKU of a suspended supplier", "unknown": "an unknown SKU of another supplier",
})  # fmt: skip
HELD = ("restricted", "unknown_of_suspended")

Question = dict[str, Any]
Questions = Mapping[str, Sequence[Question]]


def screening_questions(desk: Desk) -> dict[str, list[Question]]:
    """QUESTIONS of each of KINDS, SKUs drawn at random."""
    draw, numbers = np.random.default_rng(3), count()
    restricted = catalogue_cases_of(desk.context, desk.store).restricted
    known = {
        name: [_question(desk, position) for position in draw.choice(np.flatnonzero(mask), QUESTIONS).tolist()]
        for name, mask in (("restricted", restricted), ("unrestricted", ~restricted))
    }
    suspended = sorted(
        each.decision.supplier_id or ""
        for each in decision_index(desk.context.engine).all()
        if each.decision.binds == "supplier" and each.decision.is_in_force(datetime.now(UTC).date())
    )

    def unknown(question: Question, **changed: str) -> Question:
        return {**question, "listing": {**question["listing"], "sku_id": f"NEW-{next(numbers)}", **changed}}

    return {
        **known,
        "unknown_of_suspended": [
            unknown(each, supplier_id=suspended[number % len(suspended)])
            for number, each in enumerate(known["unrestricted"])
        ],
        "unknown": [unknown(each) for each in known["unrestricted"]],
    }


def measure_screening(
    server: Server, asked: Mapping[str, Sequence[Question]], secrets: Sequence[str]
) -> dict[str, Any]:
    """Milliseconds of one client that asks for each kind in turn, then of LOAD_CLIENTS without pause."""
    clients = [Client(server, secret) for secret in secrets]
    took: dict[str, list[float]] = {name: [] for name in KINDS}
    for number in range(-WARM_ROUNDS, ROUNDS):
        for kind in KINDS:
            milliseconds = _ask(clients[number % len(clients)], kind, asked[kind][number % QUESTIONS])
            if number >= 0:
                took[kind].append(milliseconds)
    return {
        "one_client": {**{kind: _quantiles(each) for kind, each in took.items()},
                       "all": _quantiles([one for each in took.values() for one in each])},
        "load": _under_load(server, asked, secrets[:LOAD_CLIENTS]),
    }  # fmt: skip


def _under_load(server: Server, asked: Questions, secrets: Sequence[str]) -> dict[str, Any]:
    took: list[float] = []
    errors: list[str] = []
    ends = time.monotonic() + LOAD_SECONDS

    def work(number: int, secret: str) -> None:
        client = Client(server, secret)
        for turn in count(number * 61):
            if time.monotonic() > ends:
                return
            kind = tuple(KINDS)[turn % len(KINDS)]
            try:
                took.append(_ask(client, kind, asked[kind][turn % QUESTIONS]))
            except RuntimeError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=work, args=each) for each in enumerate(secrets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"clients": len(secrets), "seconds": LOAD_SECONDS, "answers": len(took), "errors": len(errors),
            "first_error": errors[0] if errors else None, **_quantiles(took)}  # fmt: skip


def measure_propagation(desk: Desk, server: Server, secrets: Sequence[str]) -> dict[str, float]:
    """Approve pauses in this process; milliseconds until each connection to the server's workers answers `hold`."""
    clients = [Client(server, secret) for secret in secrets]
    milliseconds, late = [], 0
    positions = flagged_positions(desk.store)
    restricted = catalogue_cases_of(desk.context, desk.store).restricted
    free = positions[~restricted[positions]][::-1]
    for number, position in enumerate(free[:APPROVALS].tolist()):
        question = _question(desk, position, "listing")
        for client in clients:
            _ask(client, "", question)
        desk.decide(view_at(desk, position, number), "pause", datetime.now(UTC))
        start = time.perf_counter()
        for client in clients:
            tries = _tries_until_hold(client, question)
            late += tries > 1
        milliseconds.append(1000 * (time.perf_counter() - start))
    return {
        "approvals": len(milliseconds), "connections": len(clients), "late_answers": late,
        "all_held_median_ms": float(np.median(milliseconds)), "all_held_max_ms": max(milliseconds),
    }  # fmt: skip


def _tries_until_hold(client: Client, question: Question) -> int:
    for tries in count(1):
        _, status, answer = client.ask("/screen", question)
        if status == 200 and json.loads(answer)["restrictions"]:
            return tries
    raise AssertionError


def _question(desk: Desk, position: int, stage: str = "") -> Question:
    """The listing as the catalogue knows it, at a stage."""
    listing = asdict(desk.store.dossiers.of(position).listing)
    del listing["listed_on"]
    return {"listing": listing, "stage": stage or STAGES[position % len(STAGES)]}


def _ask(client: Client, kind: str, question: Question) -> float:
    """Milliseconds of an answer; RuntimeError where it is wrong."""
    seconds, status, answer = client.ask("/screen", question)
    if status != 200:
        raise RuntimeError(f"/screen answered {status}: {answer[:300]!r}")
    if kind and bool(json.loads(answer)["restrictions"]) != (kind in HELD):
        raise RuntimeError(f"/screen says of {KINDS[kind]}: {answer[:600]!r}")
    return 1000 * seconds


def _quantiles(took: Sequence[float]) -> dict[str, float]:
    return {"median_ms": float(np.median(took)), "p99_ms": float(np.quantile(took, 0.99)), "max_ms": max(took)}
