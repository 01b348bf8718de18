"""One spelling for each id and address: arXiv ids, DOIs, http(s) addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from digest.patterns import late

URLS_REMEMBERED = 16384  # a listing asks for the same few addresses of each paper again and again

_OLD_ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga|"
    "funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph|"
    "q-alg|q-bio|quant-ph|solv-int|supr-con"
)
_ARXIV = (
    r"(?P<id>\d\d(?:0[1-9]|1[0-2])\.\d{4,5}|(?:"
    + _OLD_ARCHIVES
    + r")(?:\.[a-z]{2})?/\d\d(?:0[1-9]|1[0-2])\d{3})"
    r"(?:v(?P<version>[1-9]\d?))?"
)
_ARXIV_TEXT = late(
    r"(?:oai:arxiv\.org:|(?:urn:|info:)?arxiv[:/]\s*|(?:doi:\s*|info:doi/)?10\.48550/arxiv\.)?"
    + _ARXIV
    + r"(?:\.pdf)?(?:\s*\[.*)?",
    re.IGNORECASE,
)
_ARXIV_URL = late(
    r"(?:(?:https?:)?//(?P<host>[^/?#]+)|(?:\.\./){0,9}\.\.)?/(?:abs|pdf|html|ps|format|src|e-print|papers?|overview|arxiv|forum|p)/"
    r"(?:arxiv[.:])?" + _ARXIV + r"(?:\.pdf|\.html)?/?(?:[?#].*)?",
    re.IGNORECASE,
)
_ARXIV_DOI_URL = late(
    r"https?://(?:dx\.|www\.)?doi\.org/10\.48550/arxiv\." + _ARXIV + r"/?(?:[?#].*)?", re.IGNORECASE
)
_ARXIV_HOST = late(
    r"(?:[\w-]+\.)*(?:arxiv\.org|alphaxiv\.org|ar5iv\.org|xxx\.lanl\.gov|huggingface\.co|hf\.co|hf-mirror\.com|papers\.cool"
    r"|scirate\.com|arxiv-vanity\.com|takara\.ai)(?::\d+)?"
    # as Google Translate and the proxies of libraries name hosts
    r"|(?:[\w-]{1,40}-)?(?:arxiv-org|alphaxiv-org|huggingface-co)\.(?:translate\.goog|[\w.-]{0,100}proxy[\w.-]{0,100})(?::\d+)?"
)
# What web.archive.org puts before the addresses of its copies; in the pages themselves mostly without the host.
_ARCHIVED = late(r"(?:(?:https?:)?//web\.archive\.org)?/web/\d{4,14}(?:[a-z]{2}_)?/(?=https?:/)")
# A DOI made of a SICI holds one pair of angle brackets, `<page:words>`: cut off there, all papers of an issue would be one.
# What may not stand before it is asked for behind its first signs, so that the search leaps to these.
_DOI = late(
    r"10\.(?<![\w.]10\.)\d{4,9}(?:\.\d+)*/"
    r"(?:\(sici\)[^\s\"'<>{}|\\^`]{1,80}<[^\s\"'<>]{1,60}>|[^\s\"'<>{}|\\^`]{1,80}<\d[\w-]{0,9}:[^\s\"'<>]{1,60}>)?[^\s\"'<>{}|\\^`]+",
    re.I,
)
_MAX_DOI = 2_048  # Crossref takes none that is longer
# bioRxiv and medRxiv; since December 2025 theirs begin otherwise.
_OF_PREPRINTS = ("10.1101/", "10.64898/")
# Each version of these preprints has a DOI of its own.
_VERSIONED = late(
    r"(10\.(?:26434/chemrxiv[.-]|6084/m9\.figshare\.|20944/preprints|21203/rs\.|22541/(?:au|essoar)\.|36227/techrxiv\.|\d{5}/osf\.io/)[\w.-]{4,40})"
    r"[-._/]v\d{1,3}"
)
# F1000Research and its like, eLife; a part of a paper of eLife has three digits there.
_NUMBERED = late(
    r"(10\.(?:12688/[a-z0-9]{3,40}\.\d{2,9}|7554/elife\.\d{4,7}))\.\d{1,2}|(10\.7287/peerj\.preprints\.\d{1,6})v\d{1,2}"
)
# Of an address, also one without its host: feeds of Taylor & Francis have `/doi/full/10.…?af=R` for a guid.
_ADDRESS = late(r"(?:https?:/|www\.[\w.-]{1,100}|\.\.?)?/", re.I)
# The form of a paper behind its DOI in a publisher's address, also two of them: `…/full/html`, `….full.pdf`.
_FORM = late(
    r"(?:/(?:full|abstract|pdf|epdf|html|meta|fulltext|full-text)|\.(?:pdf|full|full-text|abstract|short|long)){1,3}/*$",
    re.I,
)


# The spellings that listings are full of, so that the forms above are asked for the others only.
_PLAIN_ARXIV = late(
    r"(?:(?:https?://(?:www\.|export\.)?arxiv\.org)?/(?:abs|pdf)/|(?:https://huggingface\.co)?/papers/|oai:arXiv\.org:|arXiv:)?"
    r"([0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5})(?:v([1-9][0-9]?))?"
)
_BARE_ARXIV = late(r"[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5}")
_PLAIN_ADDRESS = late(r"https?://([a-z0-9][a-z0-9.-]*+)(/[A-Za-z0-9/._~%+,=&;:!$'()*@-]*+)?")


def arxiv_id(text: str) -> tuple[str, int | None] | None:
    """The arXiv id that a text or address is, and its version where one is given: `("2407.21783", 2)`.

    Reads bare ids, `arXiv:…v2`, `oai:arXiv.org:…`, the DOIs 10.48550/arXiv.…, and the addresses (also relative ones) of
    arXiv and its mirrors, alphaXiv and Hugging Face, of copies of these in the Wayback Machine, through Google Translate or a
    library's proxy (`arxiv-org.translate.goog`), and those that HTTrack and wget write (`../../abs/2407.21783.html`). Old ids
    keep their slash and lose their subject class (`math.GT/0309136` → `math/0309136`). None for a text that merely mentions
    an id.
    """
    if plain := _PLAIN_ARXIV.fullmatch(text):
        return plain[1], int(plain[2]) if plain[2] else None
    text = text.strip()
    if "/web/" in text:
        text = _ARCHIVED.sub("", text, count=1)
    if text.startswith("10.") and not text.startswith("10.48550/"):  # a DOI that is none of arXiv's
        return None
    found = _ARXIV_TEXT.fullmatch(text) or _ARXIV_DOI_URL.fullmatch(text)
    if not found:
        found = _ARXIV_URL.fullmatch(unquote(text))
        if found and found["host"] and not _ARXIV_HOST.fullmatch(found["host"].lower()):
            return None
    if not found:
        return None
    name = found["id"].lower()
    if "/" in name:
        archive, number = name.split("/")
        name = f"{archive.split('.')[0]}/{number}"
    return name, int(found["version"]) if found["version"] else None


def of_all_versions(name: str) -> str:
    """A DOI, as `doi` gives it, without the version that ChemRxiv, Preprints.org, Research Square, OSF, Authorea, TechRxiv,
    figshare, F1000Research, eLife and PeerJ put behind it: one for all versions. It leads nowhere at most of them, so that papers
    keep the DOI given."""
    if "v" in name[-4:] and (found := _VERSIONED.fullmatch(name)):
        return found[1]
    if name.startswith(("10.12688/", "10.7554/", "10.7287/")) and (found := _NUMBERED.fullmatch(name)):
        return found[1] or found[2]
    return name


def is_arxiv_id(text: str) -> bool:
    """An arXiv id in its one spelling, of the form that ids have since 2007: `2407.21783`."""
    return _BARE_ARXIV.fullmatch(text) is not None


def is_plain_arxiv(text: str) -> bool:
    """An arXiv id or an address of one, in a spelling that listings are full of: no other is told by this."""
    return _PLAIN_ARXIV.fullmatch(text) is not None


def doi(text: str) -> str | None:
    """The DOI in a text or address, lower case and bare (`10.1101/743294`); None for none and for those of arXiv.

    Spellings: bare, `doi:10.…`, `doi: 10.…`, `info:doi/10.…`, https://doi.org/10.…, and publishers' addresses with a DOI in
    the path. The version that bioRxiv and medRxiv add in addresses (`…/743294v1`) is left out.
    """
    text = text.strip()
    if _ADDRESS.match(text):
        text = unquote(text.partition("?")[0].partition("#")[0])
        text = _FORM.sub("", text)
    found = _DOI.search(text)
    if not found or len(found[0]) > _MAX_DOI:
        return None
    name = found[0].lower().rstrip(".,;:/!?")
    while name.endswith((")", "]")) and name.count(name[-1]) > name.count("(" if name[-1] == ")" else "["):
        name = name[:-1].rstrip(".,;:")
    if name.startswith("10.48550/arxiv."):
        return None
    if name.endswith(("/full", ".full")):  # no DOI ends so; people copy it from addresses
        name = name[:-5]
    if name.startswith(_OF_PREPRINTS):
        name = re.sub(r"v\d+(?:\.[\w-]+)*$", "", name)
    return name if not name.endswith("/") else None


def normalise_ids(ids: Mapping[str, str]) -> dict[str, str]:
    """Ids in their one spelling: arXiv without version and prefix, DOI lower case and bare, others trimmed. Empty ones left out.

    An arXiv DOI becomes the arXiv id. What stands under `arxiv` or `doi` and is none is left out.
    """
    if len(ids) == 1 and (plain := _PLAIN_ARXIV.fullmatch(ids.get("arxiv", ""))):
        return {"arxiv": plain[1]}
    clean: dict[str, str] = {}
    for kind, value in ids.items():
        kind, value = kind.strip().lower(), value.strip()
        if not value.isprintable():
            value = "".join(c for c in value if c.isprintable()).strip()
        if kind in ("arxiv", "doi"):
            if found := arxiv_id(value):
                clean.setdefault("arxiv", found[0])
            elif kind == "doi" and (name := doi(value)):
                clean["doi"] = name
        elif kind and value:
            clean[kind] = value
    return clean


@lru_cache(maxsize=URLS_REMEMBERED)
def canonical_url(url: str) -> str | None:
    """One spelling of an http(s) address, as https; None for everything else.

    Left out: user-info, default port, fragment, trailing slash, and what merely says where a reader came from (`utm_…`, `rss`,
    `dgcid`, `source=rss…`).
    """
    if plain := _PLAIN_ADDRESS.fullmatch(url):
        return f"https://{plain[1].rstrip('.')}{(plain[2] or '').rstrip('/')}"
    url = url.strip()
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return None
    if ":" in host:
        host = f"[{host}]"
    place = host.rstrip(".") if port in (None, 80, 443) else f"{host.rstrip('.')}:{port}"
    query = parts.query and _without_trackers(parts.query)
    return f"https://{place}{parts.path.rstrip('/')}" + (f"?{query}" if query else "")


# Of alerts of Google Scholar: what else stands there is another in each mail.
_ALERTED = late(r"https?://(?:scholar|www)\.google\.[a-z.]{2,6}/(?:scholar_url|url)\?(.+)")


def led_to(url: str) -> str:
    """The address that Google Scholar's alerts and Google's results lead to with this one; the address itself for any other."""
    found = _ALERTED.fullmatch(url) if "/scholar_url?" in url or "/url?" in url else None
    asked = dict(parse_qsl(found[1])) if found else {}
    target = asked.get("url") or asked.get("q") or ""
    return target if target.startswith(("http://", "https://")) else url


def is_web_address(url: str) -> bool:
    """An absolute http(s) address that can be shown and clicked: no user-info, no control characters."""
    if _PLAIN_ADDRESS.fullmatch(url):
        return True
    return (
        url.startswith(("https://", "http://"))
        and "@" not in url.split("/", 3)[2]
        and canonical_url(url) is not None
    )


def _without_trackers(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not _is_tracker(name.lower(), value.lower())]
    return query if len(kept) == len(pairs) else urlencode(kept)


# Of a feed: `af=R` of Atypon (Wiley, SAGE, Science), `dgcid=rss_sd_all` of ScienceDirect, `WT.mc_id=…` of Nature, `source=rss-…`.
_TRACKERS = frozenset(["rss", "dgcid", "fbclid", "gclid", "mc_cid", "mc_eid"])
_SAY_WHENCE = frozenset(["from", "origin", "ref", "source", "src", "track", "via"])


def _is_tracker(name: str, value: str) -> bool:
    return (
        name in _TRACKERS
        or name.startswith(("utm_", "wt."))
        or (name in _SAY_WHENCE and value.startswith("rss"))
        or (name == "af" and value == "r")
    )
