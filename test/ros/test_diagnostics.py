"""The diagnostics say what is wrong, in the levels that monitors understand."""

from pathlib import Path
import threading
from typing import Any

from bench import bench
from bench import values
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from selector.ros.diagnostics import Diagnostics
from selector.ros.diagnostics import Health
from selector.ros.tally import quantile
from selector.ros.tally import Tally
from small_pair import says
from small_pair import small_pair

FINE = Health(
    active=True,
    shadow=False,
    stake=1.0,
    context='dusk',
    context_age_s=0.5,
    resources=('slow_calls',),
    busy_since_s=0.0,
    slow_p99_s=0.02,
    records_lost=0,
)


def busy_tally() -> Tally:
    """Return counts of a node that has seen images."""
    tally = Tally(frames=10, finals=10, left=(17.0,), audit_left=(2.0,), price=(0.1,))
    tally.latency_s.extend([0.01] * 19 + [0.05])
    tally.invoked, tally.observed, tally.reused = 3, 1, 2
    return tally


def told(array: DiagnosticArray, part: str) -> tuple[bytes, str, dict[str, str]]:
    """Return level, message and values of one part."""
    status = next(s for s in array.status if s.name == f'selector: {part}')
    assert status.hardware_id == '/selector'
    return status.level, status.message, {v.key: v.value for v in status.values}


def report(tally: Tally, health: Health) -> DiagnosticArray:
    """Return the first report of a node."""
    return Diagnostics('selector', '/selector').report(tally, health, Time(sec=7))


def test_all_is_well() -> None:
    """Six parts, all OK, with numbers as text and the unit in every key that has one."""
    array = report(busy_tally(), FINE)
    assert array.header.stamp.sec == 7
    assert [s.name for s in array.status] == [
        'selector: perception',
        'selector: budget',
        'selector: slow model',
        'selector: learning',
        'selector: audit log',
        'selector: energy',
    ]
    assert {s.level for s in array.status} == {DiagnosticStatus.OK}
    seen = told(array, 'perception')[2]
    assert (seen['frames'], seen['answered'], seen['context']) == ('10', '10', 'dusk')
    assert (seen['answer_p50_s'], seen['answer_p95_s']) == ('0.01', '0.01')
    assert seen['shadow'] == 'False'
    money = told(array, 'budget')[2]
    assert money == {
        'slow_share': '0.4',
        'slow_calls_left': '17',
        'slow_calls_audit_left': '2',
        'slow_calls_price': '0.1',
    }
    assert (seen['reused'], told(array, 'learning')[2]['observed']) == ('2', '1')


def test_unknown_is_nan() -> None:
    """Before the first image nothing is known, and nothing is 0."""
    array = report(Tally(), FINE._replace(context='', context_age_s=None))
    seen, money = told(array, 'perception')[2], told(array, 'budget')[2]
    assert (seen['answer_p95_s'], seen['context_age_s']) == ('nan', 'nan')
    assert set(money.values()) == {'nan'}


@pytest.mark.parametrize(
    ('change', 'why'),
    [
        ({'undecodable': 2}, '2 images could not be decoded'),
        ({'fast_failed': 1}, 'the fast model failed on 1 images'),
        ({'rewinds': 1}, 'jumped back'),
        ({'frames': 0}, 'no image received yet'),
        ({'advised': 3}, 'a declared rule gave advice on 3 images'),
    ],
)
def test_perception_warns(change: dict[str, int], why: str) -> None:
    """Trouble with the images is a warning with its number."""
    tally = busy_tally()
    for name, value in change.items():
        setattr(tally, name, value)
    level, message, _ = told(report(tally, FINE), 'perception')
    assert level == DiagnosticStatus.WARN
    assert why in message


def test_a_lost_process_of_the_slow_model_warns() -> None:
    """A restart is a warning with its reason, once; while there is no process it stays one."""
    made = Diagnostics('selector', '/selector')
    lost = FINE._replace(slow_restarts=1, slow_fault='ended by SIGSEGV')
    level, message, values = told(made.report(busy_tally(), lost, Time()), 'slow model')
    assert level == DiagnosticStatus.WARN
    assert 'started again: ended by SIGSEGV' in message
    assert values['restarts'] == '1'
    assert told(made.report(busy_tally(), lost, Time()), 'slow model')[0] == DiagnosticStatus.OK
    away = lost._replace(slow_ready=False)
    assert 'no process' in told(made.report(busy_tally(), away, Time()), 'slow model')[1]


def test_energy_tells_what_the_meter_says() -> None:
    """The factor and its sources are values; a figure that is far off is a warning."""
    told_energy = {'meter': 'rails', 'factor': 1.5}
    health = FINE._replace(energy=told_energy, energy_warning='calls used 50% more')
    level, message, values = told(report(busy_tally(), health), 'energy')
    assert (level, message) == (DiagnosticStatus.WARN, 'calls used 50% more')
    assert values == {'meter': 'rails', 'factor': '1.5'}


def test_warnings_end() -> None:
    """A warning is about the time since the last report; the next one forgets it."""
    diagnostics, tally = Diagnostics('selector', '/selector'), busy_tally()
    tally.undecodable = 2
    diagnostics.report(tally, FINE, Time())
    assert told(diagnostics.report(tally, FINE, Time()), 'perception')[1] == (
        'no image since the last report'
    )
    tally.frames += 1
    assert told(diagnostics.report(tally, FINE, Time()), 'perception')[0] == DiagnosticStatus.OK


def test_an_overdrawn_reserve_warns() -> None:
    """Declared overrides beyond the safety reserve are a warning with their number."""
    tally = busy_tally()
    tally.overdrawn = 2
    level, message, _ = told(report(tally, FINE), 'budget')
    assert (level, message) == (
        DiagnosticStatus.WARN,
        'the safety reserve was overdrawn 2 times',
    )


def test_learning_is_told() -> None:
    """Until it acts it says what it lacks, which is no fault; labels that fit no frame are one."""
    tally = busy_tally()
    tally.missing = 37
    level, message, values = told(report(tally, FINE), 'learning')
    assert (level, values['missing']) == (DiagnosticStatus.OK, '37')
    assert message == 'it learns: 37 more slow answers before it acts'
    tally.labels_refused = 2
    tally.outcomes.update(AUDIT=5, LABEL=7)
    level, message, values = told(report(tally, FINE), 'learning')
    assert (level, message) == (DiagnosticStatus.WARN, '2 labels fit no frame')
    assert (values['audits'], values['labels']) == ('5', '7')


def test_slow_model_warns() -> None:
    """Calls that miss their deadline or fail are a warning."""
    tally = busy_tally()
    tally.outcomes.update(TIMED_OUT=2, FAILED=1)
    level, message, values = told(report(tally, FINE), 'slow model')
    assert level == DiagnosticStatus.WARN
    assert message == '2 calls passed their deadline; 1 calls failed'
    assert (values['timed_out'], values['failed'], values['late']) == ('2', '1', '0')


@pytest.mark.parametrize(
    ('busy_since_s', 'p99_s', 'level'),
    [
        (0.5, 0.02, DiagnosticStatus.OK),
        (1.5, 0.02, DiagnosticStatus.ERROR),
        (1.5, 0.2, DiagnosticStatus.OK),
        (2.5, 0.2, DiagnosticStatus.ERROR),
    ],
)
def test_hanging_slow_model(busy_since_s: float, p99_s: float, level: bytes) -> None:
    """A call that runs ten times as long as it should is an error, after a second at least."""
    health = FINE._replace(busy_since_s=busy_since_s, slow_p99_s=p99_s)
    assert told(report(busy_tally(), health), 'slow model')[0] == level


def test_lost_records() -> None:
    """A log that cannot be written is an error."""
    level, message, values = told(report(busy_tally(), FINE._replace(records_lost=3)), 'audit log')
    assert level == DiagnosticStatus.ERROR
    assert '3 records' in message
    assert values['records_lost'] == '3'


def test_quantiles() -> None:
    """A quantile is a value that was seen; none of nothing."""
    assert quantile([], 0.5) is None
    assert quantile([5.0], 0.99) == 5.0
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 95.0


@pytest.mark.ros
def test_real_node(ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node reports once a second on /diagnostics; a hanging model becomes an error."""
    release = threading.Event()
    pair = small_pair(tmp_path / 'models', monkeypatch)

    def slow(_image: np.ndarray) -> np.ndarray:
        release.wait(10.0)
        return says(3)

    pair.slow = slow
    with bench(ros, values(pair, tmp_path)) as on:
        on.reported()
        assert on.status('perception').message == 'no image received yet'
        on.send()
        on.until(lambda: on.status('slow model').level == DiagnosticStatus.ERROR)
        assert 'it hangs' in on.status('slow model').message
        release.set()
        on.until(lambda: on.status('slow model').level == DiagnosticStatus.OK)
        assert len(on.health) >= 3
