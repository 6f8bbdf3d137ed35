"""The type of a file told by its content alone: PDF, PNG or JPEG, whole, and nothing else at the same time.

Nothing is unpacked: compressed parts stay as they are. A file that passes is still a stranger's, and is kept apart.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
ENDINGS = {PDF: ".pdf", PNG: ".png", JPEG: ".jpg"}

_PDF_START = re.compile(rb"%PDF-[12]\.\d\s")
_PDF_END = re.compile(rb"%%EOF[\s\x00]*\Z")
_PDF_STREAM = re.compile(rb"\bstream\r?\n.*?\bendstream\b", re.DOTALL)
_PDF_NAME = re.compile(rb"/[^\s()<>\[\]{}/%]{1,60}")
_PDF_HEX = re.compile(rb"#([0-9A-Fa-f]{2})")
_PDF_PROGRAMS = frozenset({
    b"/JavaScript", b"/JS", b"/Launch", b"/EmbeddedFile", b"/EmbeddedFiles", b"/RichMedia", b"/XFA", b"/ImportData",
})  # fmt: skip
"""Names in a PDF of what runs or opens something, or holds another file."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_END = 0xDA, b"\xff\xd9"
_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL_BYTES = 66_000
"""The end record of a ZIP archive stands within so many bytes of the end of a file."""


class RefusedFileError(Exception):
    """A file that is not taken; `why` names the words that say it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def tell_type(content: bytes, most_pixels: int) -> str:
    """The media type of a file: PDF, PNG or JPEG.

    Raises RefusedFileError: `empty`, `type` for every other, `archive` for one that is an archive too, `damaged` for
    one that is cut off or goes on after its end, `program` for a PDF with programs or other files in it, `pixels` for
    a picture that is too large to open.
    """
    if not content:
        raise RefusedFileError("empty")
    for start, media_type, check in _CHECKS:
        if content.startswith(start):
            if _ZIP_END in content[-_ZIP_TAIL_BYTES:]:
                raise RefusedFileError("archive")
            check(content, most_pixels)
            return media_type
    raise RefusedFileError("type")


def _check_pdf(content: bytes, _: int) -> None:
    if not _PDF_START.match(content):
        raise RefusedFileError("type")
    if not _PDF_END.search(content[-2_048:]):
        raise RefusedFileError("damaged")
    # What stands within streams is packed; letters there mean nothing.
    dictionaries = _PDF_STREAM.sub(b" ", content)
    names = {_PDF_HEX.sub(lambda code: bytes([int(code[1], 16)]), name) for name in _PDF_NAME.findall(dictionaries)}
    if names & _PDF_PROGRAMS:
        raise RefusedFileError("program")


def _check_png(content: bytes, most_pixels: int) -> None:
    kinds = []
    for kind, body in _png_chunks(content):
        if kind == b"IHDR" and len(body) == 13:
            width, height = struct.unpack(">II", body[:8])
            if width * height > most_pixels:
                raise RefusedFileError("pixels")
        kinds.append(kind)
    if kinds[:1] != [b"IHDR"] or kinds[-1] != b"IEND" or b"IDAT" not in kinds:
        raise RefusedFileError("damaged")


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, each with its checksum right, up to the last byte of the file."""
    at = len(_PNG_START)
    while at < len(content):
        if at + 12 > len(content):
            raise RefusedFileError("damaged")
        (size,) = struct.unpack_from(">I", content, at)
        end = at + 12 + size
        kind, body = content[at + 4 : at + 8], content[at + 8 : end - 4]
        if end > len(content) or zlib.crc32(kind + body) != struct.unpack_from(">I", content, end - 4)[0]:
            raise RefusedFileError("damaged")
        yield kind, body
        at = end


def _check_jpeg(content: bytes, most_pixels: int) -> None:
    at, has_size = 2, False
    while True:
        if at + 4 > len(content) or content[at] != 0xFF:
            raise RefusedFileError("damaged")
        marker, (size,) = content[at + 1], struct.unpack_from(">H", content, at + 2)
        if marker == 0xFF:
            at += 1
            continue
        if size < 2 or at + 2 + size > len(content):
            raise RefusedFileError("damaged")
        if marker in _JPEG_SIZES and size >= 8:
            height, width = struct.unpack_from(">HH", content, at + 5)
            has_size = True
            if width * height > most_pixels:
                raise RefusedFileError("pixels")
        if marker == _JPEG_SCAN:
            break
        at += 2 + size
    if not has_size or not content.rstrip(b"\x00").endswith(_JPEG_END):
        raise RefusedFileError("damaged")


_Check = Callable[[bytes, int], None]
_CHECKS: tuple[tuple[bytes, str, _Check], ...] = (
    (b"%PDF-", PDF, _check_pdf), (_PNG_START, PNG, _check_png), (_JPEG_START, JPEG, _check_jpeg),
)  # fmt: skip
