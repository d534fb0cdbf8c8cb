"""Observation: audits at a known probability, within their reserve, and frames remembered."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import CALLS
from scripted import EVIDENCE
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import SECOND_NS
from scripted import settings
from scripted import tier
from selector.action import Answer
from selector.controller import Controller
from selector.decision import Base
from selector.decision import Decision
from selector.decision import NO_FLIP
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import TierKind
from selector.gain import View
from selector.observation import AuditStream
from selector.observation import PROBABILITY_MAX
from selector.observation import Remembered
from selector.observation import Seen
from selector.outcome import OutcomeKind
from selector.purses import Purses

SPEC = tier()
KEPT = Decision(
    'fast', Reason.GAIN_BELOW_PRICE, 'price', 0.1, NO_FLIP, (), Base('fast', TierKind.FAST, 0.0)
)
INVOKED = replace(KEPT, chosen='slow', reason=Reason.GAIN_ABOVE_PRICE, purse=Purse.RULE)


def _purses(rate: float = 2.0, burst: float = 20.0, share: float = 0.1) -> Purses:
    return Purses((replace(CALLS, rate=rate, burst=burst),), share, 0.0, 10.0)


def _stream(rate: float = 2.0, period_s: float = 0.1, spec: object = SPEC) -> AuditStream:
    made = AuditStream(spec, _purses(rate))
    made.frame(0.0)
    made.frame(period_s)
    return made


def test_the_probability_by_hand() -> None:
    """0.2 calls a second for audits, ten frames a second, one call each: 2 % of the frames."""
    assert _stream().probability() == pytest.approx(0.2 * 0.1)
    assert _stream(period_s=0.5).probability() == pytest.approx(0.2 * 0.5)
    cheap = tier(cost=(0.25,))
    assert _stream(spec=cheap).probability() == pytest.approx(0.2 * 0.1 / 0.25)


def test_without_a_tier_time_or_rate_there_are_no_audits() -> None:
    """No tier to audit with, no second frame yet, or nothing that accrues: never."""
    assert _stream(spec=None).probability() == 0.0
    assert AuditStream(SPEC, _purses()).probability() == 0.0
    assert _stream(rate=0.0).probability() == 0.0


def test_the_probability_is_at_most_one_half() -> None:
    """However rich the reserve or free the tier."""
    assert _stream(rate=1e9).probability() == PROBABILITY_MAX
    assert _stream(spec=tier(cost=(0.0,), cost_cap=(0.0,))).probability() == PROBABILITY_MAX


def test_where_most_frames_are_invoked_the_others_are_audited_more() -> None:
    """The reserve is spread over the skipped frames: half of them skipped, twice the chance."""
    made = _stream()
    for k in range(2000):
        made.beside(INVOKED if k % 2 else KEPT, offer(k))
    assert made.probability() == pytest.approx(2.0 * 0.2 * 0.1, rel=0.03)
    for k in range(2000):
        made.beside(INVOKED, offer(k))
    assert made.probability() == pytest.approx(10.0 * 0.2 * 0.1, rel=0.01)


@PATIENT
@given(st.floats(0.0, 1.0))
def test_the_draw_decides_and_the_probability_is_told_either_way(draw: float) -> None:
    """Audited exactly where the draw is below eps; the answer stays what it was."""
    decision, chance = _stream(rate=20.0).beside(KEPT, offer(draw=draw))
    assert chance == pytest.approx(0.2)
    if draw < chance:
        audited = replace(KEPT, reason=Reason.AUDITED, observe='slow', purse=Purse.AUDIT)
        assert decision == audited
    else:
        assert decision == KEPT


def test_an_invoked_frame_is_not_audited() -> None:
    """Where something is invoked already it is seen for sure."""
    assert _stream().beside(INVOKED, offer(draw=0.0)) == (INVOKED, 1.0)


@pytest.mark.parametrize(
    'changes',
    [
        {'busy': ('slow',)},
        {'decodable': False},
        {'evidence': None},
    ],
)
@pytest.mark.parametrize('observe', [True, False])
def test_what_cannot_be_observed_has_probability_zero(changes: dict, observe: bool) -> None:
    """A busy model, an image that cannot be read, no fast answer to compare with."""
    asked = offer(draw=0.0, observe=observe, **changes)
    assert _stream().beside(KEPT, asked) == (KEPT, 0.0)


def test_an_empty_reserve_observes_nothing() -> None:
    """Two tokens of audits: two, whatever is asked for; then the probability is 0."""
    purses = _purses()
    made = AuditStream(SPEC, purses)
    made.frame(0.0)
    made.frame(0.1)
    for expected in (1.0, 1.0, 0.0, 0.0):
        decision, chance = made.beside(KEPT, offer(observe=True))
        assert chance == expected
        assert bool(decision.observe) == bool(expected)
        if decision.observe:
            purses.ledgers[Purse.AUDIT].reserve(SPEC.cost_cap)


def test_a_frame_that_will_be_labelled_is_observed_for_sure() -> None:
    """Asked for, the draw does not matter, and the probability is 1."""
    decision, chance = _stream().beside(KEPT, offer(draw=1.0, observe=True))
    assert (decision.observe, decision.purse, chance) == ('slow', Purse.AUDIT, 1.0)


def test_a_denied_cloud_is_not_observed_either() -> None:
    """Where a rule keeps the frame on the robot the cloud audits nothing; a local tier does."""
    cloud = tier('cloud', kind=TierKind.CLOUD)
    asked = offer(draw=0.0, observe=True)
    assert _stream(spec=cloud).beside(KEPT, asked, denied=True) == (KEPT, 0.0)
    assert _stream(spec=cloud).beside(KEPT, asked)[0].observe == 'cloud'
    assert _stream().beside(KEPT, asked, denied=True)[0].observe == 'slow'


def test_an_audit_does_not_hide_the_rule_that_committed_the_answer() -> None:
    """The reason of an answer that a rule committed stays; it is observed beside it."""
    ruled = replace(KEPT, chosen='reuse', reason=Reason.OVERRIDDEN, rule='crossing')
    decision = _stream().beside(ruled, offer(draw=0.0))[0]
    assert (decision.reason, decision.chosen) == (Reason.OVERRIDDEN, 'reuse')
    assert (decision.observe, decision.purse) == ('slow', Purse.AUDIT)


@pytest.mark.parametrize(('rate', 'seed'), [(2.0, 0), (5.0, 1)])
def test_the_audited_share_is_the_recorded_probability(rate: float, seed: int) -> None:
    """Over 12,000 frames as many are audited as the probabilities say, all of the reserve used.

    Frames are invoked in spells; the sum of the recorded eps is compared within three sigma.
    """
    calls = replace(CALLS, rate=rate, burst=100.0)
    predictor = ScriptedGain()
    made = Controller(settings(resources=[calls], audit_share=0.2), predictor)
    draws = np.random.default_rng(seed).random(12_000)
    expected = variance = audits = 0.0
    for k, draw in enumerate(draws.tolist()):
        predictor.gains = {'slow': 0.5 if k % 100 < 20 else 0.0}
        step = made.offer(offer(k, draw=draw))
        if not isinstance(step.action, Answer):
            made.resume(outcome(k, cost=(1.0,)))
            continue
        chance = step.record.observation_probability
        expected += chance
        variance += chance * (1.0 - chance)
        if step.action.observe:
            audits += 1
            made.learn(outcome(k, OutcomeKind.AUDIT, cost=(1.0,)))
    assert abs(audits - expected) < 3.0 * variance**0.5
    assert audits == pytest.approx(0.2 * rate * 1200.0, rel=0.15)


def test_the_audited_tier_is_the_reference_or_the_first_by_name() -> None:
    """Declared by name; without a word the first one is taken; without a share none is."""
    both = (tier('ensemble'), tier('slow'))
    asked = offer(observe=True)
    for changes, expected in (
        ({'audit_share': 0.1, 'reference': 'slow'}, 'slow'),
        ({'audit_share': 0.1}, 'ensemble'),
        ({'audit_share': 0.0, 'reference': 'slow'}, ''),
    ):
        made = Controller(settings(both, **changes), ScriptedGain())
        assert made.offer(asked).action == Answer('fast', expected)


# --- what is remembered --------------------------------------------------------------------------


@PATIENT
@given(st.lists(st.integers(0, 30), max_size=60, unique=True), st.integers(1, 10))
def test_the_last_frames_are_remembered(sequences: list[int], frames_max: int) -> None:
    """As many as allowed, the oldest forgotten first; an update changes only what is there."""
    made = Remembered(frames_max)
    view = View(EVIDENCE)
    for sequence in sequences:
        made.put(sequence, Seen(view, 0.5))
    kept = sequences[-frames_max:]
    for sequence in range(31):
        made.update(sequence, Seen(view, 0.5, 'slow', 0.3))
        found = made.get(sequence)
        assert found == (Seen(view, 0.5, 'slow', 0.3) if sequence in kept else None)


def test_the_period_follows_the_frames() -> None:
    """Twice as many frames a second get half the chance each, after a while."""
    made = AuditStream(SPEC, _purses())
    for _ in range(500):
        made.frame(0.1)
    assert made.probability() == pytest.approx(0.02)
    for _ in range(500):
        made.frame(0.05)
    assert made.probability() == pytest.approx(0.01, rel=0.01)
    for _ in range(100):
        made.frame(0.0)  # frames of other cameras at the same stamp say nothing about the time
    assert made.probability() == pytest.approx(0.01, rel=0.01)


def test_time_comes_from_the_stamps_of_all_cameras() -> None:
    """Two cameras at the same stamps: the second frame of each pair adds no time."""
    made = Controller(settings(audit_share=0.1), ScriptedGain())
    for k in range(200):
        stamp_ns = (k // 2) * SECOND_NS // 5
        step = made.offer(offer(k, stamp_ns, camera=('front', 'rear')[k % 2]))
    assert step.record.observation_probability == pytest.approx(0.2 * 0.2, rel=1e-6)
