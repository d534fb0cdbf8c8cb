"""Stream: what both models say about each frame of a sequence, and the truth about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EPOCH_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
"""10 Hz."""


class Stream(NamedTuple):
    """N frames in the order in which the camera delivers them; a policy sees them one by one.

    The last four fields replace what is otherwise derived from the scores. Only made-up streams
    set them, where the evidence must not give away which class was chosen.

    Attributes:
        name: what the charts and tables call it.
        stamp_ns: (N,) int64 capture time at 10 Hz [ns].
        context: (N,) str declared context, '' where there is none.
        cluster: (N,) int64 source image, track or bag frame; rows that share one are not
            independent, so that intervals resample clusters.
        fast_scores: (N, C) float64 class probabilities of the fast model.
        slow_scores: (N, C) float64 class probabilities of the slow model.
        label: (N,) int64 true class.
        sharpness: (N,) float64 local contrast over overall contrast, in [0, 1].
        exposure: (N,) float64 mean luminance over white, in [0, 1].
        thumbnail: (N, 12, 12) float32 mean luminance of each cell, 0 to 255; None where there is
            no image.
        evidence_override: (N, 3) float64, or None.
        slow_evidence_override: (N, 3) float64, or None.
        fast_class_override: (N,) int64, or None.
        slow_class_override: (N,) int64, or None.
    """

    name: str
    stamp_ns: NDArray[np.int64]
    context: NDArray[np.str_]
    cluster: NDArray[np.int64]
    fast_scores: NDArray[np.float64]
    slow_scores: NDArray[np.float64]
    label: NDArray[np.int64]
    sharpness: NDArray[np.float64]
    exposure: NDArray[np.float64]
    thumbnail: NDArray[np.float32] | None = None
    evidence_override: NDArray[np.float64] | None = None
    slow_evidence_override: NDArray[np.float64] | None = None
    fast_class_override: NDArray[np.int64] | None = None
    slow_class_override: NDArray[np.int64] | None = None

    @property
    def fast_class(self) -> NDArray[np.int64]:
        """(N,) class that the fast model names; the first of equals."""
        given = self.fast_class_override
        return np.asarray(self.fast_scores.argmax(axis=1)) if given is None else given

    @property
    def slow_class(self) -> NDArray[np.int64]:
        """(N,) class that the slow model names; the first of equals."""
        given = self.slow_class_override
        return np.asarray(self.slow_scores.argmax(axis=1)) if given is None else given

    @property
    def fast_loss(self) -> NDArray[np.float64]:
        """(N,) 0 where the fast model names the true class, else 1."""
        return np.asarray(self.fast_class != self.label, np.float64)

    @property
    def slow_loss(self) -> NDArray[np.float64]:
        """(N,) 0 where the slow model names the true class, else 1."""
        return np.asarray(self.slow_class != self.label, np.float64)

    @property
    def gain(self) -> NDArray[np.float64]:
        """(N,) loss that the slow model saves, in {-1, 0, 1}."""
        return self.fast_loss - self.slow_loss

    @property
    def disagreement(self) -> NDArray[np.bool_]:
        """(N,) whether the models name different classes."""
        return np.asarray(self.fast_class != self.slow_class)

    @property
    def evidence(self) -> NDArray[np.float64]:
        """(N, 3) confidence, margin and entropy of the fast answers."""
        given = self.evidence_override
        return evidence(self.fast_scores) if given is None else given

    @property
    def slow_evidence(self) -> NDArray[np.float64]:
        """(N, 3) confidence, margin and entropy of the slow answers."""
        given = self.slow_evidence_override
        return evidence(self.slow_scores) if given is None else given


def evidence(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 3) confidence, margin and entropy over its maximum of scores (N, C >= 2).

    The same numbers as `selector.tasks.classification.evidence`, up to rounding.
    """
    top = np.partition(scores, scores.shape[1] - 2, axis=1)[:, -2:]
    # log 1 = 0 stands in for 0 log 0.
    nats = -(scores * np.log(np.where(scores > 0.0, scores, 1.0))).sum(axis=1)
    entropy = np.clip(nats / np.log(scores.shape[1]), 0.0, 1.0)
    return np.stack([top[:, 1], top[:, 1] - top[:, 0], entropy], axis=1)


def stamps(count: int) -> NDArray[np.int64]:
    """Return the capture times (count,) of frames at 10 Hz [ns]."""
    return EPOCH_NS + PERIOD_NS * np.arange(count, dtype=np.int64)


def part(
    stream: Stream, rows: NDArray[np.integer] | NDArray[np.bool_], restamp: bool = False
) -> Stream:
    """Return some frames of a stream.

    Args:
        stream: N frames.
        rows: numbers of the frames in the new order, which may repeat, or a mask (N,).
        restamp: give the frames new stamps at 10 Hz; needed wherever the order changes, as time
            must not run backwards.
    """
    fields = [None if field is None else field[rows] for field in stream[1:]]
    made = Stream(stream.name, *fields)  # type: ignore[arg-type]
    return made._replace(stamp_ns=stamps(len(made.label))) if restamp else made
