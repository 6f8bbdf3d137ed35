"""What a log may say of a request: never the words of whoever asked."""

import logging
import traceback

from serving.access.rights import address_of

_EXCEPTIONS = "bentoml._internal.server.http_app"
_REQUESTS = "bentoml.access"


def keep_words_out() -> None:
    """Let the framework's loggers tell of requests without addresses that are none, and of errors without messages.

    An exception keeps its kind and the lines of code that it went through; its message may quote a question.
    """
    for name in (_EXCEPTIONS, _REQUESTS):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Wordless) for each in logger.filters):
            logger.addFilter(_Wordless())


class _Wordless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Take the caller's words out of the record; always let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(_told(each) for each in record.args)
        if record.exc_info and record.exc_info[0]:
            kind, _, trace = record.exc_info
            record.exc_text = "".join(traceback.format_tb(trace)) + kind.__name__
            record.exc_info = None
        return True


def _told(word: object) -> object:
    """A word of the record, which is a path, or a request in the access log's form, or neither."""
    if not isinstance(word, str):
        return word
    if word.startswith("/"):
        return address_of(word)
    head, named, rest = word.partition("path=")
    return head + named + address_of(rest.partition(",type=")[0].partition(",length=")[0]) if named else word
