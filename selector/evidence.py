"""Evidence: the numbers about a frame that the predicted gain may use."""

from __future__ import annotations

from typing import NamedTuple


class Evidence(NamedTuple):
    """What the fast answer says about itself.

    Attributes:
        confidence: largest class probability, raw, in [0, 1].
        margin: largest minus second largest class probability, in [0, 1].
        entropy: entropy of the class probabilities over its maximum, in [0, 1].
    """

    confidence: float
    margin: float
    entropy: float


EVIDENCE_NAMES = Evidence._fields
