"""A letter as HTML and as plain text in one language."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from textwrap import fill

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from serving.letters.compose import compose
from serving.letters.facts import LetterFacts
from serving.letters.sentences import LetterTerms, Sentence, sentence
from serving.letters.words import LetterWords, Term, clamp_title, words_of

WIDTH = 72
"""Columns of the plain text; a character of an East Asian script takes two."""

_CLOSING = "\uff0c\u3002\uff1b\uff1a\u3001\uff09\u300b\u300d\u300f\uff01\uff1f"
_OPENING = "\uff08\u300a\u300c\u300e"
_PIECES = re.compile(rf"[{_OPENING}]*(?:[!-~]{{1,60}}|.)[{_CLOSING}]*", re.DOTALL)
"""What is not broken: a Latin word or a single character, with opening marks before it and closing ones after it."""

_ADDRESS = re.compile(r"(- )?https?://\S+")

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, auto_reload=False,
)  # fmt: skip


@dataclass(frozen=True)
class RenderedLetter:
    """A letter in one language: its subject, its HTML as one article, and plain text."""

    language: str
    subject: str
    html: Markup
    text: str


@dataclass(frozen=True)
class HeadLine:
    """A line of the head of a letter: the key of its label, and its sentence."""

    label: str
    content: Sentence


@dataclass(frozen=True)
class Paragraph:
    """Sentences that stand together: in one paragraph, or as the items of a list."""

    is_list: bool
    sentences: tuple[Sentence, ...]


def render(facts: LetterFacts, terms: LetterTerms, draft: bool = False) -> RenderedLetter:
    """Render a letter in the language of its terms; a draft says so.

    Raises UserError where the language or the kind of decision has no words.
    """
    words, parts = words_of(terms.language), compose(facts, terms)
    subject = words.text(f"subject.{facts.kind.value}", {})
    head, titles = list(_head(facts, terms)), {part.name: f"part.{_title(part.name, facts)}" for part in parts}
    values = {
        "words": words, "subject": subject, "draft": draft, "head": head, "parts": parts, "titles": titles,
        "sender": terms.letters.sender, "signature": terms.signature.lines,
    }  # fmt: skip
    article = Markup(TEMPLATES.get_template("letter.html").render(values))  # noqa: S704 - the template escapes
    lines = [*([words.text("head.draft", {})] if draft else []), subject, _sender_line(words, terms)]
    lines += [_head_line(words, each.label, words.text(each.content.key, each.content.values)) for each in head]
    blocks = ["\n".join(_wrap(line) for line in lines)]
    blocks += [_part_text(words, titles[part.name], part.sentences) for part in parts]
    blocks += ["\n".join(terms.signature.lines)]
    return RenderedLetter(terms.language, subject, article, "\n\n".join(blocks) + "\n")


def html_document(language: str, subject: str, article: str) -> str:
    """A whole HTML document around the article of a rendered letter."""
    values = {"language": language, "subject": subject, "article": Markup(article)}  # noqa: S704 - rendered above
    return TEMPLATES.get_template("document.html").render(values)


def content_digest(facts: LetterFacts, terms: LetterTerms) -> str:
    """SHA-256 in hex of all that a letter says but its day: what was checked is what is sent."""
    text = render(facts, replace(terms, day=_ANY_DAY, answer_page=None)).text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_ANY_DAY = date(2000, 1, 1)


def _head(facts: LetterFacts, terms: LetterTerms) -> Iterator[HeadLine]:
    """To whom, on which day, and the numbers by which to find the case."""
    yield HeadLine("head.to", sentence("head.supplier", supplier=facts.supplier_id))
    yield HeadLine("head.date", sentence("quote.text", text=words_of(terms.language).day(terms.day)))
    yield HeadLine("head.reference", sentence("quote.text", text=facts.letter_id))
    if facts.decision is not None:
        yield HeadLine("head.decision", sentence("quote.text", text=facts.decision.decision_id))
    if facts.finding is not None:
        yield HeadLine("head.report", sentence("quote.text", text=facts.finding.test_id))
    product = facts.product
    if product is not None:
        market = Term("market", product.market)
        if product.title:
            title = clamp_title(product.title)
            content = sentence("head.product_titled", title=title, sku=product.sku_id, market=market)
        else:
            content = sentence("head.product_untitled", sku=product.sku_id, market=market)
        yield HeadLine("head.product", content)


def _title(part: str, facts: LetterFacts) -> str:
    return "chosen_supplier" if part == "chosen" and facts.product is None else part


def _sender_line(words: LetterWords, terms: LetterTerms) -> str:
    sender = terms.letters.sender
    return _head_line(words, "head.from", ", ".join([sender.name, *sender.address, sender.email]))


def _head_line(words: LetterWords, label: str, content: str) -> str:
    return words.text("head.line", {"label": words.text(label, {}), "content": content})


def _paragraphs(sentences: tuple[Sentence, ...]) -> list[Paragraph]:
    """The sentences by runs: those that follow one another in a paragraph, and the items of a list."""
    runs = groupby(sentences, key=lambda each: each.item)
    return [Paragraph(item, tuple(run)) for item, run in runs]


TEMPLATES.filters["paragraphs"] = _paragraphs


def _part_text(words: LetterWords, title: str, sentences: tuple[Sentence, ...]) -> str:
    """A part as text: its title, its paragraphs, and the items of lists on lines of their own."""
    lines = [_wrap(words.text(title, {}))]
    for paragraph in _paragraphs(sentences):
        texts = [words.text(each.key, each.values) for each in paragraph.sentences]
        lines += [_wrap(f"- {text}", "  ") for text in texts] if paragraph.is_list else [_wrap(_join(words, texts))]
    return "\n".join(lines)


def _join(words: LetterWords, sentences: list[str]) -> str:
    return ("" if words.language.startswith("zh") else " ").join(sentences)


def _wrap(line: str, indent: str = "") -> str:
    """The line in at most `WIDTH` columns; text of wide characters breaks between any two of them.

    A closing mark never begins a line, an opening one never ends it, and Latin words are kept whole where they fit. An
    address on a line of its own stays whole.
    """
    if _ADDRESS.fullmatch(line):
        return line
    if not any(_columns(each) == 2 for each in line):
        return fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    lines, width = [""], 0
    for piece in _PIECES.findall(line):
        columns = sum(map(_columns, piece))
        if width + columns > WIDTH:
            lines.append(indent)
            width = len(indent)
        lines[-1] += piece if lines[-1].strip() else piece.lstrip()
        width += columns
    return "\n".join(each.rstrip() for each in lines)


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
