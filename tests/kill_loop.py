"""Starts a command again and again and ends it with SIGKILL while it works; what arrived at the server is the proof."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from smtp_servers import SmtpServer, Taken


@dataclass
class Tally:
    """What a loop did. `cuts` holds, for each kill, how many mails the server had taken when the process was gone."""

    runs: int = 0
    cuts: list[int] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return len(self.cuts)


def kill_loop(
    command: Sequence[str],
    server: SmtpServer,
    *,
    kills: int,
    rng: random.Random,
    refill: Callable[[], None],
    most_mails: int = 60,
    longest_start_s: float = 0.5,
) -> Tally:
    """Runs the command until `kills` kills have hit it alive, then once to its end, which must be a success.

    The moment of a kill is either that of the n-th further mail (n at random up to `most_mails`) or, in one of five, a
    random time after the start, so that the first statements of a run are hit too. `refill` is called before each run
    and sees to it that there is more to send than that.
    """
    tally = Tally()
    while tally.kills < kills:
        refill()
        tally.runs += 1
        with subprocess.Popen(command) as child:
            if rng.random() < 0.2:
                _wait_at_most(child, rng.uniform(0, longest_start_s))
            else:
                target = len(server.taken) + rng.randint(1, most_mails)
                while child.poll() is None and not server.wait_for(target, timeout=0.05):
                    continue
            child.kill()
            ended = child.wait(60)
        server.settle()
        assert ended in (-signal.SIGKILL, 0), f"{command[:3]} ended with {ended}"
        if ended:
            tally.cuts.append(len(server.taken))
    tally.runs += 1
    subprocess.run(command, check=True, timeout=300)
    return tally


def _wait_at_most(child: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def duplicates_per_kill(taken: Sequence[Taken], cuts: Sequence[int]) -> list[int]:
    """How many mails that the server had taken before each kill, and after the one before it, came once more; the last number is
    of those that were taken after the last kill.

    They may come late: the run behind a kill may be killed itself before it has sent all that was in doubt.
    """
    taken_in: dict[tuple[str, str], int] = {}
    counts = [0] * (len(cuts) + 1)
    stretch = 0
    for nth, mail in enumerate(taken):
        while stretch < len(cuts) and nth >= cuts[stretch]:
            stretch += 1
        key = (mail.recipient, mail.message_id)
        if key in taken_in:
            counts[taken_in[key]] += 1
        taken_in[key] = stretch
    return counts


def copies(taken: Sequence[Taken]) -> Counter[tuple[str, str]]:
    """How often each (recipient, Message-ID) came."""
    return Counter((mail.recipient, mail.message_id) for mail in taken)
