"""The page that describes the service says all of it, and is safe to read."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from serving.api.openapi import page


class Read(HTMLParser):
    """The tags, the identifiers, the links and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        """Note the words."""
        self.said += data


def described(words: str) -> dict[str, object]:
    """A description that says these words wherever it may."""
    body = {"content": {"application/json": {"example": {"words": words}}}}
    score = {"post": {"description": f"{words}\n\nRoles: admin.", "requestBody": body}}
    return {"info": {"description": words}, "paths": {"/livez": {"get": {"description": words}}, "/score": score}}


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=40))
def test_whatever_a_description_says_is_text(words: str) -> None:
    """No description becomes a tag; backticks alone mark code."""
    read, plain = Read(page(described(words))), Read(page(described("plain")))
    assert [tag for tag in read.tags if tag not in ("code", "p")] == [
        tag for tag in plain.tags if tag not in ("code", "p")
    ]
    assert "script" not in read.tags


def test_every_address_is_linked_and_says_who_may_ask() -> None:
    """What is asked most comes first; each link leads to its section."""
    read = Read(page(described("what it does")))
    assert read.ids == ["score", "livez"]
    assert [link for link in read.links if link.startswith("#")] == ["#score", "#livez"]
    assert "For the roles admin." in read.said
    assert "For everybody, without a key." in read.said
