"""Messages say what the records say, and unknown is NaN."""

from array import array
import dataclasses
import hashlib
import math
from typing import Any

from builtin_interfaces.msg import Time
import numpy as np
import pytest
from scripted import ScriptedGain
from selector.audit import Header
from selector.audit import Link
from selector.audit import ModelIdentity
from selector.budget import Resource
from selector.controller import Controller
from selector.decision import Advice
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.errors import InputError
from selector.evidence import EVIDENCE_NAMES
from selector.evidence import SCENE_NAMES
from selector.evidence import UNSEEN
from selector.frame import Frame
from selector.justification import Justification
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.perception import Final
from selector.perception import Learned
from selector.prediction import Prediction
from selector.ros.conversions import frame_from_compressed
from selector.ros.conversions import frame_from_raw
from selector.ros.conversions import label_from_ros
from selector.ros.conversions import outcome_to_ros
from selector.ros.conversions import prediction_to_ros
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.conversions import stamp_to_ros
from selector.ros.conversions import Told
from selector.ros.decision_message import decision_to_ros
from selector.settings import Settings
from selector.tasks import classification
from selector.tasks import detection
from selector.tasks import regression
from selector.tasks.classification import truth
import selector_msgs.msg as ros
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from small_pair import jpeg
from std_msgs.msg import Header as RosHeader

STAMP_NS = 1_700_000_000_123_456_789
HEADER = RosHeader(stamp=stamp_to_ros(STAMP_NS), frame_id='camera_optical')
NAMES = (*EVIDENCE_NAMES, *SCENE_NAMES)
LINK = Link('b' * 64, 'a' * 64)
SCORES = (0.7, 0.2, 0.1)
CALLS = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
SPEC = TierSpec('slow', TierKind.SLOW, 'm', (1.0,), (1.0,), 0.01, 0.02, None, 'unknown')
MISSION = Header(
    schema_version=1,
    mission_id='m1',
    segment=0,
    software='0',
    clock='ros',
    settings=Settings('fast', (SPEC,), (CALLS,)),
    config={},
    config_digest='c' * 64,
    models=(ModelIdentity('fast', 'f', 'd' * 64), ModelIdentity('slow', 's', 'e' * 64)),
    correlation_digest='f' * 64,
    reference='LABEL',
    evidence_names=NAMES,
    labels=('a', 'b', 'c'),
)


def offered(**changes: Any) -> Offer:
    """Return a frame that the fast model has answered."""
    offer = Offer(
        sequence=7,
        camera='',
        frame_id='camera_optical',
        stamp_ns=STAMP_NS,
        receive_ns=STAMP_NS + 1,
        decide_ns=STAMP_NS + 2,
        digest='0123456789abcdef',
        context='dusk',
        stake=2.0,
        evidence=classification.evidence(SCORES),
        fast_class=0,
        remaining_s=0.05,
    )
    return dataclasses.replace(offer, **changes)


def record(**changes: Any) -> Justification:
    """Return a decision record of a real controller that expects a gain of one half."""
    made = Controller(MISSION.settings, ScriptedGain({'slow': 0.5}))
    return made.offer(offered(**changes)).record


def reused() -> Justification:
    """Return the record of frame 8, to which the answer of frame 7 is carried on."""
    predictor = ScriptedGain({'slow': 0.5})
    made = Controller(
        dataclasses.replace(MISSION.settings, reuse_max_age_s=5.0, audit_share=0.2), predictor
    )
    made.offer(offered())
    made.resume(answer(OutcomeKind.ANSWERED))
    predictor.reuse_gain, predictor.reach, predictor.missing = 0.49, 3.0, 2
    return made.offer(offered(sequence=8, stamp_ns=STAMP_NS + 100_000_000)).record


def answer(kind: OutcomeKind, **changes: Any) -> Outcome:
    """Return slow's answer to frame 7."""
    evidence = classification.evidence(SCORES)
    outcome = Outcome(7, 'slow', kind, STAMP_NS, 0.02, evidence, 1, 1.0, (1.0,))
    return dataclasses.replace(outcome, **changes)


def told(given: OutcomeRecord, label_loss: float | None = None) -> ros.Outcome:
    """Return an outcome as a message."""
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '')
    return outcome_to_ros(Learned(given, LINK, None, frame, label_loss), HEADER, 'm1')


def message(given: Justification) -> ros.Decision:
    """Return the record as a message."""
    return decision_to_ros(given, LINK, HEADER, MISSION, budget=(CALLS,), publish_ns=9)


@pytest.mark.parametrize('stamp_ns', [0, 1, 999_999_999, 10**9, STAMP_NS, -1])
def test_stamps_survive(stamp_ns: int) -> None:
    """A time in nanoseconds comes back exactly."""
    assert stamp_ns_from_ros(stamp_to_ros(stamp_ns)) == stamp_ns


def test_stamp_has_whole_parts() -> None:
    """Seconds and nanoseconds are ROS's."""
    assert stamp_to_ros(STAMP_NS) == Time(sec=1_700_000_000, nanosec=123_456_789)


def test_compressed_image() -> None:
    """A JPEG becomes pixels; the digest is over the bytes of the message."""
    data = jpeg(200)
    frame = frame_from_compressed(CompressedImage(header=HEADER, format='jpeg', data=data), 3, 'l')
    assert frame.image is not None
    assert frame.image.shape == (32, 32, 3)
    assert frame[:4] == (3, STAMP_NS, 'camera_optical', 'l')
    assert frame.digest == hashlib.sha256(data).hexdigest()[:16]
    assert frame.fault == ''


@pytest.mark.parametrize('data', [b'', b'no picture', jpeg()[:200]])
def test_damaged_compressed_image(data: bytes) -> None:
    """A damaged one has no pixels and says why; it raises nothing."""
    frame = frame_from_compressed(CompressedImage(header=HEADER, data=data), 0, '')
    assert frame.image is None
    assert 'decoded' in frame.fault
    assert frame.digest == hashlib.sha256(data).hexdigest()[:16]


def test_raw_image() -> None:
    """Blue first becomes red first, padding is left out."""
    rows = np.array([[1, 2, 3, 0], [4, 5, 6, 0]], np.uint8)
    msg = Image(header=HEADER, height=2, width=1, encoding='bgr8', step=4)
    msg.data = array('B', rows.tobytes())
    frame = frame_from_raw(msg, 0, '')
    assert frame.image is not None
    assert frame.image.tolist() == [[[3, 2, 1]], [[6, 5, 4]]]
    assert frame.digest == hashlib.sha256(rows.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ('changes', 'why'),
    [
        ({'encoding': '16UC1'}, "encoding '16UC1' is not supported"),
        ({'step': 2}, 'does not fit'),
        ({'height': 99}, 'does not fit'),
        ({'data': b''}, 'does not fit'),
    ],
)
def test_damaged_raw_image(changes: dict[str, Any], why: str) -> None:
    """A wrong encoding or size leaves no pixels and says why."""
    fields = {'height': 2, 'width': 1, 'encoding': 'rgb8', 'step': 3, 'data': bytes(6)} | changes
    frame = frame_from_raw(Image(header=HEADER, **fields), 0, '')
    assert frame.image is None
    assert why in frame.fault


def test_decision_says_what_the_record_says() -> None:
    """Numbers, names, hashes and the image's own header are handed on."""
    given = record()
    msg = message(given)
    assert msg.header == HEADER
    assert (msg.sequence, msg.mission_id, msg.reason) == (7, 'm1', 'GAIN_ABOVE_PRICE')
    assert stamp_ns_from_ros(msg.receive_stamp) == STAMP_NS + 1
    assert list(msg.evidence_names) == list(NAMES)
    assert len(NAMES) == 8
    assert msg.evidence_values.tolist() == [*(given.offer.evidence or ()), *given.offer.scene]
    assert (msg.base, msg.base_gain, msg.purse, msg.observe) == ('fast', 0.0, 'rule', '')
    assert (msg.rule, msg.advice, list(msg.matched_rules)) == ('', '', [])
    assert (msg.carried_sequence, msg.carried_tier) == (-1, '')
    assert all(map(math.isnan, (msg.stale, msg.reuse_gain)))
    assert (msg.reach, msg.support, msg.missing, msg.reference) == (1.0, 100, 0, 'LABEL')
    assert (msg.record_hash, msg.previous_hash) == LINK
    assert msg.budget_left.tolist() == [20.0]
    assert msg.exchange_rate.tolist() == [0.05]
    assert (msg.budget_rate.tolist(), msg.budget_burst.tolist()) == ([2.0], [20.0])
    assert (msg.cost_max.tolist(), msg.price_ceiling.tolist()) == ([1.0], [1.0])
    assert msg.price_step.tolist() == [1.0 / 19.0]
    assert (msg.value_clip, msg.audit_draw) == (1.0, 1.0)
    assert (msg.track, msg.zone) == (-1, '')
    assert math.isnan(msg.time_to_collision_s)
    assert list(msg.model_digests) == ['d' * 64, 'e' * 64]
    assert msg.observation_probability == 1.0
    assert math.isnan(msg.risk_multiplier)


def test_decision_lists_the_fast_tier_first() -> None:
    """Readers see every tier: fast, whose gain over itself is 0, then the others."""
    fast, slow = message(record()).tiers
    assert (fast.name, fast.kind, fast.feasible, fast.reason) == (
        'fast',
        ros.Tier.FAST,
        True,
        'OTHER_TIER_BETTER',
    )
    assert (fast.gain, fast.net, fast.cost.tolist()) == (0.0, 0.0, [0.0])
    assert (slow.name, slow.kind, slow.reason) == ('slow', ros.Tier.SLOW, 'GAIN_ABOVE_PRICE')
    assert slow.net == slow.value - slow.price[0] * slow.cost[0]
    assert slow.cost_cap.tolist() == [1.0]
    assert (slow.disagreement, slow.khat, slow.persistence) == (0.5, 1.0, 1.0)
    assert all(map(math.isnan, (fast.disagreement, fast.khat, fast.persistence)))
    kept, _ = message(record(busy=('slow',))).tiers
    assert kept.reason == 'FAST_KEPT'


def test_decision_without_a_fast_answer() -> None:
    """No evidence is NaN, beside what the scene says; no flip; fast is not feasible."""
    msg = message(record(evidence=None, fast_class=-1, fault='torn', decodable=False))
    assert msg.reason == 'INPUT_UNDECODABLE'
    assert (msg.fault, msg.degraded, msg.fast_class) == ('torn', True, -1)
    assert all(map(math.isnan, msg.evidence_values[:3]))
    assert msg.evidence_values[3:].tolist() == list(UNSEEN)
    assert math.isnan(msg.flip_before)
    assert math.isnan(msg.flip_after)
    assert (msg.tiers[0].feasible, msg.tiers[0].reason) == (False, 'INPUT_UNDECODABLE')


def test_outcome_without_an_answer() -> None:
    """A call that timed out has no disagreement, no loss and no cost yet."""
    outcome = Outcome(
        7, 'slow', OutcomeKind.TIMED_OUT, STAMP_NS, 0.08, None, -1, None, None,
        detail='the deadline',
    )  # fmt: skip
    given = OutcomeRecord(outcome, 'fast', 0.5, None, (0.0,), (19.0,))
    msg = told(given)
    assert (msg.kind, msg.committed, msg.detail) == ('TIMED_OUT', 'fast', 'the deadline')
    assert msg.header == HEADER
    unknown = (msg.disagreement, msg.stale, msg.tier_loss, msg.loss, msg.fast_label_loss)
    assert all(map(math.isnan, unknown))
    assert len(msg.observed_cost) == 0
    assert msg.budget_left.tolist() == [19.0]


def test_outcome_with_an_answer() -> None:
    """An answer brings its disagreement, its loss and what it cost."""
    outcome = answer(OutcomeKind.AUDIT, stale=1.0)
    msg = told(OutcomeRecord(outcome, '', 0.5, 0.25, (0.0,), (19.0,)))
    assert (msg.kind, msg.committed) == ('AUDIT', '')
    assert (msg.class_id, msg.disagreement, msg.stale, msg.tier_loss) == (1, 1.0, 1.0, 0.25)
    assert msg.observed_cost.tolist() == [1.0]


def test_a_label_is_an_outcome() -> None:
    """The true class, and the losses of fast, of the tier and of the committed answer."""
    outcome = answer(
        OutcomeKind.LABEL, evidence=None, disagreement=None, cost=None,
        fast_label_loss=1.0, tier_label_loss=0.0,
    )  # fmt: skip
    msg = told(OutcomeRecord(outcome, '', 1.0, 0.0, (0.0,), (19.0,)), 0.0)
    assert (msg.kind, msg.class_id) == ('LABEL', 1)
    assert (msg.loss, msg.fast_label_loss, msg.tier_label_loss) == (0.0, 1.0, 0.0)
    assert math.isnan(msg.fast_loss)
    assert math.isnan(msg.tier_loss)


NAMED = 'classification', ('a', 'b', 'c')


def test_a_label_names_frame_and_class() -> None:
    """By sequence or by stamp, by class or by its name; an unknown name is refused."""

    def heard(msg: ros.Label) -> Told:
        return label_from_ros(msg, *NAMED)

    assert heard(ros.Label(sequence=4, class_id=2))[::2] == (4, truth(2))
    assert heard(ros.Label(header=HEADER, label='b')) == (-1, STAMP_NS, truth(1))
    assert heard(ros.Label()) == (-1, 0, truth(-1))
    with pytest.raises(InputError, match='unknown'):
        heard(ros.Label(label='d'))


def test_a_carried_answer_is_a_tier_of_its_own() -> None:
    """What is carried on stands beside fast: its gain over fast, no cost; it is the base."""
    given = reused()
    msg = message(given)
    fast, reuse, slow = msg.tiers
    assert (msg.chosen, msg.reason, msg.base, msg.base_gain) == ('reuse', 'REUSED', 'reuse', 0.49)
    assert (msg.carried_sequence, msg.carried_tier, msg.missing) == (7, 'slow', 2)
    assert (msg.stale, msg.reuse_gain, msg.reach) == (0.2, 0.49, 3.0)
    assert (reuse.name, reuse.kind, reuse.reason) == ('reuse', ros.Tier.REUSE, 'REUSED')
    assert (reuse.gain, reuse.net, reuse.cost.tolist()) == (0.49, 0.49, [0.0])
    assert fast.reason == 'OTHER_TIER_BETTER'
    assert slow.gain == 0.5 - 0.49
    assert slow.persistence == 3.0
    assert msg.audit_left.tolist() == list(given.audit_left)
    assert msg.safety_left.tolist() == [0.0]


def test_an_audit_is_marked() -> None:
    """A frame that slow looks at after the answer: which tier, out of which purse, how likely."""
    given = record()
    decision = dataclasses.replace(
        given.decision, chosen='fast', reason=Reason.AUDITED, observe='slow', purse=Purse.AUDIT
    )
    msg = message(dataclasses.replace(given, decision=decision, observation_probability=0.25))
    assert (msg.audit, msg.observe, msg.purse) == (True, 'slow', 'audit')
    assert msg.observation_probability == 0.25


def test_a_rule_is_named_with_its_advice() -> None:
    """The rule that decided, all that match, what it asks for, and that it overdraws."""
    given = record()
    decision = dataclasses.replace(given.decision, rule='near', advice=Advice.SLOW_DOWN)
    msg = message(
        dataclasses.replace(
            given, decision=decision, matched=('near', 'night'), overdrawn=True, undecided_s=0.4,
            stake=5.0,
        )
    )  # fmt: skip
    assert (msg.rule, list(msg.matched_rules)) == ('near', ['near', 'night'])
    assert (msg.advice, msg.overdrawn, msg.undecided_s, msg.stake) == ('SLOW_DOWN', True, 0.4, 5.0)


def test_prediction() -> None:
    """One score a label; the confidence is the calibrated one, not the largest score."""
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '')
    given = Prediction('m', SCORES, 0, 0.01)
    msg = prediction_to_ros(
        Final(frame, 'slow', given, 0.25), HEADER, 'classification', ('a', 'b', 'c')
    )
    assert msg.header == HEADER
    assert (msg.model, msg.tier, msg.provisional) == ('m', 'slow', False)
    assert (msg.class_id, msg.confidence, msg.age_s) == (0, 0.75, 0.0)
    assert list(msg.labels) == ['a', 'b', 'c']
    assert msg.scores.tolist() == pytest.approx(SCORES)
    old = prediction_to_ros(
        Final(frame, 'reuse', given, 0.25, 1.5), HEADER, 'classification', ('a', 'b', 'c')
    )
    assert (old.tier, old.age_s) == ('reuse', 1.5)


def test_prediction_of_a_detector() -> None:
    """One label, score, class and four corners a box, the best first; no box is an answer too."""
    boxes = detection.Boxes(((1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)), (2, 0))
    given = detection.prediction('m', boxes, (0.5, 0.75))
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '')
    final = Final(frame, 'slow', given, 0.25)
    msg = prediction_to_ros(final, HEADER, 'detection', ('a', 'b', 'c'))
    assert (msg.task, msg.class_id, list(msg.labels)) == ('detection', 0, ['a', 'c'])
    assert (msg.scores.tolist(), msg.class_ids.tolist()) == ([0.75, 0.5], [0, 2])
    assert msg.boxes.tolist() == [5.0, 6.0, 7.0, 8.0, 1.0, 2.0, 3.0, 4.0]
    nothing = final._replace(prediction=detection.prediction('m', detection.Boxes(), ()))
    msg = prediction_to_ros(nothing, HEADER, 'detection', ('a', 'b', 'c'))
    assert (msg.class_id, len(msg.boxes), msg.confidence, msg.model) == (-1, 0, 0.75, 'm')


def test_prediction_of_a_regression() -> None:
    """The numbers and their spreads, and no class."""
    given = regression.prediction('m', regression.Values((1.5, -2.0), (0.25, 0.5)))
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '')
    msg = prediction_to_ros(Final(frame, 'fast', given, 0.0), HEADER, 'regression', ())
    assert (msg.values.tolist(), msg.spreads.tolist()) == ([1.5, -2.0], [0.25, 0.5])
    assert (msg.class_id, list(msg.labels)) == (-1, [])


def test_a_label_of_boxes_and_of_numbers() -> None:
    """What is true of a detection or a regression comes as boxes or numbers."""
    boxes = ros.Label(boxes=[1.0, 2.0, 3.0, 4.0], class_ids=[2])
    told = label_from_ros(boxes, 'detection', ('a', 'b', 'c')).truth
    assert told == detection.truth(((1.0, 2.0, 3.0, 4.0),), (2,))
    assert label_from_ros(ros.Label(), 'detection', ()).truth == detection.truth((), ())
    with pytest.raises(InputError, match='4 a box'):
        label_from_ros(ros.Label(boxes=[1.0], class_ids=[2]), 'detection', ())
    numbers = label_from_ros(ros.Label(values=[0.5]), 'regression', ()).truth
    assert numbers.content == regression.Values((0.5,))


def test_prediction_without_an_answer() -> None:
    """Nothing known is empty and NaN, never 0."""
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '', 'torn')
    msg = prediction_to_ros(
        Final(frame, 'fast', None, 1.0), HEADER, 'classification', ('a', 'b', 'c')
    )
    assert (msg.class_id, len(msg.scores), len(msg.labels)) == (-1, 0, 0)
    assert math.isnan(msg.confidence)
