"""Situation: what is known about the moment of a frame besides its pixels."""

from __future__ import annotations

from typing import NamedTuple

from selector.scene import Look


class Situation(NamedTuple):
    """What is known about the moment of a frame besides its pixels.

    Attributes:
        receive_ns: node clock at receipt [ns].
        now_ns: node clock now, after the fast model [ns].
        context: declared context, '' when unknown or stale.
        stake: w >= 0.
        busy: tiers that cannot take a call now.
        track: id of the thing in view where the robot has a tracker, else -1.
        zone: where the robot is, '' when unknown.
        time_to_collision_s: [s], None when unknown.
        observe: a label will come, so that the slower tier's answer is wanted.
        look: of an image that is not at hand any more; None to look at the frame's pixels.
    """

    receive_ns: int
    now_ns: int
    context: str
    stake: float
    busy: tuple[str, ...] = ()
    track: int = -1
    zone: str = ''
    time_to_collision_s: float | None = None
    observe: bool = False
    look: Look | None = None
