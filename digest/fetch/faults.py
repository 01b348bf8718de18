"""What every part of fetching says when a listing cannot be had: what, where, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from digest.errors import FetchError, FetchTimeout, FetchTooLarge

_Read = TypeVar("_Read")

NETWORK = "Check the address and the network, then run again."


def answer_of(place: str, read: Callable[[], _Read]) -> _Read | FetchError:
    """What `read` gives, or why it gives nothing: whatever one source is, or has been configured to be, the others go on."""
    try:
        return read()
    except FetchError as error:
        return error
    except OSError as error:
        place = str(error.filename or place)
        reason, mend = error.strerror or str(error), "Check path and rights."
    except (ValueError, RuntimeError) as error:  # an address that is none; a home folder that nobody has
        reason, mend = str(error), "Check the address or path, and where it leads on to."
    place = shown(place)
    return FetchError(f"{place}: cannot be read ({shown(reason)}). {mend}", url=place)


def shown(text: str) -> str:
    """A path or address as it may stand in messages and reports: control signs, and bytes of a file name that are no
    UTF-8 (lone surrogates in Python), become U+FFFD."""
    return text if text.isprintable() else re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


def too_slow(url: str, timeout_s: float) -> FetchTimeout:
    return FetchTimeout(
        f"{url}: not read within {timeout_s:g} s. Run again, or raise timeout_s of this source.", url=url
    )


def too_large(location: str, max_bytes: int) -> FetchTooLarge:
    return FetchTooLarge(
        f"{location}: larger than {max_bytes:,} bytes. If that is right, raise max_bytes of this source.",
        url=location,
    )


def wrong_status(url: str, status: int) -> FetchError:
    return FetchError(f"{url}: the server answered {status}. {_status_mend(status)}", url=url, status=status)


def _status_mend(status: int) -> str:
    if status in (401, 403):
        return "It wants a login or keeps programs out; give headers for this source, or leave it out."
    if status in (404, 410):
        return "Mend the address."
    if status == 429 or status >= 500:
        return "It is busy or out of order; run again later."
    if status == 304:
        return "That is no answer to a question without conditions; tell the site, or ask another address."
    return "Open the address in a browser and see what it says."
