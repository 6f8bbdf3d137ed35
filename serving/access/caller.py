"""Whose request is being answered."""

from contextvars import ContextVar

from serving.access.keys import Key

CALLER: ContextVar[Key] = ContextVar("caller")


def caller() -> Key:
    """The key of the request in progress, which the gate let in.

    Raises LookupError outside a request: nothing is recorded without a name.
    """
    return CALLER.get()
