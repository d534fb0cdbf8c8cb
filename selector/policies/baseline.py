"""Baseline: what all baselines share, so that they differ only in when they invoke."""

from __future__ import annotations

import math

from selector.calibration import Table
from selector.errors import ConfigError
from selector.evidence import AGE_MAX_S
from selector.evidence import Evidence
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.persistence import Persistence


class Baseline:
    """A policy that invokes where its net is positive and learns nothing.

    With the price switched off the controller invokes a tier when `gain.mean > 0`, so a baseline
    gives its score minus its threshold as the gain: the mean is a decision, not an accuracy. The
    reuse of carried answers is the same for all baselines, and as ours: P(stale) is learned from
    every new answer, and the carried answer is committed where it is less likely wrong than fast.
    `forecast` is called once a frame; counters rely on it.

    A subclass overrides `net`, or `nets` where the tiers differ, and what it learns from.
    """

    reference = 'SLOWEST_ASSUMED'

    def __init__(self, errors: Table | None = None) -> None:
        """Take the table from evidence (3,) to P(fast wrong); None: 1 - confidence is used."""
        self._errors = errors
        self._persistence = Persistence()

    def net(self, view: View) -> float:
        """Return the score minus the threshold; positive where a slower tier is to be invoked."""
        raise NotImplementedError

    def nets(self, view: View, tiers: tuple[str, ...]) -> tuple[float, ...]:
        """Return the net of each of `tiers`, in their order; here the same for all."""
        return (self.net(view),) * len(tiers)

    def fast_wrong(self, evidence: Evidence | None) -> float:
        """Return P(fast wrong) in [0, 1]; 1 where there is no fast answer."""
        if evidence is None:
            return 1.0
        bounded = clipped(evidence)
        return 1.0 - bounded.confidence if self._errors is None else self._errors.value(bounded)[0]

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """See `GainPredictor.forecast`."""
        nets = self.nets(view, tiers)
        wrong, stale = self.fast_wrong(view.evidence), self._persistence.stale(view)
        return Forecast(
            fast_loss=wrong,
            gains=tuple(Gain(max(-1.0, min(1.0, net)), 0.0) for net in nets),
            stale=stale,
            reuse_gain=wrong - stale if view.carried else -1.0,
            reference=self.reference,
        )

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float]:
        """Return (1, 0): the slower answer always wins, as the papers of the baselines have it."""
        return 1.0, 0.0

    def observe(self, seen: Observation) -> None:
        """Learn how long answers keep, and nothing else."""
        if seen.stale is not None:
            self._persistence.observe(seen.view, seen.stale)

    def label(self, truth: Truth) -> None:
        """Learn nothing."""


def unit(value: float) -> float:
    """Return `value` clipped to [0, 1]."""
    return max(0.0, min(1.0, value))


def clipped(evidence: Evidence) -> Evidence:
    """Return `evidence` with each part in [0, 1]: no sum or product of parts can overflow."""
    return Evidence(*map(unit, evidence))


def bandit_terms(view: View) -> tuple[float, ...] | None:
    """Return what the bandits learn on, (6,), all in [0, 1]; None without a fast answer.

    1, confidence, margin, entropy, sharpness, exposure.
    """
    if view.evidence is None:
        return None
    scene = view.scene
    return 1.0, *clipped(view.evidence), unit(scene.sharpness), unit(scene.exposure)


def columns(view: View) -> tuple[float, ...] | None:
    """Return evidence and scene as columns (8,), all in [0, 1]; None without a fast answer.

    Confidence, margin, entropy, sharpness, exposure, scene change, age over its maximum, track
    agreement.
    """
    if view.evidence is None:
        return None
    scene = view.scene._replace(slow_age_s=view.scene.slow_age_s / AGE_MAX_S)
    return *clipped(view.evidence), *map(unit, scene)


def within(name: str, value: float, low: float, high: float = math.inf) -> float:
    """Return `value` when it is finite and in [low, high].

    Raises:
        ConfigError: it is not.
    """
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f'{name} = {value}; allowed are finite values in [{low}, {high}]')
    return value
