"""Messages say what the records say, and unknown is NaN."""

from array import array
import dataclasses
import hashlib
import math
from typing import Any

from builtin_interfaces.msg import Time
import numpy as np
import pytest
from selector.audit import Header
from selector.audit import Link
from selector.audit import ModelIdentity
from selector.budget import Resource
from selector.controller import Controller
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.evidence import EVIDENCE_NAMES
from selector.frame import Frame
from selector.gain import FastAssessment
from selector.gain import Gain
from selector.justification import Justification
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.perception import Final
from selector.prediction import Prediction
from selector.ros.conversions import decision_to_ros
from selector.ros.conversions import frame_from_compressed
from selector.ros.conversions import frame_from_raw
from selector.ros.conversions import outcome_to_ros
from selector.ros.conversions import prediction_to_ros
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.conversions import stamp_to_ros
from selector.settings import Settings
from selector.tasks import classification
import selector_msgs.msg as ros
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from small_pair import jpeg
from std_msgs.msg import Header as RosHeader

STAMP_NS = 1_700_000_000_123_456_789
HEADER = RosHeader(stamp=stamp_to_ros(STAMP_NS), frame_id='camera_optical')
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
    evidence_names=EVIDENCE_NAMES,
    labels=('a', 'b', 'c'),
)


class _Gain:
    """Predicts a gain of one half."""

    def assess(self, evidence: Any, _context: str) -> FastAssessment:
        return FastAssessment(1.0 if evidence is None else 0.5, 10, 'all', False)

    def gain(self, _tier: str, _evidence: Any, _context: str) -> Gain:
        return Gain(0.5, 0.1)

    def answer_loss(self, _tier: str, _evidence: Any, _context: str) -> float:
        return 0.1

    def learn(self, _tier: str, _evidence: Any, _context: str, _disagreement: float) -> None:
        pass


def record(**changes: Any) -> Justification:
    """Return a decision record of a real controller."""
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
    offer = dataclasses.replace(offer, **changes)
    return Controller(MISSION.settings, _Gain()).offer(offer).record


def message(given: Justification) -> ros.Decision:
    """Return the record as a message."""
    return decision_to_ros(given, LINK, HEADER, MISSION, exchange_rate=(0.05,), publish_ns=9)


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
    assert list(msg.evidence_names) == list(EVIDENCE_NAMES)
    assert msg.evidence_values.tolist() == list(given.offer.evidence or ())
    assert (msg.record_hash, msg.previous_hash) == LINK
    assert msg.budget_left.tolist() == [20.0]
    assert msg.exchange_rate.tolist() == [0.05]
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
    assert math.isnan(slow.persistence)
    kept, _ = message(record(busy=('slow',))).tiers
    assert kept.reason == 'FAST_KEPT'


def test_decision_without_a_fast_answer() -> None:
    """No evidence is an empty list; what cannot flip is NaN; the fast tier is not feasible."""
    msg = message(record(evidence=None, fast_class=-1, fault='torn', decodable=False))
    assert msg.reason == 'INPUT_UNDECODABLE'
    assert (msg.fault, msg.degraded, msg.fast_class) == ('torn', True, -1)
    assert list(msg.evidence_names) == []
    assert len(msg.evidence_values) == 0
    assert math.isnan(msg.flip_before)
    assert math.isnan(msg.flip_after)
    assert (msg.tiers[0].feasible, msg.tiers[0].reason) == (False, 'INPUT_UNDECODABLE')


def test_outcome_without_an_answer() -> None:
    """A call that timed out has no disagreement, no loss and no cost yet."""
    outcome = Outcome(
        7, 'slow', OutcomeKind.TIMED_OUT, STAMP_NS, 0.08, None, -1, None, None, 'the deadline'
    )
    given = OutcomeRecord(outcome, 'fast', 0.5, None, (0.0,), (19.0,))
    msg = outcome_to_ros(given, LINK, HEADER, 'm1')
    assert (msg.kind, msg.committed, msg.detail) == ('TIMED_OUT', 'fast', 'the deadline')
    assert msg.header == HEADER
    assert all(map(math.isnan, (msg.disagreement, msg.tier_loss, msg.loss)))
    assert len(msg.observed_cost) == 0
    assert msg.budget_left.tolist() == [19.0]


def test_outcome_with_an_answer() -> None:
    """An answer brings its disagreement, its loss and what it cost."""
    evidence = classification.evidence(SCORES)
    outcome = Outcome(7, 'slow', OutcomeKind.ANSWERED, STAMP_NS, 0.02, evidence, 1, 1.0, (1.0,))
    msg = outcome_to_ros(
        OutcomeRecord(outcome, 'slow', 0.5, 0.25, (0.0,), (19.0,)), LINK, HEADER, 'm1'
    )
    assert (msg.class_id, msg.disagreement, msg.tier_loss) == (1, 1.0, 0.25)
    assert msg.observed_cost.tolist() == [1.0]


def test_prediction() -> None:
    """One score a label; the confidence is the calibrated one, not the largest score."""
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '')
    answer = Prediction('m', SCORES, 0, 0.01)
    msg = prediction_to_ros(Final(frame, 'slow', answer, 0.25), HEADER, ('a', 'b', 'c'))
    assert msg.header == HEADER
    assert (msg.model, msg.tier, msg.provisional) == ('m', 'slow', False)
    assert (msg.class_id, msg.confidence, msg.age_s) == (0, 0.75, 0.0)
    assert list(msg.labels) == ['a', 'b', 'c']
    assert msg.scores.tolist() == pytest.approx(SCORES)


def test_prediction_without_an_answer() -> None:
    """Nothing known is empty and NaN, never 0."""
    frame = Frame(7, STAMP_NS, 'camera_optical', '', None, '', 'torn')
    msg = prediction_to_ros(Final(frame, 'fast', None, 1.0), HEADER, ('a', 'b', 'c'))
    assert (msg.class_id, len(msg.scores), len(msg.labels)) == (-1, 0, 0)
    assert math.isnan(msg.confidence)
