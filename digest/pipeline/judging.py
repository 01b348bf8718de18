"""What the answers of one run mean together: a reader's own trouble, an accident, or a server that is of no use to us now."""

from __future__ import annotations

import threading

from digest.errors import MailError
from digest.mail.replies import Stage, Verdict, is_policy, verdict
from digest.model import Receipt

# A server that answers 5.7.x ("policy", "relaying denied") to every fifth of at least ten means us, not its readers.
_POLICY_REFUSALS = 10
_POLICY_SHARE = 5
# One that knows no user in more than half of at least twenty answers is set up wrongly: readers do not vanish together.
_ANSWERS_TO_TRUST = 20
# So is one that knows none of a few, as the readers of a small list are.
_FEW = 3


class Judge:
    """Hears every answer and every failure of a run, in the threads of its connections, and says when the run is over.

    `error` is then why, for the operator; `fatal` what ended it that is no matter of mail; `back_off` whether the server
    asked to be left alone, `refused` whether it is the server that ended the run.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._turn = threading.Lock()
        self._counted = self._policy = self._unknown = 0
        self._said_of_unknown = ""
        self._proven = False  # has the server answered since the last lost connection?
        self.heard_any = False
        self.error: str | None = None
        self.fatal: BaseException | None = None
        self.back_off = self.refused = False
        self.over = False

    def closed(self) -> bool:
        """Is nothing more to be sent?"""
        return self.over or self.ended_early()

    def ended_early(self) -> bool:
        return self.error is not None or self.fatal is not None or self._stop.is_set()

    def trusts_refusals(self) -> bool:
        """May readers be given up by now, since enough of them are known?"""
        return self._counted >= _ANSWERS_TO_TRUST and not self.ended_early()

    def heard(self, receipt: Receipt, stage: Stage) -> Verdict:
        """What is to be done after this answer."""
        found: Verdict = "accepted"
        if receipt.status != "accepted":  # the folder has no reply codes
            found = verdict(receipt.reply_code, receipt.enhanced_code, receipt.text, stage=stage)
        with self._turn:
            if receipt.reply_code is not None:  # what we refuse ourselves says nothing of the server
                self._proven = self.heard_any = True
            if found not in ("retry", "back-off"):
                self._count(receipt, found)
        return found

    def _count(self, receipt: Receipt, found: Verdict) -> None:
        self._counted += 1
        if found == "accepted":
            return
        said = f"{receipt.reply_code} {receipt.enhanced_code or ''}".strip()
        if found == "suppress":
            self._unknown += 1
            self._said_of_unknown = said
            if self._counted >= _ANSWERS_TO_TRUST and self._unknown * 2 > self._counted:
                self._knows_nobody()
        elif found == "stop":
            self._end(
                f"The mail server refuses us ({said}): all mail stays queued. "
                'Check "from" in [mail] and "username" in [mail], "smtp"; then run `digest send`.'
            )
        elif is_policy_refusal(receipt, found):
            self._policy += 1
            if self._policy >= max(_POLICY_REFUSALS, self._counted / _POLICY_SHARE):
                self._end(
                    f"The mail server refuses our mail by its own policy ({said}), "
                    f"{self._policy} times in this run: no reader is at fault, and all mail stays queued. "
                    'Ask who runs it, or check "username", "host" and "from" in [mail]; then run `digest send`.'
                )

    def heard_all(self) -> None:
        """No answer is to come. To be called before anybody is given up for good."""
        with self._turn:
            if self._unknown == self._counted >= _FEW and not self.ended_early():
                self._knows_nobody()

    def _knows_nobody(self) -> None:
        self._end(
            f"The mail server knows no such user ({self._said_of_unknown}) in {self._unknown} of {self._counted} answers of this "
            "run: that is its fault and not the readers'; none of them was given up, and their mail stays queued. "
            'Check "host" in [mail], "smtp", and ask who runs it; then run `digest send`. '
            "Whoever is gone indeed: `digest subscribers remove ADDRESS`."
        )

    def failed(self, error: MailError) -> None:
        """One lost connection among answers is an accident; one at the start or two in a row are a server that is gone."""
        with self._turn:
            if error.reply_code is not None:
                found = verdict(error.reply_code, None, str(error), stage="connect")
                self.back_off = self.back_off or found == "back-off"
            if error.permanent or error.reply_code is not None or not self._proven:
                self._end(str(error))
            self._proven = False

    def broken(self, error: BaseException) -> None:
        """Something that is no matter of mail has failed: nothing more is sent."""
        with self._turn:
            self.fatal = self.fatal or error

    def _end(self, error: str) -> None:
        self.refused = self.refused or self.error is None
        self.error = self.error or error


def is_policy_refusal(receipt: Receipt, found: Verdict) -> bool:
    return found == "soft" and is_policy(receipt.enhanced_code, receipt.text)
