"""Outbox: holds final answers back until every earlier frame of the same camera is answered."""

from __future__ import annotations

from collections import deque
from typing import Generic
from typing import TypeVar

from selector.errors import SequenceError

_T = TypeVar('_T')


class Outbox(Generic[_T]):
    """Answers leave in the order in which their frames were received, per camera.

    A camera delivers in stamp order, so that is the order of the stamps. One that does not, or
    whose clock was set back, still gets one answer a frame, in order of receipt.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._lanes: dict[str, deque[tuple[int, list[_T]]]] = {}

    def expect(self, camera: str, sequence: int) -> None:
        """Keep a place for the answer of a frame that was received."""
        self._lanes.setdefault(camera, deque()).append((sequence, []))

    def put(self, camera: str, sequence: int, answer: _T) -> list[_T]:
        """Take in a frame's answer; return the answers that may leave now, in order.

        Raises:
            SequenceError: the frame is not expected, or its answer is there already.
        """
        lane = self._lanes.get(camera, deque())
        place = next((held for expected, held in lane if expected == sequence), None)
        if place is None or place:
            raise SequenceError(f'frame {sequence} waits for no answer', sequence=sequence)
        place.append(answer)
        leaving: list[_T] = []
        while lane and lane[0][1]:
            leaving += lane.popleft()[1]
        return leaving

    @property
    def expected(self) -> int:
        """Frames whose answer has not left."""
        return sum(map(len, self._lanes.values()))
