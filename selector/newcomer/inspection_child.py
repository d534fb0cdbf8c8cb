"""Inspection child: the process that opens files nobody has vouched for.

It is given limits and then one request a line; it may crash, run out of memory or never answer:
its parent (`selector.newcomer.inspection`) lives on and says so.
"""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import resource
import signal
import sys
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import checked_file
from selector.cards.card import read_card
from selector.errors import SelectorError
from selector.image import decode_compressed
from selector.newcomer.examination import examine
from selector.newcomer.file_metadata import shown
from selector.newcomer.inspection_message import Answer
from selector.newcomer.inspection_message import Request
from selector.newcomer.inspection_message import Said
from selector.tasks.detection import Boxes
from selector.tasks.regression import Values

_NOISE_SHAPE = (240, 320, 3)
_FAULT_CHARACTERS = 300


def main(memory_bytes: int, cpu_s: int, wall_s: int) -> None:
    """Do what the requests on standard input say, until it ends.

    Args:
        memory_bytes: most address space the process may have [bytes].
        cpu_s: most processor time a request may take [s].
        wall_s: most time of it; the parent is stricter, but may be gone [s].
    """
    say = _only_voice()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for what in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(what, (0, 0))
    say(Said('ready'))
    for line in sys.stdin.buffer:
        _allow(cpu_s)
        signal.alarm(wall_s)
        try:
            say(_done(msgspec.json.decode(line, type=Request), say))
        except MemoryError:
            limit = f'{memory_bytes / 1e9:.1f} GB of memory that a check may use'
            say(Said('last', f'it needs more than the {limit}; allow more with --memory-gb'))
            return
        except SelectorError as err:
            say(Said('refused', str(err)))
        except Exception as err:  # of a broken file onnxruntime may return anything
            text = shown(f'{type(err).__name__}: {err}', _FAULT_CHARACTERS)
            say(Said('refused', f'it cannot be looked at: {text}'))
        signal.alarm(0)


def _only_voice() -> Callable[[Said], None]:
    """Return what writes a line to the parent; whatever libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), 'wb', buffering=0)
    with open(os.devnull, 'wb') as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)

    def say(said: Said) -> None:
        answers.write(msgspec.json.encode(said) + b'\n')

    return say


def _allow(cpu_s: int) -> None:
    """Have the kernel end this process once it has used another `cpu_s`."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    end_s = int(usage.ru_utime + usage.ru_stime) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (end_s, hard))


def _done(request: Request, say: Callable[[Said], None]) -> Said:
    path, picture = Path(request.path), _picture(request.picture)
    if request.answer:
        say(Said('doing', 'answered'))
        return Said('done', answer=_answer(path, picture, request.threads))
    graph = examine(path, picture, request.size_px, lambda what: say(Said('doing', what)))
    return Said('done', graph=graph)


def _picture(path: str) -> NDArray[np.uint8]:
    if path:
        return decode_compressed(Path(path).read_bytes())
    return np.random.default_rng(0).integers(0, 256, _NOISE_SHAPE, np.uint8)


def _answer(folder: Path, picture: NDArray[Any], threads: int) -> Answer:
    card = read_card(folder)
    model = OnnxModel(card, checked_file(card, folder), threads)
    model.predict(picture)
    said = model.predict(picture)
    content = said.content
    return Answer(
        said.scores,
        said.class_id,
        content if isinstance(content, Boxes) else None,
        content if isinstance(content, Values) else None,
        said.wall_s,
    )
