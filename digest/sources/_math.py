"""Pages that a browser saved after MathJax had set their formulas: the TeX stands in a script behind each formula."""

from __future__ import annotations

from typing import Any

_SET = ("MathJax", "mjx-", "MJXc-")


def unrender(tree: Any) -> None:
    """Puts the TeX back in place of each formula that MathJax 2 has set, as it stands in a page that nobody has opened.

    In page order: what is taken away stands before the script, so that no script is looked at that has gone with it.
    """
    for script in tree.css("script[type^='math/tex']"):
        while (formula := script.prev) is not None and _is_set(formula):
            formula.decompose()
        sign = "$$" if "display" in (script.attributes.get("type") or "") else "$"
        script.replace_with(f"{sign}{script.text()}{sign}")


def _is_set(node: Any) -> bool:
    return node.is_element_node and (node.attributes.get("class") or "").startswith(_SET)
