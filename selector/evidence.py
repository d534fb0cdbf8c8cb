"""Evidence: the numbers about a frame that the predicted gain may use."""

from __future__ import annotations

from typing import NamedTuple

AGE_MAX_S = 60.0
"""An answer older than this is as old as it gets; also the age where there is none [s]."""


class Evidence(NamedTuple):
    """What an answer says about itself.

    Attributes:
        confidence: largest class probability, raw, in [0, 1].
        margin: largest minus second largest class probability, in [0, 1].
        entropy: entropy of the class probabilities over its maximum, in [0, 1].
    """

    confidence: float
    margin: float
    entropy: float


class Scene(NamedTuple):
    """What the image says, alone and beside the frame of the last answer of a slower tier.

    Attributes:
        sharpness: local contrast of the image over its overall contrast, in [0, 1].
        exposure: mean luminance of the image over white, in [0, 1].
        scene_change: 1 - likeness of the image and the frame that was last answered by a slower
            tier, in [0, 1]; 1 where there is none.
        slow_age_s: age of that answer [s], in [0, AGE_MAX_S]; AGE_MAX_S where there is none.
        track_agreement: belief that both show the same thing, in [0, 1]: 1 or 0 by the track id
            where the stream has one, else the overlap of the fast model's scores then and now; 0
            where there is no such answer.
    """

    sharpness: float
    exposure: float
    scene_change: float
    slow_age_s: float
    track_agreement: float


UNSEEN = Scene(0.5, 0.5, 1.0, AGE_MAX_S, 0.0)
"""The scene of a frame about which nothing is known but its answer."""

EVIDENCE_NAMES = Evidence._fields
SCENE_NAMES = Scene._fields
