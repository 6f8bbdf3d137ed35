"""Errors that a user can act on, and how their sentences list names."""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    GUARD = 3
    ASKS_FOR_A_PERSON = 4
    FAULT = 5


class UserError(Exception):
    """An input that was refused: what is wrong, what was given, what to do, in whole sentences.

    The front door prints the message and exits with `exit_code`; the service answers with a 4xx status.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class UnavailableError(UserError):
    """A refusal that may not last: what it needs cannot be reached just now; the service answers with 503."""


class NotFoundError(UserError):
    """A refusal because nothing has the name that was given; the service answers with 404."""


class GuardError(UserError):
    """A refusal of what would do damage if nobody looked; a person may allow it by name."""

    exit_code = ExitCode.GUARD


def join_names(names: Sequence[str], conjunction: str = "and") -> str:
    """The names as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    return f" {conjunction} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plural(names: Sequence[str], noun: str) -> str:
    """The noun, with an s unless there is exactly one name."""
    return noun if len(names) == 1 else f"{noun}s"
