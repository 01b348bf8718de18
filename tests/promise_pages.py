"""What the sources of the promises' installation show: papers by number, on pages in files or answered over HTTP."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from xml.sax.saxutils import escape

from digest.calendar import EASTERN
from fetch_servers import ConditionalSite, Reply, Talk
from pages import invented

# In what spelling a source lists a paper. The journal's are all of new papers; the archive says of what kind its are.
JOURNAL = ("plain", "loud", "dotted", "spaced", "arxiv", "arxiv v2", "moved")
ARCHIVE = ("new", "cross", "replace", "replace-cross", "withdrawn")
# What a page is like: it holds no paper, is another page, is not there, ends too early; over HTTP also: the server answers 500, or
# hangs up amid the page.
STATES = ("whole", "empty", "broken", "dead", "cut", "busy", "torn")
# How a server lets clients ask whether a page has changed.
VALIDATORS = ("", "ETag", "Last-Modified")
BROKEN = b"<html><title>Log in</title><p>Please log in.</p></html>"
_WITHDRAWN = "This paper has been withdrawn by the authors. "


def journal_page(listed: dict[int, str]) -> bytes:
    items = []
    for n, form in listed.items():
        ((title, abstract),) = invented(n, 1)
        title = {
            "loud": title.upper(),
            "dotted": f"{title}.",
            "spaced": title.replace(" ", "  "),
        }.get(form, title)
        link = {
            "arxiv": f"https://arxiv.org/abs/2610.{10000 + n}",
            "arxiv v2": f"https://arxiv.org/abs/2610.{10000 + n}v2",
            "moved": f"https://journal.example.org/moved/{n}",
        }.get(form, f"https://journal.example.org/{n}")
        items.append(
            f"<item><title>{escape(title)}</title><link>{link}</link><description>{abstract}</description></item>"
        )
    channel = f"<title>A journal</title><link>https://journal.example.org/</link><description>New</description>{''.join(items)}"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>{channel}</channel></rss>'.encode()


def archive_page(day: date, listed: dict[int, str]) -> bytes:
    stamp = format_datetime(datetime(day.year, day.month, day.day, tzinfo=EASTERN))
    items = []
    for n, form in listed.items():
        ((title, abstract),) = invented(n, 1)
        kind, said = ("replace", _WITHDRAWN) if form == "withdrawn" else (form, "")
        version = "v2" if kind.startswith("replace") else "v1"
        items.append(
            f"<item><title>{title}</title><link>https://arxiv.org/abs/2610.{10000 + n}</link>"
            f"<description>arXiv:2610.{10000 + n}{version} Announce Type: {kind} \nAbstract: {said}{abstract}</description>"
            f'<guid isPermaLink="false">oai:arXiv.org:2610.{10000 + n}{version}</guid><category>cs.DB</category>'
            f"<pubDate>{stamp}</pubDate><arxiv:announce_type>{kind}</arxiv:announce_type>"
            "<dc:creator>Ada Lindqvist</dc:creator></item>\n"
        )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>'
        "<title>cs.DB updates on arXiv.org</title><link>https://rss.arxiv.org/rss/cs.DB</link><description>New</description>"
        f"<pubDate>{stamp}</pubDate><skipDays><day>Sunday</day><day>Saturday</day></skipDays>\n{''.join(items)}</channel></rss>\n"
    ).encode()


@dataclass
class Page:
    """What a source shows: papers by number with the form in which each is listed, in a state of STATES."""

    state: str = "whole"
    listed: dict[int, str] = field(default_factory=dict)
    # Of a page that is read once: who followed the source whenever a run may have read it.
    heard: frozenset[str] | None = None
    is_read: bool = False

    def body(self, source: str, day: date) -> bytes:
        shown = {} if self.state == "empty" else self.listed
        body = archive_page(day, shown) if source == "archive" else journal_page(shown)
        return {"broken": BROKEN, "cut": body[: len(body) * 2 // 3]}.get(self.state, body)

    def write(self, file: Path, source: str, day: date) -> None:
        file.unlink(missing_ok=True)
        if self.state not in ("dead", "busy"):
            body = self.body(source, day)
            file.write_bytes(body[: len(body) * 2 // 3] if self.state == "torn" else body)

    @property
    def has_failed(self) -> bool:
        """Is it sure that the program can tell?"""
        return self.state in ("broken", "dead", "busy") or (
            self.state in ("cut", "torn") and bool(self.listed)
        )

    @property
    def told_as_new(self) -> set[int]:
        """The papers that it surely lists as new, or as new here."""
        if self.state != "whole":
            return set()
        return {n for n, form in self.listed.items() if form in (*JOURNAL, "new", "cross")}


class PageSite(ConditionalSite):
    """Answers for pages over HTTP. What it says of their age it learns when they are shown."""

    def __init__(self, validator: str) -> None:
        super().__init__()
        self._validator, self._since = validator, dict[str, tuple[bytes, datetime]]()

    def show(self, source: str, page: Page, day: date, now: datetime) -> None:
        body = page.body(source, day)
        if self._since.get(source, (b"", now))[0] != body:
            self._since[source] = (body, now)
        known = {
            "ETag": f'"{sha256(body).hexdigest()[:16]}"',
            "Last-Modified": format_datetime(self._since[source][1], usegmt=True),
        }
        whole = Reply(body, headers={name: value for name, value in known.items() if name == self._validator})
        answers: dict[str, Talk] = {"dead": hang_up, "busy": Reply(status=500), "torn": torn(whole)}
        self.pages[f"/{source}.xml"] = answers.get(page.state, whole)


def hang_up(connection: socket.socket) -> None:
    """No answer at all."""


def torn(reply: Reply) -> Talk:
    """The first half of an answer."""

    def talk(connection: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        connection.sendall(head.encode() + b"\r\n" + reply.body[: len(reply.body) // 2])

    return talk
