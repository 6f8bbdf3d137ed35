"""The card as a page is whole in itself and runs nothing that stands in the card."""

from pathlib import Path

from training.card.render import CAPTIONS, page_of, write_card

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc33"
    "0000000049454e44ae426082"
)


def test_a_page_holds_text_tables_and_pictures_and_needs_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "gain.png").write_bytes(PIXEL)
    write_card(
        "# Model card\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "m-0123456789ab", "Nobody has promoted it.", tmp_path
    )
    page = (tmp_path / "card.html").read_text(encoding="utf-8")
    assert "<h1>Model card of m-0123456789ab</h1>" in page
    assert "<td>2</td>" in page
    assert "Nobody has promoted it." in page
    assert page.count("<figure>") == 1
    assert CAPTIONS["gain"] in page
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page


def test_html_in_a_card_is_shown_and_not_run() -> None:
    page = page_of("a <b>", "text <script>alert(1)</script>", {})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<title>a &lt;b&gt;</title>" in page
