"""The real node in this process: each frame gets one decision and one answer, whatever breaks."""

from collections.abc import Callable
import io
import json
import math
from pathlib import Path
import threading
import time
from typing import Any

from bench import Bench
from bench import bench
from bench import DEADLINE_S
from bench import given
from bench import run_folder
from bench import values
from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
import numpy as np
from PIL import Image as Picture
import pytest
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from selector.audit import Record
from selector.audit import records
from selector.audit import segments
from selector.errors import ConfigError
from selector.redecision import verify
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.node import SelectorNode
from selector.ros.node import spin
from selector.settings import Change
from selector_msgs.msg import Label
from sensor_msgs.msg import Image
from small_pair import FAST
from small_pair import jpeg
from small_pair import LABELS
from small_pair import says
from small_pair import SLOW
from small_pair import SLOW_CLASS
from small_pair import small_pair
from small_pair import SmallPair
from std_msgs.msg import Float32
from std_msgs.msg import String
from std_srvs.srv import SetBool

pytestmark = pytest.mark.ros

SLACK_S = 0.15


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallPair:
    """Return a pair of which slow pays on every frame."""
    return small_pair(tmp_path / 'models', monkeypatch)


def fail(_image: np.ndarray) -> np.ndarray:
    """Fail as a user's model may."""
    raise RuntimeError('out of memory')


def sound(folder: Path) -> None:
    """Check that a closed log verifies and that its summary agrees."""
    verdict = verify(folder)
    assert verdict.sound, verdict.flaw
    told = json.loads((folder / 'summary.json').read_text())
    assert told['log']['records'] == verdict.head.records
    assert told['frames'] == told['decisions'] == told['finals'] == verdict.decisions
    assert told['unanswered'] == 0


def kinds(on: Bench) -> list[str]:
    """Return the kinds of the outcomes, in order."""
    return [o.kind for o in on.outcomes]


def call(on: Bench, kind: Any, name: str, request: Any) -> Any:
    """Call a service of the node and return its answer.

    One client serves every call: each new one has to be discovered first.
    """
    if name not in on.clients:
        on.clients[name] = on.probe.create_client(kind, name)
    client = on.clients[name]
    on.until(client.service_is_ready)
    future = client.call_async(request)
    on.until(future.done)
    return future.result()


def transition(on: Bench, label: str) -> bool:
    """Ask for a lifecycle transition; return whether it succeeded."""
    request = ChangeState.Request()
    request.transition.label = label
    return bool(call(on, ChangeState, 'selector/change_state', request).success)


def state(on: Bench) -> str:
    """Return the lifecycle state."""
    answer = call(on, GetState, 'selector/get_state', GetState.Request())
    return str(answer.current_state.label)


def test_slow_answer_in_time(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A frame that pays gets the slow answer, one decision and one outcome, on its own header."""
    with bench(ros, values(pair, tmp_path)) as on:
        header = on.send()
        on.answered(1)
        (decision,), (final,), (outcome,) = on.decisions, on.finals, on.outcomes
        assert decision.header == final.header == outcome.header == header
        assert (decision.reason, decision.chosen) == ('GAIN_ABOVE_PRICE', 'slow')
        assert [t.name for t in decision.tiers] == ['fast', 'slow']
        assert (final.tier, final.model, final.class_id) == ('slow', SLOW, SLOW_CLASS)
        assert list(final.labels) == list(LABELS)
        assert (outcome.kind, outcome.committed, outcome.sequence) == ('ANSWERED', 'slow', 0)
        assert outcome.previous_hash == decision.record_hash
    sound(run_folder(tmp_path))


def test_fast_answer(ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that does not pay gets the fast answer at once and no outcome."""
    pair = small_pair(tmp_path / 'models', monkeypatch, gain=0.01)
    with bench(ros, values(pair, tmp_path)) as on:
        on.send()
        on.answered(1)
        assert on.decisions[0].reason == 'GAIN_BELOW_PRICE'
        assert (on.finals[0].tier, on.finals[0].model) == ('fast', FAST)
        assert on.finals[0].confidence == 0.5
        assert on.outcomes == []
    sound(run_folder(tmp_path))


def test_many_frames_keep_their_order(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """Every frame gets exactly one decision and one final, in the order of the stamps."""

    def slow(_image: np.ndarray) -> np.ndarray:
        time.sleep(0.02)
        return says(SLOW_CLASS)

    pair.slow = slow
    only_paid = {'budget__slow_calls__rate_hz': 5.0, 'budget__audit_share': 0.0}
    with bench(ros, values(pair, tmp_path, **only_paid)) as on:
        sent = []
        for _ in range(20):
            sent += [stamp_ns_from_ros(on.send().stamp) for _ in range(3)]
            on.run_for(0.03)
        on.answered(60)
        assert [stamp_ns_from_ros(d.header.stamp) for d in on.decisions] == sent
        assert [stamp_ns_from_ros(p.header.stamp) for p in on.finals] == sent
        assert [d.sequence for d in on.decisions] == list(range(60))
        seen = {d.reason for d in on.decisions}
        assert {'GAIN_ABOVE_PRICE', 'TIER_BUSY'} <= seen
        invoked = [d.sequence for d in on.decisions if d.reason == 'GAIN_ABOVE_PRICE']
        assert [o.sequence for o in on.outcomes] == invoked
    sound(run_folder(tmp_path))


@pytest.mark.parametrize('data', [b'', b'no picture', jpeg()[:300]])
def test_undecodable_image(ros: Any, pair: SmallPair, tmp_path: Path, data: bytes) -> None:
    """A damaged image gets an empty answer and a decision that says so; the next one goes on."""
    with bench(ros, values(pair, tmp_path)) as on:
        header = on.send(data)
        on.answered(1)
        (decision,), (final,) = on.decisions, on.finals
        assert decision.reason == 'INPUT_UNDECODABLE'
        assert 'decoded' in decision.fault
        assert decision.degraded
        assert final.header == header
        assert (len(final.scores), final.class_id) == (0, -1)
        on.reported()
        assert on.status('perception').level == b'\x01'
        on.send()
        on.answered(2)
        assert on.finals[1].tier == 'slow'
    sound(run_folder(tmp_path))


def test_raw_images(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A raw image is answered; one of an unknown encoding is answered with nothing."""
    with bench(ros, values(pair, tmp_path)) as on:
        for encoding in ('rgb8', '32FC1'):
            msg = Image(header=on.header(), height=4, width=4, step=12, encoding=encoding)
            msg.data = bytes(48)
            on.raw.publish(msg)
        on.answered(2)
        assert [d.reason for d in on.decisions] == ['GAIN_ABOVE_PRICE', 'INPUT_UNDECODABLE']
        assert "encoding '32FC1' is not supported" in on.decisions[1].fault
        assert [len(p.scores) for p in on.finals] == [len(LABELS), 0]


def test_both_transports(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """An image that comes raw and compressed is one frame, not two."""
    with bench(ros, values(pair, tmp_path)) as on:
        header = on.send()
        msg = Image(header=header, height=4, width=4, step=12, encoding='rgb8', data=bytes(48))
        on.raw.publish(msg)
        on.run_for(0.3)
        on.answered(1)
    told = json.loads((run_folder(tmp_path) / 'summary.json').read_text())
    assert (told['frames'], told['duplicates']) == (1, 1)


@pytest.mark.parametrize(
    ('slow', 'why'),
    [
        (fail, 'RuntimeError: out of memory'),
        (lambda _: np.full(len(LABELS), np.nan), 'NaN'),
        (lambda _: np.zeros((2, len(LABELS))), 'shape'),
        (lambda _: np.zeros(len(LABELS) + 1), '5 scores for 4 labels'),
    ],
    ids=['raises', 'nan', 'shape', 'labels'],
)
def test_broken_slow_model(
    ros: Any, pair: SmallPair, tmp_path: Path, slow: Callable[..., Any], why: str
) -> None:
    """When the slow model fails, the fast answer is committed and the outcome says why."""
    pair.slow = slow
    with bench(ros, values(pair, tmp_path)) as on:
        on.send()
        on.answered(1)
        assert on.finals[0].tier == 'fast'
        (outcome,) = on.outcomes
        assert (outcome.kind, outcome.committed) == ('FAILED', 'fast')
        assert why in outcome.detail
        pair.slow = lambda _: says(SLOW_CLASS)
        on.send()
        on.answered(2)
        assert on.finals[1].tier == 'slow'
    sound(run_folder(tmp_path))


@pytest.mark.parametrize(
    'fast', [fail, lambda _: np.full(len(LABELS), np.inf)], ids=['raises', 'infinite']
)
def test_broken_fast_model(
    ros: Any, pair: SmallPair, tmp_path: Path, fast: Callable[..., Any]
) -> None:
    """Without a fast answer slow is worth more and answers; when it fails too, nothing is said."""
    pair.fast = fast
    with bench(ros, values(pair, tmp_path)) as on:
        on.send()
        on.answered(1)
        assert on.decisions[0].degraded
        assert np.isnan(on.decisions[0].evidence_values[:3]).all()
        assert on.finals[0].tier == 'slow'
        pair.slow = fail
        on.send()
        on.answered(2)
        assert (on.finals[1].tier, len(on.finals[1].scores)) == ('fast', 0)
    sound(run_folder(tmp_path))


def test_hanging_slow_model(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """At the deadline the fast answer goes out; later frames find slow busy; its end is LATE."""
    release = threading.Event()

    def slow(_image: np.ndarray) -> np.ndarray:
        release.wait(10.0)
        return says(SLOW_CLASS)

    pair.slow = slow
    with bench(ros, values(pair, tmp_path)) as on:
        start_s = time.monotonic()
        on.send()
        on.until(lambda: bool(on.finals))
        took_s = time.monotonic() - start_s
        assert DEADLINE_S - 0.02 <= took_s <= DEADLINE_S + SLACK_S
        assert on.finals[0].tier == 'fast'
        on.send()
        on.answered(2)
        assert on.decisions[1].reason == 'TIER_BUSY'
        release.set()
        on.until(lambda: len(on.outcomes) == 2)
        assert kinds(on) == ['TIMED_OUT', 'LATE']
        assert [o.committed for o in on.outcomes] == ['fast', '']
        on.send()
        on.answered(3)
        assert on.finals[2].tier == 'slow'
    sound(run_folder(tmp_path))


def test_later_finals_wait(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """While a frame waits for slow, the fast answers to later frames are held back."""
    release = threading.Event()

    def slow(_image: np.ndarray) -> np.ndarray:
        release.wait(10.0)
        return says(SLOW_CLASS)

    pair.slow = slow
    with bench(ros, values(pair, tmp_path, decision__deadline_s=5.0)) as on:
        for _ in range(3):
            on.send()
        on.until(lambda: len(on.decisions) == 3)
        on.run_for(0.1)
        assert on.finals == []
        release.set()
        on.answered(3)
        assert [p.tier for p in on.finals] == ['slow', 'fast', 'fast']
        stamps = [stamp_ns_from_ros(p.header.stamp) for p in on.finals]
        assert stamps == sorted(stamps)


def test_provisional_answers(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """On request the fast answer goes out at once, marked, and a final one follows."""
    more = {'publish__mode': 'provisional_then_final'}
    with bench(ros, values(pair, tmp_path, **more)) as on:
        header = on.send()
        on.answered(1)
        assert [(p.tier, p.provisional) for p in on.predictions] == [
            ('fast', True),
            ('slow', False),
        ]
        assert all(p.header == header for p in on.predictions)


def test_deadline_runs_under_a_clock_that_stands_still(
    ros: Any, pair: SmallPair, tmp_path: Path
) -> None:
    """With simulated time that never moves, the deadline still passes."""
    release = threading.Event()

    def slow(_image: np.ndarray) -> np.ndarray:
        release.wait(10.0)
        return says(SLOW_CLASS)

    pair.slow = slow
    with bench(ros, values(pair, tmp_path, use_sim_time=True)) as on:
        on.send(stamp_ns=0)
        on.answered(1)
        assert on.finals[0].tier == 'fast'
        release.set()


def test_enable_service(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """`~/enable` switches between acting and shadowing; parameter and log know it."""
    with bench(ros, values(pair, tmp_path)) as on:
        answer = call(on, SetBool, 'selector/enable', SetBool.Request(data=False))
        assert (answer.success, answer.message) == (True, 'shadowing')
        assert on.node.get_parameter('decision.shadow').value is True
        on.send()
        on.answered(1)
        assert (on.decisions[0].reason, on.decisions[0].shadow) == ('SHADOWED', True)
        assert on.finals[0].tier == 'fast'
        assert call(on, SetBool, 'selector/enable', SetBool.Request(data=True)).success
        on.send()
        on.answered(2)
        assert on.finals[1].tier == 'slow'
    folder = run_folder(tmp_path)
    sound(folder)
    assert [(c.author, c.shadow) for c in changes(folder)] == [
        ('service enable', True),
        ('service enable', False),
    ]


def changes(folder: Path) -> list[Change]:
    """Return the changes that a log records."""
    read = [r for r in records(segments(folder)) if isinstance(r, Record)]
    return [r.body for r in read if isinstance(r.body, Change)]


def test_live_budget(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A live budget counts from the next frame on, and the log records it as an input."""
    with bench(ros, values(pair, tmp_path)) as on:
        on.send()
        on.answered(1)
        off = {'budget.slow_calls.rate_hz': 0.0, 'budget.slow_calls.burst': 0.0}
        assert on.node.set_parameters_atomically(given(off)).successful
        on.send()
        on.answered(2)
        assert on.decisions[1].reason == 'BUDGET_EXHAUSTED'
        on.node.set_parameters(given({'decision.stake': 3.0}))
        on.send()
        on.answered(3)
        assert on.decisions[2].stake == 3.0
    folder = run_folder(tmp_path)
    sound(folder)
    (change,) = changes(folder)
    assert (change.author, change.shadow) == ('parameter', None)
    assert change.resources is not None
    assert change.resources[0].burst == 0.0


@pytest.mark.parametrize('latched', [True, False])
def test_context_and_stake(ros: Any, pair: SmallPair, tmp_path: Path, latched: bool) -> None:
    """Context and stake arrive from any kind of publisher; nonsense is ignored; old is unknown."""
    kind = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    with bench(ros, values(pair, tmp_path, context__max_age_s=1.0), start=False) as on:
        qos = QoSProfile(depth=1, durability=kind)
        context = on.probe.create_publisher(String, 'context', qos)
        stake = on.probe.create_publisher(Float32, 'stake', qos)
        if latched:
            context.publish(String(data='dusk'))
            stake.publish(Float32(data=2.0))
        on.start()
        if not latched:
            on.until(lambda: context.get_subscription_count() > 0)
            on.until(lambda: stake.get_subscription_count() > 0)
            for _ in range(5):  # the node may match later than the publisher sees it
                context.publish(String(data='dusk'))
                stake.publish(Float32(data=2.0))
                on.run_for(0.05)
        on.run_for(0.1)
        for bad in (float('nan'), float('inf'), -1.0):
            stake.publish(Float32(data=bad))
        on.run_for(0.1)
        on.send()
        on.answered(1)
        assert (on.decisions[0].context, on.decisions[0].stake) == ('dusk', 2.0)
        on.run_for(1.0)
        on.send()
        on.answered(2)
        assert (on.decisions[1].context, on.decisions[1].stake) == ('', 2.0)


def test_zone_and_time_to_collision(
    ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule about a zone and a time to collision matches what the topics say, while it is new."""
    (tmp_path / 'stakes.yaml').write_text(
        'stakes:\n'
        '  - {name: close, zones: [crossing], time_to_collision_below_s: 2.0, stake: 9.0}\n'
    )
    pair = small_pair(tmp_path / 'models', monkeypatch, gain=0.01)
    more = {
        'decision__stakes_file': str(tmp_path / 'stakes.yaml'),
        'context__time_to_collision_max_age_s': 1.0,
    }
    with bench(ros, values(pair, tmp_path, **more)) as on:
        zone = on.probe.create_publisher(String, 'zone', 1)
        collision = on.probe.create_publisher(Float32, 'time_to_collision', 1)
        for publisher in (zone, collision):
            on.until(lambda wanted=publisher: wanted.get_subscription_count() > 0)
        for _ in range(5):
            zone.publish(String(data='crossing'))
            collision.publish(Float32(data=1.5))
            on.run_for(0.05)
        on.send()
        on.answered(1)
        (decision,) = on.decisions
        assert (decision.zone, decision.stake) == ('crossing', 9.0)
        assert 0.5 < decision.time_to_collision_s <= 1.5
        assert list(decision.matched_rules) == ['close']
        on.run_for(1.0)
        on.send()
        on.answered(2)
        assert math.isnan(on.decisions[1].time_to_collision_s)
        assert (on.decisions[1].stake, list(on.decisions[1].matched_rules)) == (1.0, [])
    sound(run_folder(tmp_path))


def test_clock_set_back(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """Stamps that jump back are recorded as an input; decisions and answers go on."""
    with bench(ros, values(pair, tmp_path)) as on:
        now_ns = on.node.get_clock().now().nanoseconds
        for stamp_ns in (now_ns, now_ns - 10**11, now_ns - 10**11 + 10**7):
            on.send(stamp_ns=stamp_ns)
        on.answered(3)
        on.reported()
        assert 'jumped back' in on.status('perception').message
    folder = run_folder(tmp_path)
    sound(folder)
    (change,) = changes(folder)
    assert (change.author, change.rewind_ns) == ('clock', now_ns - 10**11)


def test_lifecycle(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """The node follows a manager: up, paused, up again with the same log, down, up anew."""
    with bench(ros, values(pair, tmp_path, autostart=False), start=False) as on:
        assert state(on) == 'unconfigured'
        assert transition(on, 'configure')
        assert state(on) == 'inactive'
        assert transition(on, 'activate')
        on.until(lambda: on.compressed.get_subscription_count() == 1)
        on.run_for(0.2)
        on.send()
        on.answered(1)
        assert transition(on, 'deactivate')
        on.until(lambda: on.compressed.get_subscription_count() == 0)
        assert transition(on, 'activate')
        on.until(lambda: on.compressed.get_subscription_count() == 1)
        on.run_for(0.2)
        on.send()
        on.answered(2)
        assert [d.sequence for d in on.decisions] == [0, 1]
        assert transition(on, 'deactivate')
        assert transition(on, 'cleanup')
        sound(run_folder(tmp_path))
        assert transition(on, 'configure')
        assert len(list((tmp_path / 'runs').iterdir())) == 2


def test_invalid_transition(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """Activating an unconfigured node is refused with an answer and does not end the node."""
    with bench(ros, values(pair, tmp_path, autostart=False), start=False) as on:
        assert not transition(on, 'activate')
        assert state(on) == 'unconfigured'
        assert transition(on, 'configure')


def test_deactivating_answers_what_waits(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A frame that waits is answered at once when the node is deactivated."""
    release = threading.Event()

    def slow(_image: np.ndarray) -> np.ndarray:
        release.wait(10.0)
        return says(SLOW_CLASS)

    pair.slow = slow
    with bench(ros, values(pair, tmp_path, decision__deadline_s=30.0)) as on:
        on.send()
        on.until(lambda: len(on.decisions) == 1)
        assert transition(on, 'deactivate')
        on.answered(1)
        assert kinds(on) == ['TIMED_OUT']
        release.set()
        on.until(lambda: kinds(on) == ['TIMED_OUT', 'LATE'])
    sound(run_folder(tmp_path))


def test_model_that_never_ends(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A hung model does not keep the log from being closed whole."""
    release = threading.Event()

    def slow(_image: np.ndarray) -> np.ndarray:
        release.wait(30.0)
        return says(SLOW_CLASS)

    pair.slow = slow
    with bench(ros, values(pair, tmp_path)) as on:
        on.send()
        on.answered(1)
    assert on.node.stuck
    sound(run_folder(tmp_path))
    release.set()


def striped(turn: int = 0) -> bytes:
    """Return a picture with something in it, so that two of them can be compared."""
    buffer = io.BytesIO()
    shades = np.random.default_rng(turn).integers(0, 256, (6, 8), np.uint8)
    Picture.fromarray(np.kron(shades, np.ones((8, 8), np.uint8))).save(buffer, 'JPEG')
    return buffer.getvalue()


def stream(on: Bench, frames: int, picture: bytes, first: int = 0) -> list[int]:
    """Send frames whose stamps are 0.1 s apart, one answered after the other."""
    start_ns = 1_700_000_000_000_000_000
    stamps = [start_ns + k * 100_000_000 for k in range(first, first + frames)]
    for k, stamp_ns in enumerate(stamps, first + 1):
        on.send(picture, stamp_ns)
        on.answered(k)
    return stamps


def test_audits_run_beside_the_answers(
    ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that do not pay are drawn at times: fast goes out at once, slow ends as AUDIT.

    Slow takes longer than the deadline here: an audit waits for nobody, and nobody waits for it.
    """
    pair = small_pair(tmp_path / 'models', monkeypatch, gain=0.01)
    budget = {'budget__slow_calls__rate_hz': 10.0, 'budget__audit_share': 0.5}
    with bench(ros, values(pair, tmp_path, decision__deadline_s=0.05, **budget)) as on:
        pair.slow = lambda _: time.sleep(0.1) or says(SLOW_CLASS)
        start_s = time.monotonic()
        stream(on, 30, striped())
        elapsed_s = time.monotonic() - start_s
        audited = [d for d in on.decisions if d.audit]
        assert 2 <= len(audited) < 30
        assert elapsed_s < 30 * 0.1  # or slow would have been waited for
        on.until(lambda: len(on.outcomes) == len(audited))
        assert {p.tier for p in on.finals} == {'fast'}
        assert {(d.reason, d.observe, d.purse) for d in audited} == {('AUDITED', 'slow', 'audit')}
        assert set(kinds(on)) == {'AUDIT'}
        assert {o.committed for o in on.outcomes} == {''}
        assert all(0.0 < d.observation_probability <= 0.5 for d in audited)
        on.reported()
        assert {v.key: v.value for v in on.status('learning').values}['audits'] != '0'
    folder = run_folder(tmp_path)
    sound(folder)
    told = json.loads((folder / 'summary.json').read_text())
    assert (told['observed'], told['invoked']) == (len(audited), 0)


def test_an_audit_that_never_ends(
    ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow model that hangs in an audit: every frame is answered, its end is CANCELLED."""
    release = threading.Event()
    pair = small_pair(tmp_path / 'models', monkeypatch, gain=0.01)
    budget = {'budget__slow_calls__rate_hz': 10.0, 'budget__audit_share': 0.5}
    with bench(ros, values(pair, tmp_path, **budget)) as on:
        pair.slow = lambda _: release.wait(30.0) and says(SLOW_CLASS)
        stream(on, 20, striped())
        assert sum(d.audit for d in on.decisions) == 1
    assert on.node.stuck
    sound(run_folder(tmp_path))
    release.set()


def test_an_answer_is_carried_on(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """While the picture stays, slow's answer goes out again with its age; with a new one it ends.

    The second frame is not invoked although slow would pay over fast: what is carried is as good.
    """
    with bench(ros, values(pair, tmp_path, decision__reuse_max_age_s=5.0)) as on:
        stream(on, 3, striped())
        first, *reused = on.finals
        assert (first.tier, first.age_s) == ('slow', 0.0)
        for k, (final, decision) in enumerate(zip(reused, on.decisions[1:], strict=True), 1):
            assert (final.tier, final.model, final.class_id) == ('reuse', SLOW, SLOW_CLASS)
            assert final.age_s == pytest.approx(0.1 * k)
            assert final.confidence < first.confidence
            assert (decision.chosen, decision.reason) == ('reuse', 'REUSED')
            assert (decision.carried_sequence, decision.carried_tier) == (0, 'slow')
            assert [t.name for t in decision.tiers] == ['fast', 'reuse', 'slow']
        scene = dict(zip(on.decisions[2].evidence_names, on.decisions[2].evidence_values,
                         strict=True))  # fmt: skip
        assert scene['scene_change'] < 0.01
        assert scene['slow_age_s'] == pytest.approx(0.2)
        stream(on, 1, striped(turn=1), first=3)
        assert (on.finals[3].tier, on.decisions[3].reason) == ('slow', 'GAIN_ABOVE_PRICE')
        assert on.outcomes[-1].stale == 0.0
    folder = run_folder(tmp_path)
    sound(folder)
    assert json.loads((folder / 'summary.json').read_text())['reused'] == 2


def test_labels_come_in(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A label by stamp or sequence, class or name, is an outcome with its losses.

    One that fits no frame, comes twice or names no class is counted and stops nothing.
    """
    with bench(ros, values(pair, tmp_path)) as on:
        labels = on.probe.create_publisher(Label, 'selector/label', 10)
        on.until(lambda: labels.get_subscription_count() == 1)
        header = on.send()
        on.answered(1)
        on.send()
        on.answered(2)
        labels.publish(Label(header=header, label=LABELS[SLOW_CLASS]))
        labels.publish(Label(sequence=1, class_id=0))
        on.until(lambda: kinds(on).count('LABEL') == 2)
        one, other = on.outcomes[-2:]
        assert (one.header, one.sequence, one.tier, one.committed) == (header, 0, 'slow', '')
        assert (one.class_id, one.loss) == (SLOW_CLASS, 0.0)
        assert (one.fast_label_loss, one.tier_label_loss) == (1.0, 0.0)
        assert (other.sequence, other.loss) == (1, 1.0)
        assert (other.fast_label_loss, other.tier_label_loss) == (0.0, 1.0)
        for bad in (
            Label(sequence=1, class_id=0),
            Label(sequence=99, class_id=0),
            Label(label=LABELS[0]),
            Label(sequence=0, label='unicorn'),
            Label(sequence=0, class_id=-1),
        ):
            labels.publish(bad)
        on.until(lambda: on.node.running._stream.tally.labels_refused == 5)
        on.send()
        on.answered(3)
        assert kinds(on).count('LABEL') == 2
    sound(run_folder(tmp_path))


RULES = """
stakes:
  - {name: boxes, classes: [box], force_slow: true, stake: 4.0}
"""


@pytest.mark.parametrize(
    ('deadline_s', 'reason', 'advice'),
    [(DEADLINE_S, 'OVERRIDDEN', ''), (0.001, 'GAIN_BELOW_PRICE', 'SLOW_DOWN')],
)
def test_declared_rules(
    ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deadline_s: float, reason: str,
    advice: str,
) -> None:  # fmt: skip
    """A rule forces slow whatever the price; where it cannot arrive, the robot is advised."""
    (tmp_path / 'stakes.yaml').write_text(RULES)
    pair = small_pair(tmp_path / 'models', monkeypatch, gain=0.01)
    more = {'decision__stakes_file': str(tmp_path / 'stakes.yaml'), 'budget__safety_share': 0.2}
    with bench(ros, values(pair, tmp_path, decision__deadline_s=deadline_s, **more)) as on:
        on.send()
        on.answered(1)
        (decision,) = on.decisions
        assert (decision.reason, decision.rule, decision.advice) == (reason, 'boxes', advice)
        assert (list(decision.matched_rules), decision.stake) == (['boxes'], 4.0)
        assert not decision.overdrawn
        assert decision.safety_left.tolist() == [4.0]
        assert on.finals[0].tier == ('fast' if advice else 'slow')
        assert decision.purse == ('' if advice else 'safety')
    sound(run_folder(tmp_path))


def test_cold_start(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """Without a correlation slow only teaches at first, and acts once it has taught enough."""
    more = {'models__correlation': '', 'decision__learning_pairs': 3}
    with bench(ros, values(pair, tmp_path, **more)) as on:
        for k in range(3):
            on.send()
            on.answered(k + 1)
            on.until(lambda wanted=k + 1: len(on.outcomes) == wanted)
        assert [(d.reason, d.missing) for d in on.decisions] == [
            ('LEARNING', 3), ('LEARNING', 2), ('LEARNING', 1)
        ]  # fmt: skip
        assert {p.tier for p in on.finals} == {'fast'}
        assert {d.reference for d in on.decisions} == {'SLOWEST_ASSUMED'}
        on.send()
        on.answered(4)
        assert (on.decisions[3].reason, on.finals[3].tier) == ('GAIN_ABOVE_PRICE', 'slow')
    sound(run_folder(tmp_path))


def test_altered_model(
    ros: Any, pair: SmallPair, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An altered model file is named with both digests; once restored the node comes up."""
    file = pair.folder / SLOW / 'model.onnx'
    file.write_bytes(b'other')
    with bench(ros, values(pair, tmp_path, autostart=False), start=False) as on:
        assert not transition(on, 'configure')
        assert state(on) == 'unconfigured'
        told = capfd.readouterr().err
        assert str(file) in told
        assert 'expected sha256' in told
        assert 'found' in told
        assert 'Traceback' not in told
        assert not (tmp_path / 'runs').exists()
        file.write_bytes(SLOW.encode())
        assert transition(on, 'configure')


def test_missing_model_ends_an_autostarted_node(
    ros: Any, pair: SmallPair, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An autostarted node without its model gives exit code 2 and one line."""
    (pair.folder / FAST / 'model.onnx').unlink()
    with bench(ros, values(pair, tmp_path), start=False) as on:
        assert on.node.start() == 2
    (line,) = [n for n in capfd.readouterr().err.splitlines() if n.startswith('selector: ')]
    assert f'model file {pair.folder / FAST / "model.onnx"} cannot be read' in line


def test_run_folders_are_never_shared(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """Nodes that start in the same second get folders of their own; names are made safe."""
    name = {'mission__name': '../night run'}
    with bench(ros, values(pair, tmp_path, **name)):
        pass
    with bench(ros, values(pair, tmp_path, **name)):
        pass
    folders = sorted((tmp_path / 'runs').iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert '.._night_run' in folder.name
        assert (folder / 'config.yaml').is_file()
        sound(folder)


def test_bad_parameter(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """A node with a misspelled parameter does not come up."""
    bad = given(values(pair, tmp_path, decision__deadlines=1.0))
    with pytest.raises(ConfigError, match=r"did you mean 'decision\.deadline_s'"):
        SelectorNode(context=ros, parameter_overrides=bad)


def test_spin_goes_on_after_a_failed_callback(
    ros: Any, pair: SmallPair, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An RCLError out of a callback is told and does not end the node; a shutdown does."""
    with bench(ros, values(pair, tmp_path, autostart=False), start=False) as on:
        calls: list[int] = []

        def fail_once() -> None:
            calls.append(len(calls))
            if len(calls) == 1:
                raise rclpy_implementation.RCLError('made up')
            ros.try_shutdown()

        on.node.create_timer(0.01, fail_once)
        spin(on.executor, threading.Event())
        assert len(calls) == 2
        assert 'a callback failed and is skipped: made up' in capfd.readouterr().err


def test_log_is_closed_without_a_context(ros: Any, pair: SmallPair, tmp_path: Path) -> None:
    """When somebody else has shut ROS down, the log is still closed whole."""
    with bench(ros, values(pair, tmp_path)) as on:
        on.send()
        on.answered(1)
        ros.try_shutdown()
    sound(run_folder(tmp_path))
