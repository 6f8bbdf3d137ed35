"""What a page says of a code, in words: a heading, sentences, and the facts of the test one by one."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from serving.letters.words import LetterWords, Term, Value, placeholders
from serving.trust.answer import TrustAnswer
from serving.trust.summary import PublicSummary, TrustState
from serving.trust.words import moment_in_words


@dataclass(frozen=True)
class Fact:
    """A line of the page: its label, and what it says."""

    label: str
    value: Markup


@dataclass(frozen=True)
class TrustView:
    """What the page of a code shows; everything in it is escaped, and texts of others keep their direction."""

    state: TrustState
    title: str
    lead: tuple[Markup, ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    code: str


def trust_view(answer: TrustAnswer, words: LetterWords, email: str) -> TrustView:
    """The page of a code that was issued; `email` is where shoppers write to."""
    product, test = _product(answer.summary, words), _test(answer.summary, words) if answer.shows_test else ()
    notes = [words.text("note.limits", {})] if answer.state is TrustState.PASSED else []
    notes.append(words.text("note.checked", {"checked_at": moment_in_words(words, answer.checked_at)}))
    return TrustView(
        answer.state, words.text(f"title.{answer.state}", {}), _lead(answer, words, email), (*product, *test),
        tuple(notes), answer.code,
    )  # fmt: skip


def _lead(answer: TrustAnswer, words: LetterWords, email: str) -> tuple[Markup, ...]:
    values: dict[str, Value] = {"valid_until": answer.summary.valid_until, "email": email}
    if answer.changed_on is not None:
        values["changed_on"] = answer.changed_on
    keys = [f"lead.{answer.state}"]
    if answer.state is TrustState.RECALLED:
        keys += ["lead.recalled_hazard"] if answer.hazard else []
        keys += ["lead.recalled_contact"]
        values["hazard"] = answer.hazard or ""
    return tuple(words.html(key, values) for key in keys)


def _sentence(words: LetterWords, key: str, values: Mapping[str, Value]) -> Markup:
    """A sentence; only the values that stand in it are made ready."""
    return words.html(key, {name: values[name] for name in placeholders(words.templates[key])})


def _product(summary: PublicSummary, words: LetterWords) -> tuple[Fact, ...]:
    title = Markup("<bdi>{}</bdi>").format(summary.product or words.text("value.untitled", {}))
    market = Markup("<bdi>{}</bdi>").format(summary.market)
    return (Fact(words.text("label.product", {}), title), Fact(words.text("label.market", {}), market))


def _test(summary: PublicSummary, words: LetterWords) -> tuple[Fact, ...]:
    """The test, in the order in which a shopper asks."""
    named, accredited = summary.laboratory is not None, summary.accreditation is not None
    laboratory = f"laboratory{'' if named else '_unnamed'}{'_accredited' if accredited else ''}"
    values: dict[str, Value] = {
        "package": summary.package, "standard": summary.standard or "", "sampled_on": summary.sampled_on,
        "sample": Term("sample", summary.sample), "report": summary.report or "", "reported_on": summary.reported_on,
        "laboratory": summary.laboratory or "", "accreditation": summary.accreditation or "",
        "valid_until": summary.valid_until,
    }  # fmt: skip
    return tuple(
        Fact(words.text(f"label.{label}", {}), _sentence(words, f"value.{key}", values))
        for label, key in (
            ("package", "package_standard" if summary.standard else "package"), ("sample", "sample"),
            ("report", "report_number" if summary.report else "report"), ("laboratory", laboratory),
            ("valid", "valid"),
        )
    )  # fmt: skip
