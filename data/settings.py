"""Settings of the operator from environment variables; no other file reads the environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from data.errors import UserError
from data.workspace import Workspace, require_local_path

VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Settings:
    """The operator's choices: the workspace folder, the MLflow server, the Python of Spark's workers, the database.

    `tracking_uri` is an MLflow tracking address and `database_url` a SQLAlchemy address; None means SQLite inside the
    workspace. `worker_python` is a path on the workers; None means the driver's own. `insecure` lets
    this machine in without a key. `keep_days` is of how many scored days the snapshots and dossiers are kept.
    `public_url` is the address under which everybody reaches the service, for links in letters and QR codes.
    """

    workspace: Workspace
    tracking_uri: str | None
    worker_python: str | None = None
    database_url: str | None = None
    insecure: bool = False
    keep_days: int = 2
    public_url: str | None = None

    def inside(self, name: str) -> "Settings":
        """The same choices with a workspace of their own, the folder `name` inside this one's."""
        return replace(self, workspace=Workspace(self.workspace.home / name))

    @property
    def tracking_address(self) -> str:
        """The MLflow tracking address in force."""
        return self.tracking_uri or f"sqlite:///{self.workspace.mlflow_database}"

    @property
    def database_address(self) -> str:
        """The address of the database of the state in force."""
        return self.database_url or f"sqlite:///{self.workspace.database}"


def read_settings(home: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; `home` (the `--home` option) wins over `TOUCHSTONE_HOME`.

    Raises UserError where a number is none.
    """
    folder = home or Path(environment.get("TOUCHSTONE_HOME", "workspace"))
    require_local_path(str(folder))
    tracking_uri = environment.get("MLFLOW_TRACKING_URI") or None
    worker_python = environment.get("PYSPARK_PYTHON") or None
    database_url = environment.get("TOUCHSTONE_DATABASE_URL") or None
    insecure = environment.get("TOUCHSTONE_INSECURE") == "1"
    return Settings(
        Workspace(folder.resolve()), tracking_uri, worker_python, database_url, insecure, _keep_days(environment),
        _public_url(environment),
    )  # fmt: skip


def expand_variables(text: str, environment: Mapping[str, str] = os.environ, encode: Callable[[str], str] = str) -> str:
    """The text with every `${NAME}` replaced by that environment variable, encoded for where it stands.

    UserError names one that is not set.
    """
    missing = [name for name in VARIABLE.findall(text) if name not in environment]
    if missing:
        raise UserError(f"The environment variable {missing[0]} is not set. Set it where the program runs.")
    return VARIABLE.sub(lambda found: encode(environment[found[1]]), text)


def _keep_days(environment: Mapping[str, str]) -> int:
    given = environment.get("TOUCHSTONE_KEEP_DAYS") or str(Settings.keep_days)
    if not given.isdecimal():
        raise UserError(f"TOUCHSTONE_KEEP_DAYS is {given!r}. Give a whole number of days, 0 or more.")
    return int(given)


def _public_url(environment: Mapping[str, str]) -> str | None:
    given = environment.get("TOUCHSTONE_PUBLIC_URL") or None
    if given is None:
        return None
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UserError(
            f"TOUCHSTONE_PUBLIC_URL is {given!r}. Give the address as everybody types it, such as https://example.com."
        )
    return given.rstrip("/")
