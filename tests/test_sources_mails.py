"""A mail of arXiv after the programs that it went through: the same papers as before."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

PAGES = Path(__file__).parent / "listings/arxiv-mail"
MAIL = (PAGES / "daily-2026.txt").read_text(encoding="utf-8")
TEXT = MAIL[MAIL.index("-----") :]


def read(text: str | bytes) -> Reading:
    body = text.encode() if isinstance(text, str) else text
    return sources.read(Listing(location="page", body=body))


def broken_by_tags(text: str) -> str:
    return html.escape(text, quote=False).replace("  ", "&nbsp; ").replace("\n", "<br>\n")


def in_divisions(text: str) -> str:
    lines = (f"<div>{html.escape(line, quote=False) or '<br>'}</div>" for line in text.split("\n"))
    return f"<html><body><div class='mail'>{''.join(lines)}</div></body></html>"


def in_paragraphs(text: str) -> str:
    lines = (
        f'<p class="MsoPlainText">{html.escape(line, quote=False) or "&nbsp;"}</p>'
        for line in text.split("\n")
    )
    return "<html><head><style>p {margin: 0}</style></head><body>" + "\n".join(lines) + "</body></html>"


def with_words_round_it(text: str) -> str:
    return f"<html><body><p>See below.</p><pre>{html.escape(text)}</pre><p>Ada</p></body></html>"


def escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]])", r"\\\1", text)


WAYS: dict[str, Callable[[str], str]] = {
    "a blank line behind each line": lambda text: text.replace("\n", "\n\n"),
    "two returns in each line end": lambda text: text.replace("\n", "\r\r\n"),
    "bars of one stroke": lambda text: re.sub(r"^\\\\", r"\\", text, flags=re.M),
    "escaped as Markdown": escaped,
    "lines with breaks": lambda text: f"<html><body><div>{broken_by_tags(text)}</div></body></html>",
    "lines in divisions": in_divisions,
    "lines in paragraphs": in_paragraphs,
    "a preformatted text among others": with_words_round_it,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_mail_that_was_written_anew_has_the_same_papers(way: str) -> None:
    before = read(TEXT)
    assert len(before.papers) > 2
    after = read(WAYS[way](TEXT))
    assert after.papers == before.papers
    assert after.section_counts == before.section_counts


def message(content: str, subtype: str, **how: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "no-reply@example.org"
    mail["Subject"] = "Fwd: cs daily"
    mail["Date"] = "Thu, 19 Nov 2026 06:02:11 +0000"
    mail.set_content(content, subtype=subtype, **how)
    return mail


def test_a_mail_of_html_alone_is_read() -> None:
    mail = message(in_divisions(TEXT), "html", cte="quoted-printable")
    found = read(mail.as_bytes())
    assert found.papers == read(TEXT).papers
    assert str(found.listed_on) == "2026-11-19"


def test_a_mail_attached_to_a_mail_is_read() -> None:
    mail = message("See attached.\n", "plain")
    mail.add_attachment(message(TEXT, "plain", cte="base64"))
    assert read(mail.as_bytes()).papers == read(TEXT).papers


def test_a_page_with_strokes_in_it_is_no_mail() -> None:
    with pytest.raises(ParseError, match="no listing known here"):
        read(
            "<html><body><p>Matrices end lines with \\\\ in TeX, as arXiv:2611.01001 does.</p></body></html>"
        )


def test_a_mail_with_ids_and_no_entry_that_can_be_read_is_not_an_empty_one() -> None:
    without_bars = re.sub(r"^\\\\.*$", "", TEXT, flags=re.M)
    assert "%%%---" in without_bars
    with pytest.raises(ParseError, match="breaks off before its first whole entry"):
        read(without_bars)
