"""Perception: every frame gets exactly one final answer, however its call ends."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from pathlib import Path
import random
import tempfile
from typing import Any
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pair
import pytest
from selector.audit import AuditLog
from selector.build import audit_key
from selector.build import build_controller
from selector.build import header
from selector.build import Plan
from selector.build import plan
from selector.config import flat
from selector.config import from_flat
from selector.decision import Advice
from selector.decision import Purse
from selector.decision import Reason
from selector.draw import draw
from selector.errors import ConfigError
from selector.errors import InputError
from selector.errors import SequenceError
from selector.evidence import UNSEEN
from selector.frame import Frame
from selector.outcome import OutcomeKind
from selector.perception import Decided
from selector.perception import Final
from selector.perception import Perception
from selector.prediction import Prediction
from selector.redecision import verify
from selector.scene import change
from selector.scene import look
from selector.settings import Change
from selector.situation import Situation
from selector.tasks.classification import truth

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
        decided = self.decide(k, fast, fault, frame_fault, busy=busy)
        return bool(decided.invoke), decided.final

    def decide(
        self, k: int, fast: Prediction | None = DOUBT, fault: str = '', frame_fault: str = '',
        image: Any = None, **known: Any,
    ) -> Decided:  # fmt: skip
        """Offer frame `k`; `known` is of its situation."""
        stamp_ns = pair.START_NS + k * pair.PERIOD_NS
        frame = Frame(k, stamp_ns, 'camera', '', image, f'{k:016x}', frame_fault)
        now = Situation(stamp_ns + MS, stamp_ns + FAST_MS * MS, 'day', 1.0)._replace(**known)
        decided = self.perception.begin(frame, fast, fault, now)
        assert decided.record.offer.sequence == k
        assert (decided.invoke == '') == (decided.final is not None)
        assert not (decided.invoke and decided.observe)
        return decided

    def stamp(self, k: int, ms: int = SLOW_MS) -> int:
        """Return the stamp `ms` after that of frame `k` [ns]."""
        return pair.START_NS + k * pair.PERIOD_NS + ms * MS


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan with a large budget."""
    models = pair.models_folder(tmp_path_factory.mktemp('perception') / 'models')
    return pair.made_plan(models, {'budget.slow_calls.burst': 1000, 'budget.audit_share': 0.0})


def scene_in(made: Plan, folder: Path) -> Scene:
    """Return a scene whose log is in `folder`."""
    log = AuditLog(folder / 'audit', header(made, 'test', 'virtual'), 1000)
    decision, key = made.config.decision, audit_key(made.config, 'test')
    perception = Perception(
        build_controller(made), log, decision.deadline_s, decision.max_skew_s, key=key
    )
    return Scene(perception, log, folder)


@contextlib.contextmanager
def another(made: Plan, folder: Path, **values: Any) -> Iterator[Scene]:
    """Yield a scene with parameters of its own (`a__b` is `a.b`); its log is verified."""
    changes = {name.replace('__', '.'): value for name, value in values.items()}
    one = scene_in(plan(from_flat({**flat(made.config), **changes})), folder / 'run')
    try:
        yield one
    finally:
        one.log.close()
    verdict = verify(one.folder)
    assert verdict.sound, verdict.flaw


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


def picture(seed: int) -> Any:
    """Return a picture of coarse blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))


def invoked_and_carried(scene: Scene, k: int = 0) -> None:
    """Have slow answer frame `k`, whose answer is carried on from then."""
    assert scene.decide(k, image=picture(1)).invoke == 'slow'
    scene.perception.answered(k, SLOW, scene.stamp(k), 0.025)


def test_the_scene_of_a_frame_comes_from_its_pixels(made: Plan, tmp_path: Path) -> None:
    """The record has the look of the image, and how it compares with the carried frame."""
    with another(made, tmp_path, decision__reuse_max_age_s=1.0) as scene:
        first = look(picture(1))
        invoked_and_carried(scene)
        same = scene.decide(1, image=picture(1)).record.offer.scene
        assert (same.sharpness, same.exposure) == (first.sharpness, first.exposure)
        assert (same.scene_change, same.track_agreement) == pytest.approx((0.0, 1.0), abs=0.03)
        assert same.slow_age_s == pytest.approx(0.1)
        new = scene.decide(2, SURE, image=picture(2)).record.offer.scene
        assert new.scene_change == change(look(picture(2)), first) > 0.3
        assert new.track_agreement < 0.5
        kept = scene.decide(3, look=first).record.offer.scene
        assert kept == same._replace(slow_age_s=kept.slow_age_s)
        late = scene.decide(30, SURE, image=picture(1)).record.offer.scene
        assert late == UNSEEN._replace(sharpness=first.sharpness, exposure=first.exposure)


def test_a_reused_answer_is_published_with_its_age(made: Plan, tmp_path: Path) -> None:
    """A doubtful frame like the last one gets slow's answer again: its age, a loss that grows."""
    with another(made, tmp_path, decision__reuse_max_age_s=5.0) as scene:
        assert scene.decide(0, image=picture(1)).record.carried == -1
        committed = scene.perception.answered(0, SLOW, scene.stamp(0), 0.025)
        assert committed.final is not None
        losses = [committed.final.loss]
        for k in (1, 2):
            decided = scene.decide(k, image=picture(1))
            record, final = decided.record, decided.final
            assert record.decision.reason is Reason.REUSED
            assert (record.carried, record.carried_tier) == (0, 'slow')
            assert final is not None
            assert (final.tier, final.prediction) == ('reuse', SLOW)
            assert final.age_s == pytest.approx(0.1 * k)
            assert final.loss == 1.0 - (1.0 - record.stale) * (1.0 - losses[0])
            losses.append(final.loss)
        assert losses == sorted(losses)
        assert scene.perception.open_calls() == []


@pytest.mark.parametrize('end', ['timed_out', 'failed'])
def test_a_call_without_an_answer_leaves_what_was_carried(
    made: Plan, tmp_path: Path, end: str
) -> None:
    """Where slow gives no answer, the frame gets the one it would have had without the call."""
    changes = {'decision__reuse_max_age_s': 5.0, 'budget__slow_calls__exchange_rate': 0.0}
    with another(made, tmp_path, **changes) as scene:
        invoked_and_carried(scene)
        decided = next(
            (k, found)
            for k in range(1, 30)
            if (found := scene.decide(k, image=picture(1), stake=20.0)).invoke
        )
        k, found = decided
        assert (found.record.decision.base.name, found.final) == ('reuse', None)
        if end == 'timed_out':
            learned = scene.perception.timed_out(k, scene.stamp(k, 80), 0.06)
        else:
            learned = scene.perception.failed(k, scene.stamp(k), 0.02, 'out of memory')
        assert learned.record.committed == 'reuse'
        assert learned.final is not None
        assert (learned.final.tier, learned.final.prediction) == ('reuse', SLOW)
        assert learned.final.age_s == pytest.approx(0.1 * k)
        if end == 'timed_out':
            scene.perception.failed(k, scene.stamp(k, 90), 0.07, 'gone')


def test_a_frame_that_cannot_be_decoded_may_be_answered_by_reuse(
    made: Plan, tmp_path: Path
) -> None:
    """Whichever answer a frame without pixels gets, it is one that the record names."""
    with another(made, tmp_path, decision__reuse_max_age_s=5.0) as scene:
        invoked_and_carried(scene)
        decided = scene.decide(1, None, '', 'torn')
        assert decided.final is not None
        assert decided.final.tier == decided.record.decision.chosen
        assert decided.record.decision.reason is Reason.INPUT_UNDECODABLE


def test_a_new_answer_tells_whether_the_carried_one_was_stale(made: Plan, tmp_path: Path) -> None:
    """Stale is the distance from the answer that was carried at the decision; None without one."""
    with another(made, tmp_path, decision__reuse_max_age_s=5.0) as scene:
        for k, seed, slow, stale in (
            (0, 1, SLOW, None),
            (1, 2, SLOW, 0.0),
            (2, 3, answer('s', 0.95, 4), 1.0),
        ):
            assert scene.decide(k, image=picture(seed)).invoke == 'slow'
            learned = scene.perception.answered(k, slow, scene.stamp(k), 0.025)
            assert learned.record.outcome.stale == stale


def test_an_audit_answers_at_once_and_teaches_later(made: Plan, tmp_path: Path) -> None:
    """A sure frame that is drawn: fast is final, slow runs beside it and ends as AUDIT."""
    with another(made, tmp_path, budget__audit_share=0.5) as scene:
        drawn = skipped = 0
        for k in range(60):
            decided = scene.decide(k, SURE)
            record = decided.record
            assert decided.final is not None
            assert (decided.final.tier, decided.final.prediction) == ('fast', SURE)
            assert record.offer.draw == draw(audit_key(made.config, 'test'), k)
            if not decided.observe:
                skipped += 1
                continue
            drawn += 1
            assert (decided.observe, record.decision.reason) == ('slow', Reason.AUDITED)
            assert scene.perception.open_calls() == [(k, True)]
            if drawn == 1:
                end = scene.perception.failed(k, scene.stamp(k), 0.02, 'crashed')
                assert end.record.outcome.kind is OutcomeKind.FAILED
            else:
                end = scene.perception.answered(k, SLOW, scene.stamp(k), 0.02)
                assert end.record.outcome.kind is OutcomeKind.AUDIT
                assert end.record.outcome.disagreement == 1.0
            assert (end.final, end.record.committed) == (None, '')
        assert drawn > 3
        assert skipped > 3


def test_without_a_key_nothing_is_audited(made: Plan, tmp_path: Path) -> None:
    """Who draws no numbers has no audits: the draw is recorded as 1."""
    chosen = plan(from_flat({**flat(made.config), 'budget.audit_share': 0.5}))
    log = AuditLog(tmp_path / 'audit', header(chosen, 'test', 'virtual'), 1000)
    scene = Scene(Perception(build_controller(chosen), log, 0.08, 0.5), log, tmp_path)
    for k in range(50):
        decided = scene.decide(k, SURE)
        assert (decided.record.offer.draw, decided.observe) == (1.0, '')
    log.close()


def test_a_frame_that_will_be_labelled_is_observed(made: Plan, tmp_path: Path) -> None:
    """Where a label is announced, slow looks at the frame whatever the rule says."""
    with another(made, tmp_path, budget__audit_share=0.5) as scene:
        decided = scene.decide(0, SURE, observe=True)
        assert decided.observe == 'slow'
        scene.perception.answered(0, SLOW, scene.stamp(0), 0.02)


@pytest.mark.parametrize(
    ('label', 'losses'), [(7, (1.0, 0.0, 0.0)), (2, (0.0, 1.0, 1.0)), (5, (1.0, 1.0, 1.0))]
)
def test_a_label_tells_the_losses_of_both_answers(
    scene: Scene, label: int, losses: tuple[float, float, float]
) -> None:
    """Fast said 2, slow 7 and was committed: each one's loss against the label is recorded."""
    assert scene.begin(0)[0]
    scene.perception.answered(0, SLOW, scene.stamp(0), 0.025)
    learned = scene.perception.labelled(0, truth(label), scene.stamp(0, 9000))
    outcome = learned.record.outcome
    assert (outcome.kind, outcome.tier, outcome.class_id) == (OutcomeKind.LABEL, 'slow', label)
    assert (outcome.fast_label_loss, outcome.tier_label_loss, learned.label_loss) == losses
    assert (learned.final, learned.record.committed) == (None, '')
    assert learned.frame.stamp_ns == scene.stamp(0, 0)


def test_a_label_of_a_frame_that_slow_did_not_see(scene: Scene) -> None:
    """Only fast's loss is known; without any answer neither is, and there is none to judge."""
    scene.begin(0, SURE)
    outcome = scene.perception.labelled(0, truth(2), scene.stamp(0)).record.outcome
    assert (outcome.tier, outcome.fast_label_loss, outcome.tier_label_loss) == ('', 0.0, None)
    scene.begin(1, None, '', 'torn')
    learned = scene.perception.labelled(1, truth(2), scene.stamp(1))
    assert learned.record.outcome.fast_label_loss is None
    assert learned.label_loss is None


def test_a_label_that_fits_no_frame_is_refused(scene: Scene) -> None:
    """An unknown frame, a second label, an unknown class: refused, and nothing is recorded."""
    scene.begin(0, SURE)
    perception = scene.perception
    with pytest.raises(SequenceError, match='not remembered'):
        perception.labelled(7, truth(2), scene.stamp(0))
    for label in (-1, 10):
        with pytest.raises(InputError, match='label of frame 0 is class .* of 10'):
            perception.labelled(0, truth(label), scene.stamp(0))
    link = perception.labelled(0, truth(2), scene.stamp(0)).link
    with pytest.raises(SequenceError, match='has its label already'):
        perception.labelled(0, truth(2), scene.stamp(0))
    assert perception.adjust(Change(1, 'test')).previous == link.hash


def test_a_frame_is_found_by_its_stamp(scene: Scene) -> None:
    """A label names its frame by the stamp of the image; an unknown stamp is refused."""
    scene.begin(0, SURE)
    scene.begin(1, SURE)
    assert scene.perception.sequence_at(scene.stamp(1, 0)) == 1
    with pytest.raises(SequenceError, match='no remembered frame'):
        scene.perception.sequence_at(5)


def test_a_cold_start_observes_before_it_acts(made: Plan, tmp_path: Path) -> None:
    """Without a correlation slow's answers only teach until there are enough, then it is asked."""
    values = {'models__correlation': '', 'decision__learning_pairs': 5}
    with another(made, tmp_path, **values) as scene:
        for k in range(5):
            decided = scene.decide(k)
            assert decided.record.decision.reason is Reason.LEARNING
            assert (decided.record.missing, decided.observe) == (5 - k, 'slow')
            assert decided.record.reference == 'SLOWEST_ASSUMED'
            assert decided.final is not None
            assert decided.final.tier == 'fast'
            learned = scene.perception.answered(k, SLOW, scene.stamp(k), 0.025)
            assert learned.record.outcome.kind is OutcomeKind.AUDIT
        assert scene.decide(5).invoke == 'slow'
        scene.perception.answered(5, SLOW, scene.stamp(5), 0.025)


RULES = """
conservative_order: [bird, ship, cat]
stakes:
  - {name: bird-near, classes: [bird], time_to_collision_below_s: 1.0, force_slow: true}
  - {name: depot, zones: [depot], stake: 7.0}
"""


def test_declared_rules_override_the_price(made: Plan, tmp_path: Path) -> None:
    """A bird nearby: slow is forced although fast is sure, or the robot is advised."""
    path = tmp_path / 'stakes.yaml'
    path.write_text(RULES)
    values = {'decision__stakes_file': str(path), 'budget__safety_share': 0.2}
    with another(made, tmp_path, **values) as scene:
        decided = scene.decide(0, SURE, time_to_collision_s=0.5, zone='depot')
        record = decided.record
        assert decided.invoke == 'slow'
        assert (record.decision.reason, record.decision.rule) == (Reason.OVERRIDDEN, 'bird-near')
        assert (record.matched, record.stake) == (('bird-near', 'depot'), 7.0)
        assert (record.decision.purse, record.overdrawn) == (Purse.SAFETY, False)
        scene.perception.answered(0, SLOW, scene.stamp(0), 0.025)
        stamp_ns = scene.stamp(1, 0)
        late = scene.decide(1, SURE, time_to_collision_s=0.5, now_ns=stamp_ns + 80 * MS)
        assert late.record.decision.advice is Advice.SLOW_DOWN
        assert scene.decide(2, SURE, time_to_collision_s=2.0).record.matched == ()


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
