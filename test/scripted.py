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
from selector.gain import FastAssessment
from selector.gain import Gain
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
        self.learned: list[tuple[str, Evidence, str, float]] = []

    def assess(self, evidence: Evidence | None, _context: str) -> FastAssessment:
        """Return the scripted loss of the fast answer; `blind_loss` without one."""
        loss = self.blind_loss if evidence is None else self.fast_loss
        return FastAssessment(loss, 100, 'all', out_of_support=False)

    def gain(self, tier: str, _evidence: Evidence | None, _context: str) -> Gain:
        """Return the scripted gain of `tier`."""
        return Gain(self.gains.get(tier, 0.0), 0.05)

    def answer_loss(self, _tier: str, _evidence: Evidence, _context: str) -> float:
        """Return the scripted loss of a slower tier's answer."""
        return self.tier_loss

    def learn(self, tier: str, evidence: Evidence, context: str, disagreement: float) -> None:
        """Note what there was to learn from."""
        self.learned.append((tier, evidence, context, disagreement))


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
    with_answer = kind in (OutcomeKind.ANSWERED, OutcomeKind.LATE)
    values: dict[str, Any] = {
        'stamp_ns': 0,
        'latency_s': 0.02,
        'evidence': EVIDENCE if with_answer else None,
        'class_id': 3 if with_answer else -1,
        'disagreement': 0.0 if with_answer else None,
        'cost': None,
    }
    return Outcome(sequence=sequence, tier=tier, kind=kind, **(values | changes))
