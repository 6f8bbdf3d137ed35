"""What every command is given: the settings, the day it is called on, and the types of its options."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from data.settings import Settings

DAY = click.DateTime(["%Y-%m-%d"])
FOLDER = click.Path(path_type=Path)


@dataclass(frozen=True)
class Call:
    """One call of the command line: the operator's settings, and `today` as the front door's clock tells it (UTC)."""

    settings: Settings
    today: date
