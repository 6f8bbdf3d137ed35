"""A first `sources.toml` is valid, guesses what names and values say, and asks for the rest."""

from pathlib import Path

from click.testing import CliRunner

from data.sources.configuration import read_sources
from data.sources.guesses import guess_formats
from data.sources.starter import offered_tables, write_starter
from tests.data.sources.conftest import Execute
from touchstone import main

ANSWERS = {"market": "= EU", "origin": "warehouse"}


def answer(question: str, choices: object) -> str | None:  # noqa: ARG001 - the signature of a question
    """What a person of the shop answers."""
    return next(
        (said for name, said in ANSWERS.items() if f".{name} " in question or f"which {name}" in question), None
    )


def test_a_shop_is_understood_by_its_names(shop: tuple[str, Execute], tmp_path: Path) -> None:
    address = shop[0].replace("shop.duckdb", f"{tmp_path}/shop.duckdb") if "duckdb" in shop[0] else shop[0]
    text = write_starter(address, offered_tables(address, tmp_path / "spill"), answer)
    assert 'onboarded_on = { column = "joined", format = "%d/%m/%Y" }' in text
    assert 'result = { column = "outcome", map = { "NOK" = "fail", "OK" = "pass" } }' in text
    assert 'market = { const = "EU" }' in text
    assert "# ?" not in text.replace("# ? known_on", "").replace("# ? happened_on", "")
    path = tmp_path / "sources.toml"
    path.write_text(text, encoding="utf-8")
    assert {"suppliers", "skus", "lab_tests"} <= set(read_sources(path).tables)


def test_nobody_to_ask_leaves_questions_and_a_valid_file(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "sellers.csv").write_text("vendor,joined_on,shoe_size\nV1,01/02/2024,43\n", encoding="utf-8")
    (folder / "products.csv").write_text("item_no,vendor,type,created_at\n007,V1,toys,2024-01-01\n", encoding="utf-8")
    (folder / "tests.csv").write_text("report,item_no,result,date\nR1,007,weird,2024-02-01\n", encoding="utf-8")
    out = tmp_path / "sources.toml"
    home = ["--home", str(tmp_path / "home")]
    said = CliRunner().invoke(main, [*home, "sources", "init", str(folder), "--out", str(out)])
    assert said.exit_code == 0, said.output
    text = out.read_text(encoding="utf-8")
    assert 'format = "%d/%m/%Y" or "%m/%d/%Y"' in text
    assert "# ? which of pass, fail, inconclusive is weird" in text
    assert "# ? market (required)" in text
    assert "# Not used yet: shoe_size" in text
    assert f"{text.count('# ?')} lines need an answer" in said.output
    again = CliRunner().invoke(main, [*home, "sources", "init", str(folder), "--out", str(out)])
    assert again.exit_code == 1
    assert "is there already" in again.output
    checked = CliRunner().invoke(main, [*home, "sources", "check", "--sources", str(out)])
    assert checked.exit_code == 1
    assert "lacks the required column market" in checked.output
    assert "007" not in checked.output.partition("[skus]")[0]


def test_a_password_is_not_written() -> None:
    text = write_starter("postgresql://reader:secret@localhost/shop", [], lambda *_: None)
    assert 'source = "postgresql://reader:${SOURCE_PASSWORD}@localhost/shop"' in text
    assert "secret" not in text
    kept = write_starter("postgresql://reader:${MINE}@localhost/shop", [], lambda *_: None)
    assert "${MINE}" in kept


def test_only_forms_that_every_day_has_are_offered() -> None:
    assert guess_formats(["2025-01-02", "2025-01-02 10:00:00"]) == ()
    assert guess_formats(["13/02/2025", "01/02/2025"]) == ("%d/%m/%Y",)
    assert set(guess_formats(["01/02/2025"])) == {"%d/%m/%Y", "%m/%d/%Y"}
    assert guess_formats(["13.2.2025"]) == ("%d.%m.%Y",)
