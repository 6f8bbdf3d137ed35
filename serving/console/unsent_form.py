"""Forms that were sent after their session had ended: signed, carried through the sign-in, and shown once more."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from serving.console.context import AppContext
from serving.console.session import CSRF_FIELD, MOST_FIELDS, form_token_of
from serving.console.templating import path_of

UNSENT_FIELD = "unsent"
_HIDDEN = ("form_token", "publication")


@dataclass(frozen=True)
class UnsentForm:
    """What somebody typed into a form: its address, its fields in order, the id of the key it was shown to."""

    path: str
    fields: tuple[tuple[str, str], ...]
    key_id: str

    @property
    def typed(self) -> Mapping[str, tuple[str, ...]]:
        """The values by field that people know, without the form's own."""
        names = dict.fromkeys(name for name, _ in self.fields if name not in _HIDDEN)
        return {name: tuple(value for field, value in self.fields if field == name) for name in names}


async def unsent_form(request: Request, context: AppContext) -> UnsentForm | None:
    """The form of a request that came too late; None where it is none of ours, or brings a file."""
    if request.method != "POST":
        return None
    try:
        form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    except HTTPException:
        return None
    return read_unsent(path_of(request), form, context)


def read_unsent(path: str, form: FormData, context: AppContext) -> UnsentForm | None:
    """The fields of a form whose token was made here, for whomever; None for any other form."""
    token = form_token_of(context, form)
    if token is None or not token.key_id:
        return None
    fields = tuple((name, value) for name, value in form.multi_items() if isinstance(value, str) and name != CSRF_FIELD)
    return UnsentForm(path, fields, token.key_id)


def seal_unsent(unsent: UnsentForm, context: AppContext) -> str:
    """The form as a signed text for a hidden field of the sign-in page."""
    return str(_serializer(context).dumps([unsent.path, unsent.fields, unsent.key_id]))


def open_unsent(sealed: str, context: AppContext) -> UnsentForm | None:
    """Read the text of `seal_unsent`; None where it was changed."""
    try:
        path, fields, key_id = _serializer(context).loads(sealed)
    except (BadSignature, ValueError):
        return None
    return UnsentForm(path, tuple((name, value) for name, value in fields), key_id)


def _serializer(context: AppContext) -> URLSafeSerializer:
    return URLSafeSerializer(context.secret, salt="unsent form")
