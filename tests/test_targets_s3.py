"""A bucket takes the published files: boto3 against a server on 127.0.0.1 that behaves as S3."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from digest.config import PublishConfig
from digest.model import TargetReport
from digest.targets import publish_to
from digest.targets.s3 import content_type
from target_sites import SITE, files_below, site

KEYS = {"access_key": "AKIDOFTHETESTS", "secret_key": "geheim/of+the=tests"}


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _only_our_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys, settings or proxies of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def bucket(storage: str, request: pytest.FixtureRequest) -> Any:
    """An empty bucket of this test's own."""
    resource = boto3.resource(
        "s3",
        endpoint_url=storage,
        region_name="us-east-1",
        aws_access_key_id="other",
        aws_secret_access_key="other",
    )
    name = f"b{abs(hash(request.node.name))}"
    return resource.create_bucket(Bucket=name)


def publish(bucket: str, endpoint: str, root: Path, **more: object) -> TargetReport:
    target = PublishConfig(
        name="cdn",
        kind="s3",
        bucket=bucket,
        endpoint=endpoint,
        **(KEYS | more),  # type: ignore[arg-type]
    )
    return publish_to(target, root, base=root.parent)


def objects(bucket: Any) -> dict[str, bytes]:
    return {item.key: item.get()["Body"].read() for item in bucket.objects.all()}


def test_a_bucket_takes_all_files_and_then_only_what_changed(
    tmp_path: Path, storage: str, bucket: Any
) -> None:
    root = site(tmp_path / "site")
    report = publish(bucket.name, storage, root)
    assert (report.written, report.unchanged, report.error) == (len(SITE), 0, None)
    assert objects(bucket) == files_below(root)
    bucket.put_object(Key="other.txt", Body=b"not ours")
    before = bucket.Object("404.html").last_modified
    (root / "rss.xml").write_text("rss.xml of the sitE")
    report = publish(bucket.name, storage, root)
    assert (report.written, report.unchanged) == (1, len(SITE) - 1)
    assert objects(bucket) == {**files_below(root), "other.txt": b"not ours"}
    assert bucket.Object("404.html").last_modified == before


def test_below_a_prefix_nothing_else_is_looked_at(tmp_path: Path, storage: str, bucket: Any) -> None:
    root = site(tmp_path / "site")
    bucket.put_object(Key="rss.xml", Body=b"another feed")
    for prefix in ("papers/daily", "/papers/daily/"):
        assert publish(bucket.name, storage, root, prefix=prefix).error is None
    assert objects(bucket) == {
        **{f"papers/daily/{path}": body for path, body in files_below(root).items()},
        "rss.xml": b"another feed",
    }


def test_more_files_than_one_answer_lists_are_all_known(tmp_path: Path, httpserver: HTTPServer) -> None:
    root = site(tmp_path / "site")

    def listed(request: Request) -> Response:
        second = request.args.get("continuation-token") == "the rest"
        half = SITE[len(SITE) // 2 :] if second else SITE[: len(SITE) // 2]
        bodies = {path: (root / path).read_bytes() for path in half}
        contents = "".join(
            f"<Contents><Key>{quote(path)}</Key><Size>{len(body)}</Size>"
            f'<ETag>"{hashlib.md5(body).hexdigest()}"</ETag></Contents>'
            for path, body in bodies.items()
        )
        more = "" if second else "<NextContinuationToken>the rest</NextContinuationToken>"
        truncated = (
            f"<IsTruncated>{str(not second).lower()}</IsTruncated>{more}<EncodingType>url</EncodingType>"
        )
        return Response(f"<ListBucketResult>{truncated}{contents}</ListBucketResult>")

    httpserver.expect_request("/papers").respond_with_handler(listed)
    report = publish("papers", httpserver.url_for("").rstrip("/"), root)
    assert (report.written, report.unchanged, report.error) == (0, len(SITE), None)


@pytest.mark.parametrize(("region", "asked"), [("eu-west-3", "eu-west-3"), ("", "us-east-1")])
def test_an_endpoint_is_asked_in_the_region_that_is_named_or_the_one_that_all_know(
    tmp_path: Path, httpserver: HTTPServer, region: str, asked: str
) -> None:
    httpserver.expect_request("/papers").respond_with_data("<ListBucketResult></ListBucketResult>")
    publish("papers", httpserver.url_for("").rstrip("/"), site(tmp_path / "site"), region=region)
    request, _ = httpserver.log[0]
    assert f"/{asked}/s3/" in request.headers["Authorization"]


def test_files_are_served_with_their_types_and_asked_for_again(
    tmp_path: Path, storage: str, bucket: Any
) -> None:
    publish(bucket.name, storage, site(tmp_path / "site"))
    kinds = {path: bucket.Object(path).content_type for path in SITE}
    assert kinds["index.html"] == "text/html; charset=utf-8"
    assert kinds["2026/11/19/rss.xml"] == kinds["editions.xml"] == "application/rss+xml; charset=utf-8"
    assert (
        kinds["topics/größe/atom.xml"] == kinds["editions-atom.xml"] == "application/atom+xml; charset=utf-8"
    )
    assert kinds["feed.json"] == kinds["editions.json"] == "application/feed+json"
    assert kinds["search/index.json"] == "application/json"
    assert kinds["search/search.js"] == "text/javascript; charset=utf-8"
    assert kinds["sitemap.xml"] == "application/xml; charset=utf-8"
    assert {bucket.Object(path).cache_control for path in SITE} == {"no-cache"}


def test_every_published_file_has_a_type_of_its_own() -> None:
    assert {path for path in SITE if content_type(path) == "application/octet-stream"} == set()
    assert content_type("CNAME") == "application/octet-stream"


def puts_of(server: HTTPServer, *, refuse: str = "") -> list[str]:
    """Makes a server that takes objects into an empty bucket, except one. Returns the keys it is sent, in their order."""
    sent: list[str] = []

    def answer(request: Request) -> Response:
        if request.method == "GET":
            return Response("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        key = unquote(request.path).removeprefix("/papers/")
        if key == refuse:
            return Response("<Error><Code>AccessDenied</Code><Message>No.</Message></Error>", status=403)
        sent.append(key)
        return Response(headers={"ETag": '"x"'})

    server.expect_request("/papers").respond_with_handler(answer)
    server.expect_request("/papers/").respond_with_handler(answer)
    for path in SITE:
        server.expect_request(f"/papers/{path}").respond_with_handler(answer)
    return sent


def test_pages_are_there_before_feeds_are_sent_and_feeds_before_home_pages(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    sent = puts_of(httpserver)
    assert publish("papers", httpserver.url_for("").rstrip("/"), site(tmp_path / "site")).error is None
    assert sorted(sent) == sorted(SITE)
    assert set(sent[-2:]) == {"index.html", "second/index.html"}
    assert all(path.endswith((".xml", ".json", ".opml")) for path in sent[-11:-2])
    assert "rss.xml" not in sent[:-11]


def test_a_page_that_is_refused_holds_the_feeds_back(tmp_path: Path, httpserver: HTTPServer) -> None:
    sent = puts_of(httpserver, refuse="404.html")
    report = publish("papers", httpserver.url_for("").rstrip("/"), site(tmp_path / "site"))
    assert report.error and "AccessDenied" in report.error and "s3://papers" in report.error
    assert not {"rss.xml", "feeds.opml", "index.html"} & set(sent)


def test_a_killed_run_is_completed_by_the_next(tmp_path: Path, storage: str, bucket: Any) -> None:
    root = site(tmp_path / "site")
    # It ends as hard as a program can, after some pages.
    program = """
        import os, signal, sys; from pathlib import Path
        from digest.config import PublishConfig; from digest.targets import s3, errand, files
        target = PublishConfig(name="cdn", kind="s3", bucket=sys.argv[2], endpoint=sys.argv[3], access_key="a", secret_key="b")
        root = Path(sys.argv[1])
        way = errand.Errand(target=target, root=root, base=root, steps=files.steps_of(root), deadline=float("inf"))
        for number, _ in enumerate(s3.send(way)):
            if number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
    """
    arguments = [str(root), bucket.name, storage]
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), *arguments], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    there = objects(bucket)
    assert 6 <= len(there) < len(SITE)
    assert there.items() <= files_below(root).items()
    report = publish(bucket.name, storage, root)
    # What the killed run had sent whole may be put away by the storage after we looked: that too is there.
    assert (report.written + report.unchanged, report.error) == (len(SITE), None)
    assert report.unchanged >= len(there)
    assert objects(bucket) == files_below(root)


def test_a_bucket_that_is_not_there_is_reported(tmp_path: Path, storage: str) -> None:
    report = publish("no-such-bucket", storage, site(tmp_path / "site"))
    assert report.error and "NoSuchBucket" in report.error and "s3://no-such-bucket" in report.error
    assert "Check bucket" in report.error
    assert report.written == 0


def test_a_dead_endpoint_is_reported(tmp_path: Path) -> None:
    report = publish("papers", "http://127.0.0.1:1", site(tmp_path / "site"))
    assert report.error and "http://127.0.0.1:1" in report.error and "Could not connect" in report.error


def test_a_wrong_key_is_reported_and_no_key_is_shown(
    tmp_path: Path, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    # What Amazon answers, key and all.
    said = (
        "<Error><Code>SignatureDoesNotMatch</Code><Message>The signature of AKIDOFTHETESTS for geheim/of+the=tests is "
        "wrong.</Message><AWSAccessKeyId>AKIDOFTHETESTS</AWSAccessKeyId></Error>"
    )
    httpserver.expect_request("/papers").respond_with_data(said, status=403)
    with caplog.at_level(logging.DEBUG):
        report = publish("papers", httpserver.url_for("").rstrip("/"), site(tmp_path / "site"))
    assert report.error and "SignatureDoesNotMatch" in report.error
    for secret in KEYS.values():
        assert secret not in report.error
        assert secret not in caplog.text


def test_half_a_key_is_reported_and_not_shown(tmp_path: Path, storage: str) -> None:
    report = publish("papers", storage, site(tmp_path / "site"), secret_key="")
    assert report.error and "Partial credentials" in report.error
    assert KEYS["access_key"] not in report.error


def test_without_any_key_it_says_so(tmp_path: Path, storage: str) -> None:
    report = publish("papers", storage, site(tmp_path / "site"), access_key="", secret_key="")
    assert report.error and "Unable to locate credentials" in report.error


@pytest.mark.parametrize(
    ("key", "value"), [("endpoint", "no address"), ("bucket", "a bucket/../x"), ("region", "no region!")]
)
def test_a_setting_that_makes_no_sense_is_reported(
    tmp_path: Path, storage: str, key: str, value: str
) -> None:
    target = PublishConfig(
        name="cdn",
        kind="s3",
        **({"bucket": "papers", "endpoint": storage} | KEYS | {key: value}),  # type: ignore[arg-type]
    )
    report = publish_to(target, site(tmp_path / "site"), base=tmp_path)
    assert report.error and "Check bucket" in report.error


def test_storage_that_hangs_costs_no_more_than_its_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        report = publish("papers", endpoint, site(tmp_path / "site"), timeout_s=0.3)
    assert report.error and endpoint in report.error


@pytest.mark.parametrize(
    "answer", ["<html>It works!</html>", "It works!", "", "<a><b></a>", "<ListBucketResult><Contents/>"]
)
@pytest.mark.parametrize("status", [200, 403, 404, 301])
def test_an_answer_that_is_no_s3_is_reported(
    tmp_path: Path, httpserver: HTTPServer, answer: str, status: int
) -> None:
    httpserver.expect_request("/papers").respond_with_data(answer, status=status)
    report = publish("papers", httpserver.url_for("").rstrip("/"), site(tmp_path / "site"))
    assert report.error


def test_without_boto3_it_says_how_to_install_it(tmp_path: Path) -> None:
    program = """
        import sys
        sys.modules["boto3"] = sys.modules["botocore"] = sys.modules["botocore.exceptions"] = None
        from pathlib import Path
        from digest.config import PublishConfig; from digest.targets import publish_to
        target = PublishConfig(name="cdn", kind="s3", bucket="papers")
        print(publish_to(target, Path(sys.argv[1]), base=Path(sys.argv[1])).error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), site(tmp_path / "site")],
        capture_output=True,
        text=True,
    )
    assert 'pip install "paper-digest[s3]"' in done.stdout, done.stderr


def test_nothing_of_boto3_is_loaded_before_a_bucket_is_asked() -> None:
    program = "import sys, digest.targets; sys.exit(any(name.startswith('boto') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
