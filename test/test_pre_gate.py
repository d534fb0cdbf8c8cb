"""Pre-gate: decided before the fast model has run; it runs where nothing else answers."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import EVIDENCE
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import settings
from scripted import tier
from selector.action import Answer
from selector.action import Invoke
from selector.controller import Controller
from selector.decision import REUSE
from selector.errors import InputError
from selector.outcome import OutcomeKind


def _made(gain: float = 0.0, **changes: Any) -> tuple[Controller, ScriptedGain]:
    predictor = ScriptedGain({'slow': gain})
    return Controller(settings(**changes), predictor), predictor


def _pending(sequence: int = 0, **changes: Any) -> Any:
    return offer(sequence, **({'evidence': None, 'fast_class': -1, 'pending': True} | changes))


def _fast(sequence: int, kind: OutcomeKind = OutcomeKind.ANSWERED) -> Any:
    return outcome(sequence, kind, 'fast')


def test_fast_runs_where_slow_does_not_pay() -> None:
    """A pending frame that no tier pays for is left to the fast model, whose answer is final."""
    made, _ = _made(gain=0.0)
    assert made.offer(_pending()).action == Invoke('fast')
    action, record = made.resume(_fast(0))
    assert action == Answer('fast')
    assert record.committed == 'fast'


def test_slow_answers_without_fast_where_it_pays() -> None:
    """A pending frame that pays for slow never runs fast when slow answers in time."""
    made, _ = _made(gain=0.9)
    assert made.offer(_pending()).action == Invoke('slow')
    assert made.resume(outcome(0, disagreement=None))[0] == Answer('slow')


@pytest.mark.parametrize('kind', [OutcomeKind.TIMED_OUT, OutcomeKind.FAILED])
def test_fast_runs_when_slow_has_not_answered(kind: OutcomeKind) -> None:
    """Every frame is answered: fast is invoked when slow is late or fails, and is final."""
    made, _ = _made(gain=0.9)
    made.offer(_pending())
    action, record = made.resume(outcome(0, kind))
    assert action == Invoke('fast')
    assert (record.committed, record.invoke) == ('', 'fast')
    assert made.resume(_fast(0))[0] == Answer('fast')
    if kind is OutcomeKind.TIMED_OUT:
        assert made.learn(outcome(0, OutcomeKind.LATE)).committed == ''


def test_a_failing_fast_model_is_still_an_answer() -> None:
    """Where fast fails as well, the frame is committed to it, without a prediction."""
    made, _ = _made(gain=0.0)
    made.offer(_pending())
    assert made.resume(_fast(0, OutcomeKind.FAILED))[0] == Answer('fast')


def test_the_time_of_fast_is_kept_for_it() -> None:
    """Slow is feasible only if its answer leaves the fast model its p99 before the deadline."""
    for p99_s, chosen in ((0.0, 'slow'), (0.05, 'fast')):
        made, _ = _made(gain=0.9, fast_p99_s=p99_s)
        assert made.offer(_pending(remaining_s=0.06)).action.tier == chosen


def test_the_saved_run_of_fast_is_taken_off_the_cost() -> None:
    """A gain that does not pay for slow pays for it where slow saves the run of fast."""
    joules = replace(CALLS, name='energy_j', exchange_rate=0.2)
    dear = tier(cost=(1.0,))
    for saved, chosen in (((), 'fast'), ((0.6,), 'slow')):
        made, _ = _made(gain=0.15, resources=(joules,), tiers=(dear,), fast_cost=saved)
        assert made.offer(_pending()).action.tier == chosen
    made, _ = _made(gain=0.15, resources=(joules,), tiers=(dear,), fast_cost=(0.6,))
    assert made.offer(offer(0)).action == Answer('fast')


def test_a_carried_answer_saves_both_models() -> None:
    """Where the carried answer is expected to be as good as a fresh fast one, nothing is run."""
    made, predictor = _made(gain=0.9, reuse_max_age_s=5.0)
    made.offer(_pending(0))
    made.resume(outcome(0, disagreement=None))
    predictor.gains, predictor.reuse_gain = {'slow': 0.0}, 0.0
    assert made.offer(_pending(1)).action == Answer(REUSE)


def test_an_audit_runs_beside_the_fast_model() -> None:
    """A pending frame that is left to fast may be audited; both answers are then known."""
    made, predictor = _made(gain=0.0, audit_share=0.5)
    action = made.offer(_pending(0, observe=True)).action
    assert action == Invoke('fast', observe='slow')
    made.resume(_fast(0))
    made.learn(outcome(0, OutcomeKind.AUDIT, disagreement=1.0))
    assert predictor.observed[-1].view.evidence == EVIDENCE
    assert predictor.observed[-1].disagreement == 1.0


def test_a_pending_frame_has_no_fast_answer_yet() -> None:
    """A frame that is pending and answered, or pending and failed, is refused; nothing changes."""
    made, _ = _made()
    for wrong in ({'evidence': EVIDENCE}, {'fault': 'the fast model failed'}):
        with pytest.raises(InputError, match='pending'):
            made.offer(_pending(**wrong))
    assert made.offer(_pending()).record.offer.sequence == 0


@PATIENT
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.floats(0.0, 1.0),
            st.sampled_from([OutcomeKind.ANSWERED, OutcomeKind.FAILED, OutcomeKind.TIMED_OUT]),
        ),
        max_size=30,
    )
)
def test_every_frame_is_answered_once(frames: list[tuple[bool, float, OutcomeKind]]) -> None:
    """Pending or not, whatever slow does, each frame ends with exactly one committed answer."""
    made, predictor = _made()
    for k, (pending, gain, kind) in enumerate(frames):
        predictor.gains = {'slow': gain}
        action = made.offer(_pending(k) if pending else offer(k)).action
        committed = int(isinstance(action, Answer))
        while isinstance(action, Invoke):
            ended = _fast(k) if action.tier == 'fast' else outcome(k, kind)
            late = action.tier == 'slow' and kind is OutcomeKind.TIMED_OUT
            action, record = made.resume(ended)
            committed += record.committed != ''
            if late:
                made.learn(outcome(k, OutcomeKind.LATE))
        assert committed == 1
