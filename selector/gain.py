"""Gain: the accuracy a slower tier is expected to add to the fast answer, and who predicts it."""

from __future__ import annotations

from typing import NamedTuple
from typing import Protocol

from selector.evidence import Evidence
from selector.evidence import Scene
from selector.evidence import UNSEEN


class View(NamedTuple):
    """What a predictor may look at: one frame as the fast model and the camera show it.

    Attributes:
        evidence: of the fast answer, None where there is no fast answer.
        scene: of the image.
        context: declared context, '' when unknown.
        pending: no model has run on the frame yet; there is no evidence then.
        carried: name of the tier whose earlier answer is carried on, '' where there is none.
    """

    evidence: Evidence | None
    scene: Scene = UNSEEN
    context: str = ''
    carried: str = ''
    pending: bool = False


class Gain(NamedTuple):
    """Expected loss of the fast answer minus expected loss of the slower tier's answer.

    Attributes:
        mean: in [-1, 1]; disagreement * khat where it is predicted that way.
        width: half-width of its 95 % interval, >= 0.
        disagreement: dhat, P(the tier's answer differs from the fast one) in [0, 1], optimism
            included.
        khat: share of a disagreement by which the tier is better, in [-1, 1].
    """

    mean: float
    width: float
    disagreement: float = 0.0
    khat: float = 1.0


class Forecast(NamedTuple):
    """What is predicted about one frame before anything is invoked.

    Attributes:
        fast_loss: P(fast wrong) in [0, 1]; 1 when there is no fast answer.
        gains: one per tier, in the order they were asked for.
        stale: P(the carried answer is no longer right, given that it was) in [0, 1]; 1 where
            nothing is carried.
        reuse_gain: expected gain of the carried answer over the fast one, in [-1, 1]; -1 where
            nothing is carried.
        reach: frames that a fresh answer serves, this one included, >= 1.
        support: pairs behind the prediction: labelled ones of the fit, and observed ones.
        missing: observed answers still missing before it may be acted upon.
        tables: name of the context whose tables or learner were used.
        out_of_support: the evidence lies outside the range seen at fitting.
        reference: what counts as right: `LABEL` or `SLOWEST_ASSUMED`.
    """

    fast_loss: float
    gains: tuple[Gain, ...]
    stale: float = 1.0
    reuse_gain: float = -1.0
    reach: float = 1.0
    support: int = 0
    missing: int = 0
    tables: str = 'all'
    out_of_support: bool = False
    reference: str = 'LABEL'


class Observation(NamedTuple):
    """A slower tier's answer on a frame, as a predictor learns from it.

    Attributes:
        tier: whose answer it is.
        view: the frame as it was when it was decided about.
        disagreement: distance of the answer from the fast one in [0, 1], None without a fast one.
        stale: distance of the answer from the one that was carried in [0, 1], None without one.
        probability: pi, the probability with which this frame was observed, in (0, 1].
    """

    tier: str
    view: View
    disagreement: float | None
    stale: float | None
    probability: float = 1.0


class Truth(NamedTuple):
    """What a label says about a frame.

    Attributes:
        view: the frame as it was when it was decided about.
        fast_loss: loss of the fast answer against the label in [0, 1], None without one.
        tier: the slower tier that was observed on this frame, '' for none.
        tier_loss: loss of its answer against the label, None without one.
        disagreement: distance of the two answers in [0, 1], None where one is missing.
        probability: pi, the probability with which both answers were observed, in (0, 1].
    """

    view: View
    fast_loss: float | None
    tier: str = ''
    tier_loss: float | None = None
    disagreement: float | None = None
    probability: float = 1.0


class GainPredictor(Protocol):
    """The policy contract: predicts losses and gains, and learns.

    Whatever it returns enters the decision, and the log, as a recorded value. It reads no clock
    and draws no random number: the same calls in the same order give the same results.
    """

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """Return what is predicted about a frame; one gain for each of `tiers`."""

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float]:
        """Return (P(fast wrong), P(answer wrong)), now that `tier` has given another answer."""

    def observe(self, seen: Observation) -> None:
        """Learn from a slower tier's answer, on time or late."""

    def label(self, truth: Truth) -> None:
        """Learn from a label."""
