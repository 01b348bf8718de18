"""How many failed mails an address may have, and how fast they are forgotten.

A mailbox that is full or a server that is away for a day is no reason to give a reader up; one that fails week after week is.
"""

from __future__ import annotations

from datetime import timedelta

# A subscriber whose score reaches this gets no more mail. A failed mail counts one point, at most one each day.
LIMIT = 5.0
# A score is half of itself after so long without a failed mail.
HALF_LIFE = timedelta(days=7)
# Readers do not vanish together: where so many of the list, and a few at least, were given up within a day, the fault may be that
# of a server between, and those that follow are counted.
DAY = timedelta(days=1)
FEW, SHARE = 3, 20
