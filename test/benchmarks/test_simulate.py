"""Simulate: a stream goes through the live controller as it would on the robot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from selector.fitted_gain import NoFit
from selector.gain import Observation
from selector.gain import Truth
from selector.learned_gain import LearnedGain
from selector.policies.always_fast import AlwaysFast
from selector.policies.always_slow import AlwaysSlow
from selector.settings import Settings

from benchmarks.bench.analytic_stream import analytic
from benchmarks.bench.contenders import budget
from benchmarks.bench.contenders import ours
from benchmarks.bench.simulate import Feedback
from benchmarks.bench.simulate import NONE
from benchmarks.bench.simulate import SEEN
from benchmarks.bench.simulate import Simulation
from benchmarks.bench.simulate import Trace
from benchmarks.bench.stream import Stream

FRAMES = 400
RICH = budget(5.0, replace(ours(NONE), audit_share=0.0))
POOR = budget(0.1, replace(ours(NONE), audit_share=0.2))


class Told(LearnedGain):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__(NoFit())
        self.observed: list[Observation] = []
        self.truths: list[Truth] = []

    def observe(self, seen: Observation) -> None:
        """Note an observation."""
        self.observed.append(seen)
        super().observe(seen)

    def label(self, truth: Truth) -> None:
        """Note a label."""
        self.truths.append(truth)
        super().label(truth)


def stream() -> Stream:
    """Return a short analytic stream."""
    return analytic(1, 3, FRAMES)


def run(settings: Settings, feedback: Feedback = NONE, predictor: object = None) -> Trace:
    """Return a trace with seed 0."""
    made = Told() if predictor is None else predictor
    return Simulation(stream(), settings, made, feedback).run(0)  # type: ignore[arg-type]


def test_always_slow_answers_with_slow_and_pays_for_it() -> None:
    """With a budget for it every frame is slow's, one call each, published later than fast's."""
    trace = run(RICH, predictor=AlwaysSlow())
    assert (trace.answer == stream().slow_class).all()
    assert trace.charge.tolist() == [1.0] * FRAMES
    fast = run(RICH, predictor=AlwaysFast())
    assert (fast.answer == stream().fast_class).all()
    assert not fast.charge.any()
    assert (trace.publish_s > fast.publish_s).all()


def test_the_budget_of_the_stream_is_kept() -> None:
    """The charges of a poor budget are at most what accrued and the burst, audits included."""
    trace = run(POOR)
    assert trace.charge.sum() <= trace.accrued.sum() + POOR.resources[0].burst
    assert trace.charge.sum() == trace.invoked.sum() + trace.observed.sum()
    assert trace.observed.any()
    assert not (trace.invoked & trace.observed).any()


@pytest.mark.parametrize('delay', [0, 30])
def test_labels_come_once_and_late(delay: int) -> None:
    """Each labelled frame teaches once, `delay` frames later; audited ones with both answers."""
    feedback = Feedback('some', 0.3, delay, observed=True)
    rich = replace(POOR, resources=RICH.resources, audit_share=0.5)
    told = Told()
    run(rich, feedback, told)
    labelled = int((np.random.default_rng([77, 0]).random((2, FRAMES))[1] < 0.3).sum())
    assert labelled * 0.8 < len(told.truths) <= labelled
    assert all(truth.tier_loss is not None for truth in told.truths)


def test_labels_where_slow_ran_are_only_there() -> None:
    """With labels where slow ran, every label comes with both losses and none without."""
    told = Told()
    trace = run(POOR, SEEN, told)
    assert len(told.truths) in range(int(trace.charge.sum()) - 1, int(trace.charge.sum()) + 1)
    assert all(truth.tier == 'slow' for truth in told.truths)


def test_full_information_tells_every_frame() -> None:
    """No robot has it: slow's answer and the label of every frame."""
    told = Told()
    run(POOR, SEEN._replace(full=True), told)
    assert len(told.observed) == FRAMES
    assert len(told.truths) == FRAMES


def test_the_same_seed_gives_the_same_trace() -> None:
    """Two runs decide alike, frame by frame; only measured times differ."""
    one, other = run(POOR), run(POOR)
    assert (one.answer == other.answer).all()
    assert (one.charge == other.charge).all()
    assert (one.scarcity == other.scarcity).all()
