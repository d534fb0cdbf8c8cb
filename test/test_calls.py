"""Calls: what the end of a call changes, whenever it comes; carried answers and labels."""

import math
from typing import Any

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import controller
from scripted import label
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import SECOND_NS
from scripted import settings
from selector.action import Answer
from selector.action import Invoke
from selector.audit import encode
from selector.budget import Resource
from selector.carried import Carried
from selector.controller import Controller
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.errors import InputError
from selector.errors import SequenceError
from selector.outcome import OutcomeKind
from selector.settings import Change

AGE_S = 0.5


def _made(gain: float = 0.5, **changes: Any) -> tuple[Controller, ScriptedGain]:
    predictor = ScriptedGain({'slow': gain})
    values = {'reuse_max_age_s': AGE_S} | changes
    return Controller(settings(**values), predictor), predictor


# --- answers that are carried on -----------------------------------------------------------------


def test_a_carried_answer_is_given_where_it_gains() -> None:
    """Reuse is committed exactly where its gain is positive; frame and tier are told."""
    for gain, action in ((0.3, Answer(REUSE)), (0.0, Answer('fast')), (-0.3, Answer('fast'))):
        made, predictor = _made()
        made.offer(offer(0))
        made.resume(outcome(0, class_id=2))
        predictor.gains, predictor.reuse_gain = {}, gain
        step = made.offer(offer(1))
        assert step.action == action
        record = step.record
        assert (record.carried, record.carried_tier, record.reuse_gain) == (0, 'slow', gain)
        assert predictor.views[-1].carried == 'slow'
        expected = Reason.REUSED if gain > 0.0 else Reason.GAIN_BELOW_PRICE
        assert record.decision.reason is expected
    assert made.carried('front', SECOND_NS // 10) == Carried(0, 0, 'slow', 2)


def test_without_an_age_nothing_is_carried() -> None:
    """Reuse is off by default: no frame is told of an earlier answer."""
    made, predictor = _made(reuse_max_age_s=0.0)
    made.offer(offer(0))
    made.resume(outcome(0))
    predictor.reuse_gain = 1.0
    record = made.offer(offer(1)).record
    assert (record.carried, record.carried_tier, record.reuse_gain) == (-1, '', -1.0)
    assert predictor.views[-1].carried == ''


EVENT = st.fixed_dictionaries(
    {
        'what': st.sampled_from(['frame', 'frame', 'frame', 'frame', 'rewind']),
        'dt_ns': st.integers(-SECOND_NS // 4, SECOND_NS // 4),
        'camera': st.sampled_from(['front', 'rear']),
        'invoke': st.booleans(),
        'wait': st.integers(0, 5),
        'back_ns': st.integers(0, 2 * SECOND_NS),
    }
)


@run(PATIENT, max_examples=200)
@given(st.lists(EVENT, max_size=50))
def test_what_is_carried_is_the_past_of_its_camera_since_the_last_rewind(
    events: list[dict[str, Any]],
) -> None:
    """Never older than allowed, from the future, of another camera, or from before a rewind.

    Answers come late, in any order and after rewinds. Against one slot a camera: an answer about
    a frame that is not later than the clock has been since takes it from an older frame's.
    """
    made, predictor = _made()
    stamp_ns = 0
    gone: set[int] = set()  # frames from before a rewind to an earlier time
    frames: dict[int, tuple[int, str]] = {}  # sequence: stamp, camera
    slot: dict[str, int] = {}
    waiting: list[tuple[int, int]] = []
    for k, event in enumerate(events):
        for call in [c for c in waiting if c[0] <= k]:
            waiting.remove(call)
            made.learn(outcome(call[1], OutcomeKind.LATE))
            at_ns, camera = frames[call[1]]
            if call[1] not in gone and (camera not in slot or at_ns >= frames[slot[camera]][0]):
                slot[camera] = call[1]
        if event['what'] == 'rewind':
            stamp_ns -= event['back_ns']
            made.adjust(Change(0, 'clock', rewind_ns=stamp_ns))
            gone |= {s for s, (at_ns, _) in frames.items() if at_ns > stamp_ns}
            slot = {camera: s for camera, s in slot.items() if s not in gone}
            continue
        stamp_ns += event['dt_ns']
        predictor.gains = {'slow': float(event['invoke'])}
        predictor.reuse_gain = 0.5
        step = made.offer(offer(k, stamp_ns, camera=event['camera'], stake=50.0))
        frames[k] = stamp_ns, event['camera']
        found = slot.get(event['camera'], -1)
        if found >= 0 and not 0 < stamp_ns - frames[found][0] <= AGE_S * SECOND_NS:
            found = -1
        assert step.record.carried == found
        if isinstance(step.action, Invoke):
            made.resume(outcome(k, OutcomeKind.TIMED_OUT))
            waiting.append((k + event['wait'], k))
        else:
            assert step.action == Answer('fast' if found < 0 else REUSE)


def test_a_late_answer_is_carried_with_its_own_age() -> None:
    """Late by three frames it is 0.3 s old when it comes, and expires by the frame it is about."""
    made, predictor = _made()
    made.offer(offer(0))
    made.resume(outcome(0, OutcomeKind.TIMED_OUT))
    predictor.gains = {}
    for k in (1, 2, 3):
        assert made.offer(offer(k)).record.carried == -1
    made.learn(outcome(0, OutcomeKind.LATE, class_id=1))
    assert made.carried('front', 3 * SECOND_NS // 10) == Carried(0, 0, 'slow', 1)
    assert [made.offer(offer(k)).record.carried for k in (4, 5, 6)] == [0, 0, -1]


def test_a_late_answer_about_an_older_frame_replaces_nothing() -> None:
    """The answer about the newer frame stays, whichever came first."""
    made, _ = _made()
    made.offer(offer(0))
    made.resume(outcome(0, OutcomeKind.TIMED_OUT))
    made.offer(offer(1))
    made.resume(outcome(1))
    made.learn(outcome(0, OutcomeKind.LATE))
    assert made.carried('front', 2 * SECOND_NS // 10).sequence == 1


def test_an_answer_from_before_a_rewind_does_not_block_newer_ones() -> None:
    """A bag starts again while a call runs: its answer is learned from, but never carried on."""
    made, predictor = _made()
    made.offer(offer(100))
    made.resume(outcome(100, OutcomeKind.TIMED_OUT))
    made.adjust(Change(0, 'clock', rewind_ns=0))
    made.learn(outcome(100, OutcomeKind.LATE))
    assert len(predictor.observed) == 1
    assert made.carried('front', 10 * SECOND_NS + 1) is None
    made.offer(offer(101, SECOND_NS))
    made.resume(outcome(101))
    assert made.carried('front', SECOND_NS + 1).sequence == 101


def test_the_better_of_two_answers_is_carried_on() -> None:
    """Where fast is predicted the better one, its answer and class are the trusted ones."""
    made, predictor = _made()
    predictor.fast_loss, predictor.tier_loss = 0.1, 0.5
    made.offer(offer(0, fast_class=1))
    assert made.resume(outcome(0, class_id=2))[0] == Answer('fast')
    assert made.carried('front', 1) == Carried(0, 0, 'fast', 1)


@pytest.mark.parametrize('kind', [OutcomeKind.FAILED, OutcomeKind.CANCELLED])
def test_a_call_without_an_answer_is_not_carried_or_learned_from(kind: OutcomeKind) -> None:
    """What failed or was cancelled says nothing about the frame."""
    made, predictor = _made()
    made.offer(offer(0))
    made.resume(outcome(0, kind))
    assert made.carried('front', 1) is None
    assert predictor.observed == []


def test_an_audit_is_carried_and_learned_from() -> None:
    """What was observed beside a frame is as trusted as any answer; nothing is committed."""
    made, predictor = _made(0.0, audit_share=0.2)
    step = made.offer(offer(0, observe=True))
    assert step.action == Answer('fast', 'slow')
    record = made.learn(outcome(0, OutcomeKind.AUDIT, class_id=2, disagreement=1.0))
    assert record.committed == ''
    assert made.carried('front', 1) == Carried(0, 0, 'slow', 2)
    assert [seen.disagreement for seen in predictor.observed] == [1.0]


# --- what is learned, once -----------------------------------------------------------------------


def test_an_observation_is_about_the_frame_as_it_was_decided_about() -> None:
    """View, probability and distances of the decision, however much later the answer comes."""
    made, predictor = _made(audit_share=0.25, resources=[CALLS])
    made.offer(offer(0))
    view = predictor.views[-1]
    made.resume(outcome(0, OutcomeKind.TIMED_OUT))
    made.offer(offer(1, 5 * SECOND_NS, stake=0.0, context='night'))
    made.learn(outcome(0, OutcomeKind.LATE, disagreement=0.7, stale=0.2))
    seen = predictor.observed[0]
    assert (seen.tier, seen.view, seen.probability) == ('slow', view, 1.0)
    assert (seen.disagreement, seen.stale) == (0.7, 0.2)


def test_an_audit_is_learned_with_its_probability() -> None:
    """Drawn with eps it counts for 1 / eps frames; asked for, for one."""
    made, predictor = _made(0.0, audit_share=0.25)
    for k in range(3):
        made.offer(offer(k))
    chance = made.offer(offer(3, draw=0.0)).record.observation_probability
    assert chance == pytest.approx(0.05)
    made.learn(outcome(3, OutcomeKind.AUDIT))
    made.offer(offer(4, observe=True))
    made.learn(outcome(4, OutcomeKind.AUDIT))
    assert [seen.probability for seen in predictor.observed] == [chance, 1.0]


ENDS = [OutcomeKind.ANSWERED, OutcomeKind.LATE, OutcomeKind.FAILED, OutcomeKind.AUDIT]


@pytest.mark.parametrize('kind', ENDS)
def test_an_audit_ends_once_and_not_by_resume(kind: OutcomeKind) -> None:
    """Nobody waits for it: resume and what commits are refused; after its end all is."""
    made, predictor = _made(0.0, audit_share=0.25)
    made.offer(offer(0, observe=True))
    before = made._purses.left(Purse.AUDIT)
    with pytest.raises(SequenceError):
        made.resume(outcome(0, kind))
    if kind is OutcomeKind.ANSWERED:
        with pytest.raises(SequenceError):
            made.learn(outcome(0, kind))
        assert made._purses.left(Purse.AUDIT) == before
        assert predictor.observed == []
        return
    made.learn(outcome(0, kind))
    assert len(predictor.observed) == (kind is not OutcomeKind.FAILED)
    for again in OutcomeKind:
        if again is not OutcomeKind.LABEL:
            with pytest.raises(SequenceError):
                made.learn(outcome(0, again))
    assert len(predictor.observed) == (kind is not OutcomeKind.FAILED)


def test_a_label_does_not_end_a_call() -> None:
    """Given to resume it is refused; the frame still waits and its reserve stays."""
    made, _ = _made()
    made.offer(offer(0))
    with pytest.raises(SequenceError):
        made.resume(label(0))
    assert made.resume(outcome(0, cost=(0.0,)))[1].left == (20.0,)


def test_latencies_are_learned_from_the_ends_of_calls() -> None:
    """Answers of 50 ms make 30 ms look short; a timed-out call counts when it ends, once."""
    made, _ = _made(resources=[CALLS], reuse_max_age_s=0.0)
    latency = made._calls.latency['slow']
    before = latency.p_arrive(0.03)
    for k in range(3):
        made.offer(offer(k))
        made.resume(outcome(k, latency_s=0.05, cost=(0.0,)))
    assert latency.p_arrive(0.03) == pytest.approx(before * 20.0 / 23.0, rel=0.01)
    made.offer(offer(3))
    seen = latency.p_arrive(0.03)
    made.resume(outcome(3, OutcomeKind.TIMED_OUT, latency_s=0.06))
    assert latency.p_arrive(0.03) == seen
    made.learn(outcome(3, OutcomeKind.LATE, latency_s=0.2))
    assert latency.p_arrive(0.03) < seen


def test_a_tier_that_is_lost_fades_out_and_is_tried_again() -> None:
    """Every call is given up at the deadline: after some it is not called any more, then again.

    P(arrival) falls step by step; while nothing is called it recovers by the time that passes,
    one call is let through, and when that is lost too it takes a while again.
    """
    rich = Resource(CALLS.name, 1e3, 1e4, 1.0, 0.05, 1.0)
    made, _ = _made(0.9, resources=[rich], reuse_max_age_s=0.0)
    called, arrivals = [], []
    for k in range(400):
        step = made.offer(offer(k))
        arrivals.append(step.record.decision.tiers[0].p_arrive)
        called.append(isinstance(step.action, Invoke))
        if called[-1]:
            made.resume(outcome(k, OutcomeKind.TIMED_OUT, latency_s=0.06))
            made.learn(outcome(k, OutcomeKind.FAILED, latency_s=0.06))
        else:
            assert step.record.decision.reason is Reason.DEADLINE_TOO_SHORT
            assert arrivals[-1] < 0.5
    first = called.index(False)
    assert 15 <= first <= 25
    assert max(abs(a - b) for a, b in zip(arrivals, arrivals[1:], strict=False)) < 0.05
    again = [k for k in range(first, 400) if called[k]]
    assert 5 < len(again) < 100
    assert not any(called[k + 1] for k in again if k + 1 < 400)


# --- labels --------------------------------------------------------------------------------------


def test_a_label_pairs_the_losses_with_the_observed_answer() -> None:
    """Both losses, the disagreement and the probability with which the pair was to be seen."""
    made, predictor = _made()
    made.offer(offer(0))
    view = predictor.views[-1]
    made.resume(outcome(0, disagreement=1.0))
    record = made.learn(label(0, 1.0, tier_label_loss=0.25))
    truth = predictor.labelled[0]
    assert truth == (view, 1.0, 'slow', 0.25, 1.0, 1.0)
    assert (record.committed, record.fast_loss, record.tier_loss) == ('', 1.0, 0.25)
    assert record.excess == (0.0,)


@pytest.mark.parametrize(
    ('gain', 'tier', 'answered'),
    [(0.0, 'slow', False), (0.0, '', False), (0.5, 'slow', False), (0.5, '', True)],
)
def test_a_label_without_an_observed_answer_is_about_fast_only(
    gain: float, tier: str, answered: bool
) -> None:
    """Nothing invoked, nothing answered yet, or compared with no tier: the pair is not made up."""
    made, predictor = _made(gain)
    made.offer(offer(0))
    if answered:
        made.resume(outcome(0))
    made.learn(label(0, 1.0, tier=tier, tier_label_loss=0.5))
    assert predictor.labelled[0][1:] == (1.0, '', None, None, 1.0)


def test_a_label_before_the_answer_is_taken_and_the_answer_still_teaches() -> None:
    """The label counts for fast; an answer that comes later is learned from but pairs no more."""
    made, predictor = _made()
    made.offer(offer(0))
    made.learn(label(0, 1.0, tier_label_loss=0.0))
    made.resume(outcome(0, disagreement=1.0))
    assert len(predictor.labelled) == len(predictor.observed) == 1
    with pytest.raises(SequenceError, match='label'):
        made.learn(label(0, 1.0, tier_label_loss=0.0))
    assert len(predictor.labelled) == 1


def test_a_late_answer_pairs_with_a_later_label() -> None:
    """However late the answer was: once it is there, the label compares both."""
    made, predictor = _made()
    made.offer(offer(0))
    made.resume(outcome(0, OutcomeKind.TIMED_OUT))
    made.learn(outcome(0, OutcomeKind.LATE, disagreement=1.0))
    made.learn(label(0, 0.0, tier_label_loss=1.0))
    assert predictor.labelled[0][1:] == (0.0, 'slow', 1.0, 1.0, 1.0)


def test_a_repeated_label_is_refused_and_nothing_is_learned_twice() -> None:
    """The second label of a frame, and one of a frame that never was, teach nothing."""
    made, predictor = _made()
    made.offer(offer(0))
    made.resume(outcome(0))
    made.learn(label(0, 1.0))
    for again, words in ((label(0, 0.0), 'label already'), (label(7), 'not remembered')):
        with pytest.raises(SequenceError, match=words):
            made.learn(again)
    assert len(predictor.labelled) == 1


def test_labels_of_forgotten_frames_are_refused() -> None:
    """Of five frames the last three are remembered; labels of the others come too late."""
    made, predictor = _made(0.0, remember_frames=3)
    for k in range(5):
        made.offer(offer(k))
    for k in (0, 1):
        with pytest.raises(SequenceError, match='not remembered'):
            made.learn(label(k))
    for k in (2, 3, 4):
        made.learn(label(k))
    assert len(predictor.labelled) == 3


@pytest.mark.parametrize('bad', [math.nan, math.inf, -1e-9, 1.0 + 1e-9])
def test_a_refused_label_changes_nothing(bad: float) -> None:
    """A loss that is none is refused, and the frame can still be labelled."""
    made, predictor = _made()
    made.offer(offer(0))
    made.resume(outcome(0))
    for evil in (label(0, bad), label(0, tier_label_loss=bad)):
        with pytest.raises(InputError):
            made.learn(evil)
    assert predictor.labelled == []
    made.learn(label(0, 1.0))
    assert len(predictor.labelled) == 1


def test_a_label_moves_no_money() -> None:
    """Tokens and later decisions are the same with and without labels."""
    lines = []
    for labelled in (True, False):
        made = controller({'slow': 0.5})
        for k in range(5):
            made.offer(offer(k))
            made.resume(outcome(k, cost=(1.0,)))
            if labelled:
                left = made.learn(label(k, 1.0)).left
        lines.append(encode(made.offer(offer(5)).record))
    assert lines[0] == lines[1]
    assert left == pytest.approx((20.0 - 5.0 + 0.8,))


@pytest.mark.parametrize('changes', [{}, {'shadow': True}])
def test_a_frame_without_a_call_can_be_labelled(changes: dict[str, bool]) -> None:
    """Kept or shadowed, a label says how fast did."""
    made, predictor = _made(0.0 if not changes else 0.5, **changes)
    made.offer(offer(0))
    made.learn(label(0, 1.0))
    assert predictor.labelled[0].fast_loss == 1.0
