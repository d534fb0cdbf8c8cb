"""Simple baselines: shares are exact or as declared, and draws are those of BLAKE2b."""

from __future__ import annotations

from fractions import Fraction
from hashlib import blake2b
import math
import sys
from typing import Any

import numpy as np
import pytest
from selector.calibration import checked
from selector.calibration import Table
from selector.errors import InputError
from selector.errors import MissingError
from selector.evidence import Evidence
from selector.gain import GainPredictor
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.policies.always_fast import AlwaysFast
from selector.policies.always_slow import AlwaysSlow
from selector.policies.confidence_threshold import temperature_table
from selector.policies.draws import Draws
from selector.policies.epsilon_greedy import EpsilonGreedy
from selector.policies.linucb import LinUcb
from selector.policies.online_library import MabwiserLinUcb
from selector.policies.online_library import RiverLogistic
from selector.policies.online_library import VowpalCb
from selector.policies.oracle import OracleGain
from selector.policies.periodic import Periodic
from selector.policies.priced_static import PricedStatic
from selector.policies.random_share import RandomShare
from selector.policies.ridge_arm import RidgeArm

TIERS = ('slow',)
VIEW = View(Evidence(0.6, 0.3, 0.5))
LIBRARIES = [(RiverLogistic, 'river'), (MabwiserLinUcb, 'mabwiser'), (VowpalCb, 'vowpalwabbit')]


def _wants(policy: GainPredictor, view: View = VIEW) -> bool:
    return policy.forecast(view, TIERS).gains[0].mean > 0.0


def _mean(policy: GainPredictor, view: View = VIEW) -> float:
    return policy.forecast(view, TIERS).gains[0].mean


def test_the_extremes() -> None:
    """Always fast never wants a call and always slow always does, fast answer or not."""
    for view in (VIEW, View(None)):
        assert not _wants(AlwaysFast(), view)
        assert _wants(AlwaysSlow(), view)


@pytest.mark.parametrize('share', [0.0, 0.05, 0.3, 1.0])
def test_random_share_realises_its_share(share: float) -> None:
    """Over 20,000 frames the share is met within three standard errors, the ends exactly."""
    policy = RandomShare(share)
    found = np.mean([_wants(policy) for _ in range(20_000)])
    assert abs(found - share) <= 3.0 * math.sqrt(share * (1.0 - share) / 20_000)


def test_random_frames_differ_by_key() -> None:
    """Another key invokes other frames."""
    policies = [RandomShare(0.5, key) for key in (b'a', b'b')]
    first, second = ([_wants(policy) for _ in range(100)] for policy in policies)
    assert first != second


@pytest.mark.parametrize('period', ['1', '3', '5/2', '10/3', '29/4', '20'])
def test_periodic_is_exact(period: str) -> None:
    """After t frames 1 + floor((t - 1) / period) were invoked, 20,000 frames on as well."""
    policy = Periodic(float(Fraction(period)))
    total = 0
    for frame in range(20_000):
        total += _wants(policy)
        assert total == 1 + frame // Fraction(period)


def test_draws_are_the_documented_ones() -> None:
    """The k-th draw is the first 53 bits of BLAKE2b(key, k) over 2**53, each place once."""
    draws = Draws(b'key')
    for place in range(5):
        digest = blake2b(place.to_bytes(8, 'big'), key=b'key').digest()[:8]
        assert draws.next() == (int.from_bytes(digest, 'big') >> 11) / 2**53


def test_draws_are_uniform() -> None:
    """Deciles of 10,000 draws are filled evenly (chi-squared below its 99.9 % point)."""
    draws = Draws(b'uniform')
    counts = np.bincount([int(10 * draws.next()) for _ in range(10_000)], minlength=10)
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 27.9


@pytest.mark.parametrize('temperature', [0.1, 1.0, 2.5])
def test_temperature_scaling_is_exact_at_the_knots(temperature: float) -> None:
    """P(fast wrong) = 1 - sigmoid(logit(c) / T) at every 512th; T = 1 changes nothing."""
    table = checked(temperature_table(temperature), 3)
    for knot in range(1, 512):
        confidence = knot / 512
        odds = (confidence / (1.0 - confidence)) ** (1.0 / temperature)
        value = table.value((confidence, 0.0, 0.0))[0]
        assert value == pytest.approx(1.0 / (1.0 + odds), abs=1e-12)
    assert table.value((0.0, 0.0, 0.0))[0] == 1.0
    assert table.value((1.0, 0.0, 0.0))[0] == 0.0


def test_the_oracle_reads_one_gain_a_frame() -> None:
    """Gains come in the order of the calls, and a frame too many is an error."""
    oracle = OracleGain([0.5, -0.2, 0.1], 0.1)
    assert [_mean(oracle) for _ in range(3)] == pytest.approx([0.4, -0.3, 0.0])
    with pytest.raises(InputError, match='3 gains and is asked for frame 4'):
        oracle.forecast(VIEW, TIERS)
    with pytest.raises(InputError, match='NaN'):
        OracleGain([math.nan])


def test_priced_static_gives_an_accuracy_with_its_width() -> None:
    """The gain is dhat * khat with the table's width, ready for the controller's price."""
    table = Table((1.0, 0.0, 0.0), 0.0, (0.0, 1.0), (0.8, 0.0), (0.1, 0.1))
    gain = PricedStatic(table, -0.5).forecast(VIEW, TIERS).gains[0]
    assert gain == pytest.approx((-0.16, 0.05, 0.32, -0.5))


def test_a_ridge_arm_is_ridge_regression() -> None:
    """Weights and width after 300 rewards are those of the normal equations."""
    draw = np.random.default_rng(0)
    x, reward = draw.random((300, 6)), draw.normal(size=300)
    arm = RidgeArm(6, 0.7)
    for row, value in zip(x.tolist(), reward.tolist(), strict=True):
        arm.add(row, value)
    inverse = np.linalg.inv(x.T @ x + 0.7 * np.eye(6))
    asked = draw.random(6)
    expected = asked @ inverse @ x.T @ reward, math.sqrt(asked @ inverse @ asked)
    assert arm.predict(asked.tolist()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('label_first', [False, True])
def test_a_bandit_puts_the_labelled_gain_in_place(label_first: bool) -> None:
    """Label and answer in either order leave what the labelled gain alone would have left."""
    told, expected = LinUcb(0.0), LinUcb(0.0)
    answer = Observation('slow', VIEW, 1.0, None)
    truth = Truth(VIEW, 1.0, 'slow', 0.6, 1.0)
    if label_first:
        told.label(truth)
    told.observe(answer)
    if not label_first:
        told.label(truth)
    expected.observe(Observation('slow', VIEW, 0.4, None))
    assert _mean(told) == pytest.approx(_mean(expected), abs=1e-12)


def test_linucb_is_less_hopeful_the_more_it_saw() -> None:
    """The bound without rewards is alpha * |x|, and shrinks with every answer that agrees."""
    policy = LinUcb(0.0, alpha=0.5)
    x = (1.0, 0.6, 0.3, 0.5, 0.5, 0.5)
    assert _mean(policy) == pytest.approx(0.5 * math.sqrt(sum(t * t for t in x)))
    bounds = []
    for _ in range(5):
        bounds.append(_mean(policy))
        policy.observe(Observation('slow', VIEW, 0.0, None))
    assert bounds == sorted(bounds, reverse=True)


def test_epsilon_greedy_explores_every_arm_alike() -> None:
    """Of the explored frames a third goes to each of fast, cloud and slow."""
    policy = EpsilonGreedy(1.0, epsilon=0.3)
    gains = [policy.forecast(VIEW, ('cloud', 'slow')).gains for _ in range(20_000)]
    for place in (0, 1):
        share = np.mean([gain[place].mean > 0.0 for gain in gains])
        assert share == pytest.approx(0.1, abs=0.01)
    assert not any(cloud.mean > 0.0 and slow.mean > 0.0 for cloud, slow in gains)


@pytest.mark.parametrize(('policy', 'package'), LIBRARIES)
def test_a_missing_library_is_named(
    policy: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the package the message gives the line that installs it."""
    for name in (package, 'river.linear_model', 'mabwiser.mab'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingError, match=f'pip install {package}'):
        policy(0.3)


@pytest.mark.parametrize(('policy', 'package'), LIBRARIES)
def test_a_library_learns_where_the_answers_differ(policy: Any, package: str) -> None:
    """After 3,000 frames unsure ones are invoked much more often than sure ones, reproducibly."""
    pytest.importorskip(package)
    runs = []
    for _ in range(2):
        learner, found = policy(0.3), []
        for confidence in np.random.default_rng(0).random(3000).tolist():
            view = View(Evidence(confidence, confidence, 1.0 - confidence))
            wants = _wants(learner, view)
            found.append((confidence, wants))
            if wants:
                learner.observe(Observation('slow', view, float(confidence < 0.5), None))
        runs.append(found)
    assert runs[0] == runs[1]
    late = runs[0][2000:]
    unsure = np.mean([wants for confidence, wants in late if confidence < 0.3])
    sure = np.mean([wants for confidence, wants in late if confidence > 0.7])
    assert unsure > sure + 0.5
    learner.observe(Observation('slow', VIEW, None, None))
    learner.observe(Observation('slow', View(None), None, None))
    assert _wants(learner, View(None))
