"""Links to sellers' pages: each opens one case of one supplier for some days; the database holds digests alone."""

import hashlib
import re
import secrets
import string
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.seller_schema import SELLER_LINKS
from serving.decisions.rules import Signature

ADDRESS = "/s"
_SYMBOLS, _LENGTH = string.ascii_letters + string.digits, 32
_TOKEN = re.compile(r"[A-Za-z0-9]{32}")
_TOKEN_IN_ADDRESS = re.compile(r"(/s/)[A-Za-z0-9]{32}")
_LINK_WITH_TOKEN = re.compile(r'<a href="[^"]*/s/[A-Za-z0-9]{32}">([^<]*)</a>')


def new_token() -> str:
    """A new secret: 190 random bits as letters and digits, which programs that find links in text take whole."""
    return "".join(secrets.choice(_SYMBOLS) for _ in range(_LENGTH))


@dataclass(frozen=True)
class SellerCase:
    """What a page is about: a supplier's SKU in a market, or the supplier where both are None."""

    supplier_id: str
    sku_id: str | None = None
    market: str | None = None

    @property
    def subject(self) -> str:
        """What the ledger's rows are about, as those of letters."""
        return f"{self.sku_id} {self.market}" if self.sku_id else self.supplier_id

    @property
    def actor(self) -> str:
        """The supplier as the actor of the ledger's rows."""
        return f"supplier {self.supplier_id}"


@dataclass(frozen=True)
class SellerLink:
    """A row of the table `seller_links`; times are ISO 8601 in UTC, `expires_on` is the last day on which it opens.

    `letter_id` is the letter that carries it, None for one that an officer made.
    """

    link_id: str
    token_hash: str
    supplier_id: str
    sku_id: str | None
    market: str | None
    language: str
    made_at: str
    made_by: str
    expires_on: str
    letter_id: str | None = None
    revoked_at: str | None = None
    revoked_by: str | None = None

    @property
    def case(self) -> SellerCase:
        """The case that it opens."""
        return SellerCase(self.supplier_id, self.sku_id, self.market)

    def opens_on(self, day: date) -> bool:
        """Whether it opens on a day."""
        return self.revoked_at is None and day.isoformat() <= self.expires_on


@dataclass(frozen=True)
class NewLink:
    """A link to be made: for which case, in which language, until which day, with which secret, in which letter."""

    case: SellerCase
    language: str
    expires_on: date
    token: str = field(default_factory=new_token, repr=False)
    letter_id: str | None = None


def page_path(token: str) -> str:
    """The address of the page below the service's own."""
    return f"{ADDRESS}/{token}"


def without_tokens(text: str) -> str:
    """The text or HTML with the secret of every link left out, no link any more, for everybody but the seller."""
    return _TOKEN_IN_ADDRESS.sub(r"\1…", _LINK_WITH_TOKEN.sub(r"\1", text))


def last_day(made_on: date, days: int) -> date:
    """The last day on which a link opens that opens for so many days."""
    return made_on + timedelta(days=days - 1)


def insert_link(connection: sa.Connection, new: NewLink, signature: Signature) -> SellerLink:
    """Store a link, within a `write_transaction`, with its row of the ledger."""
    case, officer, expires_on = new.case, signature.officer, new.expires_on.isoformat()
    content = {"supplier": case.supplier_id, "letter": new.letter_id, "expires": expires_on, "key": officer.key_id}
    row = record_event_in(connection, AuditEvent(officer.name, "make_seller_link", case.subject, content), signature.at)
    link = SellerLink(
        f"s-{row.hash[:12]}", _digest(new.token), case.supplier_id, case.sku_id, case.market, new.language,
        row.recorded_at, officer.name, expires_on, new.letter_id,
    )  # fmt: skip
    connection.execute(sa.insert(SELLER_LINKS).values(**asdict(link)))
    return link


def renew_link(engine: sa.Engine, new: NewLink, signature: Signature) -> SellerLink:
    """Revoke the links of a case and make a new one, whose token cannot be shown again."""
    with write_transaction(engine) as connection:
        _revoke(connection, new.case, signature)
        return insert_link(connection, new, signature)


def revoke_links(engine: sa.Engine, case: SellerCase, signature: Signature) -> int:
    """Revoke every link of a case; return how many were open. A second time changes nothing."""
    with write_transaction(engine) as connection:
        return _revoke(connection, case, signature)


def find_link(engine: sa.Engine, token: str, today: date) -> SellerLink | None:
    """The link that a token opens today; None where it opens nothing, whatever the cause."""
    if not _TOKEN.fullmatch(token):
        return None
    with read_transaction(engine) as connection:
        row = connection.execute(
            sa.select(SELLER_LINKS).where(SELLER_LINKS.c.token_hash == _digest(token))
        ).one_or_none()
    link = SellerLink(**row._mapping) if row is not None else None
    return link if link is not None and link.opens_on(today) else None


def links_of(engine: sa.Engine, case: SellerCase) -> list[SellerLink]:
    """Every link of a case, the newest first."""
    query = sa.select(SELLER_LINKS).where(is_of_case(SELLER_LINKS, case)).order_by(SELLER_LINKS.c.made_at.desc())
    with read_transaction(engine) as connection:
        return [SellerLink(**row._mapping) for row in connection.execute(query)]


def is_of_case(table: sa.Table, case: SellerCase) -> sa.ColumnElement[bool]:
    """The condition on a table with supplier, SKU and market that a row is of a case."""
    return sa.and_(
        table.c.supplier_id == case.supplier_id, table.c.sku_id.is_not_distinct_from(case.sku_id),
        table.c.market.is_not_distinct_from(case.market),
    )  # fmt: skip


def _revoke(connection: sa.Connection, case: SellerCase, signature: Signature) -> int:
    of_case = sa.and_(is_of_case(SELLER_LINKS, case), SELLER_LINKS.c.revoked_at.is_(None))
    ids = list(connection.execute(sa.select(SELLER_LINKS.c.link_id).where(of_case)).scalars())
    if ids:
        officer = signature.officer
        content = {"supplier": case.supplier_id, "links": ids, "key": officer.key_id}
        event = AuditEvent(officer.name, "revoke_seller_links", case.subject, content)
        at = record_event_in(connection, event, signature.at).recorded_at
        connection.execute(sa.update(SELLER_LINKS).where(of_case).values(revoked_at=at, revoked_by=officer.name))
    return len(ids)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
