"""Regret: how what is lost to the optimum grows with the number of frames (row 5)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from selector.budget import Resource
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.evidence import Evidence
from selector.fitted_gain import NoFit
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import GainPredictor
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.learned_gain import LearnedGain
from selector.settings import Settings

from benchmarks.bench import analytic_stream
from benchmarks.bench.metrics import slope
from benchmarks.bench.simulate import SEEN
from benchmarks.bench.simulate import Simulation
from benchmarks.bench.stream import Stream

SPEND = 0.15


class Regret(NamedTuple):
    """Regret at one number of frames.

    Attributes:
        frames: T.
        regret: mean over seeds of T * OPT(realised spend) - expected gain of the frames invoked.
        seeds: how many.
        memory_bytes: resident memory after the longest run.
    """

    frames: int
    regret: float
    seeds: int
    memory_bytes: int


class KnownGain:
    """Knows the expected gain of the analytic case; see `gain.GainPredictor`."""

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """Return E[L_fast - L_slow | z]."""
        assert view.evidence is not None
        gain = float(analytic_stream.expected_gain(1, np.array(view.evidence.entropy)))
        return Forecast(view.evidence.entropy, (Gain(gain, 0.0),) * len(tiers))

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float]:
        """Return that the slower answer is better, as the optimum has it."""
        return 1.0, 0.0

    def observe(self, seen: Observation) -> None:
        """Learn nothing."""

    def label(self, truth: Truth) -> None:
        """Learn nothing."""


def regret(frames: int, seeds: int, *, learned: bool) -> Regret:
    """Return the regret on the analytic case with B = sqrt(T), no audits, from half a burst."""
    burst = math.sqrt(frames)
    calls = Resource('slow_calls', SPEND / 0.1, burst, 1.0, 0.0, 1.0)
    slow = TierSpec('slow', TierKind.SLOW, 'slow', (1.0,), (1.0,), 0.03, 0.045, None, 'unknown')
    settings = Settings('fast', (slow,), (calls,), start_share=0.8)
    losses = []
    for seed in range(seeds):
        stream = analytic_stream.analytic(1, seed, frames)
        predictor: GainPredictor = LearnedGain(NoFit()) if learned else KnownGain()
        losses.append(_one(stream, settings, predictor, seed))
    return Regret(frames, float(np.mean(losses)), seeds, _resident_bytes())


def _one(stream: Stream, settings: Settings, predictor: GainPredictor, seed: int) -> float:
    trace = Simulation(stream, settings, predictor, SEEN).run(seed)
    z = stream.evidence[:, 2]
    gained = float(analytic_stream.expected_gain(1, z)[trace.invoked].sum())
    # The first burst is spent on top of rho * T, so the optimum gets what was really spent.
    return len(z) * analytic_stream.optimum(1, float(trace.charge.mean())) - gained


def fitted_slope(points: list[Regret]) -> float:
    """Return the slope of log regret over log T; regrets at or below one frame count as one."""
    frames = np.log([p.frames for p in points])
    return slope(frames, np.log([max(1.0, p.regret) for p in points]))


def _resident_bytes() -> int:
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096
