"""Perception: every frame gets exactly one final answer, however its call ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import random
import tempfile
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pair
import pytest
from selector.audit import AuditLog
from selector.build import build_controller
from selector.build import header
from selector.build import Plan
from selector.decision import Reason
from selector.errors import ConfigError
from selector.errors import InputError
from selector.frame import Frame
from selector.outcome import OutcomeKind
from selector.perception import Final
from selector.perception import Perception
from selector.perception import Situation
from selector.prediction import Prediction
from selector.redecision import verify
from selector.settings import Change

FAST_MS, SLOW_MS = 5, 30
MS = 1_000_000


def answer(model: str, top: float, class_id: int) -> Prediction:
    """Return a prediction with `top` on one class and the rest evenly spread."""
    scores = [(1.0 - top) / 9.0] * 10
    scores[class_id] = top
    return Prediction(model, tuple(scores), class_id, 0.01)


DOUBT = answer('cifar10_fast', 0.3, 2)
SURE = answer('cifar10_fast', 0.995, 2)
SLOW = answer('cifar10_slow', 0.95, 7)


class Scene(NamedTuple):
    """A perception with a log of its own."""

    perception: Perception
    log: AuditLog
    folder: Path

    def begin(
        self, k: int, fast: Prediction | None = DOUBT, fault: str = '', frame_fault: str = '',
        busy: tuple[str, ...] = (),
    ) -> tuple[bool, Final | None]:  # fmt: skip
        """Offer frame `k`; return whether slow is to be invoked, and the final if there is one."""
        stamp_ns = pair.START_NS + k * pair.PERIOD_NS
        frame = Frame(k, stamp_ns, 'camera', '', None, f'{k:016x}', frame_fault)
        now = Situation(stamp_ns + MS, stamp_ns + FAST_MS * MS, 'day', 1.0, busy)
        decided = self.perception.begin(frame, fast, fault, now)
        assert decided.record.offer.sequence == k
        assert (decided.invoke == '') == (decided.final is not None)
        return bool(decided.invoke), decided.final

    def stamp(self, k: int, ms: int = SLOW_MS) -> int:
        """Return the stamp `ms` after that of frame `k` [ns]."""
        return pair.START_NS + k * pair.PERIOD_NS + ms * MS


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan with a large budget."""
    models = pair.models_folder(tmp_path_factory.mktemp('perception') / 'models')
    return pair.made_plan(models, {'budget.slow_calls.burst': 1000})


def scene_in(made: Plan, folder: Path) -> Scene:
    """Return a scene whose log is in `folder`."""
    log = AuditLog(folder / 'audit', header(made, 'test', 'virtual'), 1000)
    decision = made.config.decision
    perception = Perception(build_controller(made), log, decision.deadline_s, decision.max_skew_s)
    return Scene(perception, log, folder)


@pytest.fixture
def scene(made: Plan, tmp_path: Path) -> Iterator[Scene]:
    """A scene; its closed log is verified after the test."""
    one = scene_in(made, tmp_path / 'run')
    yield one
    one.log.close()
    assert verify(one.folder).flaw is None


def test_a_sure_fast_answer_is_final_at_once(scene: Scene) -> None:
    """Nothing is invoked and the fast answer goes out with its calibrated loss."""
    invoked, final = scene.begin(0, SURE)
    assert not invoked
    assert final is not None
    assert (final.tier, final.prediction) == ('fast', SURE)
    assert 0.0 <= final.loss < 0.3
    assert scene.perception.open_calls() == []


def test_an_answer_in_time_is_committed(scene: Scene) -> None:
    """The slow answer, the better of the two, is the one final; the frame is without pixels."""
    assert scene.begin(0) == (True, None)
    assert scene.perception.open_calls() == [(0, False)]
    learned = scene.perception.answered(0, SLOW, scene.stamp(0), 0.025)
    assert learned.record.outcome.kind is OutcomeKind.ANSWERED
    assert learned.record.outcome.disagreement == 1.0
    assert learned.final is not None
    assert (learned.final.tier, learned.final.prediction) == ('slow', SLOW)
    assert learned.final.loss == learned.record.tier_loss
    assert learned.final.frame.image is None
    assert scene.perception.open_calls() == []


def test_a_worse_slow_answer_is_not_committed(scene: Scene) -> None:
    """Where slow doubts more than fast, the fast answer is the final one."""
    fast = answer('cifar10_fast', 0.75, 2)
    assert scene.begin(0, fast)[0]
    learned = scene.perception.answered(0, answer('s', 0.12, 7), scene.stamp(0), 0.025)
    assert learned.record.tier_loss is not None
    assert learned.record.tier_loss > learned.record.fast_loss
    assert learned.final is not None
    assert (learned.final.tier, learned.final.prediction) == ('fast', fast)


def test_timed_out_then_late(scene: Scene) -> None:
    """At the deadline fast is final; the late answer is recorded and commits nothing."""
    scene.begin(0)
    out = scene.perception.timed_out(0, scene.stamp(0, 80), 0.075)
    assert out.record.outcome.kind is OutcomeKind.TIMED_OUT
    assert out.final is not None
    assert (out.final.tier, out.final.prediction) == ('fast', DOUBT)
    assert scene.perception.open_calls() == [(0, True)]
    late = scene.perception.answered(0, SLOW, scene.stamp(0, 90), 0.085)
    assert late.record.outcome.kind is OutcomeKind.LATE
    assert (late.record.committed, late.final) == ('', None)
    assert late.record.tier_loss is not None
    assert scene.perception.open_calls() == []


def test_timed_out_then_failed(scene: Scene) -> None:
    """A call that fails after the deadline ends without a second final."""
    scene.begin(0)
    scene.perception.timed_out(0, scene.stamp(0, 80), 0.075)
    end = scene.perception.failed(0, scene.stamp(0, 90), 0.085, 'crashed')
    assert end.record.outcome.kind is OutcomeKind.FAILED
    assert end.record.outcome.detail == 'crashed'
    assert end.final is None
    assert scene.perception.open_calls() == []


def test_failed_in_time_commits_fast(scene: Scene) -> None:
    """A failed call is an outcome, charged, and the fast answer is final."""
    scene.begin(0)
    end = scene.perception.failed(0, scene.stamp(0), 0.025, 'crashed')
    assert end.final is not None
    assert (end.final.tier, end.final.prediction) == ('fast', DOUBT)
    assert end.record.left == (999.0,)


def test_a_cancelled_call_commits_fast_and_is_charged(scene: Scene) -> None:
    """A call nobody waits for any more ends like a failed one, as CANCELLED, charged in full."""
    scene.begin(0)
    end = scene.perception.cancelled(0, scene.stamp(0), 0.025, 'shut down')
    assert end.record.outcome.kind is OutcomeKind.CANCELLED
    assert end.final is not None
    assert (end.final.tier, end.final.prediction) == ('fast', DOUBT)
    assert end.record.left == (999.0,)
    assert scene.perception.open_calls() == []


def test_without_a_fast_answer_slow_is_asked(scene: Scene) -> None:
    """A fast model that failed: slow is invoked and its answer is final whatever its doubt."""
    invoked, _ = scene.begin(0, None, 'fast crashed')
    assert invoked
    weak = answer('cifar10_slow', 0.12, 7)
    learned = scene.perception.answered(0, weak, scene.stamp(0), 0.025)
    assert learned.record.outcome.disagreement is None
    assert learned.final is not None
    assert (learned.final.tier, learned.final.prediction) == ('slow', weak)


def test_with_no_answer_at_all_the_final_is_empty(scene: Scene) -> None:
    """Both failed: one final with no prediction and loss 1."""
    scene.begin(0, None, 'fast crashed')
    end = scene.perception.failed(0, scene.stamp(0), 0.025, 'slow crashed')
    assert end.final is not None
    assert (end.final.prediction, end.final.loss) == (None, 1.0)


def test_an_undecodable_frame_is_final_at_once(scene: Scene) -> None:
    """Nothing can look at it: an empty final, the reason in the record, nothing is invoked."""
    invoked, final = scene.begin(0, None, '', 'image could not be decoded')
    assert not invoked
    assert final is not None
    assert (final.prediction, final.loss) == (None, 1.0)


def test_a_busy_tier_is_not_invoked(scene: Scene) -> None:
    """While slow is busy the fast answer is final, for the reason TIER_BUSY."""
    stamp_ns = scene.stamp(0, 0)
    decided = scene.perception.begin(
        Frame(0, stamp_ns, '', '', None, ''), DOUBT, '',
        Situation(stamp_ns, stamp_ns, '', 1.0, ('slow',)),
    )  # fmt: skip
    assert decided.record.decision.reason is Reason.TIER_BUSY
    assert decided.final is not None


@pytest.mark.parametrize('stake', [float('nan'), float('inf'), -1.0])
def test_a_stake_that_is_none_changes_nothing(scene: Scene, stake: float) -> None:
    """A refused offer leaves no record and no open call; the next frame is as if it never was."""
    stamp_ns = scene.stamp(0, 0)
    with pytest.raises(InputError):
        scene.perception.begin(
            Frame(0, stamp_ns, '', '', None, ''),
            DOUBT,
            '',
            Situation(stamp_ns, stamp_ns, '', stake),
        )
    assert scene.perception.open_calls() == []
    assert scene.begin(0)[0]
    scene.perception.failed(0, scene.stamp(0), 0.01, 'x')


def test_a_refused_change_is_not_recorded(scene: Scene) -> None:
    """A change that does not fit raises and leaves no record; one that fits is in the log."""
    with pytest.raises(ConfigError):
        scene.perception.adjust(Change(1, 'test', resources=()))
    link = scene.perception.adjust(Change(1, 'test', shadow=True))
    assert scene.begin(0)[0] is False
    assert link.previous != link.hash


ENDS = ['answered', 'failed', 'cancelled', 'late', 'late_failed', 'late_cancelled']


@given(st.lists(st.tuples(st.sampled_from(ENDS), st.booleans()), max_size=8), st.integers())
def test_every_frame_has_exactly_one_final(
    made: Plan, frames: list[tuple[str, bool]], seed: int
) -> None:
    """Whatever the ends and their order among several open calls: one final each, a sound log."""
    order = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        scene = scene_in(made, Path(folder))
        finals = [0] * len(frames)
        pending: list[tuple[int, list[str]]] = []
        for k, (end, has_fast) in enumerate(frames):
            invoked, final = scene.begin(k, DOUBT if has_fast else None, '' if has_fast else 'x')
            finals[k] += final is not None
            late = {'late': 'answered', 'late_failed': 'failed', 'late_cancelled': 'cancelled'}
            if invoked:
                pending.append((k, ['timed_out', late[end]] if end in late else [end]))
        while pending:
            k, steps_left = place = order.choice(pending)
            step = steps_left.pop(0)
            if step == 'answered':
                learned = scene.perception.answered(k, SLOW, scene.stamp(k), 0.03)
            elif step == 'failed':
                learned = scene.perception.failed(k, scene.stamp(k), 0.03, 'x')
            elif step == 'cancelled':
                learned = scene.perception.cancelled(k, scene.stamp(k), 0.03, 'x')
            else:
                learned = scene.perception.timed_out(k, scene.stamp(k, 80), 0.07)
            finals[k] += learned.final is not None
            if not steps_left:
                pending.remove(place)
        assert finals == [1] * len(frames)
        assert scene.perception.open_calls() == []
        scene.log.close()
        assert verify(scene.folder).sound
