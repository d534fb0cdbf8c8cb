"""Inspection: look at a model file nobody has vouched for, in a process that it may take down."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
import selectors
import signal
import stat
import subprocess
import sys
import time
from types import TracebackType
from typing import Literal
from typing import NamedTuple

import msgspec
from selector.errors import did_you_mean
from selector.errors import MissingError
from selector.newcomer.graph import Graph
from selector.newcomer.inspection_message import Answer
from selector.newcomer.inspection_message import Request
from selector.newcomer.inspection_message import Said

# A new interpreter; its path is set before anything is imported from it.
_START = (
    'import sys; sys.path[:] = sys.argv[4:]; '
    'from selector.newcomer.inspection_child import main; main(*map(int, sys.argv[1:4]))'
)
_START_S = 60.0
_MORE_TIME = '; allow more with --seconds'
_LATER_S = 5
_KILL_S = 5.0
_ANSWER_BYTES = 4_000_000


class Limits(NamedTuple):
    """What the check of one file may use.

    Attributes:
        memory_bytes: address space [bytes].
        cpu_s: processor time [s].
        wall_s: time until the answer [s].
        file_bytes: size of the file [bytes].
    """

    memory_bytes: int = 4_000_000_000
    cpu_s: int = 60
    wall_s: float = 60.0
    file_bytes: int = 2_000_000_000


State = Literal['ok', 'refused', 'crashed', 'timed out']


class Verdict(NamedTuple):
    """What became of a request.

    Attributes:
        state: ok, or why there is nothing.
        why: what goes on after the file's name, '' when ok.
        graph: what the file holds.
        answer: what the model said.
    """

    state: State
    why: str = ''
    graph: Graph | None = None
    answer: Answer | None = None


DEFAULT = Limits()


class Inspector:
    """A child that looks at one file after another, and is replaced when a file ends it.

    Attributes:
        starts: how often a child was started.
    """

    def __init__(self, limits: Limits = DEFAULT) -> None:
        """Take the limits; the child is started with the first file."""
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._read = b''
        self._served = 0
        self.starts = 0

    def __enter__(self) -> Inspector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, None before the first file and after a file that ended it."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child."""
        child, self._child, self._served = self._child, None, 0
        if child is None:
            return
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it is stuck in the kernel
            child.wait(_KILL_S)
        for end in filter(None, (child.stdin, child.stdout)):
            with contextlib.suppress(OSError):  # of what was not sent yet
                end.close()

    def inspect(
        self, path: Path, picture: Path | None = None, size_px: tuple[int, int] | None = None
    ) -> Verdict:
        """Return what a file holds; whatever is in it, this returns within the limits.

        Args:
            path: the file.
            picture: JPEG or PNG that the model is run on, None for noise.
            size_px: (height, width) of the picture where the file leaves them open [px].

        Raises:
            MissingError: the child cannot be started at all.
        """
        if why := _not_to_be_opened(path, self._limits):
            return Verdict('refused', why)
        return self._asked(Request(str(path.resolve()), False, _name(picture), size_px))

    def answer(self, folder: Path, picture: Path, threads: int) -> Verdict:
        """Return what the model with the card in `folder` says of a picture, likewise.

        Raises:
            MissingError: see `inspect`.
        """
        return self._asked(Request(str(folder.resolve()), True, _name(picture), None, threads))

    def _asked(self, request: Request) -> Verdict:
        """Return what became of a request; what an earlier one may have caused is tried again."""
        fresh = self._served == 0
        verdict = self._asked_once(request)
        if verdict.state in ('ok', 'timed out') or self._child is not None or fresh:
            return verdict
        return self._asked_once(request)

    def _asked_once(self, request: Request) -> Verdict:
        child = self._started()
        assert child.stdin is not None
        self._served += 1
        doing = 'was read'
        try:
            child.stdin.write(msgspec.json.encode(request) + b'\n')
            child.stdin.flush()
            end_s = time.monotonic() + self._limits.wall_s
            while (said := self._said(child, end_s)).kind == 'doing':
                doing = said.text
        except TimeoutError:
            self.close()
            limit = f'{self._limits.wall_s:g} s'
            why = f'it gave no answer within {limit} when it {doing}{_MORE_TIME}'
            return Verdict('timed out', why)
        except (EOFError, OSError) as err:
            state, how = self._ended(child, str(err))
            more = _MORE_TIME if state == 'timed out' else ''
            return Verdict(state, f'it {how} when it {doing}{more}')
        if said.kind == 'done':
            return Verdict('ok', '', said.graph, said.answer)
        if said.kind == 'last':
            self.close()
        return Verdict('refused', said.text)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        self._read = b''
        memory_bytes, cpu_s, wall_s, _ = self._limits
        numbers = (memory_bytes, cpu_s, math.ceil(wall_s) + _LATER_S)
        child = self._child = subprocess.Popen(
            [sys.executable, '-c', _START, *map(str, numbers), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Each thread of a BLAS takes addresses, which count towards the limit.
            env={**os.environ, 'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1'},
            start_new_session=True,  # a terminal's Ctrl-C goes to the parent alone
        )
        self.starts += 1
        try:
            self._said(child, time.monotonic() + _START_S)
        except (TimeoutError, EOFError) as err:
            _, cause = self._ended(child, str(err))
            raise MissingError(
                f'the process that checks model files does not start: it {cause}; what it '
                'printed stands above'
            ) from err
        return child

    def _said(self, child: subprocess.Popen[bytes], end_s: float) -> Said:
        """Return the next line of the child.

        Raises:
            EOFError: it is gone, or what it says is too long or nothing it would say.
            TimeoutError: there was no line until `end_s`.
        """
        assert child.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(child.stdout, selectors.EVENT_READ)
            while b'\n' not in self._read:
                if not ready.select(max(0.0, end_s - time.monotonic())):
                    raise TimeoutError
                part = os.read(child.stdout.fileno(), 1 << 16)
                self._read += part
                if not part:
                    raise EOFError
                if len(self._read) > _ANSWER_BYTES:
                    raise EOFError(f'gave an answer of more than {_ANSWER_BYTES} bytes')
        line, self._read = self._read.split(b'\n', 1)
        try:
            return msgspec.json.decode(line, type=Said)
        except msgspec.DecodeError as err:
            raise EOFError('gave an answer that cannot be read') from err

    def _ended(self, child: subprocess.Popen[bytes], fault: str) -> tuple[State, str]:
        """Return how the child ended, in words too, after ending it."""
        try:
            code = child.wait(0.0 if fault else 1.0)
        except subprocess.TimeoutExpired:
            code = 0
        self.close()
        if code == -signal.SIGXCPU:
            return 'timed out', f'used {self._limits.cpu_s} s of processor time without an answer'
        if code < 0:
            name = _signal_name(-code)
            return 'crashed', f'crashed the process that checked it ({name})'
        if code > 0:
            return 'crashed', f'ended the process that checked it (exit code {code})'
        return 'crashed', fault or 'ended the process that checked it'


def _name(picture: Path | None) -> str:
    return '' if picture is None else str(picture.resolve())


def _not_to_be_opened(path: Path, limits: Limits) -> str:
    """Return why a path is not even given to the child."""
    try:
        mode = path.stat()
    except FileNotFoundError:
        models = sorted(p.name for p in path.parent.glob('*.onnx'))
        listed = f'; .onnx files beside it: {", ".join(models[:5])}' if models else ''
        return f'it is not there{did_you_mean(path.name, models) or listed}'
    except (OSError, ValueError) as err:
        return f'it cannot be read: {getattr(err, "strerror", None) or err}'
    if stat.S_ISDIR(mode.st_mode):
        models = sorted(p.name for p in path.glob('*.onnx'))[:5]
        return f'it is a folder; give a file, {" or ".join(models) or "such as MODEL.onnx"}'
    if not stat.S_ISREG(mode.st_mode):
        return 'it is no regular file; copy its content into one'
    if mode.st_size > limits.file_bytes:
        return (
            f'it has {mode.st_size / 1e9:.2f} GB; at most {limits.file_bytes / 1e9:.2f} GB are '
            'looked at'
        )
    if not os.access(path, os.R_OK):
        return 'it cannot be read: permission denied'
    return ''


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f'signal {number}'
