"""What the drills start from: a scored catalogue, and PostgreSQL."""

from tests.data.conftest import postgresql
from tests.serving.conftest import scored

__all__ = ["postgresql", "scored"]
