"""Rules of versions: which result is new, known, changed or refused beside what is known of its test."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

from data.contract import CANCELLED

Result = Mapping[str, Any]
Kind = Literal["new", "known", "changed", "refused"]
INHERITED = ("round_id", "strategy", "propensity", "package", "lab_id")
"""What a version leaves open, the version before it says."""


class VersionKey(NamedTuple):
    """A version of a test."""

    test_id: str
    version: int


@dataclass(frozen=True)
class KnownVersion:
    """A version that is known: its values, and its `content`, None where the marketplace's own table brought it."""

    values: Result
    content: str | None = None


@dataclass(frozen=True)
class VersionOutcome:
    """What becomes of a version: `new` is accepted, `known` and `changed` change nothing, `refused` says `why`.

    `amends` is the version that a new one replaces.
    """

    kind: Kind
    amends: int | None = None
    why: str | None = None


def key_of(result: Result) -> VersionKey:
    """The version that a result is."""
    return VersionKey(str(result["test_id"]), int(result.get("version") or 1))


def complete_version(result: Result, known: Mapping[int, KnownVersion]) -> dict[str, Any]:
    """The result with its version, its status, and what the version before it says of its order."""
    version = key_of(result).version
    before = known[version - 1].values if version - 1 in known else {}
    inherited = {name: result.get(name) if result.get(name) is not None else before.get(name) for name in INHERITED}
    status = result.get("status") or ("final" if version == 1 else "amended")
    return {**result, **inherited, "version": version, "status": status}


def judge_version(result: Result, content: str, known: Mapping[int, KnownVersion]) -> VersionOutcome:
    """What becomes of a completed result beside the `known` versions of its test, by number."""
    version = int(result["version"])
    if version in known:
        before = known[version].content
        return VersionOutcome("known" if before in (None, content) else "changed")
    newest = max(known, default=0)
    why = _why_not_next(result, version, newest) or (_why_other_test(result, known[newest].values) if newest else None)
    if why is not None:
        return VersionOutcome("refused", why=why)
    return VersionOutcome("new", amends=newest or None)


def _why_not_next(result: Result, version: int, newest: int) -> str | None:
    if version > newest + 1:
        missing = f"version {newest + 1}" if version == newest + 2 else f"versions {newest + 1} to {version - 1}"
        return f"version {version} skips {missing} of test {result['test_id']}: send every version, in order"
    if version < newest:
        return f"version {version} of test {result['test_id']} is older than version {newest}, which is known"
    return None


def _why_other_test(result: Result, before: Result) -> str | None:
    """Why a version can not be one of the same test as the version `before` it."""
    version = result["version"]
    for names in (("sku_id", "market"), ("round_id",)):
        here, there = ([values.get(name) for name in names] for values in (result, before))
        if here != there and None not in there:
            return (
                f"version {version} has {', '.join(names)} {_listed(here)}, version {version - 1} has {_listed(there)}:"
                " another test needs another test_id"
            )
    known_on: date = before["known_on"]
    if result["known_on"] < known_on:
        return f"version {version} is known on {result['known_on']}, before version {version - 1} on {known_on}"
    return None


def _listed(values: list[Any]) -> str:
    return ", ".join(repr(value) for value in values)


def broken_report_rules(result: Result) -> list[str]:
    """The rules about a report that a result breaks and no column alone can say."""
    broken = []
    if result.get("status") == CANCELLED and result.get("result") in ("pass", "fail"):
        broken.append(f"status is cancelled, so nothing was found, but result is {result['result']}: give inconclusive")
    digest = result.get("report_digest")
    if digest is not None and not (len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
        broken.append("report_digest is not a SHA-256 in lower-case hex (64 digits)")
    return broken
