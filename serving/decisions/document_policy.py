"""The policy `documents`: kinds of document and who can confirm them, schemes, and what a market asks for."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.contract import DOCUMENT_KINDS
from data.policy import (
    POLICY_FOLDER,
    MarketGroups,
    Names,
    Policy,
    Several,
    TomlTable,
    is_in_markets,
    policy_in_force,
)
from serving.decisions.days import long_date
from serving.dossiers.records import Certificate

KindName = Literal[
    "declaration_of_conformity", "eu_type_examination", "test_report", "registration", "safety_report",
    "voluntary_mark",
]  # fmt: skip
Text = Annotated[str, Field(min_length=1)]
REFUTED = ("denied", "withdrawn", "out_of_scope")


class DocumentKind(TomlTable):
    """A kind of document: its name, who confirms one, and the sentences of a denial and a withdrawal.

    `confirmer`, `denied` and `withdrawn` are empty where its maker alone or nobody can confirm it.
    """

    name: Text
    confirmed_by: Literal["maker", "issuer", "authority_register", "nobody"]
    confirmer: str
    denied: str
    withdrawn: str

    @model_validator(mode="after")
    def _has_sentences(self) -> Self:
        """Refuse a kind whose sentences do not agree with who confirms it, or name an unknown field."""
        sentences = (self.confirmer, self.denied, self.withdrawn)
        if self.others_confirm != all(sentences) or self.others_confirm != any(sentences):
            needs = "needs confirmer, denied and withdrawn" if self.others_confirm else "leaves them empty"
            raise ValueError(f"a document confirmed by {self.confirmed_by!r} {needs}; they are {sentences}")
        try:
            for sentence in sentences:
                sentence.format(confirmer="", document="", known="", happened="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"{sentence!r} may name {{confirmer}}, {{document}}, {{known}}, {{happened}}") from error
        return self

    @property
    def others_confirm(self) -> bool:
        """Whether somebody else than the maker can confirm or deny such a document."""
        return self.confirmed_by in ("issuer", "authority_register")


class KindTables(TomlTable):
    """The table `kinds`: one entry for each kind of the contract."""

    declaration_of_conformity: DocumentKind
    eu_type_examination: DocumentKind
    test_report: DocumentKind
    registration: DocumentKind
    safety_report: DocumentKind
    voluntary_mark: DocumentKind


class StatusWords(TomlTable):
    """The table `statuses`: the words of each status; `self_declared` of what its maker alone signs."""

    claimed: Text
    self_declared: Text
    confirmed: Text
    expired: Text
    out_of_scope: Text
    denied: Text
    withdrawn: Text


class DocumentScheme(TomlTable):
    """A scheme of the contract's certificates: the kind of document that it is, and its name in words."""

    scheme: Text
    kind: KindName
    name: Text


class DocumentRequirement(TomlTable):
    """Schemes without which products of these categories may not be sold in these markets or groups of markets."""

    markets: Several[str]
    categories: Names
    schemes: Names


class DocumentPolicy(Policy, subject="documents"):
    """The policy `documents` (`policy/documents/<day>.toml`), whose keys are explained there."""

    market_groups: MarketGroups
    kinds: KindTables
    statuses: StatusWords
    documents: Several[DocumentScheme]
    required: Several[DocumentRequirement]

    @model_validator(mode="after")
    def _names_every_scheme_once(self) -> Self:
        """Refuse a scheme that stands twice, and a requirement of one that does not stand."""
        schemes = [each.scheme for each in self.documents]
        twice = sorted({scheme for scheme in schemes if schemes.count(scheme) > 1})
        unknown = sorted({scheme for each in self.required for scheme in each.schemes} - set(schemes))
        if twice:
            raise ValueError(f"documents name {', '.join(twice)} twice; keep one entry of each scheme")
        if unknown:
            raise ValueError(f"required names {', '.join(unknown)}, which documents lack; add an entry of each scheme")
        return self

    def kind_of(self, document: Certificate) -> DocumentKind | None:
        """The kind that a document states, else that of its scheme; None where neither is known."""
        scheme = self._scheme(document.scheme)
        name = document.kind if document.kind in DOCUMENT_KINDS else scheme.kind if scheme else None
        kind: DocumentKind | None = getattr(self.kinds, name) if name else None
        return kind

    def name_of(self, document: Certificate) -> str:
        """What a document is, in words: "EN 71 test report"."""
        scheme, kind = self._scheme(document.scheme), self.kind_of(document)
        if scheme and document.kind in (None, scheme.kind):
            return scheme.name
        return " ".join(filter(None, (document.scheme, kind.name if kind else "document")))

    def requires(self, document: Certificate, category: str, market: str) -> bool:
        """Whether a product of this category may not be sold in this market without such a document."""
        scheme = self._scheme(document.scheme)
        return (
            scheme is not None
            and document.kind in (None, scheme.kind)
            and any(
                scheme.scheme in each.schemes
                and category in each.categories
                and is_in_markets(market, each.markets, self.market_groups)
                for each in self.required
            )
        )

    def refutation(self, document: Certificate) -> str | None:
        """Who said that a document is denied or withdrawn, and when; None where nobody but its maker can."""
        kind = self.kind_of(document)
        if kind is None or not kind.others_confirm or document.status not in ("denied", "withdrawn"):
            return None
        sentence = kind.denied if document.status == "denied" else kind.withdrawn
        return sentence.format(
            confirmer=" ".join(filter(None, (kind.confirmer, document.issuer))),
            document=f"{self.name_of(document)} {document.number or document.certificate_id}",
            known=long_date(document.known_on),
            happened=long_date(document.happened_on),
        )

    def _scheme(self, scheme: str | None) -> DocumentScheme | None:
        return next((each for each in self.documents if each.scheme == scheme), None)


def missing_documents_note(policy: DocumentPolicy, categories: Iterable[str | None]) -> str:
    """The sentence that names categories for which the policy requires no document anywhere; empty for none."""
    named = {category for each in policy.required for category in each.categories}
    missing = sorted({category or "no category" for category in categories} - named)
    if not missing:
        return ""
    have = "1 category has" if len(missing) == 1 else f"{len(missing)} categories have"
    return (
        f"{have} no required document in policy/documents: {'; '.join(missing)}. A refuted document of "
        f"{'it' if len(missing) == 1 else 'them'} justifies no restriction. Add what the law requires to the policy."
    )


def document_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> DocumentPolicy:
    """The policy of a day. Raises UserError where there is none, or where it lacks an entry."""
    return policy_in_force(DocumentPolicy, day, folder)
