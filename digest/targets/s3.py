"""A bucket of S3-compatible storage: Amazon S3, Cloudflare R2, MinIO, Garage, Ceph."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from digest.config import PublishConfig
from digest.errors import PublishError
from digest.targets.errand import Errand, late
from digest.website import MEDIA_TYPES

_LANES = 8
_TRIES = 3
_TRY_S = 20.0

# By the end of the path, longest first; RSS and Atom by the names that we give them.
_TYPES = {
    "editions-atom.xml": "application/atom+xml; charset=utf-8",
    "editions.xml": "application/rss+xml; charset=utf-8",
    "editions.json": "application/feed+json",
    "rss.xml": "application/rss+xml; charset=utf-8",
    "atom.xml": "application/atom+xml; charset=utf-8",
    "feed.json": "application/feed+json",
    **MEDIA_TYPES,
    ".xml": "application/xml; charset=utf-8",
}


def content_type(path: str) -> str:
    """The media type of a published file, as web servers are to send it."""
    name = path.rpartition("/")[2]
    return next((kind for end, kind in _TYPES.items() if name.endswith(end)), "application/octet-stream")


def send(errand: Errand) -> Iterator[bool]:
    """For each file whether it was sent. An object's ETag is the MD5 of its bytes, where it was sent in one piece."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
    except ImportError:
        raise PublishError(
            'S3 needs the package boto3, which is not installed: pip install "paper-digest[s3]".'
        ) from None
    try:
        yield from _send(errand, _client(errand.target))
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        raise _failed(errand.target, error) from error


def _client(target: PublishConfig) -> Any:
    import boto3
    from botocore.config import Config

    for name in ("boto3", "botocore", "urllib3"):  # at DEBUG they write down keys and signatures
        logging.getLogger(name).setLevel(logging.ERROR)
    return boto3.session.Session().client(
        "s3",
        endpoint_url=target.endpoint or None,
        region_name=target.region or ("us-east-1" if target.endpoint else None),
        aws_access_key_id=target.access_key or None,
        aws_secret_access_key=target.secret_key or None,
        config=Config(
            connect_timeout=min(_TRY_S, target.timeout_s / _TRIES),
            read_timeout=min(_TRY_S, target.timeout_s / _TRIES),
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=_LANES,
            # An endpoint of one's own seldom has a name in DNS for each bucket.
            s3={"addressing_style": "path"} if target.endpoint else None,
            # Checksums that others than Amazon do not all know (boto3 1.36).
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _send(errand: Errand, client: Any) -> Iterator[bool]:
    prefix = f"{errand.target.prefix.strip('/')}/".lstrip("/")
    there = _listed(errand, client, prefix)

    def put(path: str) -> bool:
        body = (errand.root / path).read_bytes()
        if there.get(prefix + path) == (len(body), hashlib.md5(body, usedforsecurity=False).hexdigest()):
            return False
        if time.monotonic() > errand.deadline:
            raise late(errand.target)
        client.put_object(
            Bucket=errand.target.bucket,
            Key=prefix + path,
            Body=body,
            ContentType=content_type(path),
            # Kept, and asked for again each time by its ETag: a feed that is an hour old is a wrong one.
            CacheControl="no-cache",
        )
        return True

    for step in errand.steps:
        yield from _in_lanes(put, step)


def _in_lanes(put: Callable[[str], bool], paths: tuple[str, ...]) -> Iterator[bool]:
    """What `put` gives for each path, some at a time. The first failure ends it; what waits is not begun."""
    lanes = ThreadPoolExecutor(_LANES)
    try:
        yield from lanes.map(put, paths)
    finally:
        lanes.shutdown(cancel_futures=True)


def _listed(errand: Errand, client: Any, prefix: str) -> dict[str, tuple[int, str]]:
    """Size and ETag of what is there, by key."""
    found: dict[str, tuple[int, str]] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=errand.target.bucket, Prefix=prefix):
        if time.monotonic() > errand.deadline:
            raise late(errand.target)
        found |= {
            item["Key"]: (item.get("Size"), item.get("ETag", "").strip('"'))
            for item in page.get("Contents", ())
        }
    return found


def _failed(target: PublishConfig, error: Exception) -> PublishError:
    where = f"s3://{target.bucket}" + (f" at {target.endpoint}" if target.endpoint else "")
    return PublishError(
        f"{where}: {error}. Check bucket, endpoint, region and the keys; they need the rights to list the bucket and to put "
        "objects."
    )
