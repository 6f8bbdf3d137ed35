"""Names and numbers of products in one spelling, as expressions of DuckDB: words, brands, GTINs, model numbers."""

from typing import Final

import ibis
import ibis.expr.types as ir

from data.importers.product_names import LEGAL_FORMS

_FULL_WIDTH: Final = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
_ASCII: Final = "".join(chr(code) for code in range(0x21, 0x7F))
_LEGAL_ENDING: Final = rf"( ({'|'.join(sorted(LEGAL_FORMS))}))+$"
SHORTEST_GTIN: Final = 8
GTIN_DIGITS: Final = 14


@ibis.udf.scalar.builtin(signature=(("string",), "string"))
def strip_accents(text):  # type: ignore[no-untyped-def]
    """DuckDB's text without accents."""


@ibis.udf.scalar.builtin(signature=(("string", "string"), "array<string>"))
def regexp_extract_all(text, pattern):  # type: ignore[no-untyped-def]
    """DuckDB's list of the parts of a text that match a pattern."""


def plain_letters(text: ir.StringValue) -> ir.StringValue:
    """The text in lower case, without accents, in normal width."""
    # Most texts are plain, and a look is quicker than a translation without effect.
    plain = strip_accents(text.translate(_FULL_WIDTH, _ASCII).lower().replace("ß", "ss"))
    return text.re_search(r"[^\x00-\x7F]").ifelse(plain, text.lower())


def plain_text(text: ir.StringValue) -> ir.StringValue:
    """Words in lower case, without accents, in normal width, between single blanks; missing where none is left."""
    joined = plain_letters(text).replace("&", " and ").re_replace("['’`.]", "")  # noqa: RUF001 - an apostrophe
    return joined.re_replace(r"[^\p{L}\p{N}]+", " ").strip().nullif("")


def words_in(plain: ir.StringValue) -> ir.ArrayValue:
    """The distinct words of a plain text; none where it is missing."""
    return plain.split(" ").unique().fill_null(_no_words())


def brand_key(brand: ir.StringValue, not_a_brand: ir.ArrayValue) -> ir.StringValue:
    """The brand as plain words without article and legal form; missing where it names none."""
    plain = plain_text(brand).re_replace("^the ", "").re_replace(_LEGAL_ENDING, "")
    return not_a_brand.contains(plain).ifelse(ibis.null("string"), plain)


def gtins_of(text: ir.StringValue) -> ir.ArrayValue:
    """The GTINs of a list as texts of 14 digits, so that an EAN and the UPC in it are one."""
    numbers = regexp_extract_all(text.re_replace("[^0-9,;/]", ""), "[0-9]+")
    long_enough = numbers.filter(lambda number: (number.length() >= SHORTEST_GTIN) & (number.length() <= GTIN_DIGITS))
    padded = long_enough.map(lambda number: number.lpad(GTIN_DIGITS, "0")).unique()
    return padded.filter(lambda number: number != "0" * GTIN_DIGITS).fill_null(_no_words())


def models_of(text: ir.StringValue) -> ir.ArrayValue:
    """The model numbers of a list: letters and digits alone, in lower case, a digit among them."""
    numbers = plain_letters(text).re_replace(r"[^\p{L}\p{N},;]+", "")
    return regexp_extract_all(numbers, "[^,;]*[0-9][^,;]*").unique().fill_null(_no_words())


def model_like_words(title: ir.StringValue) -> ir.ArrayValue:
    """The words of a title that hold a digit, spelled as model numbers are."""
    words = plain_letters(title).re_replace(r"[^\p{L}\p{N}\s]+", "")
    return regexp_extract_all(words, r"\S*[0-9]\S*").unique().fill_null(_no_words())


def holds_all(words: ir.ArrayValue, wanted: ir.ArrayValue) -> ir.BooleanValue:
    """Whether all of `wanted`, one at least, are among `words`."""
    return (wanted.length() > 0) & (words.intersect(wanted).length() == wanted.length())


def longest_word(words: ir.ArrayValue) -> ir.StringValue:
    """The longest of the words, the last one in their order where several are; missing where there is none."""
    return words.map(lambda word: word.length().cast("string").lpad(3, "0") + word).maxs().substr(3)


def _no_words() -> ir.ArrayScalar:
    return ibis.literal([], type="array<string>")
