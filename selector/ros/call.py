"""Call: what is remembered of an image, and of the slow call it waits for."""

from __future__ import annotations

from typing import NamedTuple

from std_msgs.msg import Header


class Source(NamedTuple):
    """The message a frame came in: its header, and when it was received."""

    header: Header
    receive_ns: int
    receive_s: float


class Call(NamedTuple):
    """The running call of the slow model.

    Attributes:
        sequence: of its frame.
        source: of its frame.
        start_s: when it was submitted (steady clock) [s].
        allowed_s: from then to the frame's deadline [s].
    """

    sequence: int
    source: Source
    start_s: float
    allowed_s: float
