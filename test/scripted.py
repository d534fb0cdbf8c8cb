"""Scripted: the parts of a decision with the numbers a test wants."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings as property_settings
from selector.budget import Resource
from selector.controller import Controller
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.evidence import Evidence
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.settings import Settings

# A busy machine is no reason for a property to fail.
PATIENT = property_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECOND_NS = 1_000_000_000
EVIDENCE = Evidence(0.6, 0.3, 0.5)
CALLS = Resource(
    name='slow_calls',
    rate=2.0,
    burst=20.0,
    price_ceiling=1.0,
    exchange_rate=0.05,
    cost_max=1.0,
)


class ScriptedGain:
    """Predicts what it was told to; a tier that is not named gains 0."""

    def __init__(self, gains: Mapping[str, float] | None = None) -> None:
        self.gains: Mapping[str, float] = gains or {}
        self.fast_loss = 0.5
        self.blind_loss = 1.0
        self.tier_loss = 0.1
        self.reuse_gain = -1.0
        self.reach = 1.0
        self.missing = 0
        self.views: list[View] = []
        self.observed: list[Observation] = []
        self.labelled: list[Truth] = []

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """Return the scripted numbers; `blind_loss` without a fast answer."""
        self.views.append(view)
        return Forecast(
            self.blind_loss if view.evidence is None else self.fast_loss,
            tuple(Gain(self.gains.get(name, 0.0), 0.05, 0.5, 1.0) for name in tiers),
            stale=0.2 if view.carried else 1.0,
            reuse_gain=self.reuse_gain if view.carried else -1.0,
            reach=self.reach,
            support=100,
            missing=self.missing,
        )

    def losses(self, _tier: str, view: View, _answer: Evidence) -> tuple[float, float]:
        """Return the scripted losses of the fast and of a slower tier's answer."""
        return self.blind_loss if view.evidence is None else self.fast_loss, self.tier_loss

    def observe(self, seen: Observation) -> None:
        """Note what there was to learn from."""
        self.observed.append(seen)

    def label(self, truth: Truth) -> None:
        """Note what a label said."""
        self.labelled.append(truth)


def tier(name: str = 'slow', **changes: Any) -> TierSpec:
    """Return a tier that costs one call and takes 20 to 30 ms."""
    values: dict[str, Any] = {
        'kind': TierKind.SLOW,
        'model': f'{name}_model',
        'cost': (1.0,),
        'cost_cap': (1.0,),
        'latency_p50_s': 0.02,
        'latency_p99_s': 0.03,
        'energy_j': None,
        'energy_kind': 'unknown',
    }
    return TierSpec(name=name, **(values | changes))


def settings(
    tiers: Iterable[TierSpec] | None = None,
    resources: Iterable[Resource] = (CALLS,),
    **changes: Any,
) -> Settings:
    """Return settings with one slow tier and a budget of calls."""
    chosen = (tier(),) if tiers is None else tuple(tiers)
    return Settings(fast='fast', tiers=chosen, resources=tuple(resources), **changes)


def controller(gains: Mapping[str, float] | None = None, **changes: Any) -> Controller:
    """Return a controller whose predictor always gives `gains`."""
    return Controller(settings(**changes), ScriptedGain(gains))


def offer(sequence: int = 0, stamp_ns: int | None = None, **changes: Any) -> Offer:
    """Return a frame that the fast model has answered, with 60 ms left; 10 frames a second."""
    stamp = sequence * SECOND_NS // 10 if stamp_ns is None else stamp_ns
    values: dict[str, Any] = {
        'camera': 'front',
        'frame_id': 'front_optical',
        'stamp_ns': stamp,
        'receive_ns': stamp + 1_000_000,
        'decide_ns': stamp + 20_000_000,
        'digest': '0' * 16,
        'context': '',
        'stake': 1.0,
        'evidence': EVIDENCE,
        'fast_class': 3,
        'remaining_s': 0.06,
    }
    return Offer(sequence=sequence, **(values | changes))


def outcome(
    sequence: int, kind: OutcomeKind = OutcomeKind.ANSWERED, tier: str = 'slow', **changes: Any
) -> Outcome:
    """Return the outcome of one call; an answer has evidence."""
    with_answer = kind in (OutcomeKind.ANSWERED, OutcomeKind.LATE, OutcomeKind.AUDIT)
    values: dict[str, Any] = {
        'stamp_ns': 0,
        'latency_s': 0.02,
        'evidence': EVIDENCE if with_answer else None,
        'class_id': 3 if with_answer else -1,
        'disagreement': 0.0 if with_answer else None,
        'cost': None,
    }
    return Outcome(sequence=sequence, tier=tier, kind=kind, **(values | changes))


def label(sequence: int, fast_loss: float | None = 0.0, **changes: Any) -> Outcome:
    """Return a label of one frame; with `tier_label_loss` it also says how slow did."""
    values: dict[str, Any] = {'latency_s': 0.0, 'fast_label_loss': fast_loss, 'class_id': 3}
    return outcome(sequence, OutcomeKind.LABEL, **(values | changes))
