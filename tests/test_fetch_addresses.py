"""Where we do not go: addresses, ports, schemes and redirects, proved by what the process connects to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused, FetchTimeout
from digest.fetch import Fetcher
from digest.fetch.addresses import SocketAddress, forbidden
from digest.model import Listing, NotModified
from fetch_servers import Reply, Site
from smtp_servers import certificate, server_context

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)

# Where the process connected to while this is a list; connections out of this machine are recorded and not made.
connected: list[str] | None = None


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect" and connected is not None:
        host = str(args[1][0])  # type: ignore[index]
        connected.append(host)
        if not host.startswith("127."):
            raise ConnectionRefusedError("not out of this machine")


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[str]]:
    global connected
    connected = []
    try:
        yield connected
    finally:
        connected = None


class Names:
    """A resolver: each name with its addresses, one after the other where it changes its mind; the port may be moved."""

    def __init__(self, port: int = 0, **names: list[str]) -> None:
        self.port, self.names, self.asked = port, names, list[str]()

    def __call__(self, host: str, port: int) -> list[SocketAddress]:
        self.asked.append(host)
        found = self.names.get(host.partition(".")[0], [])
        ip = found.pop(0) if len(found) > 1 else found[0]
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        return [(family, (ip, self.port or port))]


def ask(url: str, *, names: Names | None = None, **source: object) -> Listing | NotModified | FetchError:
    fetcher = Fetcher(user_agent="paper-digest/test", resolve=Path, backoff_s=0, lookup=names)
    wanted = SourceConfig(**{"name": "s", "url": url, **source})  # type: ignore[arg-type]
    return fetcher.visit(wanted, now=NOW).ask(url)


def words(text: str) -> list[str]:
    return text.split()


LOOPBACK = words("""
127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 017700000001 0x7f000001 0x7f.1 0177.0.0.1 0x7F.0x0.0x0.0x1
127.0.0.1. [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:127.0.0.1]
[0:0:0:0:0:ffff:7f00:0001] [::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::]
[2002:7f00:0001::1] [::ffff:0:127.0.0.1] [64:ff9b:1::7f00:1] [2001:0:7f00:1::] localhost 127.8.8.8 127.0.0.53
""")
PRIVATE = words("""
10.0.0.1 10.255.255.255 10.1 0xa.1 167772161 012.0.0.1 172.16.0.1 172.31.255.255 2886729729 192.168.0.1
192.168.255.254 192.168.257 3232235521 0xc0a80001 0300.0250.0.1 100.64.0.1 100.127.255.254 [fc00::1]
[fd12:3456:789a::1] [fdff:ffff::1] [::ffff:10.0.0.1] [::ffff:192.168.0.1] [::ffff:ac10:1] [64:ff9b::10.0.0.1]
[64:ff9b::c0a8:1] [2002:a00:1::] [2002:c0a8:1::1] [::10.0.0.1] [::ffff:0:10.0.0.1] [::ffff:100.64.0.1]
10.128.1.1 172.16.255.1 192.168.1.254
""")
NEVER = words("""
169.254.169.254 169.254.0.1 169.254.255.255 2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376
169.254.43518 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::169.254.169.254] [2002:a9fe:a9fe::]
[::169.254.169.254] [fe80::1] [febf::1] [fd00:ec2::254] [fd20:ce::254] 100.100.100.200 192.0.0.192
168.63.129.16 0.0.0.0 0 0x0 0.0.0.1 0.255.255.255 [::] [0::0] [::ffff:0.0.0.0] 192.0.0.1 192.0.2.1 192.88.99.1
198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
4294967295 0xffffffff [ff02::1] [ff0e::1] [2001:db8::1] [2001::1] [2001:2::1] [2001:10::1] [3fff::1] [100::1]
[400::1] [4000::1] [8000::1] [fec0::1] [::2] [::ffff:224.0.0.1] [::ffff:255.255.255.255] [64:ff9b::0.0.0.0]
[fe80::a9fe:a9fe] [ff01::1] 224.0.0.251 [::ffff:0:169.254.169.254] [64:ff9b::a9fe:a9fe]
""")


@pytest.mark.parametrize("host", LOOPBACK + PRIVATE + NEVER)
def test_an_address_that_is_not_of_the_public_internet_is_not_asked(host: str) -> None:
    with watched() as connections:
        error = ask(f"http://{host}/papers")
    assert connections == []
    assert isinstance(error, FetchError), error
    if host != "127.0.0.1.":  # which a resolver may take for a name
        assert isinstance(error, FetchRefused), error
        assert error.outcome == "refused"


@pytest.mark.parametrize("host", NEVER)
def test_allow_private_does_not_allow_metadata_and_what_is_no_host(host: str) -> None:
    with watched() as connections:
        error = ask(f"http://{host}/papers", allow_private=True)
    assert connections == []
    assert isinstance(error, FetchRefused), error
    assert "allow_private" not in str(error)


def test_there_are_120_addresses_and_each_is_known_for_what_it_is() -> None:
    assert len({*LOOPBACK, *PRIVATE, *NEVER}) >= 120
    for public in words("""8.8.8.8 1.1.1.1 100.128.0.1 172.32.0.1 192.0.1.1 11.0.0.1 126.255.255.255 169.255.0.1 2606:4700::1111
                           2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1"""):
        assert forbidden(ip_address(public), private=False) == "", public
    for private in words("127.0.0.1 10.1.2.3 192.168.1.1 172.20.0.1 100.64.1.1 ::1 fd12::1 ::ffff:10.0.0.1"):
        assert forbidden(ip_address(private), private=True) == "", private
        assert forbidden(ip_address(private), private=False) != "", private
    assert forbidden(ip_address("fe80::1%eth0"), private=True) != ""


def test_the_refusal_names_the_address_the_reason_and_the_mend() -> None:
    error = ask("http://intranet.example/papers", names=Names(intranet=["10.1.2.3"]))
    assert str(error) == (
        "http://intranet.example/papers: its host is 10.1.2.3: in a private network. "
        "If you mean a server of your own network, set allow_private = true for this source."
    )


def test_allow_private_is_advised_only_for_what_the_operator_wrote_and_it_would_open() -> None:
    """Else the advice would open a private network to whatever a page names."""
    assert "allow_private" in str(ask("http://127.0.0.1/papers"))
    assert "allow_private" not in str(ask("http://169.254.169.254/papers"))
    names = Names(intranet=["10.1.2.3"])
    fetcher = Fetcher(user_agent="paper-digest/test", resolve=Path, backoff_s=0, lookup=names)
    source = SourceConfig(name="s", url="http://papers.example/")
    with watched() as connections:
        error = fetcher.visit(source, now=NOW).ask("http://intranet.example/papers")
    assert connections == []
    assert "allow_private" not in str(error)
    assert "The page led there, not you" in str(error)


def test_a_private_source_is_read_where_it_is_allowed() -> None:
    with Site({"/papers": Reply(b"page")}) as site:
        listing = ask(
            "http://intranet.example/papers",
            names=Names(site.port, intranet=["127.0.0.1"]),
            allow_private=True,
        )
        assert isinstance(listing, Listing)
        assert listing.body == b"page"
        assert site.asked[-1].headers["Host"] == "intranet.example"


def test_one_private_address_beside_a_public_one_is_enough_to_refuse() -> None:
    both: list[SocketAddress] = [(socket.AF_INET, ("8.8.8.8", 80)), (socket.AF_INET6, ("::1", 80, 0, 0))]
    fetcher = Fetcher(user_agent="x", resolve=Path, lookup=lambda host, port: both)
    with watched() as connections:
        error = fetcher.visit(SourceConfig(name="s", url="http://two.example/"), now=NOW).ask(
            "http://two.example/"
        )
    assert isinstance(error, FetchRefused)
    assert connections == []


def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing() -> None:
    """DNS rebinding: the checked address is the connected one, and every connection is checked anew."""
    with Site() as canary:
        names = Names(canary.port, rebind=["8.8.8.8", "8.8.8.8", "8.8.8.8", "127.0.0.1"])
        with watched() as connections:
            error = ask("http://rebind.example/", names=names)
            assert isinstance(error, FetchError)
            assert (
                connections == ["8.8.8.8"] * 3
            )  # which the first three look-ups gave; each was connected to as checked
            assert len(names.asked) == 3
            again = ask("http://rebind.example/", names=names)
        assert isinstance(again, FetchRefused)
        assert "127.0.0.1" not in connections
        assert canary.asked == []


REDIRECTS = words(r"""
http://127.0.0.1/ http://127.1/ http://localhost/ http://[::1]/ http://[::ffff:127.0.0.1]/ http://2130706433/
http://0x7f.1/ http://169.254.169.254/latest/meta-data/ http://169.254.169.254.nip.example/ //127.0.0.1/x
http://10.0.0.1/ http://[fd00:ec2::254]/ http://0/ http://0.0.0.0/ http://[::]/ file:///etc/passwd
FILE:///etc/passwd file:/etc/passwd file://localhost/etc/passwd ftp://127.0.0.1/ data:text/html,papers
gopher://127.0.0.1:11211/_stats javascript:alert(1) dict://127.0.0.1:11211/stats http://user:secret@127.0.0.1/
http://user@canary.example/ http://canary.example:22/ http://canary.example:6379/ http://canary.example:8080/
http://canary.example\@127.0.0.1/ http://127.0.0.1#@canary.example/ http://127.0.0.1%2f@canary.example/
http://canary.example:99999/ http://canary.example:x/ unix:///var/run/docker.sock https://127.0.0.1/
http://①②⑦.⓪.⓪.①/
""")


@pytest.mark.parametrize("target", REDIRECTS)
@pytest.mark.parametrize("chain", [0, 1, 4])
def test_a_redirect_leads_nowhere_that_the_source_may_not_go(target: str, chain: int) -> None:
    """The first host stands for a public one: its name leads to this machine, which for this source is no forbidden place. So
    that every other forbidden place is one here too, all of them are moved to the link."""

    def lookup(host: str, port: int) -> list[SocketAddress]:
        if host == "public.example":
            return [(socket.AF_INET, ("127.0.0.1", site.port))]
        if not host.endswith((".example", "localhost")):
            numbers = socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
            assert all(forbidden(ip_address(found[4][0]), private=False) for found in numbers)
        return [(socket.AF_INET, ("169.254.0.9", port))]

    location = target.encode().decode("latin-1")
    with Site() as site:
        for step in range(chain):
            site.pages[f"/{step}"] = Reply(status=302, headers={"Location": f"/{step + 1}"})
        site.pages[f"/{chain}"] = Reply(status=302, headers={"Location": location})
        fetcher = Fetcher(user_agent="x", resolve=Path, backoff_s=0, lookup=lookup)
        source = SourceConfig(name="s", url="http://public.example/0", allow_private=True)
        with watched() as connections:
            error = fetcher.visit(source, now=NOW).ask(source.url)
        assert isinstance(error, FetchError), error
        assert isinstance(error, FetchRefused), error
        assert (
            len(connections) == chain + 2
        )  # the robots.txt and the pages of the first host, and nothing else
        assert len(site.asked) == chain + 2
        assert "secret" not in str(error) + error.url
        assert str(error).startswith("http://public.example/0")


@pytest.mark.parametrize(
    "target",
    words(r"http:///etc/passwd http:// \\127.0.0.1\share /%2e%2e/etc/passwd ?x=//127.0.0.1/"),
)
def test_a_redirect_that_names_no_host_stays_on_the_host(target: str) -> None:
    with Site({"/0": Reply(status=302, headers={"Location": target})}) as site:
        names = Names(site.port, public=["127.0.0.1"])
        assert isinstance(ask("http://public.example/0", names=names, allow_private=True), FetchError)
    assert set(names.asked) == {"public.example"}


# ---------------------------------------------------------------- schemes, ports, names, certificates


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://papers.example/x",
        "data:text/html,<p>",
        "/etc/passwd",
        "papers.example",
    ],
)
def test_only_the_web_is_asked(url: str) -> None:
    with watched() as connections:
        error = ask(url)
    assert isinstance(error, FetchRefused)
    assert "only http:// and https://" in str(error)
    assert connections == []


@pytest.mark.parametrize(("url", "fine"), [
    ("http://papers.example/x", True), ("https://papers.example/x", True), ("http://papers.example:443/x", True),
    ("http://papers.example:8080/other", True), ("http://mirror.example:9000/x", True), ("http://papers.example:8081/x", False),
    ("http://other.example:8080/x", False), ("https://papers.example:8080/x", False), ("http://papers.example:25/x", False),
])  # fmt: skip
def test_ports_are_those_of_the_web_and_those_written_down(url: str, fine: bool) -> None:
    names = Names(papers=["169.254.0.9"], other=["169.254.0.9"], mirror=["169.254.0.9"])
    fetcher = Fetcher(user_agent="x", resolve=Path, lookup=names)
    source = SourceConfig(
        name="s", url="http://papers.example:8080/{date}", routes=("http://mirror.example:9000/",)
    )
    error = fetcher.visit(source, now=NOW).ask(url)
    assert isinstance(error, FetchRefused)
    assert ("port" in str(error)) != fine


def test_an_address_with_a_login_is_refused_without_showing_it() -> None:
    error = ask("https://reader:hunter2@papers.example/x")
    assert isinstance(error, FetchRefused)
    assert "headers" in str(error)
    assert "hunter2" not in str(error) + error.url
    assert "reader" not in str(error) + error.url


def test_a_redirect_sent_in_utf_8_is_understood() -> None:
    with Site(
        {
            "/0": Reply(status=302, headers={"Location": "/caf\u00e9".encode().decode("latin-1")}),
            "/caf%C3%A9": Reply(b"page"),
        }
    ) as site:
        assert isinstance(ask(site.url("/0"), allow_private=True), Listing)


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site({"/x": Reply(b"page")}) as site, Site() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert isinstance(ask(site.url("/x"), allow_private=True), Listing)
        assert proxy.asked == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "good": certificate(folder / "good", "DNS:papers.example"),
        "expired": certificate(folder / "old", "DNS:old.example", days=0),
    }


def test_the_name_is_what_the_certificate_must_be_for(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["good"]))
    with Site({"/x": Reply(b"page")}, tls=server_context(certificates["good"])) as site:
        names = Names(site.port, papers=["127.0.0.1"], other=["127.0.0.1"])
        listing = ask("https://papers.example/x", names=names, allow_private=True)
        assert isinstance(listing, Listing), listing
        assert site.asked[-1].headers["Host"] == "papers.example"
        wrong = ask("https://other.example/x", names=names, allow_private=True)
    assert isinstance(wrong, FetchError)
    assert "certificate" in str(wrong)
    assert wrong.outcome == "unreachable"


@pytest.mark.parametrize(("which", "trusted"), [("good", "expired"), ("expired", "expired")])
def test_a_certificate_that_does_not_hold_is_an_error(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch, which: str, trusted: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[trusted]))
    name = {"good": "papers", "expired": "old"}[which]
    with Site({"/x": Reply(b"page")}, tls=server_context(certificates[which])) as site:
        error = ask(
            f"https://{name}.example/x", names=Names(site.port, **{name: ["127.0.0.1"]}), allow_private=True
        )
        assert isinstance(error, FetchError)
        assert "certificate" in str(error)
        assert site.asked == []


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-"]
)
def test_a_server_that_drips_behind_tls_is_left_at_the_deadline(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["good"]))
    with Site(tls=server_context(certificates["good"])) as site:

        def drip(connection: socket.socket) -> None:
            connection.sendall(head)
            while not site.stopped.wait(0.02):
                connection.sendall(b"x")

        site.pages["/x"] = drip
        names, started = Names(site.port, papers=["127.0.0.1"]), time.monotonic()
        endless = threading.Timer(20, site.stopped.set)
        endless.start()
        found = ask("https://papers.example/x", names=names, allow_private=True, timeout_s=0.5)
        endless.cancel()
        assert isinstance(found, FetchTimeout), found
        assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


def test_a_redirect_out_of_tls_is_not_followed(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["good"]))
    with Site(
        {"/x": Reply(status=302, headers={"Location": "http://papers.example/x"})},
        tls=server_context(certificates["good"]),
    ) as site:
        error = ask(
            "https://papers.example/x", names=Names(site.port, papers=["127.0.0.1"]), allow_private=True
        )
        assert isinstance(error, FetchRefused)
        assert "outside of TLS" in str(error)
        assert len(site.asked) == 2


# ---------------------------------------------------------------- files


def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "page.html").write_bytes(b"<p>")
    (tmp_path / "link.html").symlink_to("/dev/zero")
    fetcher = Fetcher(user_agent="x", resolve=lambda path: tmp_path / path)

    def fetched(path: str) -> list[Listing | FetchError]:
        return list(fetcher.fetch(SourceConfig(name="s", path=path), now=NOW))

    for path in ("pipe", "/dev/zero", "/dev/null", "link.html"):
        assert [type(found) for found in fetched(path)] == [FetchRefused], path
    assert [found.location for found in fetched(".") if isinstance(found, Listing)] == [
        str(tmp_path / "page.html")
    ]
    assert len(fetched(".")) == 1


def test_files_are_read_without_the_libraries_of_the_wire(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<p>")
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from digest.config import SourceConfig; from digest.fetch import Fetcher\n"
        "f = Fetcher(user_agent='x', resolve=Path)\n"
        "assert len(list(f.fetch(SourceConfig(name='s', path=sys.argv[1]), now=datetime.now(UTC)))) == 1\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert not {"urllib3", "protego", "ssl", "http", "socket"} & set(done.stdout.split())
