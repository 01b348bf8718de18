"""Pages of our own, for what has no template or whose template is broken."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from digest.errors import DigestError, RenderError
from digest.paths import is_file

_AROUND = 3
_STYLE = """:root{color-scheme:light dark}
body{max-width:48rem;margin:2rem auto;padding:0 1.25rem;font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem}
pre{padding:.9rem 1rem;border:1px solid #888;border-radius:6px;overflow:auto;line-height:1.5}
mark{background:#f7e9ae;color:#1d1c19}"""


def plain_page(title: str, body: str) -> str:
    """A page of HTML; `body` is HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )


def fault_page(error: DigestError, folders: Sequence[Path]) -> str:
    """What is wrong, in which file and line, with the lines around it, and what to do. `folders` are those that templates are
    taken from."""
    text = "".join(f"<p>{escape(line)}</p>" for line in str(error).splitlines())
    place = ""
    if isinstance(error, RenderError) and error.template:
        file = next((path for folder in folders if is_file(path := folder / error.template)), None)
        if file is not None:
            line = f", line {error.line}" if error.line else ""
            place = f"<p><strong>{escape(str(file))}{line}</strong></p>{_lines(file, error.line)}"
    return plain_page(
        "This cannot be shown", f"{place}{text}<p>The preview comes back as soon as this is mended.</p>"
    )


def _lines(file: Path, number: int | None) -> str:
    """The lines around the faulty one, which is marked."""
    if not number:
        return ""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    first = max(0, number - 1 - _AROUND)
    shown = []
    for n, line in enumerate(lines[first : number + _AROUND], first + 1):
        text = escape(f"{n:4}  {line}")
        shown.append(f"<mark>{text}</mark>" if n == number else text)
    return f"<pre>{chr(10).join(shown)}</pre>"
