"""The member states of the EU and of the EEA, as the transparency database names them."""

from data.errors import UserError

# fmt: off
EU = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]
# fmt: on
EEA = sorted([*EU, "IS", "LI", "NO"])
EUROPE = frozenset({"EU", "EEA", *EEA})
"""Markets whose law is that of the EU: a state, or a whole area."""


def territory(market: str) -> list[str]:
    """The member states of a market; UserError where the database takes none of it."""
    scope = {"EU": EU, "EEA": EEA}.get(market, [market] if market in EEA else [])
    if not scope:
        raise UserError(f"Market {market} is outside the EU; the transparency database takes no statement for it.")
    return list(scope)
