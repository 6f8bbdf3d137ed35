"""Errors that a user can act on."""


class UserError(Exception):
    """An input that was refused: what is wrong, what was given, what to do, in whole sentences.

    The front door prints the message and exits with code 1; the service answers with a 4xx status.
    """


class UnavailableError(UserError):
    """A refusal that may not last: what it needs cannot be reached just now; the service answers with 503."""
