"""Reading the body of a request: whole, unpacked and bounded."""

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from serving.api.errors import Message, Receive, Scope


async def read_body(scope: Scope, receive: Receive, largest_bytes: int) -> bytes | None:
    """The whole body of a request, unpacked where it came as gzip; None where the client went away.

    Raises HTTPException: 413 where it is larger than `largest_bytes`, 415 where it is packed otherwise, 400 where it
    is no gzip.
    """
    headers = Headers(scope=scope)
    packed = ", ".join(headers.getlist("content-encoding")).strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise HTTPException(415, "Bodies come unpacked or as gzip. Leave out `Content-Encoding`.")
    if int(headers.get("content-length", 0)) > largest_bytes:
        raise _too_large(largest_bytes)
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest_bytes:
            raise _too_large(largest_bytes)
        more = message.get("more_body", False)
    body = b"".join(parts)
    return decompress_gzip(body, largest_bytes) if packed.endswith("gzip") and body else body


def decompress_gzip(body: bytes, largest_bytes: int) -> bytes:
    """The content of a gzip body of one member or more; never more than `largest_bytes` + 1 are unpacked."""
    whole = bytearray()
    try:
        while body:
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            whole += member.decompress(body, largest_bytes + 1 - len(whole))
            if len(whole) > largest_bytes:
                raise _too_large(largest_bytes)
            if not member.eof:
                raise zlib.error
            body = member.unused_data
    except zlib.error as error:
        raise HTTPException(400, "The body is no whole gzip. Pack it anew or leave out `Content-Encoding`.") from error
    return bytes(whole)


def _too_large(largest_bytes: int) -> HTTPException:
    sentence = f"A request may bring at most {largest_bytes:,} bytes. Ask in several parts."
    return HTTPException(413, sentence)


def replace_body(scope: Scope, receive: Receive, body: bytes) -> tuple[Scope, Receive]:
    """The request with a body that was read before; later messages are received as they come."""
    if any(name == b"content-encoding" for name, _ in scope["headers"]):
        headers = MutableHeaders(raw=list(scope["headers"]))
        del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        scope = {**scope, "headers": headers.raw}
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_body() -> Message:
        return unread.pop() if unread else await receive()

    return scope, receive_body
