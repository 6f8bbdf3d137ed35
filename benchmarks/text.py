"""Review text: speed of both stages against usual ways, memory, and what they find in texts nobody here wrote.

Run with `make bench-text`. The real texts lie in ../shared/data; the half of them whose digest is even was used while
the phrases were kept or dropped, the other half was only ever counted.
"""

import csv
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.report import interleaved_medians, machine, table, versions, write_report
from features.review_text.classifier import COUNTS_FROM, read_model, rule_margin
from features.review_text.classifier_training import training_sentences
from features.review_text.extractor import (
    ReviewBatch,
    exact_interval,
    extract_mentions,
    extractor_version,
    map_in_order,
    sampled_rows,
)
from features.review_text.hazards import hazards
from features.review_text.lexicon import phrases
from features.review_text.matching import candidates
from features.review_text.mentions import Mention, find_mentions
from features.review_text.normalization import NormalForm

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
VERDICTS = Path(__file__).parent / "text_verdicts.json"
AMCD = {"en": ("EN", "EN-ext"), "de": ("DE",), "ja": ("JP",)}
REVIEWS, BATCH_ROWS, HARM_SHARE, LENGTH = 60_000, 30_000, 0.03, {"ja": 150, "zh": 150}
COMPLAINT_SHARE = 0.2
MEMORY_ROWS = (60_000, 240_000)
MEMORY = """
import resource, sys
from pathlib import Path
from features.review_text.file_report import signals
summary = signals(Path(sys.argv[1]), "text", Path(sys.argv[2]))
print(summary.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Corpus:
    """Texts of one source and language, and whether they tell of hazards (narratives) or are ordinary."""

    name: str
    language: str
    texts: list[str]

    def half(self, *, held_out: bool) -> list[str]:
        """The tuning half or the held-out half, by a digest of the text."""
        return [t for t in self.texts if hashlib.blake2b(t.encode(), digest_size=8).digest()[0] % 2 == int(held_out)]


def corpora() -> list[Corpus]:
    """The incident narratives, and the ordinary review sentences in three languages."""
    with (SHARED / "saferproducts" / "toy_incidents.csv").open(newline="", encoding="utf-8") as lines:
        narratives = [row["Incident Description"] for row in csv.DictReader(lines)]
    found = [Corpus("saferproducts", "en", narratives)]
    for language, names in AMCD.items():
        sentences: set[str] = set()
        for name in names:
            for part in ("train", "valid"):
                with (SHARED / "amcd" / f"{name}_{part}.tsv").open(newline="", encoding="utf-8") as lines:
                    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
                    next(rows)
                    sentences |= {row[0].strip('"') for row in rows if row}
        found.append(Corpus("amcd", language, sorted(sentences)))
    return found


def realistic_mix(ordinary: Sequence[Corpus], count: int, seed: int) -> tuple[list[str], list[str]]:
    """Reviews of about 300 characters: ordinary sentences in six languages, 3 % with words of harm; and languages.

    Where there are no real sentences (French, Spanish, Chinese) they are the marketplace's, every fifth review with a
    complaint.
    """
    rng = np.random.default_rng(seed)
    told = training_sentences()
    plain = {corpus.language: corpus.texts for corpus in ordinary}
    harm: dict[str, list[str]] = {}
    complaints: dict[str, list[str]] = {}
    for text in told:
        harm.setdefault(text.language, []).append(text.text)
        if text.language not in AMCD and text.family in ("praise", "neutral"):
            plain.setdefault(text.language, []).append(text.text)
        if text.family == "complaint":
            complaints.setdefault(text.language, []).append(text.text)
    languages = rng.choice(["en", "de", "fr", "es", "ja", "zh"], count, p=[0.50, 0.18, 0.12, 0.08, 0.06, 0.06])
    reviews = []
    for language in languages.tolist():
        sentences = [harm[language][rng.integers(len(harm[language]))]] if rng.random() < HARM_SHARE else []
        if language not in AMCD and rng.random() < COMPLAINT_SHARE:
            sentences.append(complaints[language][rng.integers(len(complaints[language]))])
        while sum(map(len, sentences)) < LENGTH.get(language, 240):
            sentences.append(plain[language][rng.integers(len(plain[language]))])
        reviews.append(" ".join(sentences))
    return reviews, languages.tolist()


def speed(reviews: list[str], languages: list[str]) -> dict[str, dict[str, float]]:
    """Reviews per second of each contestant, and microseconds of processor per review; the slow ones read fewer."""
    from sklearn.feature_extraction.text import HashingVectorizer

    text, language = pl.Series(reviews), pl.Series(languages)
    alternation = re.compile("|".join(sorted({re.escape(p.pattern.strip()) for p in phrases()}, key=len, reverse=True)))
    few, some = reviews[:200], reviews[:6_000]
    vectorizer = HashingVectorizer(ngram_range=(1, 2), n_features=2**18)
    contestants: dict[str, tuple[int, Callable[[], object]]] = {
        "stage one (Polars Aho-Corasick)": (len(reviews), partial(candidates, text)),
        "both stages": (len(reviews), lambda: [None for _ in map_in_order(extract_mentions, _batches(text, language))]),
        "Python re, one alternation": (len(few), lambda: [alternation.search(review.lower()) for review in few]),
        "HashingVectorizer, words and pairs": (len(some), lambda: vectorizer.transform(some)),
    }
    seconds = interleaved_medians({name: run for name, (_, run) in contestants.items()}, rounds=3)
    return {
        name: {"per_second": number / seconds[name], "processor_us": 1e6 * _processor_seconds(run) / number}
        for name, (number, run) in contestants.items()
    }


def _processor_seconds(run: Callable[[], object]) -> float:
    """Seconds of all processors, which other work on the machine hardly lengthens."""
    started = time.process_time()
    run()
    return time.process_time() - started


def _batches(text: pl.Series, language: pl.Series) -> Iterator[ReviewBatch]:
    for start in range(0, len(text), BATCH_ROWS):
        row = np.arange(start, min(start + BATCH_ROWS, len(text)), dtype=np.int64)
        chosen = slice(start, start + BATCH_ROWS)
        yield ReviewBatch(row, text[chosen], language[chosen], sampled_rows(row, seed=0))


def peak_megabytes(reviews: Sequence[str], rows: int) -> float:
    """Peak memory of a process that reads a CSV file of so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "reviews.csv"
        with source.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines)
            writer.writerow(["text"])
            writer.writerows([reviews[number % len(reviews)]] for number in range(rows))
        command = [sys.executable, "-c", MEMORY, str(source), str(Path(folder) / "out.parquet")]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own code
    return float(told.split()[1])


def found_in(texts: list[str], language: str) -> tuple[list[NormalForm], list[Mention], dict[str, Any]]:
    """The safety mentions in texts, and the shares of texts with a likely one: whole, by cues alone, any topic."""
    forms, mentions = find_mentions(pl.Series(texts, dtype=pl.String), [language] * len(texts))
    likely = read_model().probabilities(forms, mentions) >= COUNTS_FROM
    safety = np.array([hazards()[mention.hazard].safety for mention in mentions], dtype=bool)
    by_cues = np.array([rule_margin(mention) >= 0 for mention in mentions], dtype=bool)
    phrase_only = np.array([mention.strength != "weak" for mention in mentions], dtype=bool)
    shares = {
        name: len({mentions[number].text for number in np.flatnonzero(chosen)})
        for name, chosen in {
            "likely safety hazard": likely & safety, "cues without the linear model": by_cues & safety,
            "harm and strong phrases alone": phrase_only & safety, "likely, any of the 12 topics": likely,
        }.items()
    }  # fmt: skip
    return forms, mentions, {"texts": len(texts), **shares}


def quotes(corpus: Corpus, *, top: bool) -> list[dict[str, Any]]:
    """50 safety mentions of the held-out half: the most probable ones, one per text; or likely ones drawn at random."""
    texts = corpus.half(held_out=True)
    forms, mentions, _ = found_in(texts, corpus.language)
    probability = read_model().probabilities(forms, mentions)
    chosen = [
        n for n, m in enumerate(mentions) if hazards()[m.hazard].safety and (top or probability[n] >= COUNTS_FROM)
    ]
    order = sorted(chosen, key=lambda n: (-probability[n], n)) if top else chosen
    told, seen = [], set()
    for number in order:
        mention, form = mentions[number], forms[mentions[number].text]
        if mention.text not in seen:
            seen.add(mention.text)
            first, last = mention.phrase
            quote = form.text[max(mention.sentence[0], first - 45) : min(mention.sentence[1], last + 35)]
            told.append({
                "quote": " ".join(quote.split()), "hazard": mention.hazard, "corpus": corpus.name,
                "language": corpus.language, "probability": round(float(probability[number]), 3),
            })  # fmt: skip
    # By digest, so that the draw, and the reading of it, outlasts changes to the extractor.
    return told if top else sorted(told, key=key_of)


def key_of(quote: dict[str, Any]) -> str:
    """What a verdict is filed under."""
    return hashlib.blake2b(f"{quote['hazard']} {quote['quote']}".encode(), digest_size=8).hexdigest()


def with_verdicts(quoted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each quote with what a person judged after reading it: true, false, or None where nobody has."""
    verdicts = json.loads(VERDICTS.read_text(encoding="utf-8")) if VERDICTS.exists() else {}
    return [{**quote, "verdict": verdicts.get(key_of(quote))} for quote in quoted]


def read_section(title: str, quoted: list[dict[str, Any]]) -> str:
    """How many of the quotes read are true, and the quotes."""
    judged = [quote for quote in quoted if quote["verdict"] is not None]
    true = sum(quote["verdict"] for quote in judged)
    low, high = exact_interval(true, len(judged))
    likely = [quote for quote in judged if quote["probability"] >= COUNTS_FROM]
    words = {True: "hazard", False: "no hazard", None: "unread"}
    head = (
        f"{true} of {len(judged)} read are hazards of the product ({low:.0%} to {high:.0%}); "
        f"of the {len(likely)} that count (probability {COUNTS_FROM} or more), {sum(q['verdict'] for q in likely)}."
    )
    rows = [(words[q["verdict"]], f"{q['probability']:.2f}", q["language"], q["hazard"], q["quote"].replace("|", "/"))
            for q in quoted]  # fmt: skip
    return "\n\n".join([f"## {title}", head, table(("verdict", "p", "", "hazard", "quote"), rows)])


def found_section(found: dict[str, dict[str, Any]]) -> str:
    """The shares of texts with a likely mention, held-out half and tuning half."""
    columns = [name for name in next(iter(found.values())) if name != "texts"]
    rows = []
    for name, counts in found.items():
        low, high = exact_interval(counts["likely safety hazard"], counts["texts"])
        shares = [f"{counts[column] / counts['texts']:.2%}" for column in columns]
        rows.append((name, f"{counts['texts']:,}", f"{shares[0]} ({low:.2%} to {high:.2%})", *shares[1:]))
    return "\n\n".join([
        "## Found in texts nobody here wrote",
        f"Share of texts with a mention that counts, of probability {COUNTS_FROM} or more. Incident narratives "
        "(saferproducts) should have one, ordinary review sentences (amcd) hardly ever. No figure is taken over both: "
        "a model that learned the corpus would shine in it.",
        table(("texts of", "number", *columns), rows),
    ])  # fmt: skip


def main() -> None:
    """Measure, judge and write the report."""
    known = corpora()
    ordinary = known[1:]
    reviews, languages = realistic_mix(ordinary, REVIEWS, seed=1)
    measured: dict[str, Any] = {
        "machine": machine(), "versions": versions("polars", "scikit-learn"), "extractor": extractor_version(),
    }  # fmt: skip
    measured["speed"] = speed(reviews, languages)
    measured["peak_megabytes"] = {str(rows): peak_megabytes(reviews, rows) for rows in MEMORY_ROWS}
    measured["found"] = {
        f"{corpus.name} {corpus.language}, {name}": found_in(corpus.half(held_out=held_out), corpus.language)[2]
        for held_out, name in ((True, "held out"), (False, "tuning")) for corpus in known
    }  # fmt: skip
    quoted = sorted((q for corpus in ordinary for q in quotes(corpus, top=True)), key=lambda q: -q["probability"])[:50]
    measured["top_50_ordinary"] = with_verdicts(quoted)
    measured["drawn_50_narratives"] = with_verdicts(quotes(known[0], top=False)[:50])
    length = sum(map(len, reviews)) / len(reviews)
    speeds = [
        (name, f"{taken['per_second']:,.0f}", f"{taken['processor_us']:,.1f}")
        for name, taken in measured["speed"].items()
    ]
    memory = [(f"{int(rows):,}", f"{peak:,.0f}") for rows, peak in measured["peak_megabytes"].items()]
    sections = [
        f"Extractor {measured['extractor']}: {len(phrases()):,} phrases in six languages.",
        "## Speed\n\n" + f"{len(reviews):,} reviews of {length:.0f} characters on average, "
        f"{HARM_SHARE:.0%} with words of harm; medians of interleaved rounds in one run.",
        table(("way", "reviews per second", "processor, µs per review"), speeds),
        "## Memory\n\nPeak of a process that reads a CSV file and writes its mentions.",
        table(("reviews", "MB"), memory),
        found_section(measured["found"]),
        read_section("The 50 most probable mentions in held-out ordinary sentences, read", measured["top_50_ordinary"]),
        read_section("50 likely mentions drawn from held-out narratives, read", measured["drawn_50_narratives"]),
    ]
    page = write_report("text", "Review text", measured, sections)
    sys.stdout.write(page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
