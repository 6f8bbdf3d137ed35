"""The dated policy `webhooks`: endpoints that are told of changes of decisions, and how often they are tried."""

from datetime import date
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Policy, Several, TomlTable, policy_in_force

LOCAL = ("127.0.0.1", "::1", "localhost")
VARIABLE = "${"


class Endpoint(TomlTable):
    """A receiver of messages; `url` and `secret` may name environment variables as `${NAME}`."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    url: str
    secret: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _require_https(self) -> Self:
        parts = urlsplit(self.url)
        if VARIABLE not in self.url and parts.scheme != "https" and parts.hostname not in LOCAL:
            raise ValueError(f"endpoint {self.name!r} needs an https address, got {self.url!r}")
        return self


class WebhookPolicy(Policy, subject="webhooks"):
    """Endpoints, the longest wait for an answer, and the waits before each further try."""

    timeout_seconds: Annotated[float, Field(gt=0, le=60)]
    retry_after_seconds: Annotated[Several[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    endpoints: Annotated[Several[Endpoint], Field(alias="endpoint")] = ()

    @model_validator(mode="after")
    def _require_distinct_names(self) -> Self:
        names = [each.name for each in self.endpoints]
        if len(set(names)) < len(names):
            raise ValueError(f"endpoint names must differ, got {names}")
        return self


def webhook_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> WebhookPolicy:
    """The webhook policy of a day. Raises UserError where there is none, or where it is not whole."""
    return policy_in_force(WebhookPolicy, day, folder)
