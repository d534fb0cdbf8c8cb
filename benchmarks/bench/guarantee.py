"""Guarantee: whether the budget holds on traces made to break it (row 4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from selector.action import Answer
from selector.action import Invoke
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
from selector.stakes import OverrideRule
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty

from benchmarks.bench.metrics import worst_window

TIERS = ('ensemble', 'slow', 'vast')
FRAMES = 500


class Verdict(NamedTuple):
    """What the traces showed.

    Attributes:
        traces, frames: how many, and of what length.
        violations: traces with a window beyond the bound.
        worst: largest overspend of any window over its bound.
        nearest: median over traces of the same.
    """

    traces: int
    frames: int
    violations: int
    worst: float
    nearest: float


class Adversary:
    """Predicts whatever it was told to; see `gain.GainPredictor`."""

    def __init__(self, draw: np.random.Generator) -> None:
        self._draw = draw
        self._greedy = False

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """Return gains that save up in quiet spells and then want everything."""
        if self._draw.random() < 0.02:
            self._greedy = not self._greedy
        high = 1.0 if self._greedy else 0.02
        gains = tuple(Gain(float(g), 0.0) for g in self._draw.uniform(-0.1, high, len(tiers)))
        return Forecast(0.5, gains, reach=float(self._draw.integers(1, 50)))

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float]:
        """Return that the slower answer is better."""
        return 1.0, 0.0

    def observe(self, seen: Observation) -> None:
        """Learn nothing."""

    def label(self, truth: Truth) -> None:
        """Learn nothing."""


def guarantee(traces: int) -> Verdict:
    """Return the verdict over generated traces: adversarial gains, stakes, overrides, late costs.

    Each has three tiers, bursts from barely enough to ample, costs settled 1 to 30 frames after
    they were reserved, stamps that repeat, jump and go back, forced calls and audits. The bound of
    a window is B of the whole budget; nothing is overdrawn.
    """
    shares = np.array([_trace(np.random.default_rng([4, seed])) for seed in range(traces)])
    violations = int((shares > 1.0 + 1e-9).sum())
    return Verdict(traces, FRAMES, violations, float(shares.max()), float(np.median(shares)))


def _trace(draw: np.random.Generator) -> float:
    """Return the worst window of one trace over its bound."""
    burst = float(draw.choice([5.0, 12.0, 20.0, 60.0]))
    settings = _settings(draw, burst)
    controller = Controller(settings, Adversary(draw))
    charge, accrued = np.zeros(FRAMES), np.zeros(FRAMES)
    due: list[tuple[int, int, str, float, bool]] = []
    stamp_ns, before = 0, 0.0
    delay = int(draw.choice([1, 5, 10, 30]))
    for k in range(FRAMES):
        stamp_ns += int(draw.choice([0, 10_000_000, 100_000_000, 100_000_000, -50_000_000, 10**9]))
        for item in [d for d in due if d[0] <= k]:
            due.remove(item)
            charge[item[1]] = _end(controller, item)
        step = controller.offer(_offer(k, stamp_ns, draw))
        accrued[k], before = step.record.accrued[0] - before, step.record.accrued[0]
        action = step.action
        tier = action.tier if isinstance(action, Invoke) else action.observe
        if tier:
            charge[k] = 1.0
            used = float(draw.choice([0.0, 0.5, 1.0]))
            waits = isinstance(action, Invoke)
            due.append((k + delay, k, tier, used, waits))
    return worst_window(charge, accrued) / burst


def _settings(draw: np.random.Generator, burst: float) -> Settings:
    calls = Resource('slow_calls', float(draw.choice([0.0, 0.5, 2.0])), burst, 1.0, 0.05, 1.0)
    tiers = tuple(
        TierSpec(name, TierKind.SLOW, name, (1.0,), (1.0,), 0.01, 0.02, None, 'unknown')
        for name in TIERS
    )
    rule = OverrideRule('near', zones=('near',), force_slow=True)
    return Settings(
        'fast',
        tiers,
        (calls,),
        value_clip=50.0,
        audit_share=0.25,
        safety_share=0.25,
        stakes=StakesTable((rule,), when_empty=WhenEmpty.ADVISE_STOP),
    )


def _offer(k: int, stamp_ns: int, draw: np.random.Generator) -> Offer:
    zone = 'near' if draw.random() < 0.1 else ''
    return Offer(
        k,
        '',
        '',
        stamp_ns,
        stamp_ns,
        stamp_ns,
        '',
        '',
        float(draw.choice([0.0, 1.0, 1000.0])),
        Evidence(0.5, 0.2, 0.7),
        0,
        0.06,
        zone=zone,
        draw=float(draw.random()),
        observe=bool(draw.random() < 0.05),
    )


def _end(controller: Controller, item: tuple[int, int, str, float, bool]) -> float:
    """End a call, on time or late; return what it used."""
    _, sequence, tier, used, waits = item
    late = OutcomeKind.LATE if waits else OutcomeKind.AUDIT
    if waits:
        timed_out = Outcome(sequence, tier, OutcomeKind.TIMED_OUT, 0, 0.06, None, -1, None, None)
        answer, _ = controller.resume(timed_out)
        assert isinstance(answer, Answer)
    controller.learn(
        Outcome(sequence, tier, late, 0, 0.1, Evidence(0.9, 0.8, 0.2), 1, 1.0, (used,))
    )
    return used
