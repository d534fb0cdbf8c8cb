"""Process worker: whatever its process does or suffers, each call ends once and the next works.

Real processes, real signals; see `faulty_model`.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import functools
import itertools
import os
from pathlib import Path
import queue
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import faulty_model
from faulty_model import frame
import numpy as np
import pytest
from selector.errors import MissingError
from selector.errors import ModelError
from selector.tasks.classification import Classification
from selector.workers.process_worker import ProcessWorker
from selector.workers.worker import Finished

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')

WAIT_S = 30.0
LIMIT_BYTES = 1 << 30
HANG_S = 0.3


class Bench:
    """A worker with what it told."""

    def __init__(self, make: Callable[[], Any] = faulty_model.FaultyModel, **options: Any) -> None:
        self.done: queue.Queue[Finished] = queue.Queue()
        self.worker = ProcessWorker('slow', make, self.done.put, **options)

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for `reached()`."""
        end_s = time.monotonic() + WAIT_S
        while not reached():
            assert time.monotonic() < end_s, self.worker.last_fault
            time.sleep(0.005)

    def free(self) -> None:
        """Wait until a call can be submitted."""
        self.until(lambda: not self.worker.busy)

    def call(self, kind: int = faulty_model.FINE, echo: int = 0, sequence: int = 0) -> Finished:
        """Return how a call ended."""
        self.free()
        self.worker.submit(sequence, frame(kind, echo))
        return self.done.get(timeout=WAIT_S)

    def recovers(self) -> None:
        """Check that the next call is answered and that nothing else was told."""
        end = self.call(echo=9, sequence=99)
        assert (end.sequence, end.tier, end.fault) == (99, 'slow', '')
        assert end.prediction is not None
        assert end.prediction.class_id == 9
        assert self.done.empty()


@pytest.fixture
def made() -> Iterator[Callable[..., Bench]]:
    """Makes benches whose workers end with the test, and leave nothing behind."""
    before = files(), set(threading.enumerate()), children()
    with contextlib.ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> Bench:
            bench = Bench(*arguments, **options)
            stack.callback(ended, bench.worker)
            return bench

        yield make
    assert (files(), set(threading.enumerate()), children()) == before


def ended(worker: ProcessWorker) -> None:
    """Check that a worker stops, and stays stopped."""
    assert worker.stop(WAIT_S)
    assert worker.busy
    assert worker.pid is None


def files() -> int:
    """Return how many files this process has open."""
    return len(os.listdir('/proc/self/fd'))


def children() -> set[int]:
    """Return the processes that this process has started and not collected."""
    found = Path('/proc/self/task').glob('*/children')
    return {int(pid) for task in found for pid in task.read_text().split()}


def alive(pid: int) -> bool:
    """Return whether a process runs (who waits to be collected does not)."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


Made = Callable[..., Bench]


def test_answers_come_back(made: Made) -> None:
    """Each call ends once, with its own sequence and answer, in order; the images differ in size.

    The model writes to its image; the caller's stays as it was.
    """
    bench = made(warm_up_runs=3)
    assert bench.worker.wait_until_ready() == [0.0, 1.0, 2.0]
    for k in range(1, 40):
        image = np.zeros((k, 41 - k, 3), np.uint8)
        image[0, 0, 1] = k
        bench.worker.submit(k, image)
        end = bench.done.get(timeout=WAIT_S)
        assert (end.sequence, end.tier, end.fault) == (k, 'slow', '')
        assert end.prediction is not None
        assert end.prediction.class_id == k
        assert end.latency_s > 0.0
        assert image[0, 0, 1] == k
    assert bench.done.empty()
    assert bench.worker.restarts == 0
    assert bench.worker.last_fault == ''


def test_busy_lasts_until_the_call_has_ended() -> None:
    """Busy until the process is ready, and from submit to end; the callback finds it free."""
    seen: queue.Queue[bool] = queue.Queue()
    worker = ProcessWorker('slow', faulty_model.FaultyModel, lambda _e: seen.put(worker.busy))
    starting = worker.busy
    worker.wait_until_ready()
    idle = worker.busy
    worker.submit(0, frame(faulty_model.FINE))
    assert seen.get(timeout=WAIT_S) is False
    worker.submit(1, frame(faulty_model.SLEEP))
    assert (starting, idle, worker.busy) == (True, False, True)
    assert worker.stop(0.05)
    assert seen.get(timeout=WAIT_S) is True


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        (faulty_model.RAISE, 'faulty raised RuntimeError: no sense'),
        (faulty_model.LEAVE, 'faulty raised SystemExit: enough'),
        (faulty_model.MEMORY, 'MemoryError'),
        (faulty_model.NAN, 'faulty returned no class probabilities'),
        (faulty_model.LAMBDA, 'faulty gave an answer that cannot be sent: AttributeError'),
        (faulty_model.TOO_LARGE, 'faulty gave an answer that cannot be sent: ValueError'),
    ],
)
def test_a_fault_of_the_model_costs_no_process(made: Made, kind: int, text: str) -> None:
    """What a model raises, an answer that is none and memory that Python misses are faults."""
    bench = made(memory_limit_bytes=LIMIT_BYTES)
    end = bench.call(kind, sequence=5)
    assert (end.sequence, end.prediction) == (5, None)
    assert text in end.fault
    assert not bench.worker.busy
    bench.recovers()
    assert bench.worker.restarts == 0


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        (faulty_model.SEGFAULT, 'was killed by SIGSEGV'),
        (faulty_model.KILL, 'was killed by SIGKILL'),
        (faulty_model.NATIVE_MEMORY, 'was killed by SIGABRT'),
        (faulty_model.EXIT, 'ended with exit code 3'),
        (faulty_model.STOP, f'gave no answer for {HANG_S} s and is killed'),
        (faulty_model.SLEEP, f'gave no answer for {HANG_S} s and is killed'),
        (faulty_model.GARBAGE, 'sent nothing that can be read and is killed'),
    ],
)
def test_a_lost_process_is_an_end_and_the_next_call_works(
    made: Made, kind: int, text: str
) -> None:
    """Whatever kills or stops the process ends the call, with its cause; a new one takes over."""
    bench = made(hang_s=HANG_S, memory_limit_bytes=LIMIT_BYTES)
    end = bench.call(kind, sequence=5)
    told = f'the process of the slow model {text}'
    assert end.fault == f'{told}; it is started again in 0.1 s'
    assert (end.sequence, end.prediction) == (5, None)
    bench.recovers()
    assert bench.worker.restarts == 1
    assert bench.worker.last_fault == told


def test_a_large_answer(made: Made) -> None:
    """An answer larger than any buffer comes back whole."""
    end = made().call(faulty_model.LARGE)
    assert end.prediction is not None
    assert end.prediction.content == b'x' * 3_000_000


def test_the_task_says_what_an_answer_is(made: Made) -> None:
    """The answer is checked against the task given."""
    bench = made(task=Classification(10))
    assert bench.call().fault == 'faulty returned 256 scores for 10 labels'


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_lost_between_calls(made: Made, number: signal.Signals) -> None:
    """A process that dies while nothing runs is missed at once, and replaced without a call."""
    bench = made()
    bench.free()
    pid = bench.worker.pid
    assert pid is not None
    os.kill(pid, number)
    bench.until(lambda: bench.worker.busy)
    assert bench.worker.last_fault == f'the process of the slow model was killed by {number.name}'
    bench.recovers()
    assert bench.worker.restarts == 1
    assert bench.worker.pid != pid


def test_a_submit_that_nobody_can_take_is_refused(made: Made) -> None:
    """Who submits just when the process is lost is told so, once, and soon."""
    bench = made()
    bench.call(faulty_model.KILL)
    assert bench.worker.busy
    bench.worker.submit(7, frame(faulty_model.FINE))
    end = bench.done.get(timeout=WAIT_S)
    assert (end.sequence, end.prediction) == (7, None)
    assert 'killed by SIGKILL; nothing takes calls now' in end.fault
    bench.recovers()


def test_pauses_double_and_start_over(made: Made) -> None:
    """Processes that die young are started ever later; one that has answered well resets that."""
    bench = made()
    faults = [bench.call(faulty_model.KILL).fault for _ in range(3)]
    for _ in range(20):
        bench.call()
    faults.append(bench.call(faulty_model.KILL).fault)
    assert [fault[-5:] for fault in faults] == ['0.1 s', '0.2 s', '0.4 s', '0.1 s']


def test_random_kills(made: Made) -> None:
    """Killed at any moment of a call or of a start, each call ends exactly once."""
    draw = random.Random(6)
    bench = made()
    for turn in range(8):
        for k in range(20):  # so that the pauses stay short
            bench.call(sequence=k)
        bench.free()
        bench.worker.submit(turn, frame(faulty_model.LARGE))
        time.sleep(draw.choice((0.0, 0.001, 0.004, 0.02)) * draw.random())
        with contextlib.suppress(TypeError, ProcessLookupError):  # between two processes
            os.kill(bench.worker.pid, signal.SIGKILL)  # type: ignore[arg-type]
        end = bench.done.get(timeout=WAIT_S)
        assert end.sequence == turn
        assert (end.prediction is None) == ('SIGKILL' in end.fault)
        time.sleep(0.3 * draw.random())  # and now the one that is being started
        with contextlib.suppress(TypeError, ProcessLookupError):
            os.kill(bench.worker.pid, signal.SIGKILL)  # type: ignore[arg-type]
    bench.recovers()


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (functools.partial(faulty_model.missing, Path('m.onnx')), 'm.onnx is missing; put it'),
        (faulty_model.Impatient, 'could not build or warm up its model: RuntimeError: cold'),
        (faulty_model.crashing, 'was killed by SIGKILL before it was ready'),
        (faulty_model.sleeping, 'was not ready within 0.5 s'),
    ],
    ids=['missing', 'warm-up', 'crash', 'hang'],
)
def test_a_model_that_cannot_be_made_ready(made: Made, make: Callable[[], Any], text: str) -> None:
    """The first start fails with one line, and is not tried again."""
    bench = made(make, start_s=0.5 if make is faulty_model.sleeping else WAIT_S)
    with pytest.raises(ModelError, match=text) as told:
        bench.worker.wait_until_ready()
    assert '\n' not in str(told.value)
    assert bench.worker.busy
    assert bench.worker.restarts == 0


def test_a_machine_that_lacks_something(made: Made) -> None:
    """What is missing on the machine is told as that, with its own exit code."""
    with pytest.raises(MissingError, match='torch is not installed'):
        made(faulty_model.unequipped).worker.wait_until_ready()


def test_a_model_that_nobody_else_can_build() -> None:
    """What cannot be sent to another process is refused before one is started."""
    with pytest.raises(ModelError, match='can be imported by name'):
        ProcessWorker('slow', lambda: faulty_model.FaultyModel(), print)


def test_a_model_that_cannot_be_built_again(made: Made, tmp_path: Path) -> None:
    """A start that fails later is tried again until it succeeds; nothing takes calls meanwhile."""
    flag = tmp_path / 'flag'
    bench = made(functools.partial(faulty_model.built_unless, flag))
    bench.free()
    flag.write_text('no such device')
    bench.call(faulty_model.KILL)
    bench.until(lambda: bench.worker.restarts >= 2)
    assert (bench.worker.busy, bench.worker.ready) == (True, False)
    assert (
        'could not build or warm up its model: ValueError: no such device'
        in bench.worker.last_fault
    )
    flag.unlink()
    bench.recovers()


@pytest.mark.parametrize('make', [faulty_model.FaultyModel, faulty_model.sleeping])
def test_stop_at_any_moment(make: Callable[[], Any]) -> None:
    """Stop ends a process that is just being started, or made ready, soon."""
    before = children()  # among them what Python keeps of other tests' pools
    for delay_s in (0.0, 0.03, 0.1, 0.2):
        worker = ProcessWorker('slow', make, print)
        time.sleep(delay_s)
        assert worker.stop(WAIT_S)
        assert worker.pid is None
    assert children() == before


def test_stop_waits_for_a_call_that_ends(made: Made) -> None:
    """A call that is running when the worker is stopped still gives its answer."""
    bench = made()
    bench.free()
    bench.worker.submit(3, frame(faulty_model.LARGE))
    assert bench.worker.stop(WAIT_S)
    assert bench.done.get(timeout=WAIT_S).prediction is not None


def test_a_submit_at_the_end_is_refused() -> None:
    """Who submits when the worker has been stopped is told that nothing takes calls."""
    ends: list[Finished] = []

    def done(end: Finished) -> None:
        ends.append(end)
        if end.sequence == 1:
            worker.submit(2, frame(faulty_model.FINE))

    worker = ProcessWorker('slow', faulty_model.FaultyModel, done)
    worker.wait_until_ready()
    worker.submit(1, frame(faulty_model.SLEEP))
    assert worker.stop(0.05)
    assert [end.sequence for end in ends] == [1, 2]
    assert ends[1].fault == 'the slow model is not ready; nothing takes calls now'


@pytest.mark.parametrize('kind', [faulty_model.SLEEP, faulty_model.STOP])
def test_stop_kills_a_call_that_does_not_end(made: Made, kind: int) -> None:
    """A process can always be killed: its call ends with a fault, and stop says True."""
    bench = made()
    bench.free()
    bench.worker.submit(3, frame(kind))
    assert bench.worker.stop(0.1)
    end = bench.done.get(timeout=WAIT_S)
    assert (end.sequence, end.prediction) == (3, None)
    assert end.fault == 'the slow model was stopped while it ran'


def test_stop_in_a_pause(made: Made) -> None:
    """Stop does not wait for the next start."""
    bench = made()
    for _ in range(4):
        bench.call(faulty_model.KILL)
    assert bench.worker.stop(WAIT_S)
    assert bench.worker.restarts == 3


def test_ctrl_c_is_the_parents(made: Made) -> None:
    """An interrupt that reaches the child does nothing; it is in no terminal's foreground."""
    bench = made()
    bench.free()
    pid = bench.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    bench.recovers()
    assert bench.worker.pid == pid
    assert os.getsid(pid) == pid


def test_the_child_knows_no_ros(made: Made) -> None:
    """Nothing of ROS is imported in the child."""
    end = made().call(faulty_model.ROS)
    assert end.prediction is not None
    assert end.prediction.class_id == 0


def test_the_child_is_the_first_to_go(made: Made) -> None:
    """The kernel kills the child before anything else when memory runs out."""
    bench = made()
    bench.free()
    assert Path(f'/proc/{bench.worker.pid}/oom_score_adj').read_text().strip() == '1000'
    assert int(Path('/proc/self/oom_score_adj').read_text()) < 1000


def test_nothing_in_shared_memory_has_a_name(made: Made) -> None:
    """There is no file in /dev/shm that a killed process could leave there."""
    bench = made()
    bench.call()
    maps = Path(f'/proc/{bench.worker.pid}/maps').read_text()
    assert 'memfd:selector_image (deleted)' in maps
    assert '/dev/shm' not in maps


@pytest.mark.parametrize('free', range(3, 8))
def test_no_process_to_be_had(made: Made, free: int) -> None:
    """Where the system has no room for one more process, the start fails like any other."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unused = (fd for fd in itertools.count() if not Path(f'/proc/self/fd/{fd}').is_symlink())
    limit = next(itertools.islice(unused, free, None))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        bench = made()
        with pytest.raises(ModelError, match='could not be started: Too many open files'):
            bench.worker.wait_until_ready()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


OWNER = """
import sys, time
sys.path[:0] = [{test!r}]
import faulty_model
from selector.workers.process_worker import ProcessWorker
worker = ProcessWorker('slow', faulty_model.FaultyModel, print)
worker.wait_until_ready()
if {kind}:
    worker.submit(0, faulty_model.frame({kind}))
print(worker.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize('kind', [faulty_model.FINE, faulty_model.SLEEP, faulty_model.STOP])
def test_the_child_ends_with_its_parent(kind: int) -> None:
    """When the parent is killed the child is gone, also one that is in a call, or stopped."""
    here = Path(__file__).resolve().parent
    owner = subprocess.Popen(
        [sys.executable, '-c', OWNER.format(test=str(here), kind=kind)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=here.parent,
    )
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())
    assert alive(pid)
    owner.kill()
    owner.wait(WAIT_S)
    end_s = time.monotonic() + WAIT_S
    while alive(pid) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not alive(pid)


def test_a_child_whose_parent_has_gone_before() -> None:
    """A child that has another parent than it was told ends, without a word."""
    ours, theirs = socket.socketpair()
    image = os.memfd_create('image')
    code = (
        'import sys; from selector.workers.model_child import main; main(*map(int, sys.argv[1:]))'
    )
    with ours, theirs:
        child = subprocess.run(
            [sys.executable, '-c', code, str(theirs.fileno()), str(image), '1'],
            pass_fds=(theirs.fileno(), image),
            cwd=Path(__file__).resolve().parent.parent,
            capture_output=True,
            timeout=WAIT_S,
            check=False,
        )
    os.close(image)
    assert (child.returncode, child.stderr) == (1, b'')


def test_stop_kills_a_process_that_lingers(made: Made) -> None:
    """A thread that a model has left behind keeps its process alive no longer than told."""
    bench = made()
    bench.call(faulty_model.LINGER)
    assert bench.worker.stop(0.2)
    assert bench.worker.pid is None
