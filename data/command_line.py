"""What every command is given: the settings, the day it is called on, and the types of its options."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.settings import Settings

if TYPE_CHECKING:
    from data.ledger import Versions

DAY = click.DateTime(["%Y-%m-%d"])
FOLDER = click.Path(path_type=Path)


@dataclass(frozen=True)
class Call:
    """One call of the command line: the operator's settings, and the moment by the front door's clock (UTC)."""

    settings: Settings
    now: datetime

    @property
    def today(self) -> date:
        """The day of the call."""
        return self.now.date()

    def record(self, action: str, subject: str, content: Mapping[str, Any], versions: "Versions") -> None:
        """Append to the ledger what the system's user did by this call."""
        from data.ledger import Deed, record
        from data.state.database import open_state

        engine = open_state(self.settings.database_address)
        record(engine, Deed(getuser(), action, subject, content, versions), self.now)
        engine.dispose()
