"""Mails that there was no edition, to readers who asked to hear that: with the headers of an edition, since they go to a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

from digest.config import Config
from digest.errors import MailError
from digest.mail.compose import KEPT_EDITIONS, Composed, Composer
from digest.model import Edition, Letter, Message, Said
from digest.render import Renderer
from digest.tokens import Tokens


def notices(
    config: Config,
    renderer: Renderer,
    tokens: Tokens,
    said: Callable[[str, date, int], Sequence[Said]],
) -> Callable[[Letter], Message]:
    """What makes the message of a letter of kind "notice"; it raises MailError, permanent, for one of a digest that is gone.

    `said` gives what the sources of a digest said in so many days up to one.
    """
    run = Composer(config, renderer, tokens, _no_edition)

    @lru_cache(KEPT_EDITIONS)
    def composed(digest: str, day: date, weekly: bool, text_only: bool) -> Composed:
        return run.notice(
            digest, day, said(digest, day, 7 if weekly else 1), weekly=weekly, text_only=text_only
        )

    def message(letter: Letter) -> Message:
        if letter.day is None or all(digest.name != letter.digest for digest in config.digest):
            raise MailError(f'there is no [[digest]] "{letter.digest}" any more', permanent=True)
        chosen = letter.subscriber.preferences
        made = composed(letter.digest, letter.day, chosen.frequency == "weekly", chosen.text_only)
        return made.message(letter)

    return message


def _no_edition(digest: str, edition_id: str) -> Edition:
    raise LookupError(edition_id)
