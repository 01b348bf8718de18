"""The yardstick of a daily run: the least that does it, in plain steps with the fastest parts there are.

`python -m benchmarks.bare FEED STORE FOLDER PORT`: reads an Atom feed with lxml, keeps what was seen in SQLite, writes a page, RSS,
Atom and a JSON Feed of the new papers, and sends one mail of them by smtplib. No cleaning, no identity, no archive, no
recovery: nothing that does more can be faster.
"""

from __future__ import annotations

import json
import smtplib
import sqlite3
import sys
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

Fields = dict[str, Any]
_ATOM = "{http://www.w3.org/2005/Atom}"


def read(body: bytes) -> list[Fields]:
    from lxml import etree

    return [
        {
            "id": entry.findtext(f"{_ATOM}id"),
            "title": entry.findtext(f"{_ATOM}title"),
            "abstract": entry.findtext(f"{_ATOM}summary"),
            "authors": [each.findtext(f"{_ATOM}name") for each in entry.iterchildren(f"{_ATOM}author")],
        }
        for entry in etree.fromstring(body).iter(f"{_ATOM}entry")
    ]


def unseen(file: Path, papers: list[Fields]) -> list[Fields]:
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY) WITHOUT ROWID")
        asked = json.dumps([paper["id"] for paper in papers])
        known = {
            row[0]
            for row in database.execute(
                "SELECT id FROM seen WHERE id IN (SELECT value FROM json_each(?))", [asked]
            )
        }
        new = [paper for paper in papers if paper["id"] not in known]
        database.executemany("INSERT INTO seen VALUES (?)", [[paper["id"]] for paper in new])
    return new


def publish(folder: Path, new: list[Fields]) -> str:
    page = "".join(
        f'<h3><a href="{p["id"]}">{escape(p["title"])}</a></h3>'
        f"<p>{escape(', '.join(p['authors']))}</p><p>{escape(p['abstract'])}</p>\n"
        for p in new
    )
    rss = "".join(
        f"<item><title>{escape(p['title'])}</title><link>{p['id']}</link><description>{escape(p['abstract'])}</description></item>\n"
        for p in new
    )
    atom = "".join(
        f"<entry><id>{p['id']}</id><title>{escape(p['title'])}</title><summary>{escape(p['abstract'])}</summary></entry>\n"
        for p in new
    )
    items = [{"id": p["id"], "title": p["title"], "content_text": p["abstract"]} for p in new]
    folder.mkdir(exist_ok=True)
    html = f"<!doctype html><title>Papers</title>\n{page}"
    for name, text in (
        ("index.html", html),
        (
            "rss.xml",
            f'<?xml version="1.0"?><rss version="2.0"><channel><title>Papers</title>{rss}</channel></rss>',
        ),
        ("atom.xml", f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Papers</title>{atom}</feed>'),
        (
            "feed.json",
            json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Papers", "items": items}),
        ),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    return html


def mail(port: int, new: list[Fields], html: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = (
        f"{len(new)} papers",
        "digest@papers.example.org",
        "reader@example.org",
    )
    message.set_content("\n\n".join(f"{p['title']}\n{p['id']}" for p in new))
    message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", port) as server:
        server.send_message(message)


def main() -> None:
    feed, store, folder, port = sys.argv[1:]
    new = unseen(Path(store), read(Path(feed).read_bytes()))
    if new:
        mail(int(port), new, publish(Path(folder), new))


if __name__ == "__main__":
    main()
