"""Pages of one template that differ in little: what they share is rendered once.

A frame is the page with marks in the places of its own variables. A mark can be shown and nothing else; a block of the template
that does anything else with one (asks whether it is there, walks through it, hands it to a filter) is rendered for each page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.runtime import Context

    Block = Callable[[Context], Iterator[str]]

# No text of a page has a NUL. A block's mark has a colon before its name.
_MARK = re.compile("\0([^\0]*)\0")


class Mark:
    """The place of a variable in a frame."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __html__(self) -> str:
        return f"\0{self._name}\0"

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"{self._name} differs from page to page")

    __str__ = __bool__ = __eq__ = __hash__ = __format__ = _refuse
    # What a mark does not have is not what its variable does not have.
    __len__ = __iter__ = __contains__ = __getitem__ = __getattr__ = __call__ = _refuse


class Frame(NamedTuple):
    """A page in pieces: bytes that all pages share, names of variables, and names of blocks (with a colon) that are rendered for
    each page, in a context that has `known`, Jinja's names and the variables that pages share, and `given`, what the template
    defines at its top."""

    template: Template
    pieces: tuple[bytes | str, ...]
    blocks: Mapping[str, list[Block]]
    known: Mapping[str, Any]
    given: Mapping[str, Any]

    def filled(self, own: Mapping[str, object]) -> list[bytes | str]:
        """The pieces of the page with these variables of its own."""
        from markupsafe import escape

        environment, name = self.template.environment, self.template.name
        # As Template.new_context does it, which would walk through Jinja's names for each page.
        context = environment.context_class(environment, {**self.known, **own}, name, {})
        context.vars.update(self.given)
        context.blocks = dict(self.blocks)
        page: list[bytes | str] = []
        for piece in self.pieces:
            if isinstance(piece, bytes):
                page.append(piece)
            elif piece.startswith(":"):
                page.append("".join(self.blocks[piece[1:]][0](context)))
            else:
                page.append(escape(own[piece]))
        return page


def frame_of(
    template: Template,
    shared: Mapping[str, object],
    own: frozenset[str],
    *,
    folder: Path,
    faults: tuple[type[Exception], ...],
) -> Frame | None:
    """The frame of a template for pages that share these variables and have variables of their own by these names.

    None where it is not to be had: the template or its parent is no file of `folder`, that is, somebody's own, which may do with
    a variable what a mark does not notice; or a mark is needed for more than to be shown outside of the template's blocks.
    """
    context = template.new_context({**shared, **{name: Mark(name) for name in own}})
    tried = {name: _tried(name, block, faults) for name, block in template.blocks.items()}
    for name, block in tried.items():
        context.blocks[name].insert(0, block)
    try:
        text = "".join(template.root_render_func(context))
    except faults:
        return None
    blocks = {name: [b for b in found if b is not tried.get(name)] for name, found in context.blocks.items()}
    codes = [template.root_render_func, *(block for found in blocks.values() for block in found)]
    files = {Path(code.__code__.co_filename) for code in codes}
    if any(isinstance(value, Mark) for value in context.vars.values()):
        return None
    if not all(file.is_relative_to(folder) for file in files):
        return None
    pieces = [
        piece if n % 2 else piece.encode() for n, piece in enumerate(_MARK.split(text)) if n % 2 or piece
    ]
    known = {**template.globals, **shared}
    return Frame(template, tuple(pieces), blocks, known, dict(context.vars))


def _tried(name: str, block: Block, faults: tuple[type[Exception], ...]) -> Block:
    """A block that gives a mark where it cannot be rendered with marks."""

    def render(context: Context) -> Iterator[str]:
        try:
            yield "".join(block(context))
        except faults:
            yield f"\0:{name}\0"

    return render
