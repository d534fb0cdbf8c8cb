"""Moment: all that is known about one frame when it is decided about, and its record."""

from __future__ import annotations

from typing import NamedTuple

from selector.carried import Carried
from selector.decision import Base
from selector.decision import Decision
from selector.decision import Purse
from selector.decision import REUSE
from selector.decision import TierKind
from selector.decision import Weights
from selector.gain import Forecast
from selector.gain import View
from selector.justification import Justification
from selector.justification import Offer
from selector.price import Price
from selector.purses import Purses
from selector.ruling import Ruled


class Moment(NamedTuple):
    """One frame at its decision.

    Attributes:
        offer: the frame as offered.
        view: what the predictor sees of it.
        carried: the answer that is carried on to it.
        forecast: what is predicted.
        ruled: what the declared table says.
        price: of each resource.
        weights: what a gain is worth.
        elapsed_s: time since the frame before that counted [s].
    """

    offer: Offer
    view: View
    carried: Carried | None
    forecast: Forecast
    ruled: Ruled
    price: Price
    weights: Weights
    elapsed_s: float

    @property
    def classes(self) -> tuple[int, int]:
        """Class of the fast and of the carried answer, -1 without one."""
        return self.offer.fast_class, -1 if self.carried is None else self.carried.class_id


class Marks(NamedTuple):
    """What a record says about the circumstances of its decision.

    Attributes:
        overdrawn: it overdraws the safety reserve.
        shadow: it is recorded only.
        degraded: the frame could not be answered as usual.
        probability: pi, P(slow's answer is observed on this frame).
    """

    overdrawn: bool
    shadow: bool
    degraded: bool
    probability: float


def base_answer(
    fast: str, carried: Carried | None, forecast: Forecast, pending: bool = False
) -> Base:
    """Return the answer without an invocation: the carried one where it is expected to gain.

    Where the fast model has not run yet (`pending`), equal is enough: its run is saved.
    """
    gain = forecast.reuse_gain
    if carried is not None and (gain > 0.0 or (pending and gain >= 0.0)):
        return Base(REUSE, TierKind.REUSE, forecast.reuse_gain)
    return Base(fast, TierKind.FAST, 0.0)


def justify(moment: Moment, decision: Decision, purses: Purses, marks: Marks) -> Justification:
    """Return the record of a decision, before the ledgers are charged with it."""
    forecast, carried = moment.forecast, moment.carried
    return Justification(
        moment.offer,
        forecast.fast_loss,
        -1 if carried is None else carried.sequence,
        '' if carried is None else carried.tier,
        forecast.stale,
        forecast.reuse_gain,
        forecast.reach,
        forecast.support,
        forecast.missing,
        forecast.tables,
        forecast.out_of_support,
        forecast.reference,
        moment.weights.stake,
        moment.ruled.undecided_s,
        moment.ruled.effects.matched,
        decision,
        moment.price.scarcity,
        purses.rule.left,
        purses.left(Purse.AUDIT),
        purses.left(Purse.SAFETY),
        purses.spent,
        purses.accrued,
        marks.overdrawn,
        marks.shadow,
        marks.degraded,
        marks.probability,
    )
