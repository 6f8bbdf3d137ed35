"""How the house says no to an input."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer to the user, not a fault of the program
    """An input that was refused: what is wrong, what was given, what to do, in whole sentences.

    The front door prints the message and exits with code 1; the service answers with a 4xx status.
    """


class UnavailableError(Refusal):
    """A refusal that may not last: what it needs cannot be reached just now; the service answers with 503."""
