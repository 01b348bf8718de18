"""Text that every file and every database takes. Listings bring what is none: `"\\ud83d"` in JSON, NUL, file names in Latin-1."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def plain(text: str) -> str:
    """The text without what UTF-8 cannot hold: a lone surrogate becomes U+FFFD, two halves one character, NUL goes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


def plain_all(value: Any) -> Any:
    """The same for every text in a value made of dicts, lists and tuples (which become lists), names of keys too."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain_all(name): plain_all(item) for name, item in value.items()}
    return [plain_all(item) for item in value] if isinstance(value, list | tuple) else value


def plain_json(value: Any) -> bytes:
    """A value as JSON. Where a text in it has a lone surrogate, all of its texts are made plain."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(plain_all(msgspec.to_builtins(value)))
