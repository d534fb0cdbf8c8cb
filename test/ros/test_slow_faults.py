"""The node with the slow model in a process of its own: whatever happens there, frames go on."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal
from typing import Any

from bench import Bench
from bench import bench
from bench import run_folder
from bench import values
from diagnostic_msgs.msg import DiagnosticStatus
import faulty_pair
import pytest
from selector import build
from selector.redecision import verify
from selector.ros import mission
from small_pair import jpeg
from small_pair import SLOW
from small_pair import SmallPair
from small_pair import write_pair

pytestmark = pytest.mark.ros

HANG_S = 0.5
LIMIT_BYTES = 1 << 30
QUICK = {'models.slow_hang_s': HANG_S}


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the parameters of a node whose slow model pays on every frame."""
    folder = tmp_path / 'models'
    monkeypatch.setattr(build, 'build_model', faulty_pair.build_model)
    monkeypatch.setattr(mission, 'load_model', faulty_pair.load_model)
    write_pair(folder)
    unused: Any = None  # the models come from `faulty_pair`
    return values(
        SmallPair(folder, unused, unused),
        tmp_path,
        models__slow_worker='process',
        models__slow_memory_bytes=LIMIT_BYTES,
    )


def children() -> list[int]:
    """Return the models' processes that this process has started and not collected."""
    found = Path('/proc/self/task').glob('*/children')
    started = [int(pid) for task in found for pid in task.read_text().split()]
    return [pid for pid in started if b'model_child' in _command(pid)]


def _command(pid: int) -> bytes:
    """Return the command line of a process; that of one that has just ended is empty."""
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes() or b'model_child'
    except (FileNotFoundError, ProcessLookupError):
        return b''


def sound(tmp_path: Path) -> None:
    """Check that the log of a run can be decided again, and that no process is left."""
    verdict = verify(run_folder(tmp_path))
    assert verdict.sound, verdict.flaw
    assert children() == []


def slow_is_back(on: Bench) -> None:
    """Send frames until slow answers one; every one of them has to be answered."""
    for _ in range(100):
        on.send(jpeg(faulty_pair.FINE))
        on.answered(len(on.finals) + 1)
        if on.finals[-1].tier == 'slow':
            assert on.finals[-1].class_id == faulty_pair.SLOW_CLASS
            return
        on.run_for(0.05)
    raise AssertionError('slow did not come back')


def test_slow_answers(ros: Any, parameters: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is different while nothing happens."""
    with bench(ros, parameters) as on:
        slow_is_back(on)
        assert [o.kind for o in on.outcomes] == ['ANSWERED']
        (pid,) = children()
        assert pid != os.getpid()
    sound(tmp_path)


@pytest.mark.parametrize(
    ('shade', 'why'),
    [
        (faulty_pair.SEGFAULT, 'was killed by SIGSEGV; it is started again in 0.1 s'),
        (faulty_pair.KILL, 'was killed by SIGKILL; it is started again in 0.1 s'),
        (faulty_pair.EXIT, 'ended with exit code 3; it is started again in 0.1 s'),
        (faulty_pair.MEMORY, 'MemoryError'),
    ],
)
def test_a_lost_call(
    ros: Any, parameters: dict[str, Any], tmp_path: Path, shade: int, why: str
) -> None:
    """The fast answer goes out, the outcome says why, and later slow is back."""
    with bench(ros, parameters | {'decision.deadline_s': 5.0}) as on:
        on.send(jpeg(shade))
        on.answered(1)
        assert on.finals[0].tier == 'fast'
        (outcome,) = on.outcomes
        assert (outcome.kind, outcome.committed) == ('FAILED', 'fast')
        assert why in outcome.detail
        slow_is_back(on)
    sound(tmp_path)


@pytest.mark.parametrize('shade', [faulty_pair.STOP, faulty_pair.SLEEP])
def test_a_call_that_hangs(
    ros: Any, parameters: dict[str, Any], tmp_path: Path, shade: int
) -> None:
    """At the deadline the fast answer goes out; the process is killed, and later slow is back."""
    with bench(ros, parameters | QUICK) as on:
        on.send(jpeg(shade))
        on.answered(1)
        assert on.finals[0].tier == 'fast'
        on.until(lambda: len(on.outcomes) == 2)
        assert [o.kind for o in on.outcomes] == ['TIMED_OUT', 'FAILED']
        assert f'gave no answer for {HANG_S} s and is killed' in on.outcomes[1].detail
        slow_is_back(on)
    sound(tmp_path)


def test_a_process_lost_between_calls(
    ros: Any, parameters: dict[str, Any], tmp_path: Path
) -> None:
    """No call is lost with the process, and /diagnostics says how often that was."""
    with bench(ros, parameters) as on:
        for _ in range(3):
            (pid,) = children()
            os.kill(pid, signal.SIGKILL)
            on.until(lambda pid=pid: children() not in ([pid], []))  # type: ignore[misc]
            slow_is_back(on)
        assert {o.kind for o in on.outcomes} == {'ANSWERED'}
        on.reported()
        told = {v.key: v.value for v in on.status('slow model').values}
        assert told['restarts'] == '3'
    sound(tmp_path)


def test_a_model_that_is_gone(ros: Any, parameters: dict[str, Any], tmp_path: Path) -> None:
    """While the process cannot be started again the fast model answers, and health says why."""
    file = tmp_path / 'models' / SLOW / 'model.onnx'
    with bench(ros, parameters) as on:
        data = file.read_bytes()
        file.unlink()
        on.send(jpeg(faulty_pair.KILL))
        on.answered(1)
        on.reported()
        on.send(jpeg(faulty_pair.FINE))
        on.answered(2)
        assert on.decisions[1].reason == 'TIER_BUSY'
        on.until(lambda: 'could not build or warm up' in on.status('slow model').message)
        assert on.status('slow model').level == DiagnosticStatus.WARN
        file.write_bytes(data)
        slow_is_back(on)
    sound(tmp_path)


def test_a_stream_with_faults(ros: Any, parameters: dict[str, Any], tmp_path: Path) -> None:
    """Each frame gets one decision and one answer, in order, whatever slow does meanwhile."""
    shades = [faulty_pair.FINE] * 60
    shades[5:60:10] = [
        faulty_pair.SEGFAULT,
        faulty_pair.KILL,
        faulty_pair.MEMORY,
        faulty_pair.EXIT,
        faulty_pair.STOP,
        faulty_pair.SEGFAULT,
    ]
    with bench(ros, parameters | QUICK) as on:
        headers = []
        for shade in shades:
            headers.append(on.send(jpeg(shade)))
            on.run_for(0.03)
        on.answered(len(shades))
        assert [f.header for f in on.finals] == headers
        assert 'slow' in {f.tier for f in on.finals}
        assert 'FAILED' in {o.kind for o in on.outcomes}
    sound(tmp_path)


def test_a_hanging_process_does_not_keep_the_node(
    ros: Any, parameters: dict[str, Any], tmp_path: Path
) -> None:
    """A process can always be ended: nothing is left behind when the node stops."""
    with bench(ros, parameters | {'models.slow_hang_s': 60.0}) as on:
        on.send(jpeg(faulty_pair.STOP))
        on.answered(1)
    assert not on.node.stuck
    sound(tmp_path)


@pytest.mark.parametrize('spoil', [Path.unlink, lambda p: p.write_bytes(b'other')])
def test_a_model_that_cannot_be_built(
    ros: Any, parameters: dict[str, Any], tmp_path: Path, spoil: Callable[[Path], Any]
) -> None:
    """The node does not start, with the reason in one line, and leaves no process."""
    spoil(tmp_path / 'models' / SLOW / 'model.onnx')
    with bench(ros, parameters, start=False) as on:
        assert on.node.start() == 2
        assert 'could not build or warm up its model' in str(on.node.failure)
        assert 'model.onnx' in str(on.node.failure)
    assert children() == []
