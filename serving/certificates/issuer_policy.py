"""The policy `issuers`: who can confirm a document, how they are asked, and from where their answer may come."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Count, Days, Several, TomlTable, policy_in_force
from data.policy import Policy as _Policy
from serving.api.counterfactuals import Step
from serving.decisions.document_policy import KindName

Line = Annotated[str, Field(min_length=1, max_length=200)]
Domain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
WorkingDays = Annotated[int, Field(ge=1, le=250)]


class IssuerKey(TomlTable):
    """A public key of an issuer (Ed25519 as JWK, RFC 8037); once it is retired it verifies nothing any more."""

    kid: Line
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    retired_on: date | None = None


class DocumentIssuer(TomlTable):
    """An issuer: its names in documents, the kinds it confirms, where it is asked, and from where it answers."""

    names: Several[Line]
    kinds: Several[KindName]
    domains: Several[Domain]
    register_url: Annotated[str, Field(pattern=r"^https://[^\s]+$")] | None = None
    mailbox: Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")] | None = None
    accreditation: Line | None = None
    notified_body: Annotated[str, Field(pattern=r"^\d{4}$")] | None = None
    working_days_to_answer: WorkingDays | None = None
    identifier: Line | None = None
    keys: Several[IssuerKey] = ()

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        """Refuse an issuer without a name, or whose answer could come from nowhere."""
        if not self.names or not self.domains:
            raise ValueError("an issuer needs names and domains")
        return self

    @property
    def name(self) -> str:
        """Its first name."""
        return self.names[0]

    @property
    def channel(self) -> Literal["mail", "register"]:
        """How it is asked."""
        return "mail" if self.mailbox else "register"

    def may_answer_from(self, sender: str) -> bool:
        """Whether an answer of this sender, an address or a domain, comes from one of its domains or below it."""
        domain = sender.strip().rstrip(">").rpartition("@")[2].lower()
        return any(domain == each or domain.endswith(f".{each}") for each in self.domains)


class IssuerPolicy(_Policy, subject="issuers"):
    """The policy `issuers` (`policy/issuers/<day>.toml`), whose keys are explained there."""

    work_list: Count
    expiring_days: Days
    working_days_to_answer: WorkingDays
    most_at_once: Count
    if_confirmed: Step
    if_refuted: Step
    issuers: Several[DocumentIssuer]

    @model_validator(mode="after")
    def _names_every_issuer_once(self) -> Self:
        """Refuse a name that two issuers have: nobody could tell whom to ask."""
        names = [name.casefold() for each in self.issuers for name in each.names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"issuers name {', '.join(twice)} twice; keep one entry of each name")
        return self

    def find(self, name: str | None) -> DocumentIssuer | None:
        """The issuer that a document names; None where the policy does not know it."""
        wanted = (name or "").casefold()
        return next((each for each in self.issuers if wanted in (known.casefold() for known in each.names)), None)

    def days_to_answer(self, name: str | None) -> int:
        """The working days that an issuer has."""
        issuer = self.find(name)
        return (issuer and issuer.working_days_to_answer) or self.working_days_to_answer


def issuer_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> IssuerPolicy:
    """The policy of a day. Raises UserError where there is none, or where it lacks an entry."""
    return policy_in_force(IssuerPolicy, day, folder)
