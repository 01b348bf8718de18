"""Pages spoken in the grammar of a good one: its elements, keys and lines in any order and number, with anything in them."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import lxml.etree
import lxml.html
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from hostile import NASTY, Case, Page, corpus

Body = st.SearchStrategy[str]
WORDS = (
    "caches",
    "of",
    "slow",
    "readers",
    "$O(n^2)$",
    "arXiv:2611.00001",
    "10.5555/a.1",
    "Lindal, M.",
    "and",
    "2026-11-19",
    "withdrawn",
)
ODD_NUMBERS = (-1, 0, 2**31, 2**63, 2**64, 10**40, 0.5, 1e308)
MAX_CHILDREN, MAX_LINES = 12, 60

texts: Body = st.one_of(
    st.sampled_from(NASTY),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.text(max_size=30),
)
odd: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.sampled_from(ODD_NUMBERS), texts, st.lists(texts, max_size=3), st.just([]), st.just({}),
    st.dictionaries(texts, texts, max_size=2), st.floats(),
)  # fmt: skip


def grammar(page: Page) -> Body:
    """Pages like this one, as text."""
    text = page.body.decode("utf-8", "replace")
    if page.name.endswith("json"):
        try:
            return _value(json.loads(text)).map(json.dumps)
        except ValueError:
            return _lines(text)
    if page.name.endswith(("xml", "rdf")):
        try:
            root = lxml.etree.fromstring(page.body)
        except lxml.etree.XMLSyntaxError:
            return _lines(text)
        return st.builds("{}{}".format, st.sampled_from(("", '<?xml version="1.0"?>')), _element(root, 0))
    if page.name.endswith("html"):
        try:
            return _element(lxml.html.document_fromstring(text), 0).map("<!DOCTYPE html>{}".format)
        except (lxml.etree.LxmlError, ValueError):
            return _lines(text)
    return _lines(text)


def _value(sample: Any) -> st.SearchStrategy[Any]:
    """A JSON value shaped like the sample, with something of another shape here and there."""
    if isinstance(sample, dict):
        shaped = st.fixed_dictionaries({}, optional={name: _value(inner) for name, inner in sample.items()})
        whole = st.fixed_dictionaries({name: _value(inner) for name, inner in sample.items()})
        return st.one_of(whole, shaped, odd)
    if isinstance(sample, list):
        items = [_value(inner) for inner in sample[:3]] or [odd]
        return st.one_of(st.lists(st.one_of(*items), max_size=5), st.tuples(*items).map(list), odd)
    return st.one_of(st.just(sample), st.just(sample), texts if isinstance(sample, str) else odd, odd)


def _element(sample: Any, depth: int) -> Body:
    """An element with the name of the sample, and most often its attributes, around elements like those in it and text."""
    children: dict[str, Any] = {}
    for child in sample:
        if isinstance(child.tag, str):
            children.setdefault(f"{child.tag} {child.get('class')}", child)
    inner = [_element(child, depth + 1) for child in [*children.values()][:MAX_CHILDREN]]
    said = _escaped(sample.text or "")
    content: Body = st.one_of(st.just(said), texts.map(_escaped), texts)
    if inner:
        any_order = st.lists(st.one_of(*inner, content), max_size=8).map("".join)
        in_order = st.tuples(content, *inner).map("".join)
        content = st.one_of(in_order, in_order, any_order)
    name = lxml.etree.QName(sample).localname
    prefixed = f"{sample.prefix}:{name}" if sample.prefix else name
    spaces = "".join(
        f' xmlns{":" + prefix if prefix else ""}="{_escaped(uri)}"'
        for prefix, uri in sample.nsmap.items()
        if not depth
    )
    own = {key.rpartition("}")[2]: value for key, value in sample.attrib.items()}
    attributes = st.one_of(
        st.just(own),
        st.just(own),
        st.fixed_dictionaries(
            {}, optional={key: st.one_of(st.just(value), texts) for key, value in own.items()}
        ),
    )
    endings = st.sampled_from((f"</{prefixed}>",) * 20 + ("", "</x>", f"</{prefixed}"))
    return st.builds(_written, st.just(prefixed + spaces), attributes, content, endings)


def _written(name: str, attributes: dict[str, str], content: str, ending: str) -> str:
    return (
        f"<{name}{''.join(f' {key}={_quoted(value)}' for key, value in attributes.items())}>{content}{ending}"
    )


def _quoted(value: str) -> str:
    return f'"{_escaped(value)}"'


def _escaped(text: str) -> str:
    return html.escape(text)


def _lines(text: str) -> Body:
    """Lines like those of the text: in their order, each perhaps left out, doubled or filled with something else, or in any."""
    lines = text.split("\n")[:MAX_LINES]
    in_order = st.tuples(*(_line(line) for line in lines)).map("".join)
    any_order = st.lists(st.one_of(*(_line(line) for line in lines)), max_size=40).map("".join)
    return st.one_of(in_order, in_order, any_order)


def _line(line: str) -> Body:
    label, colon, _ = line.partition(":")
    kept = st.just(f"{line}\n")
    filled = texts.map(lambda text: f"{label}{colon} {text}\n")
    return st.one_of(
        kept, kept, kept, kept, filled, st.sampled_from(("", f"{line}\n{line}\n", line, f"   {line}\n"))
    )


@cache
def grammars() -> tuple[tuple[Page, Callable[[], Body]], ...]:
    """The pages of this folder that have papers in their language, each with its grammar, made when it is first asked for."""
    pages = [page for page in corpus() if len(page.body) < 8_000 and not page.name.startswith("none/")]
    return tuple((page, cache(lambda page=page: grammar(page))) for page in pages)


def spoken(part: int, parts: int, count: int) -> Iterator[Case]:
    """`count` pages evenly of all grammars, or where there are fewer pages than that of some, two of each; of those every
    `parts`-th grammar."""
    known = grammars()
    step = max(1, 2 * len(known) // count)
    each = max(2, -(-count // len(known)))
    for number, (page, strategy) in enumerate(known):
        if number % parts != part or number % step:
            continue
        for n, body in enumerate(_drawn(strategy(), number, each)):
            kind = page.kind if page.kind == "selectors" or n % 3 else "auto"
            yield Case(
                f"spoken {number}.{n} of {each} ({page.name})", kind, body.encode("utf-8", "surrogatepass")
            )


def _drawn(strategy: Body, number: int, count: int) -> list[str]:
    found: list[str] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(body: str) -> None:
        found.append(body)

    collect()
    return found
