"""Learned gain: what is believed at the start, corrected by what every call and label shows."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pair
import pytest
from scripted import label
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import settings
from selector.action import Answer
from selector.action import Invoke
from selector.budget import Resource
from selector.build import plan
from selector.calibration import Table
from selector.config import from_flat
from selector.controller import Controller
from selector.correlation import JointStatistics
from selector.evidence import AGE_MAX_S
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.evidence import UNSEEN
from selector.fitted_gain import ALL_CONTEXTS
from selector.fitted_gain import ContextTables
from selector.fitted_gain import FittedGain
from selector.fitted_gain import LABEL
from selector.fitted_gain import NoFit
from selector.fitted_gain import SLOWEST_ASSUMED
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.learned_gain import LABELS_MIN
from selector.learned_gain import LearnedGain
from selector.outcome import OutcomeKind
from selector.redecision import verify
from selector.table import ProfileTable
from selector.tools.replay import replay

SURE = View(Evidence(0.95, 0.92, 0.1))
UNSURE = View(Evidence(0.3, 0.05, 0.9))
BLIND = View(None)
SLOW = ('slow',)
TABLE = Table((-1.0, 0.0, 0.0), 1.0, (0.0, 1.0), (0.05, 0.95), (0.05, 0.05))


def _fitted(disagreement: Table = TABLE, khat: float = 0.8) -> FittedGain:
    tables = ContextTables(
        statistics=JointStatistics(200, 0.3, 0.1, 0.21, 0.09, 0.042),
        fast_error=TABLE,
        disagreement=disagreement,
        khat=khat,
        khat_width=0.1,
        disagreeing=60,
        slow_error=Table((-1.0, 0.0, 0.0), 1.0, (0.0, 1.0), (0.0, 0.5), (0.0, 0.0)),
        low=(0.0, 0.0, 0.0),
        high=(1.0, 1.0, 1.0),
    )
    return FittedGain({'slow': {ALL_CONTEXTS: tables}}, 'calibrated')


def _constant(value: float) -> Table:
    return Table((0.0, 0.0, 0.0), 0.0, (0.0,), (value,), (0.0,))


def _gain(learned: LearnedGain, view: View) -> Gain:
    return learned.forecast(view, SLOW).gains[0]


def _observe(learned: LearnedGain, view: View, disagreement: float, times: int = 1) -> None:
    for _ in range(times):
        learned.observe(Observation('slow', view, disagreement, None))


def test_before_the_first_call_it_is_the_fit() -> None:
    """Without optimism and before any outcome gain, loss and support are the fitted ones."""
    fitted, learned = _fitted(), LearnedGain(_fitted(), optimism=0.0)
    for view in (SURE, UNSURE):
        found, expected = learned.forecast(view, SLOW), fitted.forecast(view, SLOW)
        assert found.gains[0].mean == pytest.approx(expected.gains[0].mean, rel=1e-12)
        assert found.gains[0].khat == 0.8
        assert found.fast_loss == expected.fast_loss
        assert (found.support, found.tables, found.reference) == (200, ALL_CONTEXTS, LABEL)
    assert _gain(learned, BLIND) == fitted.forecast(BLIND, SLOW).gains[0]
    assert learned.losses('slow', SURE, UNSURE.evidence) == fitted.losses(
        'slow', SURE, UNSURE.evidence
    )


def test_it_learns_that_the_tables_are_wrong() -> None:
    """Where calls always show agreement, the gain falls towards 0, and hardly elsewhere."""
    learned = LearnedGain(_fitted(), optimism=0.0)
    before, elsewhere = _gain(learned, UNSURE).mean, _gain(learned, SURE).mean
    _observe(learned, UNSURE, 0.0, 200)
    assert _gain(learned, UNSURE).mean < 0.2 * before
    assert _gain(learned, UNSURE).disagreement < 0.2
    assert _gain(learned, SURE).mean == pytest.approx(elsewhere, abs=0.35)


def test_optimism_adds_to_a_gain_until_it_is_known() -> None:
    """Optimism raises the predicted gain by the width, which falls with every call."""
    hopeful, sober = LearnedGain(_fitted(), optimism=0.5), LearnedGain(_fitted(), optimism=0.0)
    first = _gain(hopeful, SURE).mean - _gain(sober, SURE).mean
    for learned in (hopeful, sober):
        _observe(learned, SURE, 0.1, 100)
    later = _gain(hopeful, SURE).mean - _gain(sober, SURE).mean
    assert first > 3.0 * later > 0.0


def test_contexts_and_tiers_learn_apart() -> None:
    """What was seen by night, or of the cloud, changes nothing by day, or of slow."""
    learned = LearnedGain(NoFit(), optimism=0.0)
    day, night = UNSURE._replace(context='day'), UNSURE._replace(context='night')
    before = learned.forecast(day, ('cloud', 'slow')).gains
    for _ in range(100):
        learned.observe(Observation('cloud', night, 0.0, None))
    assert learned.forecast(day, ('cloud', 'slow')).gains == before
    cloud, slow = learned.forecast(night, ('cloud', 'slow')).gains
    assert cloud.mean < 0.2
    assert slow.mean == before[1].mean
    assert learned.forecast(night, ('cloud', 'slow')).tables == 'night'


def test_contexts_are_bounded() -> None:
    """A thousand context names take no more learners than a few dozen; all are still served."""
    learned = LearnedGain(NoFit())
    for k in range(1000):
        found = learned.forecast(UNSURE._replace(context=f'context {k}'), SLOW)
        assert 0.0 <= found.gains[0].mean <= 1.0
    assert len(learned.summaries()) <= 40


# --- support, learning phase, reference ----------------------------------------------------------


def test_support_and_missing_count_what_was_compared() -> None:
    """Five answers are asked for; only those beside a fast answer count, and the rest is told."""
    learned = LearnedGain(NoFit(), pairs_min=5)
    for count in range(8):
        found = learned.forecast(UNSURE, SLOW)
        assert (found.support, found.missing) == (count, max(0, 5 - count))
        learned.observe(Observation('slow', BLIND, None, 0.5))
        _observe(learned, UNSURE, 1.0)
    assert LearnedGain(NoFit()).forecast(UNSURE, SLOW).missing == 0


def test_the_reference_is_the_slowest_until_labels_have_come() -> None:
    """Without labels slow is the truth; from 30 labelled pairs that differ on it is the label."""
    learned = LearnedGain(NoFit(), optimism=0.0)
    _observe(learned, UNSURE, 1.0, 50)
    assumed = learned.forecast(UNSURE, SLOW)
    assert assumed.reference == SLOWEST_ASSUMED
    assert assumed.fast_loss == assumed.gains[0].disagreement
    for k in range(LABELS_MIN):
        assert learned.forecast(UNSURE, SLOW).reference == SLOWEST_ASSUMED
        # Pairs that agree say nothing about which of two answers is the better one.
        learned.label(Truth(UNSURE, 0.0, 'slow', 0.0, 0.0))
        learned.label(Truth(UNSURE, float(k % 2), 'slow', float(1 - k % 2), 1.0))
    told = learned.forecast(UNSURE, SLOW)
    assert told.reference == LABEL
    assert told.fast_loss == pytest.approx(0.25, abs=0.1)


# --- khat ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(('better', 'worse'), [(0.7, 0.3), (0.2, 0.6), (0.4, 0.4)])
def test_khat_is_the_gain_over_the_disagreement(better: float, worse: float) -> None:
    """Learned from labels it converges to E[L_f - L_s] / E[d], negative where slow is worse.

    Of the pairs that differ, slow is right on a share `better`, fast on `worse`, else neither.
    """
    learned = LearnedGain(NoFit(), optimism=0.0)
    draw = np.random.default_rng(4)
    gained = differed = 0.0
    for chance in draw.random(6_000):
        differs = float(draw.random() < 0.4)
        fast = 1.0 if chance < better or chance >= better + worse else 0.0
        slow = 0.0 if chance < better else 1.0
        slow = slow if differs else fast
        _observe(learned, UNSURE, differs)
        learned.label(Truth(UNSURE, fast, 'slow', slow, differs))
        gained, differed = gained + fast - slow, differed + differs
    found = _gain(learned, UNSURE)
    assert gained / differed == pytest.approx(better - worse, abs=0.05)
    assert found.khat == pytest.approx(gained / differed, abs=0.06)
    assert found.disagreement == pytest.approx(0.4, abs=0.05)
    assert found.mean == pytest.approx(gained / 6_000, abs=0.04)


def test_khat_weighs_small_disagreements_less() -> None:
    """Disagreements of any size count by their size: the ratio of means, not the mean of ratios.

    Slow gains all of the large ones (0.8) and loses all of the small ones (0.1): 0.7 / 0.9.
    """
    learned = LearnedGain(NoFit(), optimism=0.0)
    for _ in range(1500):
        learned.label(Truth(UNSURE, 0.9, 'slow', 0.1, 0.8))
        learned.label(Truth(UNSURE, 0.1, 'slow', 0.2, 0.1))
    assert _gain(learned, UNSURE).khat == pytest.approx(0.7 / 0.9, abs=0.03)


def test_the_better_of_two_answers_follows_khat() -> None:
    """Slow is trusted without labels; where labels show it worse, the fast answer is."""
    learned = LearnedGain(NoFit())
    doubt = 1.0 - UNSURE.evidence.confidence
    assert learned.losses('slow', UNSURE, UNSURE.evidence) == (1.0, pytest.approx(doubt))
    assert learned.losses('slow', BLIND, UNSURE.evidence) == (1.0, 0.0)
    for _ in range(200):
        learned.label(Truth(UNSURE, 0.0, 'slow', 1.0, 1.0))
    fast, slow = learned.losses('slow', UNSURE, UNSURE.evidence)
    assert fast < 0.1 * doubt < 0.9 * doubt < slow


def test_a_label_teaches_each_tier_once_however_many_contexts_there_are() -> None:
    """A label without a slower answer changes the fast loss as much as in a single context."""
    one, many = LearnedGain(_fitted()), LearnedGain(NoFit())
    alone = LearnedGain(NoFit())
    for context in ('', 'day', 'night', 'dusk'):
        many.forecast(UNSURE._replace(context=context), SLOW)
    alone.forecast(UNSURE, SLOW)
    for learned in (one, many, alone):
        learned.label(Truth(UNSURE, 1.0))
    assert many._learned['slow', ALL_CONTEXTS].fast_loss.updates == 1
    for learned in (many, alone):
        for _ in range(LABELS_MIN):
            learned.label(Truth(UNSURE, 1.0, 'slow', 0.0, 1.0))
    assert many.forecast(UNSURE, SLOW).fast_loss == alone.forecast(UNSURE, SLOW).fast_loss


def test_a_label_changes_the_fast_loss() -> None:
    """Where labels show fast wrong, its loss rises above the fitted one, and hardly elsewhere."""
    learned = LearnedGain(_fitted())
    before = learned.forecast(SURE, SLOW).fast_loss
    learned.forecast(UNSURE, SLOW)
    for _ in range(100):
        learned.label(Truth(SURE, 1.0))
    assert before < 0.2
    assert learned.forecast(SURE, SLOW).fast_loss > 0.8


# --- reuse ---------------------------------------------------------------------------------------


def _carried(change: float, age_s: float = 1.0) -> View:
    return UNSURE._replace(scene=Scene(0.5, 0.5, change, age_s, 0.0), carried='slow')


def test_staleness_is_learned_from_answers_beside_the_carried_one() -> None:
    """Where answers differ from what is carried it goes stale, whatever the images look like."""
    learned = LearnedGain(NoFit(), optimism=0.0)
    view = _carried(0.05)
    before = learned.forecast(view, SLOW)
    assert before.stale < 0.4
    for _ in range(200):
        learned.observe(Observation('slow', view, 1.0, 1.0))
    after = learned.forecast(view, SLOW)
    assert after.stale > 0.9
    assert after.reuse_gain < 0.1 < before.reuse_gain
    for _ in range(2000):
        learned.observe(Observation('slow', view, 1.0, 0.0))
    assert learned.forecast(view, SLOW).reuse_gain > 0.6


def test_caution_makes_a_carried_answer_less_trusted_than_it_seems() -> None:
    """The width is added to the staleness: unknown ground is not reused as readily."""
    learned = LearnedGain(NoFit())
    view = _carried(0.2)
    prior = 1.0 - 0.8 * (1.0 - 1.0 / AGE_MAX_S)
    before = learned.forecast(view, SLOW).stale
    assert before > prior + 0.02
    for _ in range(500):
        learned.observe(Observation('slow', view, 1.0, prior))
    assert prior <= learned.forecast(view, SLOW).stale < before


def test_reach_grows_with_the_frames_that_an_answer_is_carried_on_to() -> None:
    """One answer in ten frames, carried on to nine that hardly change: it serves several."""
    learned = LearnedGain(NoFit(), optimism=0.0)
    assert learned.forecast(UNSURE, SLOW).reach == 1.0
    for _ in range(150):
        _observe(learned, UNSURE, 1.0)
        for _ in range(9):
            found = learned.forecast(_carried(0.0, 0.1), SLOW)
    assert 6.0 < found.reach < 10.5
    assert LearnedGain(NoFit()).forecast(_carried(1.0), SLOW).reach == 1.0


# --- whatever is shown ---------------------------------------------------------------------------

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY = st.one_of(FINITE, st.sampled_from([0.0, 1.0, -1e308, 1e308, 5e-324]), st.floats(-1.0, 2.0))
VIEWS = st.builds(
    View,
    st.one_of(st.none(), st.builds(Evidence, ANY, ANY, ANY)),
    st.builds(Scene, ANY, ANY, ANY, ANY, ANY),
    st.sampled_from(['', 'day', 'night']),
    st.sampled_from(['', 'slow', 'fast']),
)
SHARE = st.floats(0.0, 1.0)
MAYBE = st.one_of(st.none(), SHARE)
PI = st.floats(1e-6, 1.0)
EVENTS = st.one_of(
    st.builds(Observation, st.sampled_from(['cloud', 'slow']), VIEWS, MAYBE, MAYBE, PI),
    st.builds(Truth, VIEWS, MAYBE, st.sampled_from(['', 'slow']), MAYBE, MAYBE, PI),
)


def _numbers(found: Forecast) -> list[float]:
    gains = [number for gain in found.gains for number in gain]
    return [found.fast_loss, found.stale, found.reuse_gain, found.reach, *gains]


@PATIENT
@given(st.lists(EVENTS, max_size=30), st.lists(VIEWS, min_size=1, max_size=5))
def test_any_finite_evidence_gives_finite_forecasts_in_range(
    events: list[Observation | Truth], views: list[View]
) -> None:
    """Extreme numbers far outside [0, 1], in what is learned and in what is asked: no surprise."""
    learned = LearnedGain(NoFit(), pairs_min=3)
    for event in events:
        if isinstance(event, Observation):
            learned.observe(event)
        else:
            learned.label(event)
    for view in views:
        found = learned.forecast(view, ('cloud', 'slow'))
        assert all(map(math.isfinite, _numbers(found)))
        for gain in found.gains:
            assert -1.0 <= gain.mean <= 1.0
            assert -1.0 <= gain.khat <= 1.0
            assert 0.0 <= gain.disagreement <= 1.0
            assert gain.width >= 0.0
        assert 0.0 <= found.fast_loss <= 1.0
        assert 0.0 <= found.stale <= 1.0
        assert -1.0 <= found.reuse_gain <= 1.0
        assert found.reach >= 1.0
        assert 0.0 <= learned.forecast(view, ()).fast_loss <= 1.0
        losses = learned.losses('slow', view, Evidence(1e308, -1e308, 0.5))
        assert all(0.0 <= loss <= 1.0 for loss in losses)


@PATIENT
@given(st.lists(EVENTS, max_size=30), VIEWS)
def test_the_same_events_give_the_same_bits(events: list[Observation | Truth], view: View) -> None:
    """Two predictors that were shown the same forecast the same, to the bit."""
    found = []
    for _ in range(2):
        learned = LearnedGain(NoFit())
        for event in events:
            if isinstance(event, Observation):
                learned.observe(event)
            else:
                learned.label(event)
        found.append(learned.forecast(view, ('cloud', 'slow')))
    assert found[0] == found[1]


# --- through the controller ----------------------------------------------------------------------


def _run(optimism: float, frames: int = 400) -> int:
    """Return how often slow is invoked, started from tables that say it never helps; it does."""
    predictor = LearnedGain(_fitted(_constant(0.0)), optimism=optimism)
    made = Controller(settings(), predictor)
    invoked = 0
    for k in range(frames):
        step = made.offer(offer(k, evidence=UNSURE.evidence))
        if isinstance(step.action, Invoke):
            invoked += 1
            made.resume(outcome(k, disagreement=1.0, cost=(1.0,)))
    return invoked


def test_without_optimism_a_learner_that_believes_in_nothing_stays_dead() -> None:
    """Tables that say "never" are never corrected at optimism 0; at 0.1 slow is soon called."""
    assert _run(0.0) == 0
    assert _run(0.1) > 60


def test_the_learning_phase_ends_by_itself() -> None:
    """20 answers are asked for; until then each call only observes, and the 21st commits."""
    made = Controller(settings(), LearnedGain(NoFit(), pairs_min=20))
    for k in range(40):
        step = made.offer(offer(k, evidence=UNSURE.evidence))
        if isinstance(step.action, Invoke):
            break
        assert step.action == Answer('fast', 'slow')
        assert step.record.missing == 20 - k
        made.learn(outcome(k, OutcomeKind.AUDIT, disagreement=1.0, cost=(1.0,)))
    assert k == 20


def test_weighted_statistics_are_those_of_all_frames() -> None:
    """A whole run with audits and labels: means and rho are the true ones when weighted by 1 / pi.

    Slow is called where fast looks unsure, so the pairs as they were seen are far off.
    """
    budget = Resource('slow_calls', 2.0, 60.0, 1.0, 0.3, 1.0)
    draw = np.random.default_rng(12)
    predictor = LearnedGain(NoFit())
    made = Controller(settings(resources=[budget], audit_share=0.25), predictor)
    losses, seen = [], []
    for k in range(8_000):
        doubt = float(draw.random())
        fast = float(draw.random() < doubt**3)
        slow = float(draw.random() < (0.5 if fast else 0.05))
        differs = float(fast != slow)
        evidence = Evidence(1.0 - doubt, 1.0 - doubt, doubt)
        step = made.offer(offer(k, evidence=evidence, draw=float(draw.random())))
        losses.append((fast, slow))
        if isinstance(step.action, Invoke):
            made.resume(outcome(k, disagreement=differs, cost=(1.0,)))
        elif step.action.observe:
            made.learn(outcome(k, OutcomeKind.AUDIT, disagreement=differs, cost=(1.0,)))
        else:
            made.learn(label(k, fast))
            continue
        seen.append((fast, slow))
        made.learn(label(k, fast, tier_label_loss=slow))
    found = predictor.summaries()['slow', ALL_CONTEXTS]
    truth, plain = np.array(losses), np.array(seen)
    assert found.observed == len(seen) > 800
    assert found.statistics.mean_fast == pytest.approx(truth[:, 0].mean(), abs=0.04)
    assert found.statistics.rho == pytest.approx(np.corrcoef(truth.T)[0, 1], abs=0.08)
    assert found.disagreement == pytest.approx((truth[:, 0] != truth[:, 1]).mean(), abs=0.04)
    assert plain[:, 0].mean() > truth[:, 0].mean() + 0.15
    assert abs(np.corrcoef(plain.T)[0, 1] - np.corrcoef(truth.T)[0, 1]) > 0.03


def test_scene_and_evidence_are_both_learned_on() -> None:
    """Two looks alike but for the camera's sharpness are told apart by what calls show."""
    learned = LearnedGain(NoFit(), optimism=0.0)
    sharp = UNSURE._replace(scene=UNSEEN._replace(sharpness=0.9))
    blurred = UNSURE._replace(scene=UNSEEN._replace(sharpness=0.1))
    for _ in range(200):
        _observe(learned, sharp, 0.0)
        _observe(learned, blurred, 1.0)
    assert _gain(learned, sharp).mean < 0.1
    assert _gain(learned, blurred).mean > 0.9


def test_a_learning_replay_verifies(tmp_path: Path) -> None:
    """A log made while learning is decided again bit for bit, and a second run gives its bytes."""
    models = pair.models_folder(tmp_path / 'models')
    draw = np.random.default_rng(3)
    scores = draw.dirichlet(np.full(10, 0.4), size=(2, 600))
    table = ProfileTable(
        stamp_ns=np.arange(600) * 100_000_000,
        context=('',) * 600,
        track=np.full(600, -1),
        label=draw.integers(0, 10, 600),
        fast_scores=scores[0],
        slow_scores=scores[1],
        digest=('',) * 600,
        fault=('',) * 600,
    )
    values = {'models.folder': str(models), 'decision.gain_rule': 'learned'}
    logs = []
    for name in ('one', 'two'):
        replay(table, plan(from_flat(values)), tmp_path / name)
        verdict = verify(tmp_path / name)
        assert verdict.sound, verdict.flaw
        assert verdict.outcomes > 50
        logs.append((tmp_path / name / 'audit' / '000000.jsonl').read_bytes())
    assert logs[0] == logs[1]
    replay(table, plan(from_flat(values | {'decision.gain_rule': 'calibrated'})), tmp_path / 'c')
    assert (tmp_path / 'c' / 'audit' / '000000.jsonl').read_bytes() != logs[0]
