"""arXiv's API, Crossref and Semantic Scholar on 127.0.0.1: they answer in the real formats with invented records."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from msgspec.structs import replace

from digest.config import SourceConfig
from digest.fetch import Fetcher, Visit
from fetch_servers import Asked, Reply, Site, Talk

PATHS = {"arxiv": "/api/query", "crossref": "/works", "semanticscholar": "/graph/v1/paper/search"}
_ASKED_AS = {"arxiv": "search_query", "crossref": "query.bibliographic", "semanticscholar": "query"}

Record = Mapping[str, object]


def record(title: str, abstract: str = "", **facts: object) -> Record:
    """A record as a service has it: `arxiv` (with its version), `doi`, `authors` ("Given Family", …)."""
    return {"title": title, "abstract": abstract, **facts}


class Services(Site):
    """Three services in one. `records` is what each knows, `instead` who talks in place of a service."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, list[Record]] = {name: [] for name in PATHS}
        self.instead: dict[str, Talk] = {}
        self.when_asked: Callable[[str], object] = lambda service: None

    @property
    def bases(self) -> dict[str, str]:
        return {name: self.url(path, host=f"{name}.example.org") for name, path in PATHS.items()}

    @property
    def questions(self) -> list[str]:
        """The services in the order in which they were asked."""
        names = {path: name for name, path in PATHS.items()}
        return [names[asked.path.partition("?")[0]] for asked in self.pages_asked]

    def asked_for(self, service: str) -> list[dict[str, str]]:
        """The parameters of every question to a service."""
        paths = [urlsplit(asked.path) for asked in self.pages_asked]
        return [{k: v[0] for k, v in parse_qs(p.query).items()} for p in paths if p.path == PATHS[service]]

    def _talk(self, asked: Asked, connection: socket.socket) -> object:
        service = next((n for n, path in PATHS.items() if asked.path.startswith(f"{path}?")), "")
        if not service:
            return super()._talk(asked, connection)
        self.when_asked(service)
        if service in self.instead:
            return self.instead[service](connection)
        words = set(self.asked_for(service)[-1][_ASKED_AS[service]].lower().replace('"', " ").split())
        known = [r for r in self.records[service] if words & set(str(r["title"]).lower().split())]
        return Reply(_ANSWERS[service](known[:5]).encode())(connection)


def _atom(records: list[Record]) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
        'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">'
        "<id>https://arxiv.org/api/abc</id><title>arXiv Query: search_query=ti</title><updated>2026-11-19T04:00:00Z</updated>"
        f"<opensearch:itemsPerPage>5</opensearch:itemsPerPage><opensearch:totalResults>{len(records)}</opensearch:totalResults>"
        "<opensearch:startIndex>0</opensearch:startIndex>" + "".join(map(_entry, records)) + "</feed>"
    )


def _entry(record: Record) -> str:
    authors = "".join(f"<author><name>{escape(str(name))}</name></author>" for name in _authors(record))
    doi = f"<arxiv:doi>{record['doi']}</arxiv:doi>" if "doi" in record else ""
    comment = f"<arxiv:comment>{record['comment']}</arxiv:comment>" if "comment" in record else ""
    return (
        f"<entry><id>http://arxiv.org/abs/{record['arxiv']}</id><title>{escape(str(record['title']))}</title>"
        f'<updated>2026-11-18T12:00:00Z</updated><link href="https://arxiv.org/abs/{record["arxiv"]}" rel="alternate"/>'
        f'<summary>{escape(str(record["abstract"]))}</summary><category term="cs.AI"/>'
        f"<published>2026-11-02T12:00:00Z</published>{comment}{doi}{authors}</entry>"
    )


def _crossref(records: list[Record]) -> str:
    items = []
    for found in records:
        names = [str(name).rpartition(" ") for name in _authors(found)]
        item: dict[str, object] = {
            "DOI": found["doi"],
            "title": [found["title"]],
            "author": [{"given": given, "family": family} for given, _, family in names],
            "issued": {"date-parts": [[2026, 10, 30]]},
            "URL": f"https://doi.org/{found['doi']}",
        }
        if found["abstract"]:
            item["abstract"] = f"<jats:title>Abstract</jats:title><jats:p>{found['abstract']}</jats:p>"
        items.append(item)
    message = {"facets": {}, "total-results": len(items), "items": items, "items-per-page": 5}
    return json.dumps(
        {"status": "ok", "message-type": "work-list", "message-version": "1.0.0", "message": message}
    )


def _semanticscholar(records: list[Record]) -> str:
    data = []
    for n, found in enumerate(records):
        ids = {"ArXiv": found.get("arxiv"), "DOI": found.get("doi"), "CorpusId": 5550000 + n}
        data.append(
            {
                "paperId": f"555{n:037}",
                "externalIds": {name: value for name, value in ids.items() if value},
                "url": f"https://www.semanticscholar.org/paper/555{n:037}",
                "title": found["title"],
                "abstract": found["abstract"] or None,
                "authors": [{"authorId": None, "name": name} for name in _authors(found)],
                "publicationDate": "2026-11-16",
                "openAccessPdf": None,
                "fieldsOfStudy": None,
            }
        )
    return json.dumps({"total": len(data), "offset": 0, "data": data} if data else {"total": 0, "offset": 0})


def _authors(record: Record) -> tuple[object, ...]:
    found = record.get("authors", ())
    assert isinstance(found, tuple)
    return found


_ANSWERS = {"arxiv": _atom, "crossref": _crossref, "semanticscholar": _semanticscholar}


class LocalFetcher(Fetcher):
    """A Fetcher for which every host is on this machine."""

    def __init__(self, **options: object) -> None:
        made = {
            "user_agent": "paper-digest/1 (+https://papers.example.org)",
            "resolve": Path,
            "backoff_s": 0.01,
            "lookup": lambda host, port: [(int(socket.AF_INET), ("127.0.0.1", port))],
        }
        super().__init__(**{**made, **options})  # type: ignore[arg-type]

    def visit(self, source: SourceConfig, **options: object) -> Visit:
        return super().visit(replace(source, allow_private=True), **options)  # type: ignore[arg-type]
