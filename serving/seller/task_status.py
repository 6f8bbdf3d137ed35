"""How far a task of a seller's page is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.letters.words import Value

TO_DO, WAITS, DONE, CLOSED = "to_do", "waits", "done", "closed"
"""The seller's turn, ours, nobody's, and not possible."""


@dataclass(frozen=True)
class TaskStatus:
    """The key of the words that say how far a task is, whose turn it is, and the values of the words."""

    key: str
    turn: str = TO_DO
    values: Mapping[str, Value] = field(default_factory=dict)
