"""How fast messages are built, beside the usual way: a template rendered, css-inline and EmailMessage for each subscriber.

P8: one edition of 30 papers as whole messages in bytes. Each builder is a process of its own, in turns; CPU time, medians: on a
machine that others use too, only the ratios within one table count. Then time and memory of ours at three sizes, with 1,000
choices of papers among the readers.
"""

from __future__ import annotations

import email
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP, default
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment

from benchmarks import pages
from benchmarks.costs import answer_of, compile_ours
from benchmarks.peers import timed
from benchmarks.report import Check, Found, Growth, Row, run_alone
from digest.config import Config, DigestConfig, MailConfig, SiteConfig, TopicConfig, slugs_of
from digest.mail.compose import composer
from digest.model import Delivery, Edition, Entry, Message, Paper, Preferences, Section, Subscriber
from digest.render import Renderer
from digest.tokens import Tokens

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
PAPERS = 30
GOAL, STRETCH = 50, 100
SIZES = (1_000, 10_000, 100_000)
CHOICES = 1_000
LIMIT_MIB = 80
TOPICS = ("Language models", "Vision and video", "Agents and tools", "Robotics", "Methods and theory")
CONFIG = Config(
    site=SiteConfig(url="https://papers.example.org/", publisher="Example Reading Group", postal_address="1 Library Lane"),
    digest=(
        DigestConfig(
            name="daily", path="", schedule="0 7 * * mon-fri",
            topics=tuple(TopicConfig(name=name, any=(name,)) for name in TOPICS),
        ),
    ),
    mail=MailConfig(from_="Paper Digest <digest@papers.example.org>", bounces="bounces@papers.example.org"),
)  # fmt: skip
SLUGS = slugs_of(CONFIG.digest[0].topics)


# ---------------------------------------------------------------- what is sent to whom


@cache
def edition() -> Edition:
    """Thirty invented papers: three picks, and five topics."""
    entries = [_entry(n, paper) for n, paper in enumerate(pages.invented(PAPERS))]
    share = (len(entries) - 3 + len(TOPICS) - 1) // len(TOPICS)
    parts = [entries[3 + n * share :][:share] for n in range(len(TOPICS))]
    return Edition(
        id="2026-11-19", digest="daily", title="Paper Digest", date=NOW.date(), part=1, number=214, issued_at=NOW,
        guid="tag:papers.example.org,2026:edition/daily/2026-11-19",
        picks=tuple(entries[:3]),
        sections=tuple(
            Section(name=name, slug=SLUGS[name], entries=tuple(part)) for name, part in zip(TOPICS, parts, strict=True)
        ),
    )  # fmt: skip


def _entry(number: int, invented: pages.Invented) -> Entry:
    share = (PAPERS - 3 + len(TOPICS) - 1) // len(TOPICS)
    topic = TOPICS[max(number - 3, 0) // share]
    links = {
        kind: f"https://papers.example.org/{kind}/{invented.id}" for kind in ("abstract", "pdf", "code", "hf")
    }
    paper = Paper(
        key=f"arxiv:{invented.id}", title=invented.title, abstract=invented.abstract, authors=tuple(invented.authors),
        links=links, upvotes=invented.upvotes, organization="Institute of Invented Results", tags=("one", "two", "three"),
    )  # fmt: skip
    return Entry(
        paper=paper, guid=f"tag:papers.example.org,2026:{paper.key}", anchor=f"p-{invented.id}",
        gist=invented.abstract[:190], topic=topic, pick=number + 1 if number < 3 else None,
    )  # fmt: skip


def deliveries(count: int, choices: int = 1) -> Iterator[Delivery]:
    """Mails to so many readers, among whom there are so many different choices."""
    for number in range(count):
        yield Delivery(
            id=number, edition_id=1, digest="daily", edition="2026-11-19", editions=("2026-11-19",),
            subscriber=Subscriber(
                id=number, address=f"reader{number}@mail.example.org", status="confirmed", since=NOW - timedelta(days=number % 900),
                nonce="0123456789abcdef", preferences=_preferences(number % choices),
            ),
            message_id=f"<daily.2026-11-19.{number}@papers.example.org>", date=NOW, attempt=1,
        )  # fmt: skip


@cache
def _preferences(choice: int) -> Preferences:
    """The `choice`-th of a thousand: some topics, at most so many papers."""
    if choice == 0:
        return Preferences()
    chosen = tuple(slug for bit, slug in enumerate(SLUGS.values()) if choice % 31 + 1 & 1 << bit)
    return Preferences(topics=chosen, most=choice // 31 + 1)


# ---------------------------------------------------------------- the builders


def ours() -> Callable[[Delivery], Message | None]:
    """What a run makes once, as cold as the first of a day."""
    renderer = Renderer([Path(__file__).parent.parent / "templates"])
    return composer(CONFIG, renderer, Tokens(b"k" * 32), lambda digest, edition_id: edition())


def build_ours(count: int, choices: int = 1) -> int:
    """Builds so many, one after the other as a run does; their bytes in all."""
    compose = ours()
    return sum(message.size for each in deliveries(count, choices) if (message := compose(each)))


def build_usual(count: int) -> int:
    """The same the usual way."""
    build = peer()
    return sum(len(build(each)) for each in deliveries(count))


_PEER_HTML = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Paper Digest</title><style>
body{margin:0;padding:0;background-color:#f3f2ee}
table{border-collapse:collapse}
.card{max-width:640px;background-color:#fff;
font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}
.cell{padding:12px 36px 10px;border-top:1px solid #dedbd2;word-break:break-word;color:#1d1c19}
h1{margin:10px 0 6px;font-size:28px;line-height:34px;color:#1d1c19}
h2{margin:0;font-size:20px;line-height:26px;color:#1d1c19}
h3{margin:0 0 3px;font-size:16px;line-height:23px;font-weight:700}
h3 a{color:#1d1c19;text-decoration:none}
.gist{margin:0 0 3px;font-size:15px;line-height:22px}
.small{margin:0;font-size:13px;line-height:20px;color:#5c5950}
.links{margin:2px 0 0;font-size:14px;line-height:22px}
.links a{color:#0b5a73}
</style></head><body><table role="presentation" width="100%" class="card"><tr><td class="cell">
<h1>Thursday, 19 November 2026</h1><p class="gist">Today: {{ count }} new papers.</p></td></tr>
{% for name, papers in sections %}<tr><td class="cell"><h2>{{ name }}</h2></td></tr>
{% for entry in papers %}<tr><td class="cell"><h3><a href="{{ entry.paper.links.abstract }}">{{ entry.paper.title }}</a></h3>
<p class="gist">{{ entry.gist }}</p>
<p class="small">{{ entry.paper.authors[:3]|join(", ") }} · {{ entry.paper.organization }} · {{ entry.paper.upvotes }} upvotes</p>
<p class="links">{% for kind, url in entry.paper.links.items() %}<a href="{{ url }}">{{ kind }}</a> &nbsp;{% endfor %}</p></td></tr>
{% endfor %}{% endfor %}<tr><td class="cell"><p class="small">You get this because {{ address }} asked for it on {{ since }}.
<a href="{{ manage }}">Change topics</a> <a href="{{ leave }}">Unsubscribe</a></p></td></tr></table></body></html>"""
_PEER_TEXT = """Today: {{ count }} new papers.
{% for name, papers in sections %}
== {{ name }} ==
{% for entry in papers %}
* {{ entry.paper.title }}
{{ entry.gist }}
{{ entry.paper.authors[:3]|join(", ") }} · {{ entry.paper.organization }} · {{ entry.paper.upvotes }} upvotes
{{ entry.paper.links.abstract }}
{% endfor %}{% endfor %}
You get this because {{ address }} asked for it on {{ since }}.
Change: {{ manage }}
Unsubscribe: {{ leave }}
"""


def peer() -> Callable[[Delivery], bytes]:
    """The usual way. Raises ImportError where css-inline is missing."""
    import css_inline

    environment = Environment(autoescape=True)
    html, text = environment.from_string(_PEER_HTML), environment.from_string(_PEER_TEXT)
    inliner = css_inline.CSSInliner(keep_style_tags=True)
    shown = edition()
    sections = [("Top picks", shown.picks)] + [(section.name, section.entries) for section in shown.sections]
    tokens = Tokens(b"k" * 32)

    def build(delivery: Delivery) -> bytes:
        reader = delivery.subscriber
        leave = f"{CONFIG.site.url}unsubscribe/?t={tokens.make('unsubscribe', reader)}"
        facts: dict[str, Any] = {
            "count": shown.count, "sections": sections, "address": reader.address, "since": f"{reader.since:%d %B %Y}",
            "manage": f"{CONFIG.site.url}manage/?t={tokens.make('manage', reader)}", "leave": leave,
        }  # fmt: skip
        message = EmailMessage(policy=SMTP)
        message["Subject"], message["From"], message["To"] = (
            f"{shown.count} papers",
            CONFIG.mail.from_,
            reader.address,
        )
        message["Date"], message["Message-ID"] = delivery.date, delivery.message_id
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["List-Unsubscribe"] = f"<{leave}>"
        message.set_content(text.render(facts), cte="quoted-printable")
        message.add_alternative(inliner.inline(html.render(facts)), subtype="html", cte="quoted-printable")
        return message.as_bytes()

    return build


def missing(message: bytes, delivery: Delivery) -> list[str]:
    """What a message lacks of an address, and of titles and links in both parts: a ratio counts only between equals."""
    parsed = email.message_from_bytes(message, policy=default)
    assert isinstance(parsed, EmailMessage)
    wanted = [delivery.subscriber.address] + [entry.paper.links["abstract"] for entry in edition().entries]
    parts = [part.get_content() for part in parsed.iter_parts()]
    return [text for text in wanted for part in parts if text not in part] if len(parts) == 2 else wanted


# ---------------------------------------------------------------- the tables


def build_again(what: str, count: str, rounds: str, out: str) -> None:
    """A builder in a process of its own: what its first message lacks, how many bytes all have, CPU seconds of each round."""
    first = next(deliveries(1))
    if what == "usual":
        raw = peer()(first)
        size, cpu = build_usual(1), timed(lambda: build_usual(int(count)), int(rounds), warm=False)
    else:
        choices = CHOICES if what == "choices" else 1
        message = ours()(first)
        assert message is not None
        raw, size = message.data, message.size
        assert build_ours(min(int(count), 200), choices)  # warm
        cpu = timed(lambda: build_ours(int(count), choices), int(rounds), warm=False)
    Path(out).write_text(json.dumps({"lacks": missing(raw, first), "size": size, "cpu": cpu}))


def contest(count: int, usual: int, turns: int, rounds: int) -> dict[str, tuple[float, float, int]]:
    """CPU seconds for each message, the peak, and the bytes of the first message. Raises SystemExit where one lacks a paper."""
    taken: dict[str, list[float]] = {}
    found: dict[str, tuple[float, float, int]] = {}
    for _ in range(turns):
        for name in ("one", "choices", "usual"):
            each = usual if name == "usual" else count
            answer, cost = answer_of("building", "--again", name, each, rounds)
            if answer["lacks"]:
                raise SystemExit(f"{name}: the mail lacks {answer['lacks'][:3]}")
            taken.setdefault(name, []).extend(seconds / each for seconds in answer["cpu"])
            peak = max(cost.peak_mib, found[name][1] if name in found else 0)
            found[name] = (median(taken[name]), peak, answer["size"])
    return found


def measure(quick: bool = False) -> Found:
    if not quick:
        compile_ours()
    count, usual, turns, rounds = (20, 2, 1, 1) if quick else (10_000, 60, 5, 1)
    sizes = (10, 20) if quick else SIZES
    found = contest(count, usual, turns, rounds)
    least = found["usual"][0]
    lines = []
    for size in sizes:
        answer, cost = answer_of("building", "--again", "choices", size, 1)
        each = f"{1e6 * answer['cpu'][0] / size:.0f}"
        lines.append((f"{size:,}", each, f"{cost.peak_mib:.0f}"))
    peak = max(float(line[2]) for line in lines)
    row = Row(
        "P8", f"messages for {count:,} subscribers, {PAPERS} papers, {found['one'][2] / 1000:.0f} kB",
        f"{1 / found['one'][0]:,.0f} messages/s; {CHOICES:,} choices of papers {1 / found['choices'][0]:,.0f}",
        f"Jinja2 + css-inline + EmailMessage {1 / least:,.0f} messages/s ({found['usual'][2] / 1000:.0f} kB)",
        (
            Check("that, one choice", least / found["one"][0], GOAL, stretch=STRETCH),
            Check(f"peak at {sizes[-1]:,}", peak, LIMIT_MIB, more=False, unit=" MiB"),
        ),
        peak,
    )  # fmt: skip
    heads = ("subscribers", "µs for each message", "peak MiB")
    growth = Growth(f"Building, by subscribers of {CHOICES:,} choices", heads, tuple(lines))
    times = least / found["choices"][0]
    ratio = (
        f"With {CHOICES:,} choices among the readers, digest is {times:.0f} times as fast as the usual way."
    )
    return Found("building", (row,), (growth,), (ratio,))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--again"]:
        build_again(*sys.argv[2:])
    else:
        run_alone("building", __doc__, measure)
