"""Encodings of text files: which one a file is in, and its copy in UTF-8."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from data.errors import UserError

CHUNK_BYTES = 1 << 23
SAMPLE_BYTES = 1 << 14
CERTAIN, MARGIN = 0.2, 0.05
"""Coherence of charset-normalizer (0 to 1) from which a language is recognised, and by which it must beat Latin."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
LATIN = "cp1252"
NAMES = {
    LATIN: "Windows-1252", "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1253": "Windows-1253",
    "cp1254": "Windows-1254", "cp932": "Shift JIS", "gb18030": "GB 18030", "big5": "Big5", "cp949": "EUC-KR",
    "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32",
}  # fmt: skip
_LEGACY = tuple(name for name in NAMES if not name.startswith("utf"))
_NON_ASCII_WORD = re.compile(r"\w*[^\W\x00-\x7f]\w*")


@dataclass(frozen=True)
class TextFile:
    """A file in UTF-8, or but for `broken` lines, and the name of the encoding it was copied from, if it was."""

    path: Path
    encoding: str | None = None
    broken: bool = False


def as_utf8(path: Path, scratch: Path, told: str | None = None) -> TextFile:
    """The file itself where it is UTF-8 but for single lines, else its copy in UTF-8 in the folder `scratch`.

    Raises UserError where the encoding is not told and cannot be guessed, or where there is none of the name told.
    """
    encoding = _encoding_of(path) if told is None else _known_encoding(told)
    if encoding is None:
        choices = ", ".join(NAMES[name] for name in _LEGACY)
        raise UserError(
            f"{path} is not UTF-8, and its letters are too few to tell its encoding ({choices}). Save it as CSV UTF-8."
        )
    if encoding == "utf-8":
        return TextFile(path, broken=not _is_utf8(path))
    copy = scratch / f"{path.name}.utf8"
    with path.open(encoding=encoding, errors=_errors(encoding), newline="") as text, copy.open("wb") as out:
        while chunk := text.read(CHUNK_BYTES):
            # A byte that the encoding does not know stays a broken byte, so that its line is named.
            out.write(chunk.encode("utf-8", _errors(encoding)))
    return TextFile(copy, None if told else NAMES[encoding], broken=not _is_utf8(copy))


def _known_encoding(told: str) -> str:
    """The encoding of a name such as Windows-1252, ISO-8859-1 or UTF-8."""
    for name in (told, *(name for name, title in NAMES.items() if title.casefold() == told.casefold())):
        try:
            return codecs.lookup(name.strip()).name
        except LookupError:
            continue
    raise UserError(f"There is no encoding {told!r}. Give one such as UTF-8, Windows-1252 or UTF-16.")


def _errors(encoding: str) -> str:
    return "replace" if encoding.startswith("utf") else "surrogateescape"


def _encoding_of(path: Path) -> str | None:
    with path.open("rb") as data:
        head = data.read(SAMPLE_BYTES)
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if head.count(0) > len(head) // 4:
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    sample = _non_ascii_sample(path)
    if not sample or _is_utf8(path):
        return "utf-8"
    broken = sample.decode("utf-8", "surrogateescape")
    sound_letters = sum(ord(letter) > 0x7F and not 0xDC80 <= ord(letter) <= 0xDCFF for letter in broken)
    if sound_letters and sound_letters >= sum(0xDC80 <= ord(letter) <= 0xDCFF for letter in broken):
        return "utf-8"
    return _guess_legacy(sample)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as data:
        try:
            while chunk := data.read(CHUNK_BYTES):
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _non_ascii_sample(path: Path) -> bytes:
    """The first lines with a byte beyond ASCII."""
    sample = b""
    with path.open("rb") as data:
        for line in data:
            if not line.isascii():
                sample += line
                if len(sample) >= SAMPLE_BYTES:
                    break
    return sample[:SAMPLE_BYTES]


def _guess_legacy(sample: bytes) -> str | None:
    """The encoding whose text reads most like a language, Windows-1252 where none does and words are mostly ASCII."""
    coherence = {encoding: _coherence(sample, encoding) for encoding in _LEGACY}
    best = max(_LEGACY, key=lambda encoding: coherence[encoding])
    if coherence[best] >= max(CERTAIN, coherence[LATIN] + MARGIN):
        return best
    words = _NON_ASCII_WORD.findall(sample.decode(LATIN, "replace"))
    foreign = sum(2 * sum(not letter.isascii() for letter in word) > len(word) for word in words if len(word) > 1)
    return LATIN if 2 * foreign <= len(words) else None


def _coherence(sample: bytes, encoding: str) -> float:
    match = from_bytes(sample, cp_isolation=[encoding]).best()
    return match.coherence if match else -1.0
