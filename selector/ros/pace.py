"""Pace: how far the player may be ahead of the answers, and how far it has come."""

from __future__ import annotations

from collections import Counter
import math
import struct
import sys
import time

from selector.errors import BagError

_PROGRESS_S = 0.2


class Window:
    """Which images wait for a final answer.

    Attributes:
        sent: images sent.
        answered: final answers to them.
    """

    def __init__(self, ahead: int) -> None:
        """Allow `ahead` images to wait."""
        self.sent, self.answered = 0, 0
        self._ahead = ahead
        self._waiting: Counter[int] = Counter()

    @property
    def full(self) -> bool:
        """Whether the next image has to be held back."""
        return self.open >= self._ahead

    @property
    def open(self) -> int:
        """Images that wait."""
        return self._waiting.total()

    def send(self, stamp_ns: int) -> None:
        """Count an image; `stamp_ns` of its header [ns]."""
        self.sent += 1
        self._waiting[stamp_ns] += 1

    def answer(self, stamp_ns: int) -> None:
        """Count a final answer; one to an image that was given up is late, not lost."""
        if self._waiting[stamp_ns] > 0:
            self._waiting[stamp_ns] -= 1
            self.answered += 1

    def give_up(self) -> None:
        """Wait for none of them any longer."""
        self._waiting.clear()


def image_stamp_ns(data: bytes) -> int:
    """Return the header stamp of a serialized image [ns] without decoding its pixels.

    Raises:
        BagError: the message is shorter than a header.
    """
    if len(data) < 12:
        raise BagError(f'an image message of {len(data)} bytes has no header')
    order = '<' if data[1] & 1 else '>'
    seconds, nanoseconds = struct.unpack_from(f'{order}iI', data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


class Progress:
    """One line that is written over, or a line every tenth where nobody watches."""

    def __init__(self, total: int) -> None:
        """Take the number of messages; 0 keeps silent."""
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._told_s, self._tenths = -math.inf, 0

    def tell(self, count: int, window: Window) -> None:
        """Tell that `count` messages have been played."""
        if not self._total:
            return
        text = f'{100 * count // self._total} %, {window.sent} images, {window.answered} answered'
        if self._terminal:
            if time.monotonic() - self._told_s > _PROGRESS_S or count == self._total:
                self._told_s = time.monotonic()
                end = '\n' if count == self._total else ''
                print(f'\rplayer: {text}', end=end, file=sys.stderr, flush=True)
        elif 10 * count // self._total > self._tenths:
            self._tenths = 10 * count // self._total
            print(f'player: {text}', file=sys.stderr, flush=True)
