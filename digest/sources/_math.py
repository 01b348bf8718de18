"""Pages that a browser saved after MathJax had set their formulas: the TeX stands in a script behind each formula of MathJax 2,
and what screen readers are given, in MathML, stands in the formula itself."""

from __future__ import annotations

import html
from typing import Any

from digest.markup import strip_tags

_SET = (" MathJax", " mjx-", " MJXc-")  # with one of these begins a class of what is set
_FORMULAS = ".MathJax, .MathJax_CHTML, .MathJax_SVG, mjx-container"


def unrender(tree: Any, body: bytes) -> None:
    """Puts the TeX back in place of each formula that MathJax 2 has set, as it stands in a page that nobody has opened; where the
    scripts are gone, as in what SingleFile saves, and of MathJax 3, the text of its MathML: else it would stand there twice.

    In page order: what is taken away stands before the script, so that no script is looked at that has gone with it; and formulas
    from the last to the first, so that none is that has gone with one round it.
    """
    if b"math/tex" in body:
        for script in tree.css("script[type^='math/tex']"):
            while (formula := script.prev) is not None and _is_set(formula):
                formula.decompose()
            sign = "$$" if "display" in (script.attributes.get("type") or "") else "$"
            script.replace_with(f"{sign}{script.text()}{sign}")
    if b"MJX_Assistive_MathML" in body or b"<mjx-container" in body:
        for formula in reversed(tree.css(_FORMULAS)):
            if (math := formula.css_first("math")) is not None:
                formula.replace_with(html.unescape(strip_tags(math.html or "")))


def _is_set(node: Any) -> bool:
    return node.is_element_node and any(name in f" {node.attributes.get('class') or ''}" for name in _SET)
