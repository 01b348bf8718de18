"""What is read of a page before its parse leaves a stub in it; here is what all readers of that kind need.

A stub begins and ends as what it stands for, and opens nothing that it does not close. It comes back whole only where its like
would have come back whole: no comment, script or quoted value swallowed it, and nothing was left open that a parser opens again.
"""

from __future__ import annotations

from typing import Any

from digest.patterns import late

_SIGNS = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#34;": '"', "&#39;": "'", "&#x27;": "'"}
_REFERENCE = late("&(?:amp|lt|gt|quot|#34|#39|#x27);")
# The others mean one thing to a browser and another to Python, some of them.
ODD_REFERENCE = "&(?!(?:amp|lt|gt|quot|#34|#39|#x27);)"
_HOLDERS = frozenset(["dl", "div", "main", "section", "body", "html"])
_MAX_HOLDERS = 50


def is_in_plain_boxes(node: Any) -> bool:
    """Does it stand in nothing but elements that change nothing about what they hold?"""
    for _ in range(_MAX_HOLDERS):
        node = node.parent
        if node.tag == "html":
            return True
        if node.tag not in _HOLDERS:
            return False
    return False


def unescaped(text: str) -> str:
    """A text without odd references, as a parser gives it."""
    return _REFERENCE.sub(lambda found: _SIGNS[found[0]], text) if "&" in text else text
