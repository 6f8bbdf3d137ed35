"""The badge and the QR code of a public test summary, as SVG."""

import io

import segno
from markupsafe import Markup, escape

from serving.letters.words import LetterWords
from serving.trust.answer import TrustAnswer
from serving.trust.summary import TrustState
from serving.trust.words import month_in_words

_CHARACTER, _HEIGHT, _MARGIN = 8, 40, 14
_SVG = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    'role="img" xml:lang="{language}"><title>{text}</title>'
    '<rect x="1" y="1" width="{inner}" height="{inner_height}" rx="6" fill="#ffffff" stroke="#1c1c1c" '
    'stroke-width="2"/>'
    '<text x="{middle}" y="25" text-anchor="middle" font-family="system-ui, sans-serif" font-size="14" fill="#1c1c1c">'
    "{text}</text></svg>"
)


def badge_text(answer: TrustAnswer | None, words: LetterWords) -> str:
    """What the badge says: of a passed test its month, else that there is none, or that the product was recalled."""
    if answer is None or answer.state not in (TrustState.PASSED, TrustState.RECALLED):
        return words.text("badge.none", {})
    if answer.state is TrustState.RECALLED:
        return words.text("badge.recalled", {})
    said = words.text("badge.passed", {"month": month_in_words(words, answer.summary.reported_on)})
    return f"{said} · {words.text('badge.verify', {})}"


def badge(answer: TrustAnswer | None, words: LetterWords) -> str:
    """The badge: words in a frame, which say the same without colour."""
    text = badge_text(answer, words)
    width = len(text) * _CHARACTER + 2 * _MARGIN
    return str(_SVG.format(
        width=width, height=_HEIGHT, inner=width - 2, inner_height=_HEIGHT - 2, middle=width // 2,
        language=words.language, text=escape(text),
    ))  # fmt: skip


def qr_code(address: str, title: str) -> str:
    """The QR code of an address, with the white margin of four modules that readers need; a quarter may be lost."""
    picture = io.BytesIO()
    segno.make(address, error="q", micro=False).save(
        picture, kind="svg", scale=4, border=4, light="#ffffff", dark="#000000", xmldecl=False, title=title
    )
    return picture.getvalue().decode("utf-8")
