"""The node as a process: how it starts, how it is stopped, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import json
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from rclpy.node import Node
from selector.redecision import verify
from selector.ros.conversions import stamp_to_ros
from selector_msgs.msg import Prediction
from sensor_msgs.msg import CompressedImage
from small_pair import jpeg
from small_pair import write_pair
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

WAIT_S = 30.0
DRIVER = """
import os, signal, sys, time
from pathlib import Path
import pytest
sys.path.insert(0, sys.argv[1])
from small_pair import says, small_pair
from selector.ros import node
pair = small_pair(Path(sys.argv[2]), pytest.MonkeyPatch())
{change}
sys.exit(node.main(sys.argv[3:]))
"""
HANGS = 'pair.slow = lambda _: time.sleep(600)'
STOPPED_AT_START = """
start = node.SelectorNode.start
def stopped(self):
    os.kill(os.getpid(), signal.{name})
    return start(self)
node.SelectorNode.start = stopped
"""


class Process:
    """A node process; `lines` are those of its stderr."""

    def __init__(self, words: list[str]) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            self.lines.extend(iter(stream.readline, ''))

    def active(self) -> Path:
        """Wait until the node is active; return its run folder."""
        mark = 'selector: active, log in '
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            for line in list(self.lines):
                if line.startswith(mark):
                    return Path(line.removeprefix(mark).strip())
            assert self._process.poll() is None, self.lines
            time.sleep(0.02)
        raise AssertionError(self.lines)

    def stop(self, number: int | None = None) -> int:
        """Send a signal, or none; return the exit code."""
        if number is not None:
            self._process.send_signal(number)
        code = self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return what starts a node with a small pair, changed by a line of Python."""
    with contextlib.ExitStack() as stack:

        def started(change: str = '', *words: str) -> Process:
            models = tmp_path / 'models'
            given = {
                'models.folder': models,
                'models.fast': 'small_fast',
                'models.slow': 'small_slow',
                'models.correlation': 'correlation.json',
                'audit.folder': tmp_path / 'runs',
                'image.reliability': 'reliable',
            }
            named = [w for name, value in given.items() for w in ('-p', f'{name}:={value}')]
            here = str(Path(__file__).resolve().parents[1])
            code = DRIVER.format(change=change)
            command = [sys.executable, '-c', code, here, str(models)]
            process = Process([*command, '--ros-args', *named, *words])
            stack.callback(process.kill)
            return process

        yield started


def clean(process: Process, folder: Path) -> None:
    """Check that a process left a whole log and no noise."""
    text = ''.join(process.lines)
    assert 'Traceback' not in text
    assert 'terminate called' not in text
    assert text.count('selector: active, log in ') == 1
    verdict = verify(folder)
    assert verdict.sound, verdict.flaw
    assert json.loads((folder / 'summary.json').read_text())['unanswered'] == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_stopped(start: Callable[..., Process], number: int) -> None:
    """SIGINT and SIGTERM end the node with code 0 and a closed log, without noise (trap e)."""
    process = start()
    folder = process.active()
    assert process.stop(number) == 0
    clean(process, folder)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_stopped_before_it_spins(start: Callable[..., Process], name: str, tmp_path: Path) -> None:
    """A signal between init and spin ends the node just as well."""
    process = start(STOPPED_AT_START.format(name=name))
    assert process.stop() == 0
    (folder,) = (tmp_path / 'runs').iterdir()
    clean(process, folder)


def test_stopped_while_a_model_hangs(start: Callable[..., Process], ros: Any) -> None:
    """A call that never ends keeps neither the answer, nor the log, nor the process."""
    process = start(HANGS)
    folder = process.active()
    probe = Node('probe', context=ros)
    images = probe.create_publisher(CompressedImage, 'image_raw/compressed', 10)
    answers: list[Prediction] = []
    probe.create_subscription(Prediction, 'selector/prediction', answers.append, 10)
    executor = _executor(ros, probe)
    until(executor, lambda: images.get_subscription_count() > 0)
    until(executor, lambda: probe.count_publishers('selector/prediction') > 0)
    until(executor, lambda: False, 0.3)
    stamp = stamp_to_ros(probe.get_clock().now().nanoseconds)
    images.publish(CompressedImage(header=Header(stamp=stamp), data=jpeg()))
    until(executor, lambda: bool(answers))
    start_s = time.monotonic()
    assert process.stop(signal.SIGTERM) == 0
    assert time.monotonic() - start_s < 4.5
    clean(process, folder)
    executor.shutdown()
    probe.destroy_node()


def _executor(ros: Any, node: Node) -> Any:
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=ros)
    executor.add_node(node)
    return executor


def until(executor: Any, reached: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Run callbacks until `reached()` or for `timeout_s` [s]."""
    end_s = time.monotonic() + timeout_s
    while not reached() and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.02)


def refused(words: list[str]) -> str:
    """Run the node's module, which must end with code 2; return its stderr."""
    done = subprocess.run(
        [sys.executable, '-m', 'selector.ros.node', '--ros-args', *words],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert 'Traceback' not in done.stderr
    return done.stderr


def test_misspelled_parameter() -> None:
    """A misspelled parameter ends the process with code 2 and one line."""
    told = refused(['-p', 'models.fastt:=x'])
    assert "selector: unknown parameter 'models.fastt'; did you mean 'models.fast'?" in told


def test_altered_model(tmp_path: Path) -> None:
    """An altered model file ends the process with code 2; both digests are told."""
    write_pair(tmp_path)
    (tmp_path / 'small_fast' / 'model.onnx').write_bytes(b'other')
    given = {
        'models.folder': tmp_path,
        'models.fast': 'small_fast',
        'models.slow': 'small_slow',
        'models.correlation': 'correlation.json',
    }
    told = refused([w for name, value in given.items() for w in ('-p', f'{name}:={value}')])
    assert 'small_fast/model.onnx is not the one its card names: expected sha256' in told


def test_bad_parameter_file(tmp_path: Path) -> None:
    """A parameter file that is no YAML ends the process with code 2 and one line."""
    path = tmp_path / 'params.yaml'
    path.write_text('selector: [')
    told = refused(['--params-file', str(path)])
    assert 'params.yaml' in told
