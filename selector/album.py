"""Album: what is kept of the frames: answers that are carried on, open calls, classes for labels.

The memory is bounded: looks and scores are kept of frames with an open call and of one carried
frame per camera; of the last frames beside that only which class each model named.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from selector.carried import Carried
from selector.evidence import AGE_MAX_S
from selector.evidence import Scene
from selector.evidence import UNSEEN
from selector.frame import Frame
from selector.prediction import Prediction
from selector.scene import change
from selector.scene import Look
from selector.scene import look
from selector.task import Task


class Page(NamedTuple):
    """What is kept of one frame.

    Attributes:
        frame: the frame, without its pixels.
        look: of its image, None without one.
        track: id of the thing in view, -1 where the stream has none.
        fast: the fast answer, None without one.
        fast_loss: P(fast wrong).
        carried: the answer that was carried on to this frame, None without one.
        slow: the slower tier's answer, None without one.
        slow_loss: P(that answer wrong).
    """

    frame: Frame
    look: Look | None
    track: int
    fast: Prediction | None
    fast_loss: float = 1.0
    carried: Prediction | None = None
    slow: Prediction | None = None
    slow_loss: float = 1.0


class Kept(NamedTuple):
    """An earlier answer as it is carried on to a frame.

    Attributes:
        prediction: the answer, None where there is none.
        loss: P(it was wrong about its own frame).
        age_s: time between the two frames [s].
    """

    prediction: Prediction | None
    loss: float
    age_s: float


NOTHING_KEPT = Kept(None, 1.0, 0.0)


class Named(NamedTuple):
    """Which class each model named on a frame, for a label that comes late.

    Attributes:
        frame: the frame, without its pixels.
        fast, slow: the answers without their scores, None without one.
        tier: whose answer `slow` is, '' without one.
        committed: the final answer without its scores, None without one.
    """

    frame: Frame
    fast: Prediction | None
    slow: Prediction | None = None
    tier: str = ''
    committed: Prediction | None = None


class Album:
    """The carried frame of each camera and the last frames of all cameras."""

    def __init__(self, fast: str, frames_max: int, task: Task) -> None:
        """Take the name of the fast tier, how many frames are kept for labels, and the task."""
        self._fast, self._frames_max, self._task = fast, frames_max, task
        self._carried: dict[str, Page] = {}
        self._named: OrderedDict[int, Named] = OrderedDict()

    def put(self, page: Page, committed: Prediction | None = None) -> None:
        """Keep the classes of a frame that has been decided about; `committed` is its answer."""
        fast = self._bare(page.fast)
        final = fast if committed is page.fast else self._bare(committed)
        named = Named(page.frame, fast, committed=final)
        self._named[page.frame.sequence] = named
        if len(self._named) > self._frames_max:
            self._named.popitem(last=False)

    def answered(self, page: Page, tier: str, *, carried: bool) -> None:
        """Keep a slower tier's answer, and its frame where that is `carried` on from now."""
        sequence = page.frame.sequence
        if sequence in self._named:
            self._named[sequence] = self._named[sequence]._replace(
                slow=self._bare(page.slow), tier=tier
            )
        if carried:
            self._carried[page.frame.camera] = page

    def committed(self, sequence: int, answer: Prediction | None) -> None:
        """Keep the final answer of a frame."""
        if sequence in self._named:
            self._named[sequence] = self._named[sequence]._replace(committed=self._bare(answer))

    def named(self, sequence: int) -> Named | None:
        """Return what the models said about a frame, None where it is forgotten."""
        return self._named.get(sequence)

    def at(self, stamp_ns: int) -> int | None:
        """Return the sequence number of the latest frame with this stamp [ns]."""
        for sequence in reversed(self._named):
            if self._named[sequence].frame.stamp_ns == stamp_ns:
                return sequence
        return None

    def kept(self, page: Page, carried: Carried | None) -> Kept:
        """Return the answer that is carried on to the frame of `page`."""
        source = self._source(page, carried)
        if source is None or carried is None:
            return NOTHING_KEPT
        age_s = (page.frame.stamp_ns - source.frame.stamp_ns) * 1e-9
        if carried.tier == self._fast:
            return Kept(source.fast, source.fast_loss, age_s)
        return Kept(source.slow, source.slow_loss, age_s)

    def scene(self, page: Page, carried: Carried | None) -> Scene:
        """Return the scene of a frame beside the one whose answer is carried on to it."""
        now, source = page.look, self._source(page, carried)
        seen = UNSEEN
        if now is None and source is None:
            return seen
        if now is not None:
            seen = seen._replace(sharpness=now.sharpness, exposure=now.exposure)
        if source is None:
            return seen
        if now is not None and source.look is not None:
            seen = seen._replace(scene_change=change(now, source.look))
        return seen._replace(
            slow_age_s=min(AGE_MAX_S, (page.frame.stamp_ns - source.frame.stamp_ns) * 1e-9),
            track_agreement=self._agreement(page, source),
        )

    def _source(self, page: Page, carried: Carried | None) -> Page | None:
        if carried is None:
            return None
        source = self._carried.get(page.frame.camera)
        return source if source and source.frame.sequence == carried.sequence else None

    def _agreement(self, one: Page, other: Page) -> float:
        if one.track >= 0 and other.track >= 0:
            return 1.0 if one.track == other.track else 0.0
        if one.fast is None or other.fast is None:
            return 0.0
        return self._task.likeness(one.fast, other.fast)

    def _bare(self, answer: Prediction | None) -> Prediction | None:
        return None if answer is None else self._task.bare(answer)


def look_at(frame: Frame) -> Look | None:
    """Return the look of a frame, None where it has no pixels."""
    return None if frame.image is None else look(frame.image)
