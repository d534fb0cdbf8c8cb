"""The launch files start the right processes with the right arguments."""

from collections.abc import Iterator
import contextlib
import importlib.util
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading

from launch_stub import Command
from launch_stub import evaluate
from launch_stub import real_launch
import pytest
from selector.config_file import load

REPO = Path(__file__).resolve().parents[1]
SELECTOR = REPO / 'launch' / 'selector.launch.py'
REPLAY = REPO / 'launch' / 'replay.launch.py'
SHARES = {'model_selector': REPO}
PARAMS_FILE = str(REPO / 'config' / 'selector.yaml')
START_S = 30.0
STOP_S = 15.0
REPLAY_S = 120.0


def pairs(command: Command, flag: str) -> list[str]:
    """Return what follows each `flag`."""
    argv = command.argv
    return [after for word, after in zip(argv, argv[1:], strict=False) if word == flag]


def test_defaults() -> None:
    """Without arguments the node is `selector`, uses the shipped parameters and starts itself."""
    (command,) = evaluate(SELECTOR, SHARES)
    assert command.package == 'model_selector'
    assert command.executable == 'selector_node'
    assert pairs(command, '--params-file') == [PARAMS_FILE]
    assert pairs(command, '-p') == ['use_sim_time:=false', 'autostart:=true']
    assert pairs(command, '--log-level') == ['info']
    assert pairs(command, '-r') == [
        '__node:=selector',
        'image_raw:=image_raw',
        'image_raw/compressed:=image_raw/compressed',
    ]


def test_shipped_parameters_exist() -> None:
    """The parameter file that is the default is in the package."""
    assert Path(PARAMS_FILE).is_file()


def test_every_argument_arrives() -> None:
    """Each argument of selector.launch.py ends up in the node's command line."""
    (command,) = evaluate(
        SELECTOR,
        SHARES,
        namespace='front',
        node_name='chooser',
        params_file='/robot/selector.yaml',
        input_image_topic='camera/image',
        use_sim_time='true',
        autostart='false',
        log_level='debug',
    )
    assert pairs(command, '--params-file') == ['/robot/selector.yaml']
    assert pairs(command, '-p') == ['use_sim_time:=true', 'autostart:=false']
    assert pairs(command, '--log-level') == ['debug']
    assert pairs(command, '-r') == [
        '__node:=chooser',
        '__ns:=/front',
        'image_raw:=camera/image',
        'image_raw/compressed:=camera/image/compressed',
    ]


def test_parameters_follow_the_file() -> None:
    """Arguments win over the parameter file, because they come after it."""
    (command,) = evaluate(SELECTOR, SHARES)
    assert command.argv.index('--params-file') < command.argv.index('-p')


@pytest.mark.parametrize(
    ('name', 'value'), [('autostart', 'yes'), ('use_sim_time', '1'), ('log_level', 'loud')]
)
def test_wrong_choice_is_refused(name: str, value: str) -> None:
    """A value outside the choices fails before anything starts."""
    with pytest.raises(ValueError, match=name):
        evaluate(SELECTOR, SHARES, **{name: value})


def test_unknown_argument_is_refused() -> None:
    """A misspelled argument is noticed by the stand-in, so the tests cannot pass by accident."""
    with pytest.raises(AssertionError, match='nmespace'):
        evaluate(SELECTOR, SHARES, nmespace='front')


def test_replay_defaults() -> None:
    """A replay plays the shipped bag at its own speed to a node that takes the bag's time."""
    node, player = evaluate(REPLAY, SHARES)
    assert player.executable == 'selector_player'
    bag = str(REPO / 'bags' / 'patrol')
    assert player.argv[: player.argv.index('--ros-args')] == [
        bag,
        '--rate',
        '1.0',
        '--answers',
        'selector/prediction',
    ]
    assert node.executable == 'selector_node'
    assert pairs(node, '-p') == ['use_sim_time:=true', 'autostart:=true']
    assert pairs(node, '--params-file') == [str(REPO / 'config' / 'replay.yaml')]


def test_replay_parameters_lose_no_image() -> None:
    """The replay's parameter file is valid and asks for reliable images, ten deep."""
    image = load(REPO / 'config' / 'replay.yaml').image
    assert (image.reliability, image.queue_depth) == ('reliable', 10)


def test_replay_arguments() -> None:
    """The arguments of both files reach node and player, and share one namespace."""
    node, player = evaluate(
        REPLAY,
        SHARES,
        bag='/data/run',
        rate='4.0',
        namespace='/rear',
        node_name='chooser',
        log_level='warn',
    )
    assert player.argv[:5] == ['/data/run', '--rate', '4.0', '--answers', 'chooser/prediction']
    assert pairs(player, '-r') == ['__ns:=/rear']
    assert pairs(node, '-r')[:2] == ['__node:=chooser', '__ns:=/rear']
    assert pairs(node, '--log-level') == ['warn']


def test_replay_time_cannot_be_overridden() -> None:
    """A replay in wall time would expire every frame, so `use_sim_time` stays true."""
    node, _ = evaluate(REPLAY, SHARES, use_sim_time='false')
    assert 'use_sim_time:=true' in pairs(node, '-p')


@pytest.mark.parametrize('path', [SELECTOR, REPLAY], ids=lambda path: path.name)
@pytest.mark.skipif(not real_launch(), reason='the real launch is in no package registry')
def test_real_launch_loads_the_files(path: Path) -> None:
    """Where ROS has launch, its own classes accept the files and know the arguments."""
    spec = importlib.util.spec_from_file_location('launched', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = {a.name for a in module.generate_launch_description().get_launch_arguments()}
    assert {'namespace', 'params_file', 'autostart', 'log_level'} <= names


def command_line(command: Command) -> list[str]:
    """Return what starts the process in this environment, installed or not."""
    script = shutil.which(command.executable, path=sysconfig.get_path('scripts'))
    modules = {'selector_node': 'selector.ros.node', 'selector_player': 'selector.ros.player'}
    start = [script] if script else [sys.executable, '-m', modules[command.executable]]
    return [*start, *command.argv]


class Running:
    """A started node and what it has printed so far."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(
            argv,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A pipe is buffered by default, and the line waited for would come too late.
            env={**os.environ, 'PYTHONUNBUFFERED': '1', 'PYTHONPATH': str(REPO)},
        )
        self.lines: list[str] = []
        self._ended = False
        self._seen = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._seen:
                self.lines.append(line)
                self._seen.notify_all()
        with self._seen:
            self._ended = True
            self._seen.notify_all()

    def printed(self, text: str, timeout_s: float) -> bool:
        """Wait until a line with `text` came, the process ended or time is up."""
        with self._seen:
            self._seen.wait_for(
                lambda: (
                    any(text in line for line in self.lines) or self.process.poll() is not None
                ),
                timeout_s,
            )
            return any(text in line for line in self.lines)

    def stop(self) -> int:
        """Interrupt it as launch and Ctrl-C do; return its exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        return status


@contextlib.contextmanager
def running(command: Command, folder: Path) -> Iterator[Running]:
    """Start a process and make sure that it is gone afterwards."""
    node = Running(command_line(command), folder)
    try:
        yield node
    finally:
        node.process.kill()
        node.process.wait()
        if node.process.stdout is not None:
            node._reader.join(STOP_S)
            node.process.stdout.close()


@pytest.mark.ros
@pytest.mark.slow
def test_node_starts_and_stops(tmp_path: Path) -> None:
    """The resolved command line starts the node, which gets active and ends cleanly on SIGINT."""
    (command,) = evaluate(SELECTOR, SHARES, namespace='launch_test')
    with running(command, tmp_path) as node:
        assert node.printed('selector: active', START_S), ''.join(node.lines)
        assert node.stop() == 0, ''.join(node.lines)


@pytest.mark.ros
@pytest.mark.slow
def test_replay_runs_to_the_end(tmp_path: Path) -> None:
    """Node and player of replay.launch.py find each other, and the player ends with the bag."""
    commands = evaluate(REPLAY, SHARES, namespace='launch_test', node_name='chooser', rate='20.0')
    with running(commands[0], tmp_path) as node:
        assert node.printed('selector: active', START_S), ''.join(node.lines)
        with running(commands[1], tmp_path) as player:
            assert player.process.wait(REPLAY_S) == 0, ''.join(player.lines)
        assert node.stop() == 0, ''.join(node.lines)


@pytest.mark.ros
@pytest.mark.slow
def test_node_waits_without_autostart(tmp_path: Path) -> None:
    """With autostart:=false the node stays unconfigured until a manager asks."""
    (command,) = evaluate(SELECTOR, SHARES, namespace='launch_test', autostart='false')
    with running(command, tmp_path) as node:
        assert not node.printed('selector: active', 4.0), ''.join(node.lines)
        assert node.process.poll() is None, ''.join(node.lines)
        assert node.stop() == 0, ''.join(node.lines)
