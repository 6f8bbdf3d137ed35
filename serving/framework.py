"""Where BentoML keeps something of every request, and what takes the place of that; it has no settings for it."""

from typing import Any

from bentoml._internal.server.http import instruments, traffic

from serving.access.gate import App, Receive, Scope, Send
from serving.access.rights import address_of
from serving.deadline import Deadline


class KnownAddresses(instruments.RunnerTrafficMetricsMiddleware):
    """Its metrics, labelled with addresses that exist; with the paths asked, a scanner would fill the memory."""

    def __init__(self, app: App, **settings: Any) -> None:
        async def as_asked(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope.get("touchstone.asked", scope), receive, send)

        super().__init__(as_asked, **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request under its address and pass it on as it came."""
        if scope["type"] == "http":
            scope = {**scope, "path": address_of(scope["path"]), "touchstone.asked": scope}
        await super().__call__(scope, receive, send)


def bound_what_is_kept() -> None:
    """Take both places; BentoML looks there when it builds the application."""
    instruments.RunnerTrafficMetricsMiddleware = KnownAddresses  # type: ignore[misc, assignment]
    # Its own leaves the timer of every request running to its end, and with it what the request holds.
    traffic.TimeoutMiddleware = Deadline  # type: ignore[misc, assignment]
