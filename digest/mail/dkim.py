"""Signing by ourselves (RFC 6376), for who has no relay that signs. dkimpy is the extra `[dkim]`, imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from digest.addresses import ascii_address
from digest.config import Config
from digest.errors import ConfigError
from digest.model import Message

T = TypeVar("T")
M = TypeVar("M", Message, Message | None)

# dkimpy's own choice lacks List-Unsubscribe-Post, which RFC 8058, 4 wants signed beside List-Unsubscribe. From is named twice
# ("oversigned"): a second one that is put in on the way breaks the signature.
SIGNED = (
    b"from", b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
    b"list-id", b"list-unsubscribe", b"list-unsubscribe-post", b"auto-submitted",
)  # fmt: skip


def signer(config: Config, key_pem: bytes) -> Callable[[bytes], bytes]:
    """What gives the DKIM-Signature header of a whole message, with CRLF: rsa-sha256, relaxed/relaxed, the whole body.

    Raises ConfigError where dkimpy is missing or the key is none.
    """
    settings = config.mail.dkim
    domain = ascii_address(settings.domain or config.mail.domain)
    try:
        import dkim
    except ImportError:
        raise ConfigError(
            f'{config.file}, [mail], "dkim": signing needs dkimpy. Install it with `pip install "paper-digest[dkim]"`, '
            'or take "selector" away and let your relay sign.',
            path=config.file,
            key="dkim",
        ) from None

    def sign(message: bytes) -> bytes:
        try:
            made = dkim.DKIM(message, linesep=b"\r\n")
            header: bytes = made.sign(
                settings.selector.encode("ascii"),
                domain.encode("ascii"),
                key_pem,
                canonicalize=(b"relaxed", b"relaxed"),
                include_headers=[name for name in SIGNED if _has(message, name)],
            )
        except (dkim.DKIMException, ValueError) as error:
            raise ConfigError(
                f'{config.file}, [mail], "dkim": a mail could not be signed with {settings.key_file} ({error}). '
                "Make a key with `openssl genrsa -out dkim.pem 2048`.",
                path=config.file,
                key="key_file",
            ) from error
        return header

    return sign


def signed(message: Message, sign: Callable[[bytes], bytes] | None) -> Message:
    """The message with the header that `sign` gives before it, where there is one that signs."""
    return replace(message, pieces=(sign(message.data), *message.pieces)) if sign else message


def signing(compose: Callable[[T], M], sign: Callable[[bytes], bytes] | None) -> Callable[[T], M]:
    """The same, with every message signed."""

    def made(copy: T) -> M:
        message = compose(copy)
        return message and signed(message, sign)

    return made if sign else compose


def _has(message: bytes, name: bytes) -> bool:
    head = b"\r\n" + message[: message.find(b"\r\n\r\n")].lower()
    return b"\r\n" + name + b":" in head
