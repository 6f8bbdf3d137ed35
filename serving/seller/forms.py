"""Forms of sellers' pages: fields read within limits, and what is wrong with them in the words of the page."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from serving.letters.words import LetterWords, Value
from serving.seller.opened_page import OpenedPage

MOST_FIELDS = 20
LONGEST_LINE = 200
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


async def sent_form(request: Request) -> AsyncIterator[FormData]:
    """The fields of a form with one file at most; its spooled file is gone after the answer."""
    async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
        yield form


SentForm = Annotated[FormData, Depends(sent_form)]


def new_form_token() -> str:
    """A token by which the same form sent twice is known."""
    return secrets.token_urlsafe(16)


@dataclass
class FormReader:
    """Reads the fields of a form on a page; `problems` are sentences by the name of the field that is wrong."""

    page: OpenedPage
    form: FormData
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> LetterWords:
        """The words of the page."""
        return self.page.words

    def given(self, name: str) -> str:
        """A field as it was sent; empty where it was not, or is a file."""
        value = self.form.get(name)
        return value.replace("\r\n", "\n").replace("\x00", "").strip() if isinstance(value, str) else ""

    def text(self, name: str, label: str) -> str:
        """An explanation within the limits of the policy."""
        limits, given = self.page.policy.texts, self.given(name)
        if len(given) < limits.least_characters:
            self.refuse(name, "refused.too_short", label, least=str(limits.least_characters))
        elif len(given) > limits.most_characters:
            self.refuse(name, "refused.too_long", label, most=str(limits.most_characters))
        return given

    def line(self, name: str, label: str, required: bool = False, most: int = LONGEST_LINE) -> str:
        """A short text, which may be left out unless it is required."""
        given = self.given(name)
        if required and not given:
            self.refuse(name, "refused.missing", label)
        if len(given) > most:
            self.refuse(name, "refused.too_long", label, most=str(most))
        return given

    def choice(self, name: str, label: str, among: tuple[str, ...]) -> str:
        """One of these values."""
        given = self.given(name)
        if given not in among:
            self.refuse(name, "refused.missing", label)
            return ""
        return given

    def day(self, name: str, label: str, most_days: int, required: bool = False) -> date | None:
        """A day from tomorrow on, at most so many days from now."""
        given, last = self.given(name), self.page.today + timedelta(days=most_days)
        if not given and not required:
            return None
        try:
            day = date.fromisoformat(given)
        except ValueError:
            day = date.min
        if not self.page.today < day <= last:
            self.refuse(name, "refused.day", label, last=last)
            return None
        return day

    def file(self, name: str) -> UploadFile | None:
        """The file that was chosen; None where none was."""
        value = self.form.get(name)
        if isinstance(value, UploadFile) and value.filename:
            return value
        self.problems[name] = self.words.text("refused.file_missing", {})
        return None

    def form_token(self) -> str:
        """The token of the form; a new one where it was altered, so that the form counts as another."""
        given = self.given("form_token")
        return given if _FORM_TOKEN.fullmatch(given) else new_form_token()

    def refuse(self, name: str, key: str, label: str, **values: Value) -> None:
        """Note a problem of a field; its sentence begins with the label of the field."""
        between = "" if self.words.language.startswith("zh") else " "
        lead = self.words.text(label, {})
        self.problems.setdefault(name, self.words.text(key, {"field": f"{lead}{between}".strip(), **values}))

    def fields(self) -> dict[str, str]:
        """What was typed, to be shown once more."""
        return {name: self.given(name) for name in self.form if isinstance(self.form.get(name), str)}
