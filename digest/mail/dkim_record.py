"""A DKIM key and the record that publishes it (RFC 6376, 3.6): do they belong together, shown by signing. Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64

LEAST_BITS, ADVISED_BITS = 1024, 2048
MAKE = "Make a key with `openssl genrsa -out dkim.pem 2048`"
_SAMPLE = (
    b"From: digest@%b\r\nTo: reader@example.org\r\nSubject: Two papers\r\n\r\nTwo papers are new today.\r\n"
)


def tags(record: str) -> dict[str, str]:
    """The tags of a record "v=DKIM1; p=…" by name (also of DMARC); of a tag that stands twice, the first."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def record_problem(record: str) -> str:
    """Why a record is of no use to us, or ""."""
    found = tags(record)
    if found.get("v", "DKIM1") != "DKIM1":
        return f'its version is "{found["v"]}", not DKIM1'
    if found.get("k", "rsa").lower() != "rsa":
        return f'its key is of kind "{found["k"]}", and ours is rsa'
    if "p" not in found:
        return "it has no key, p="
    if not found["p"]:
        return "its key is revoked: p= is empty"
    if "s" in found and not {"*", "email"} & set(re.split(r"\s*:\s*", found["s"])):
        return f'it is not for mail: s="{found["s"]}"'
    if "h" in found and "sha256" not in re.split(r"\s*:\s*", found["h"]):
        return f'it allows no sha256: h="{found["h"]}"'
    try:
        b64decode(re.sub(r"\s", "", found["p"]), validate=True)
    except BadBase64:
        return "its key, p=, is no base64; a quote or a space too many, perhaps"
    return ""


def key_problem(key: bytes) -> str:
    """Why a private key (PEM) cannot sign, with the mend, or ""."""
    try:
        size = bits(key)
    except ImportError:
        return 'signing needs dkimpy. Install "paper-digest[dkim]".'
    except ValueError:
        return f"the key_file holds no private RSA key (PEM). {MAKE}."
    if size < LEAST_BITS:
        return f"the key has {size} bits, and receivers ignore less than {LEAST_BITS} (RFC 8301). {MAKE}."
    return ""


def bits(key: bytes) -> int:
    """The length of a private key. Raises ValueError where it is none, ImportError without dkimpy."""
    return _numbers(key)[0].bit_length()


def record_of(key: bytes) -> str:
    """The record that publishes a private key's other half."""
    modulus, exponent = _numbers(key)
    public = _der(0x30, _integer(modulus) + _integer(exponent))
    # SubjectPublicKeyInfo (RFC 5280, 4.1): the object identifier of rsaEncryption, NULL, and the key as a bit string.
    kind = _der(0x30, bytes.fromhex("06092a864886f70d010101") + b"\x05\x00")
    whole = _der(0x30, kind + _der(0x03, b"\x00" + public))
    return f"v=DKIM1; k=rsa; p={b64encode(whole).decode('ascii')}"


def verifies(key: bytes, record: str, *, selector: str, domain: str) -> bool:
    """Does a mail that is signed with this key verify against this record?"""
    import dkim

    message = _SAMPLE % domain.encode("ascii")

    def dnsfunc(name: bytes, timeout: float = 5) -> bytes:
        return record.encode()

    signature: bytes = dkim.sign(
        message, selector.encode("ascii"), domain.encode("ascii"), key, canonicalize=(b"relaxed", b"relaxed")
    )
    try:
        return bool(dkim.verify(signature + message, dnsfunc=dnsfunc))
    except (dkim.DKIMException, ValueError):
        return False


def _numbers(key: bytes) -> tuple[int, int]:
    """Modulus and public exponent."""
    from dkim.crypto import UnparsableKeyError, parse_pem_private_key

    try:
        parsed = parse_pem_private_key(key)
        return int(parsed["modulus"]), int(parsed["publicExponent"])
    except (UnparsableKeyError, KeyError, IndexError, TypeError) as error:
        raise ValueError("no private RSA key") from error


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    """A value in DER (X.690): tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
