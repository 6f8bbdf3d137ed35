"""What `/screen` is asked and answers, as it goes over HTTP."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.answers import Reason, Text
from serving.facts import Fact
from serving.screening.policy import Ask, Decision, Stage

Longer = Annotated[str, Field(min_length=1, max_length=2_000)]


class Listing(BaseModel):
    """A listing in the words of the input contract; leave out what it does not state.

    `supplier_id` and `category` join what the catalogue knows of them; `sku_id` joins the product itself where it is
    known already.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "sku_id": "K-900001", "market": "EU", "supplier_id": "P160cd59a9e", "category": "mains_chargers",
                "title": "USB-C fast charger 65 W", "price_eur": 9.9, "battery": "none", "mains_powered": True,
            }
        },
    )  # fmt: skip

    sku_id: Text
    market: Text
    supplier_id: Text
    category: Text
    factory_id: Text | None = None
    title: Longer | None = None
    brand: Text | None = None
    price_eur: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    age_grade_months: Annotated[int, Field(ge=0, le=1200)] | None = None
    battery: Literal["none", "button", "li_ion", "other"] | None = None
    mains_powered: bool | None = None
    radio: bool | None = None
    skin_contact: bool | None = None
    food_contact: bool | None = None
    responsible_person: bool | None = None


class Known(BaseModel):
    """Whether the catalogue knows the product in this market, its supplier, and its category in this market."""

    sku: bool
    supplier: bool
    category: bool


class ScreenAnswer(BaseModel):
    """What to do with the listing at this stage, and why.

    `rule` names the rule of the screening policy that decided. `facts` are all that stand, failed tests of the same SKU
    in other markets among them; `hold` rests on one of this market, never on the score alone. `test_first` asks for a
    test or for documents before it goes on. `policy_version` is the screening policy's.
    """

    sku_id: str
    market: str
    stage: Stage
    decision: Decision
    ask: Ask
    rule: str
    facts: list[Fact]
    p_fail: float
    p_low: float
    p_high: float
    band: str
    reasons: list[Reason]
    known: Known
    model_version: str
    feature_version: str
    policy_version: str
    bands_version: str
    as_of: date
