"""The lane answers polls as uvicorn's road would, byte for byte, and leaves it all that is not one whole plain request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.web.files import Files
from polls import FEED, Connections, head_of, parsed, site_of


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    return site_of(tmp_path)


def test_a_poll_is_answered_at_once_and_the_application_hears_nothing_of_it(feeds: Path) -> None:
    async def poll() -> None:
        connections = Connections(Files(feeds), lane=True)
        protocol, wire = connections.connect()
        request = head_of("/rss.xml", Accept_Encoding="gzip")
        protocol.data_received(request)
        assert wire.sent == b""
        await connections.settle()
        first, wire.sent = wire.sent, b""
        for _ in range(3):
            protocol.data_received(request)
            assert wire.sent == first
            assert not connections.state.tasks
            wire.sent = b""
        protocol.data_received(
            head_of("/rss.xml", Accept_Encoding="gzip", If_None_Match=parsed(first).headers["etag"])
        )
        assert parsed(wire.sent).status == 304
        assert connections.state.total_requests == 5
        protocol.connection_lost(None)

    asyncio.run(poll())


def test_a_connection_ends_when_nothing_was_asked_for_five_seconds(feeds: Path) -> None:
    async def poll() -> None:
        connections = Connections(Files(feeds), lane=True)
        protocol, wire = connections.connect()
        loop = asyncio.get_running_loop()
        request = head_of("/rss.xml")
        await connections.talk([request], patient=True)
        protocol.data_received(request)
        began = loop.time()
        timer = protocol.timeout_keep_alive_task
        assert timer is not None
        assert timer.when() == pytest.approx(began + 5, abs=1)
        # The timer comes while the last answer is fresh: it waits for what is left.
        protocol.timeout_keep_alive_handler()
        assert not wire.closed
        again = protocol.timeout_keep_alive_task
        assert again is not None
        assert again.when() <= loop.time() + 5
        protocol._answered_at = began - 6  # type: ignore[attr-defined]
        protocol.timeout_keep_alive_handler()
        assert wire.closed
        timer.cancel()
        again.cancel()

    asyncio.run(poll())


def test_a_connection_that_says_nothing_or_half_a_head_ends_after_twenty_seconds(feeds: Path) -> None:
    async def poll() -> None:
        connections = Connections(Files(feeds), lane=True)
        loop = asyncio.get_running_loop()
        for said in (b"", b"GET /rss.xml HTTP/1.1\r\nHost: x"):
            protocol, wire = connections.connect()
            if said:
                protocol.data_received(said)
            timer = protocol.timeout_keep_alive_task
            assert timer is not None
            assert timer.when() == pytest.approx(loop.time() + 20, abs=1)
            protocol._head_until = loop.time() - 1  # type: ignore[attr-defined]
            protocol.timeout_keep_alive_handler()
            assert wire.closed
            timer.cancel()

    asyncio.run(poll())


def test_a_head_without_end_is_refused(feeds: Path) -> None:
    async def poll() -> None:
        protocol, wire = Connections(Files(feeds), lane=True).connect()
        protocol.data_received(b"GET /rss.xml HTTP/1.1\r\n")
        for n in range(40):
            if not wire.closed:
                protocol.data_received(b"X-%d: %s\r\n" % (n, b"a" * 65_000))
        assert wire.closed

    asyncio.run(poll())


def test_a_client_that_takes_nothing_is_not_sent_more_by_the_lane(feeds: Path) -> None:
    async def poll() -> None:
        connections = Connections(Files(feeds), lane=True)
        await connections.talk([head_of("/rss.xml")], patient=True)
        protocol, wire = connections.connect()
        protocol.pause_writing()
        protocol.data_received(head_of("/rss.xml"))
        await asyncio.sleep(0)
        assert wire.sent == b""
        protocol.resume_writing()
        await connections.settle()
        assert parsed(wire.sent).body == FEED
        protocol.connection_lost(None)

    asyncio.run(poll())


def test_connections_leave_half_of_the_files_to_the_run_beside(
    feeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (9, 9))

    async def crowd() -> None:
        connections = Connections(Files(feeds), lane=True)
        made = [connections.connect() for _ in range(7)]
        assert [wire.closed for _, wire in made] == [False] * 4 + [True] * 3
        for protocol, _ in made[3:]:
            protocol.connection_lost(None)
        protocol, wire = connections.connect()
        assert not wire.closed
        for each in (*(protocol for protocol, _ in made[:3]), protocol):
            each.connection_lost(None)

    asyncio.run(crowd())


def test_whoever_takes_a_little_is_waited_for_and_whoever_takes_nothing_is_not(feeds: Path) -> None:
    async def take() -> None:
        protocol, wire = Connections(Files(feeds), lane=True).connect()
        for untaken in (0, 9000, 8999, 1, 0, 0, 9000):
            wire.untaken = untaken
            protocol.look()  # type: ignore[attr-defined]
            assert not wire.closed
        protocol.look()  # type: ignore[attr-defined]
        assert wire.closed
        protocol.connection_lost(None)

    asyncio.run(take())


def test_whoever_takes_a_large_file_slowly_is_waited_for(feeds: Path) -> None:
    """It is sent in parts: when one was taken the next waits, which is as large."""

    async def take() -> None:
        protocol, wire = Connections(Files(feeds), lane=True).connect()
        for _ in range(3):
            protocol.pause_writing()
            wire.untaken = 9000
            protocol.look()  # type: ignore[attr-defined]
            assert not wire.closed
            protocol.resume_writing()
        protocol.pause_writing()
        for _ in range(2):
            protocol.look()  # type: ignore[attr-defined]
        assert wire.closed
        protocol.connection_lost(None)

    asyncio.run(take())


def test_addresses_with_tokens_are_remembered_nowhere(feeds: Path) -> None:
    files = Files(feeds)

    async def talk() -> Any:
        connections = Connections(files, lane=True)
        for _ in range(3):
            await connections.talk([head_of("/door?t=canary")], patient=True)
            await connections.talk([head_of("/rss.xml?t=canary")], patient=True)
        return connections._protocol

    protocol = asyncio.run(talk())
    assert not [data for data in protocol.lane._known if b"canary" in data]
    assert not [target for target in files._targets if b"canary" in target]


# What the wire may bring: polls, other requests, and what is none.
GOOD = [
    head_of("/rss.xml"),
    head_of("/rss.xml", Accept_Encoding="gzip"),
    head_of("/", "HEAD"),
    head_of("/rss.xml", If_None_Match="*"),
    head_of("/2026"),
    head_of("/nothing"),
    head_of("/door?t=x"),
    head_of("/rss.xml", Connection="keep-alive"),
]
ODD = [
    head_of("/rss.xml", Connection="close"),
    head_of("/rss.xml", Connection="Upgrade", Upgrade="websocket"),
    head_of("/rss.xml?x"),
    head_of("/rss.xml", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings"),
    head_of("/rss.xml", Content_Length="0"),
    head_of("/rss.xml", Content_Length="5") + b"hello",
    head_of("/rss.xml", Transfer_Encoding="chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    head_of("/door", "POST", Content_Length="5") + b"hello",
    head_of("/door", "POST", Content_Length="5", Expect="100-continue") + b"hello",
    head_of("/rss.xml", "POST", Content_Length="0"),
    head_of("/rss.xml", "OPTIONS"),
    head_of("/rss.xml").replace(b"HTTP/1.1", b"HTTP/1.0"),
    head_of("/rss.xml", Connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"),
    b"GET http://papers.example.org/rss.xml HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\n\r\n",
    b"\r\n" + head_of("/rss.xml"),
    head_of("/rss.xml", Proxy_Connection="close"),
    head_of("/rss.xml", X_Long="x" * 3000),
    head_of("/rss.xml", Range="bytes=0-1"),
    head_of("/rss.xml", If_None_Match='"a",  "b"'),
    head_of("/rss.xml#top"),
    head_of("/door", "POST", Transfer_Encoding="chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    head_of("/rss.xml", Connection="keep-alive, close"),
]
BAD = [
    b"GET /rss.xml HTTP/1.1\nHost: x\n\n",
    b"GET /rss.xml\r\n\r\n",
    b"GET /rss.xml HTTP/2.0\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET  /rss.xml HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\n: x\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nA: \x00\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"get /rss.xml HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET /rss.xml HTTP/1.1\rHost: x\r\r",
    b"GET /r\xc3\xa4ss HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /rss.xml HTTP/1.1\r\nA: \x7f\r\n\r\n",
]


def both_ways(feeds: Path, chunks: list[bytes], *, patient: bool) -> None:
    """The lane, cold and warm, answers as the road does."""

    async def talk() -> list[tuple[bytes, bool]]:
        road, lane = (Connections(Files(feeds), lane=way) for way in (False, True))
        found = [await road.talk(chunks, patient=patient), await lane.talk(chunks, patient=patient)]
        for request in GOOD:
            await lane.talk([request], patient=True)
        return [*found, await lane.talk(chunks, patient=patient)]

    expected, cold, warm = asyncio.run(talk())
    assert cold == expected
    assert warm == expected


@pytest.mark.parametrize("request_", [*GOOD, *ODD, *BAD])
def test_every_request_alone_and_between_polls_is_answered_as_uvicorn_does(
    feeds: Path, request_: bytes
) -> None:
    poll = head_of("/rss.xml")
    for chunks in (
        [request_],
        [poll, request_, poll, poll],
        [poll + request_ + poll],
        [request_ + poll, poll],
    ):
        both_ways(feeds, chunks, patient=True)
        # What uvicorn cannot read ends the connection at once: answers to what came before get lost if they are not there yet.
        if request_ not in BAD:
            both_ways(feeds, chunks, patient=False)


@pytest.mark.parametrize("request_", [GOOD[1], GOOD[6], ODD[5], ODD[8]])
def test_a_request_cut_at_any_byte_is_answered_as_uvicorn_does(feeds: Path, request_: bytes) -> None:
    poll = head_of("/rss.xml")
    for cut in range(1, len(request_), 1 if len(request_) < 120 else 3):
        both_ways(feeds, [poll, request_[:cut], request_[cut:], poll], patient=True)
    both_ways(feeds, [bytes([byte]) for byte in poll + request_ + poll], patient=True)


@st.composite
def conversations(draw: st.DrawFn, *, bad: bool) -> list[bytes]:
    """Requests in a row, cut anywhere or nowhere."""
    requests = draw(
        st.lists(st.sampled_from([*GOOD, *GOOD, *ODD, *(BAD if bad else [])]), min_size=1, max_size=6)
    )
    if draw(st.booleans()):
        return requests
    stream = b"".join(requests)
    cuts = sorted({0, len(stream), *draw(st.lists(st.integers(1, len(stream)), max_size=5))})
    return [stream[start:end] for start, end in pairwise(cuts)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield site_of(tmp_path_factory.mktemp("lane"))


@given(chunks=conversations(bad=True))
@settings(max_examples=examples(100))
def test_whatever_is_said_the_lane_is_not_told_from_the_road(shared: Path, chunks: list[bytes]) -> None:
    both_ways(shared, chunks, patient=True)


@given(chunks=conversations(bad=False))
@settings(max_examples=examples(100))
def test_requests_sent_without_waiting_are_answered_in_their_order(shared: Path, chunks: list[bytes]) -> None:
    both_ways(shared, chunks, patient=False)
