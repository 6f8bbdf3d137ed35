"""The application context of the pages: settings, publication in service, database, keys, time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from data.settings import Settings
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore


class Principal(Protocol):
    """The holder of a key: `id` of the key, name of the `person` it was given to, their `role`."""

    @property
    def id(self) -> str: ...  # noqa: D102 - said above
    @property
    def person(self) -> str: ...  # noqa: D102 - said above
    @property
    def role(self) -> str: ...  # noqa: D102 - said above


@dataclass(frozen=True)
class AppContext:
    """What the routes share.

    `connect` opens the database on first use. `principal_of` maps the text of a key to its holder, `principal_by_id`
    the id of a key; both return None for a key that is not in force. `now` returns the time, with zone. `insecure`:
    nobody is asked for a key. `secret` signs cookies and forms.
    """

    settings: Settings
    reloader: HotReloader
    connect: Callable[[], sa.Engine]
    principal_of: Callable[[str], Principal | None]
    principal_by_id: Callable[[str], Principal | None]
    now: Callable[[], datetime]
    insecure: bool = False
    secret: bytes = field(repr=False, default=b"")

    @property
    def engine(self) -> sa.Engine:
        """The database; UserError while it cannot be reached."""
        return self.connect()

    @property
    def store(self) -> OnlineStore:
        """The publication in service; UserError while there is none."""
        return self.reloader.store()
