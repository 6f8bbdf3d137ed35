"""The report of an evidence pack in sections: results, method, limits and how to recompute each number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.prevalence import DomainEstimate
from sampling.estimation.round_views import SurfaceRatio, ratio_words
from serving.decisions.days import long_date
from serving.evidence.figures import EvidenceFigure
from serving.evidence.tables import EvidenceTable
from serving.trends.edition import Quarter


@dataclass(frozen=True)
class ReportSection:
    """A section: paragraphs, then a table with its heads, where there is one."""

    title: str
    paragraphs: tuple[str, ...]
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class EvidenceContent:
    """What a pack holds: the quarter, results known before `as_of`, estimates, tables and figures.

    `unanswered` rounds of the quarter have no result yet and are in no estimate; `ledger_head` is the newest row of the
    ledger, its number and hash.
    """

    quarter: Quarter
    as_of: date
    estimates: tuple[DomainEstimate, ...]
    tables: tuple[EvidenceTable, ...]
    figures: tuple[EvidenceFigure, ...]
    unanswered: tuple[str, ...]
    policies: tuple[tuple[str, str], ...]
    ledger_head: tuple[int, str] | None
    shown: tuple[SurfaceRatio, ...] = ()


def report_title(content: EvidenceContent) -> str:
    """The title of the report."""
    first, last = content.quarter.first, content.quarter.last
    return f"Evidence on product-safety risk, {first:%B} to {last:%B} {last.year}"


def report_sections(content: EvidenceContent, policy: EstimationPolicy) -> list[ReportSection]:
    """The whole report."""
    return [
        _what_it_is(content), _results(content), _exposure(content), _cells(content), _figures(content),
        _method(policy), _limits(content), _recompute(policy), _files(content),
    ]  # fmt: skip


def _what_it_is(content: EvidenceContent) -> ReportSection:
    versions = "; ".join(f"{name} {version}" for name, version in content.policies)
    head = content.ledger_head
    ledger = f"The newest row of the ledger by then is {head[0]:,}, with hash {head[1]}." if head else ""
    return ReportSection("What this is", tuple(filter(None, (
        "This marketplace's own evidence on the risk that products offered on it are unsafe, for the assessment and "
        "the reports that Regulation (EU) 2022/2065 asks for in articles 34 and 42. It says nothing of other "
        "marketplaces.",
        f"It covers {long_date(content.quarter.first)} to {long_date(content.quarter.last)}, as known before "
        f"{long_date(content.as_of)}. Policies in force: {versions}.",
        ledger,
        "It names no officer, no seller and no buyer. Every number follows from the CSV files beside it, as the last "
        "sections say.",
    ))))  # fmt: skip


def estimate_words(estimate: DomainEstimate) -> str:
    """An estimate in words: `7.1 % (5.0 % to 9.9 %)`, or its upper limit."""
    if estimate.withheld:
        return f"at most {_percent(estimate.share.high)} ({estimate.withheld})"
    share = estimate.share
    return f"{_percent(max(share.value, 0.0))} ({_percent(share.low)} to {_percent(share.high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _results(content: EvidenceContent) -> ReportSection:
    whole = [each for each in content.estimates if each.domain.category is None]
    paragraphs = [
        f"Of all {each.measure}, {estimate_words(each)} would fail an independent laboratory test"
        f"{'; provisional, for results are still to come' if each.provisional else ''}. {each.tests:,} tests."
        for each in whole
    ]
    if not whole:
        paragraphs.append("No round of the quarter has a result, so there is no estimate of prevalence.")
    if content.unanswered:
        paragraphs.append(f"Rounds without a result yet, in no estimate: {', '.join(content.unanswered)}.")
    return ReportSection("Prevalence in the whole catalogue", tuple(paragraphs))


def _exposure(content: EvidenceContent) -> ReportSection:
    if not content.shown:
        return ReportSection("Exposure", (
            "The marketplace gave no views of the days before the rounds (table `exposures`), so nothing can be said "
            "on how often failing products are shown.",
        ))  # fmt: skip
    return ReportSection("Exposure", (
        *(ratio_words(each) for each in content.shown),
        "Both shares rest on the same tests, so that their errors are taken together. The ratio is an association: it "
        "does not say why failing products are shown more or less often.",
    ))  # fmt: skip


def _cells(content: EvidenceContent) -> ReportSection:
    cells = [each for each in content.estimates if each.domain.category is not None]
    rows = tuple(
        (str(each.domain.category), str(each.domain.market), each.measure, estimate_words(each), f"{each.tests:,}")
        for each in cells
        if not each.withheld
    )
    paragraphs = (
        f"{len(rows):,} of {len(cells):,} cells rest on enough to give a figure; of the others `prevalence.csv` has "
        "the upper limit and the reason.",
    )
    return ReportSection(
        "Prevalence by category and market", paragraphs, ("Category", "Market", "Of", "Would fail", "Tests"), rows
    )


def _figures(content: EvidenceContent) -> ReportSection:
    rows = tuple(
        (
            each.name.replace("_", " "),
            "none" if each.value is None else f"{each.value:,}",
            f"{each.table}.csv",
            each.how,
        )
        for each in content.figures
    )
    paragraphs = (
        "Tests, restrictions with their clocks, appeals, documents and corrective actions of the quarter. Restrictions "
        "need a fact, not a prediction, and a second person; each row of `decisions.csv` names its fact.",
    )
    return ReportSection(
        "Tests, decisions and clocks, appeals", paragraphs, ("What", "Number", "File", "Counted as"), rows
    )


def _method(policy: EstimationPolicy) -> ReportSection:
    laboratory = policy.laboratory
    return ReportSection("Method", (
        "In each round every SKU of the frame has a chance of being tested that is known exactly and logged before "
        "the draw. `seal` in `rounds.csv` is the hash of the seed; one that the ledger notes before the draw shows "
        "that nobody steered it.",
        "Prevalence is the difference estimator (Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, "
        "ch. 6): the sum of predicted probabilities over the frame, plus each tested SKU's miss divided by its chance, "
        "plus what is known of SKUs outside the frame. It is free of bias whatever the model is worth.",
        "Its variance is the larger of the design variance (Hájek 1964) and the variance foreseen before the draw; "
        f"rounds are pooled with weights known at design time. Intervals of {100 * policy.level:.0f} % are those of "
        "Korn and Graubard (1998).",
        f"Results are corrected for errors of laboratories: sensitivity {laboratory.sensitivity}, specificity "
        f"{laboratory.specificity}. Samples that sellers provided do not count. Tests without a result are a second "
        "phase of the draw within their stratum.",
        "A screen overlooks failures. A share of the goods that it passes gets the full test, drawn before with known "
        "probability: a pass counts with its chance to fail all the same, and where the full test spoke with the "
        "difference divided by that probability (ch. 9). Where no full test is in, results are divided by the "
        "sensitivity that earlier rounds taught, whose error is the same in every round; `screens.csv` has what is "
        "known by now.",
    ))  # fmt: skip


def _limits(content: EvidenceContent) -> ReportSection:
    tests = {each.name: each.value for each in content.figures}
    failed, of = tests.get("tests_failed") or 0, tests.get("tests_with_result") or 0
    raw = f"Of {of:,} tests {failed:,} failed; they were chosen to, so this is no prevalence. " if of else ""
    return ReportSection("Limits", (
        raw + "A SKU that passed was not shown to be safe: a package finds the hazards that it names, on the units "
        "bought.",
        "SKUs whose category has no test package are checked for papers only; no laboratory failure of theirs is "
        "found. A SKU with a valid result counts by it until it is drawn again; where only a screen passed it, by the "
        "chance that it fails all the same.",
        "Figures weighted by units sold count an unknown number of units as none. Figures are of what was on sale when "
        "a round was drawn, not of what was sold before.",
        "Restrictions without a clock rest on a fact that sets none, or were decided before the context of decisions "
        "was stored. Days are counted from when the fact was known here.",
        "Reversals, answers and reports after the day of this pack are not in it; a later pack of the same quarter may "
        "differ. Both say what was known when.",
    ))  # fmt: skip


def _recompute(policy: EstimationPolicy) -> ReportSection:
    return ReportSection("How to recompute the prevalence", (
        "For one round and one domain, from the rows of that domain, counted in SKUs: N = sum of `skus` in "
        "strata.csv plus outside.csv. Total = sum of `failing` (outside) + sum of `p_fail_sum` (strata) + sum of "
        "(`failed` - `p_fail`) / `inclusion_used` (tests with a result). Share = total / N.",
        "Variance = the larger of sum of `foreseen` (strata) and the design variance, divided by the square of N. "
        "Design variance: sum of `noise` / `inclusion_used`, plus, over the n tests with `inclusion_used` below 1, n "
        "/ (n - 1) times the sum of (1 - chance) x (miss / chance - centre) squared, where centre is the mean of "
        "miss / chance weighted with (1 - chance). To that comes, for every screen, the square of (sum of `error` / "
        "`inclusion_used` (tests) + sum of `failing_error` (outside)) / N; over several rounds of their weighted sum.",
        "Several rounds are pooled with weights in proportion to 1 / (sum of `foreseen` / N squared). For units "
        "sold, take `exposure`, `exposure_p_fail`, `exposure_foreseen`, `failing_exposure` and "
        "`failing_error_exposure` instead, and weigh each miss and `error` with `exposure`.",
        "By views, take `views` of views_tests.csv, the sums of views_strata.csv and views_outside.csv. The variance "
        "of the logarithm of the ratio is that of the sum of (views / (N of views x share by views) - 1 / (N x share "
        "by SKUs)) x miss / chance: the larger of the design variance, with this factor as size, and the one "
        "foreseen, from `views_foreseen`, `views_covariance` and `foreseen`.",
        f"The interval is Clopper and Pearson's at level {policy.level} for x = share x n of n = t (1 - t) / variance "
        "tests, where t is the larger of the share and the share expected by the predictions.",
    ))  # fmt: skip


def _files(content: EvidenceContent) -> ReportSection:
    rows = tuple(
        (f"{table.name}.csv", table.about, f"{len(table.rows):,}") for table in content.tables
    )  # fmt: skip
    paragraphs = (
        "`columns.csv` says what each column means, `figures.csv` has the figures above, `SHA256SUMS` the checksums of "
        "all files: `sha256sum -c SHA256SUMS` checks them.",
    )
    return ReportSection("Files", paragraphs, ("File", "A row is", "Rows"), rows)


def markdown(title: str, sections: Sequence[ReportSection]) -> str:
    """The report as Markdown."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *section.paragraphs]
        if section.rows:
            lines = [section.heads, tuple("---" for _ in section.heads), *section.rows]
            parts.append("\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"
