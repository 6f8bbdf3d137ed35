"""What every page may draw on: the publication in service, the state, the keys, the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from data.settings import Settings
from serving.online.hot_reload import HotReloader


class Principal(Protocol):
    """Whom a key was given to: `id` names the key, `person` its holder, `role` what the holder may do."""

    @property
    def id(self) -> str: ...  # noqa: D102 - said above
    @property
    def person(self) -> str: ...  # noqa: D102 - said above
    @property
    def role(self) -> str: ...  # noqa: D102 - said above


@dataclass(frozen=True)
class AppContext:
    """The service as its pages see it.

    `state` opens the database of the state where it is not open yet; a page asks for `engine`, which raises UserError
    while it cannot be reached. `holder_of` knows the holder of a key that is in force, None for any other text;
    `holder_by_id` knows them by the key's id, and forgets them the moment the key is revoked. `now` is the time, with
    zone.
    """

    settings: Settings
    desk: HotReloader
    state: Callable[[], sa.Engine]
    holder_of: Callable[[str], Principal | None]
    holder_by_id: Callable[[str], Principal | None]
    now: Callable[[], datetime]
    insecure: bool = False
    secret: bytes = field(repr=False, default=b"")

    @property
    def engine(self) -> sa.Engine:
        """The database of the state."""
        return self.state()
