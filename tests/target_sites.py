"""A small published folder, and what it looks like elsewhere."""

from __future__ import annotations

from pathlib import Path

SITE = (
    *("index.html", "404.html", "rss.xml", "feed.json", "feeds.opml", "sitemap.xml"),
    *("editions.xml", "editions-atom.xml", "editions.json", "feeds/index.html"),
    *("2026/11/index.html", "2026/11/19/index.html", "2026/11/19/rss.xml", "2026/11/19/papers.bib"),
    *("search/0001.json", "search/index.json", "search/search.js", "papers/a b/paper.json"),
    *("topics/größe/index.html", "topics/größe/atom.xml", "topics/論文/index.html"),
    *("second/index.html", "second/feeds.opml", '"quoted".html', "#comment.html", "; rm -rf.html", "-v.html"),
)


def site(root: Path) -> Path:
    """A folder with the files of SITE, each with words of its own."""
    for path in SITE:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{path} of the site")
    return root


def files_below(folder: Path) -> dict[str, bytes]:
    """Bytes by path of all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
