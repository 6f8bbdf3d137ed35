"""A file is a PDF, a PNG or a JPEG by its content, whole, and nothing besides; everything else is refused by name."""

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from serving.seller.file_types import JPEG, PDF, PNG, RefusedFileError, tell_type
from tests.serving.seller.sent_files import PDF_FILE, jpeg_file, png_file

MOST_PIXELS = 60_000_000
WHOLE = {PDF: PDF_FILE, PNG: png_file(), JPEG: jpeg_file()}


def refusal(content: bytes) -> str:
    """Why a content is refused."""
    with pytest.raises(RefusedFileError) as refused:
        tell_type(content, MOST_PIXELS)
    return refused.value.why


@given(st.sampled_from([PDF, PNG, JPEG]), st.binary(max_size=300))
def test_no_content_but_a_whole_file_has_a_type(media_type: str, other: bytes) -> None:
    """Bytes before it, its first half alone and bytes of another file after it are refused; so is anything at all."""
    whole = WHOLE[media_type]
    assert tell_type(whole, MOST_PIXELS) == media_type
    for content in (b"\x00" + whole, whole[: len(whole) // 2], whole + b"#!/bin/sh\n" + other, other):
        with pytest.raises(RefusedFileError):
            tell_type(content, MOST_PIXELS)


@given(st.sampled_from([PDF, PNG, JPEG]), st.data())
def test_an_altered_file_is_refused_or_of_the_same_type(media_type: str, data: st.DataObject) -> None:
    """No byte makes the check fail otherwise, or one type into another."""
    content = bytearray(WHOLE[media_type])
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(RefusedFileError):
        assert tell_type(bytes(content), MOST_PIXELS) == media_type


@pytest.mark.parametrize("picture", ["PNG", "JPEG"])
def test_pictures_of_cameras_and_programs_are_taken(picture: str) -> None:
    """As a library writes them, with its metadata."""
    written = io.BytesIO()
    Image.effect_noise((64, 48), 60).save(written, picture)
    assert tell_type(written.getvalue(), MOST_PIXELS) == {"PNG": PNG, "JPEG": JPEG}[picture]


@pytest.mark.parametrize("name", [b"/JavaScript", b"/JS", b"/Java#53cript", b"/Launch", b"/EmbeddedFile", b"/XFA"])
def test_a_pdf_that_is_a_program_is_refused(name: bytes) -> None:
    """Also where a letter of the name is escaped; the same letters within a packed stream are nothing."""
    assert refusal(PDF_FILE.replace(b"/Type /Catalog", b"/OpenAction << /S " + name + b" >>")) == "program"


def test_an_archive_is_refused_also_in_the_clothes_of_a_document() -> None:
    """A bomb is never unpacked, and a PDF that is a ZIP at once is none."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\x00" * 5_000_000)
    assert refusal(packed.getvalue()) == "type"
    assert refusal(PDF_FILE + packed.getvalue()) == "archive"
    assert refusal(PDF_FILE.replace(b"%%EOF", packed.getvalue() + b"\n%%EOF")) == "archive"


@pytest.mark.parametrize(
    "content",
    [b"MZ\x90\x00" + b"\x00" * 60, b"\x7fELF" + b"\x00" * 60, b"#!/bin/sh\nrm -rf /\n", b"<html><script>1</script>",
     b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"%PDF-9.9", b"{}", b"\xff\xd8"],
)  # fmt: skip
def test_every_other_type_is_refused(content: bytes) -> None:
    """Whatever its name says."""
    assert refusal(content) == "type"


def test_a_picture_that_is_too_large_to_open_is_refused() -> None:
    """A few bytes that state a billion pixels."""
    assert refusal(png_file(60_000, 60_000)) == "pixels"
    assert refusal(jpeg_file(60_000, 60_000)) == "pixels"
    assert refusal(b"") == "empty"
