"""A seller whose product was removed after a failed test, with the letter that carries the link, and a browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from bs4 import BeautifulSoup
from httpx import Response
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.workspace import Workspace, write_pointer
from serving.console.context import AppContext
from serving.console.letter_sources import letter_sources
from serving.decisions.records import Decision
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from serving.letters.drafting import ensure_letters
from serving.letters.sending import check_letter, send_letter
from serving.letters.store import DRAFT, Letter, letters_in
from tests.serving.console.conftest import context_of, mounted
from tests.serving.decisions.cases import FAILED, POLICY, case
from tests.serving.letters.test_flow import decided

NOW = datetime(2026, 7, 2, 9, 30, tzinfo=UTC)
OLGA = Signature(Officer("Olga", "officer", "k-olga"), NOW)
PLACE = "https://shop.example/safety"


@dataclass
class SellerWorld:
    """The application, a browser that nobody signed in with, the removal, the letter that was sent, its token."""

    context: AppContext
    browser: TestClient
    removal: Decision
    letter: Letter
    token: str

    @property
    def engine(self) -> sa.Engine:
        """The database."""
        return self.context.engine

    def get(self, path: str = "", token: str | None = None) -> Response:
        """The page of a task."""
        answer: Response = self.browser.get(f"/s/{token or self.token}{path}")
        return answer

    def soup(self, path: str = "") -> BeautifulSoup:
        """The page of a task, which must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return BeautifulSoup(answer.text, "html.parser")

    def send(self, task: str, fields: dict[str, str], file: tuple[str, bytes] | None = None) -> Response:
        """The answer to the form of a task."""
        files = {"file": (file[0], file[1], "application/x-msdownload")} if file else None
        answer: Response = self.browser.post(f"/s/{self.token}/{task}", data=fields, files=files)
        return answer


def token_in(letter: Letter) -> str:
    """The secret of the address in a letter's text."""
    found = re.search(rf"{re.escape(PLACE)}/s/(\S+)", letter.text or "")
    assert found is not None, letter.text
    return found[1]


@contextmanager
def seller_world(folder: Path, now: datetime = NOW) -> Iterator[SellerWorld]:
    """A world of its own in a folder."""
    engine = open_database(f"sqlite:///{folder / 'state.db'}")
    context = context_of(folder / "workspace", engine)
    context = replace(context, now=lambda: now, settings=replace(context.settings, public_url=PLACE))
    write_lake(context.settings.workspace, "S-1", case().sku_id)
    removal = decided(Decisions(engine, POLICY), "remove", FAILED)
    letter = sent_letter(context)
    with TestClient(mounted(context), follow_redirects=False) as browser:
        yield SellerWorld(context, browser, removal, letter, token_in(letter))
    engine.dispose()


def write_lake(workspace: Workspace, supplier_id: str, sku_id: str) -> None:
    """A supplier and its SKU as an ingest writes them, as far as rows refer to them."""
    folder = workspace.lake / "l-1"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"supplier_id": [supplier_id]}), folder / "suppliers.parquet")
    pq.write_table(pa.table({"sku_id": [sku_id], "market": ["EU"]}), folder / "skus.parquet")
    write_pointer(workspace.lake / "CURRENT", folder.name)


def sent_letter(context: AppContext, language: str = "en") -> Letter:
    """The oldest draft, checked and sent."""
    sources = letter_sources(context)
    ensure_letters(sources, OLGA.at)
    [letter, *_] = letters_in(context.engine, (DRAFT,))
    check_letter(sources, letter.letter_id, language, OLGA)
    return send_letter(sources, letter.letter_id, OLGA)
