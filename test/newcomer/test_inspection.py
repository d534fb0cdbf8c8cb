"""Inspection: each file gets its verdict within its limits, and whoever asks lives on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
import os
from pathlib import Path
import signal
import sys
import threading
import time

import numpy as np
import onnx
import onnx_files
import pair
from PIL import Image
import pytest
from selector.errors import MissingError
from selector.newcomer.inspection import Inspector
from selector.newcomer.inspection import Limits
from selector.newcomer.inspection import Verdict

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='limits as Linux has them')

FAST = pair.MODELS / pair.NAMES['fast']
LIMITS = Limits(memory_bytes=2_000_000_000, cpu_s=20, wall_s=20.0)
MUTANTS = 560


@pytest.fixture(scope='module')
def inspector() -> Iterator[Inspector]:
    """One child for many files."""
    with Inspector(LIMITS) as inspector:
        yield inspector


def refusal(inspector: Inspector, path: Path) -> str:
    """Return the sentence with which a file is refused."""
    verdict = inspector.inspect(path)
    assert (verdict.state, verdict.graph) == ('refused', None)
    assert '\n' not in verdict.why
    assert verdict.why.startswith(('it ', 'its '))
    return verdict.why


def test_all_of_a_good_file_is_told(inspector: Inspector) -> None:
    """Digest, operation set, inputs, outputs, and what came out of a run."""
    path = FAST / 'model.onnx'
    graph = inspector.inspect(path).graph
    assert graph is not None
    assert graph.sha256 in (FAST / 'card.yaml').read_text()
    assert graph.size_bytes == path.stat().st_size
    assert graph.opset == next(
        o.version for o in onnx.load(str(path)).opset_import if o.domain == ''
    )
    assert [(i.name, i.dtype, i.shape) for i in graph.inputs] == [
        ('image', 'float32', ('batch', 3, 32, 32))
    ]
    (output,) = graph.outputs
    assert (output.tensor.name, output.shape, output.operation) == ('logits', (1, 10), 'Gemm')
    assert output.low < 0.0 < output.high
    assert graph.trial is not None
    assert (graph.trial.size_px, graph.trial.fault) == ((32, 32), '')
    assert graph.trial.wall_s > 0.0


def test_metadata_is_told(inspector: Inspector, tmp_path: Path) -> None:
    """Names and input size, as Ultralytics leaves them; the producer."""
    props = {'names': "{0: 'ball', 1: 'robot'}", 'imgsz': '[64, 64]', 'task': 'detect'}
    graph = inspector.inspect(onnx_files.yolo(tmp_path / 'm.onnx', props=props)).graph
    assert graph is not None
    assert graph.names == ('ball', 'robot')
    assert graph.size_px == (64, 64)
    assert graph.metadata['task'] == 'detect'
    assert graph.producer == 'a test'
    (output,) = graph.outputs
    assert output.channels[4].high == pytest.approx(0.9)
    assert output.channels[2].high == pytest.approx(20.0)


def test_the_model_sees_the_picture(inspector: Inspector, tmp_path: Path) -> None:
    """A red picture makes the first score of a classifier of colours the highest."""
    path = onnx_files.classifier(tmp_path / 'm.onnx')
    Image.new('RGB', (50, 40), (255, 0, 0)).save(tmp_path / 'red.png')
    graph = inspector.inspect(path, tmp_path / 'red.png').graph
    assert graph is not None
    assert graph.outputs[0].high == pytest.approx(8.0)
    assert graph.outputs[0].sums == pytest.approx((8.0, 8.0))


@pytest.mark.parametrize(
    ('file', 'told'),
    [
        (lambda p: p.write_bytes(b''), 'is empty'),
        (lambda p: p.write_bytes(np.random.default_rng(0).bytes(500)), 'no ONNX file'),
        (lambda p: Image.new('RGB', (9, 9)).save(p, 'PNG'), 'PNG image'),
        (lambda p: p.write_bytes(b'version https://git-lfs.github.com/spec/v1\n'), 'git lfs pull'),
        (lambda p: p.write_bytes((FAST / 'model.onnx').read_bytes()[:20_000]), 'cut off'),
        (lambda p: onnx_files.classifier(p, opset=99), 'operation set 99 is too new'),
        (lambda p: onnx_files.classifier(p, opset=3), 'operation set 3 is too old'),
        (lambda p: onnx_files.classifier(p, ir=99), 'file format 99 is too new'),
        (lambda p: onnx_files.beside(p, 'w.bin', write=False), "'w.bin', which is not there"),
        (lambda p: onnx_files.beside(p, '/etc/passwd', write=False), 'outside its folder'),
        (lambda p: onnx_files.beside(p, '../w.bin', write=False), 'outside its folder'),
        (lambda p: p.mkdir(), 'is a folder'),
        (lambda p: os.mkfifo(p), 'no regular file'),
        (lambda p: p.with_name('mode.onnx').touch(), "did you mean 'mode.onnx'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    inspector: Inspector, tmp_path: Path, file: Callable[[Path], object], told: str
) -> None:
    """Each kind has a sentence of its own."""
    path = tmp_path / 'model.onnx'
    file(path)
    assert told in refusal(inspector, path)


def test_a_file_that_may_not_be_read_or_is_too_large_is_not_opened(tmp_path: Path) -> None:
    """Neither needs a child."""
    path = tmp_path / 'model.onnx'
    with path.open('wb') as file:
        file.truncate(3_000_000_000)  # sparse: it takes no room
    with Inspector(LIMITS) as inspector:
        assert '3.00 GB; at most 2.00 GB' in refusal(inspector, path)
        if os.geteuid():
            path.write_bytes(b'x')
            path.chmod(0)
            assert 'permission denied' in refusal(inspector, path)
        assert 'cannot be read' in refusal(inspector, Path('a\0b'))
        assert inspector.starts == 0


def test_weights_beside_the_file_are_told_with_their_digest(
    inspector: Inspector, tmp_path: Path
) -> None:
    """So that a card can name them."""
    path = onnx_files.beside(tmp_path / 'm.onnx', 'weights/w.bin')
    graph = inspector.inspect(path).graph
    assert graph is not None
    assert list(graph.beside) == ['weights/w.bin']
    assert graph.outputs[0].shape == (1, 4)


def test_a_model_that_fails_on_every_size_tells_why(inspector: Inspector, tmp_path: Path) -> None:
    """It is no fault of the file's: the caller may know the size."""
    nodes = [onnx.helper.make_node('Reshape', ['image', 'shape'], ['y'])]
    weights = [onnx_files.constant('shape', np.array([1, 300]))]
    ends = (
        [onnx_files.value('image', ['n', 3, 'h', 'w'])],
        [onnx_files.value('y', ['n', 300])],
    )
    path = onnx_files.save(tmp_path / 'm.onnx', nodes, ends, weights)
    graph = inspector.inspect(path).graph
    assert graph is not None
    assert graph.trial is not None
    assert graph.trial.size_px == (320, 320)
    assert 'Reshape' in graph.trial.fault
    graph = inspector.inspect(path, size_px=(10, 10)).graph
    assert graph is not None
    assert graph.trial is not None
    assert graph.trial.fault == ''


def test_a_model_without_an_end_is_ended(tmp_path: Path) -> None:
    """By the clock, or by the processor time it used; the next file gets a new child."""
    endless = onnx_files.endless(tmp_path / 'endless.onnx')
    with Inspector(LIMITS._replace(wall_s=2.0)) as inspector:
        verdict = inspector.inspect(endless)
        assert verdict.state == 'timed out'
        assert 'no answer within 2 s when it was run' in verdict.why
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'
        assert inspector.starts == 2
    with Inspector(LIMITS._replace(cpu_s=1)) as inspector:
        verdict = inspector.inspect(endless)
        assert verdict.state == 'timed out'
        assert 'used 1 s of processor time' in verdict.why


def test_a_model_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    """A file of a few hundred bytes may ask for 400 GB; the next file gets a new child."""
    hungry = onnx_files.hungry(tmp_path / 'hungry.onnx')
    with Inspector(LIMITS) as inspector:
        assert 'more than the 2.0 GB' in refusal(inspector, hungry)
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'


def test_a_file_that_crashes_its_child_is_told(tmp_path: Path) -> None:
    """A real one: onnxruntime lets the processor stop it (SIGFPE). The next file is looked at."""
    path = onnx_files.crashing(tmp_path / 'crashing.onnx')
    with Inspector(LIMITS) as inspector:
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'
        verdict = inspector.inspect(path)
        if verdict.state == 'ok':
            pytest.skip('this processor or this onnxruntime survives -2^31 / -1')
        assert verdict.state == 'crashed'
        assert 'crashed the process that checked it (SIGFPE) when it was run' in verdict.why
        assert inspector.starts == 2  # tried again in a new child, which has no other past
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'


def test_a_child_that_is_killed_is_told(tmp_path: Path) -> None:
    """As the kernel does when memory runs out, in the middle of a run."""
    found: list[Verdict] = []
    endless = onnx_files.endless(tmp_path / 'endless.onnx')
    with Inspector(LIMITS) as inspector:
        asked = threading.Thread(target=lambda: found.append(inspector.inspect(endless)))
        asked.start()
        end_s = time.monotonic() + 60.0
        while time.monotonic() < end_s and used_s(inspector.pid) < 2.5:  # it starts within 1 s
            time.sleep(0.02)
        assert inspector.pid is not None
        os.kill(inspector.pid, signal.SIGKILL)
        asked.join(60.0)
    assert found[0].state == 'crashed'
    assert '(SIGKILL) when it was run' in found[0].why


def used_s(pid: int | None) -> float:
    """Return the processor time that a process has used [s]."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_a_crash_is_put_down_to_the_file_that_causes_it(tmp_path: Path) -> None:
    """A child that dies of what an earlier file did to it is replaced, and the file looked at."""
    with Inspector(LIMITS) as inspector:
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'
        assert inspector.pid is not None
        os.kill(inspector.pid, signal.SIGSTOP)  # so that it cannot be found dead too early
        stopped = inspector.pid
        timer = threading.Timer(0.3, lambda: os.kill(stopped, signal.SIGKILL))
        timer.start()
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'
        timer.join()
        assert inspector.starts == 2


def test_a_child_that_cannot_start_is_no_fault_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken interpreter is something that is missing here."""
    monkeypatch.setattr(sys, 'executable', '/bin/false')
    with Inspector(LIMITS) as inspector:
        with pytest.raises(MissingError, match='does not start: it ended'):
            inspector.inspect(FAST / 'model.onnx')


def test_a_closed_inspector_leaves_no_child() -> None:
    """The process is gone when the block ends."""
    with Inspector(LIMITS) as inspector:
        inspector.inspect(FAST / 'model.onnx')
        pid = inspector.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_model_answers_in_the_child(inspector: Inspector, tmp_path: Path) -> None:
    """The real backend with the card in the folder; a folder without one is refused."""
    Image.new('RGB', (50, 40), (255, 0, 0)).save(tmp_path / 'red.png')
    answer = inspector.answer(FAST, tmp_path / 'red.png', 1).answer
    assert answer is not None
    assert sum(answer.scores) == pytest.approx(1.0)
    assert answer.scores[answer.class_id] == max(answer.scores)
    assert (answer.boxes, answer.values) == (None, None)
    assert answer.wall_s > 0.0
    verdict = inspector.answer(tmp_path, tmp_path / 'red.png', 1)
    assert verdict.state == 'refused'
    assert 'card.yaml is not there' in verdict.why


def test_every_mutant_gets_its_verdict(tmp_path: Path) -> None:
    """Bits flipped, bytes lost, put in, zeroed, moved; sizes, types and operations changed.

    The parent lives, no file takes longer than its limit, and what is left whole still works.
    """
    seeds = [
        (FAST / 'model.onnx').read_bytes(),
        onnx_files.yolo(tmp_path / 'yolo.onnx').read_bytes(),
    ]
    path = tmp_path / 'mutant.onnx'
    verdicts: Counter[str] = Counter()
    longest_s = 0.0
    with Inspector(LIMITS) as inspector:
        inspector.inspect(FAST / 'model.onnx')
        for k in range(MUTANTS):
            rng = np.random.default_rng([4, k])
            change = _CHANGES[k // 2 % len(_CHANGES)]
            path.write_bytes(change(seeds[k % 2], rng))
            start_s = time.monotonic()
            verdict = inspector.inspect(path)
            longest_s = max(longest_s, time.monotonic() - start_s)
            verdicts[verdict.state] += 1
            assert (verdict.state == 'ok') == (verdict.why == '') == (verdict.graph is not None)
            assert verdict.why.isprintable()
        assert inspector.inspect(FAST / 'model.onnx').state == 'ok'
    assert verdicts.total() == MUTANTS >= 500
    assert longest_s < LIMITS.wall_s + 5.0
    assert verdicts['ok'] > MUTANTS // 20  # some changes do no harm: not all is refused blindly
    assert verdicts['refused'] > MUTANTS // 4


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 9)):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(0, len(data))]


def _inserted(data: bytes, rng: np.random.Generator) -> bytes:
    place = rng.integers(0, len(data))
    return data[:place] + rng.bytes(int(rng.integers(1, 65))) + data[place:]


def _zeroed(data: bytes, rng: np.random.Generator) -> bytes:
    place, size = rng.integers(0, len(data)), int(rng.integers(1, 257))
    return data[:place] + bytes(len(data[place : place + size])) + data[place + size :]


def _swapped(data: bytes, rng: np.random.Generator) -> bytes:
    one, two, three = sorted(rng.integers(0, len(data) + 1, 3))
    return data[:one] + data[two:three] + data[one:two] + data[three:]


def _edited(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file of sound form in which operations, sizes or types do not fit any more."""
    model = onnx.load_from_string(data)
    graph = model.graph
    node = graph.node[rng.integers(len(graph.node))]
    weights = graph.initializer[rng.integers(len(graph.initializer))]
    number = _NUMBERS[rng.integers(len(_NUMBERS))]
    kind = rng.integers(4)
    if kind == 0:
        node.op_type = _OPERATIONS[rng.integers(len(_OPERATIONS))]
    elif kind == 1 and node.attribute:
        attribute = node.attribute[rng.integers(len(node.attribute))]
        if attribute.ints:
            attribute.ints[rng.integers(len(attribute.ints))] = number
        else:
            attribute.i = number
    elif kind == 2 and weights.dims:
        weights.dims[rng.integers(len(weights.dims))] = number
    else:
        weights.data_type = int(rng.integers(24))
    return bytes(model.SerializeToString())


_CHANGES = (_flipped, _cut, _inserted, _zeroed, _swapped, _edited, _edited)
_NUMBERS = (-(2**63), -(2**31), -1, 0, 1, 7, 2**15, 2**31 - 1, 2**40, 2**62)
_OPERATIONS = ('Relu', 'Conv', 'Gemm', 'Reshape', 'Slice', 'Gather', 'Pad', 'Resize', 'Loop')
