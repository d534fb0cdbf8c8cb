"""Torch models: programs and state dicts answer as torch does, and no code of a file runs."""

from __future__ import annotations

import io
import os
from pathlib import Path
import pickle
import subprocess
import sys
from typing import Any
import zipfile

import numpy as np
import pytest
from selector.backends.torch_model import TorchModel
from selector.cards.card import read_card
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.networks.torch_archive import _arithmetic
from selector.networks.torch_runtime import Network
from selector.reading import Reading
import small_torch
import torch_here

IMAGE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
REPO = Path(__file__).resolve().parents[2]


class Runs:
    """Writes a file when it is unpickled, as code in a model file could."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def direct(net: Any, folder: Path) -> Any:
    """Return what a network itself answers to the image, as its card has it prepared."""
    tensor, _ = Reading(read_card(folder)).tensor(IMAGE)
    with torch_here.torch().inference_mode():
        return net(torch_here.torch().from_numpy(tensor.copy()))


def refused(folder: Path, *words: str) -> str:
    """Check that a model is refused in one line with these words; return the line."""
    with pytest.raises(ModelError) as caught:
        small_torch.model(folder)
    text = str(caught.value)
    assert '\n' not in text
    for word in words:
        assert word in text, text
    return text


def rewritten(folder: Path, change: dict[str, Any]) -> Path:
    """Replace parts of an exported program, by the end of their names, and its digest."""
    path = folder / 'model.pt'
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for end, new in change.items():
        [name] = [name for name in parts if name.endswith(end)]
        parts[name] = new(parts[name]) if callable(new) else new
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return small_torch.written(folder.parent, small_torch.tree(folder.name))


@pytest.mark.parametrize('make', [small_torch.exported, small_torch.state_dict])
def test_it_answers_as_the_network(make: Any, tmp_path: Path) -> None:
    """The scores are the softmax of what the module itself returns for the same input."""
    folder = make(tmp_path, 'Compass')
    logits = direct(small_torch.net('Compass'), folder)[0].double()
    answer = small_torch.model(folder).predict(IMAGE)
    assert answer.scores == pytest.approx(logits.softmax(0).tolist(), abs=1e-6)
    assert answer.wall_s > 0.0


def test_outputs_are_found_by_name_or_by_place(tmp_path: Path) -> None:
    """A tuple has places, which a card may name as numbers; a mapping has names."""
    torch = torch_here.torch()
    pair = torch.nn.Identity()
    network = Network(lambda _device: lambda x: (x, x + 1.0), 'cpu', 1)
    ones = np.ones((1, 2), np.float32)
    assert network.run(ones, ['a', 'b'])['b'].tolist() == [[2.0, 2.0]]
    assert network.run(ones, ['1', '0'])['1'].tolist() == [[2.0, 2.0]]
    assert list(network.run(ones, ['a', 'b', 'c'])) == ['a', 'b']
    assert list(Network(lambda _d: lambda x: {'b': x}, 'cpu', 1).run(ones, ['a', 'b'])) == ['b']
    assert list(Network(lambda _d: pair, 'cpu', 1).run(ones, ['a', 'b'])) == ['a']
    half = Network(lambda _d: lambda x: x.bfloat16(), 'cpu', 1).run(ones, ['a'])
    assert half['a'].dtype == np.float32
    for nothing in (lambda _x: 'text', lambda _x: [1.0]):
        with pytest.raises(PredictionError, match='tensor is expected|are? tensor|tensors'):
            Network(lambda _d, made=nothing: made, 'cpu', 1).run(ones, ['a'])


def test_mapping_and_tuple_reach_their_tasks(tmp_path: Path) -> None:
    """A detector with a mapping and a regressor with a tuple answer right."""
    lamps = small_torch.lamps(tmp_path)
    dark = np.zeros((32, 32, 3), np.uint8)
    dark[8:16, 4:20] = 240
    found = small_torch.model(lamps).predict(dark)
    assert found.content.xyxy == ((4.0, 8.0, 20.0, 16.0),)  # type: ignore[attr-defined]
    tint = small_torch.tint(tmp_path)
    values, spreads = small_torch.model(tint).predict(np.full((9, 9, 3), 51, np.uint8)).content
    assert values == pytest.approx((0.2,) * 3, abs=1e-6)
    assert spreads == pytest.approx((0.04,) * 3, abs=1e-6)


def test_code_of_a_card_runs_only_where_it_is_trusted(tmp_path: Path) -> None:
    """A card may name a class of its own, and its module is not imported before it is allowed."""
    torch_here.torch()
    folder = small_torch.state_dict(tmp_path, 'Compass')
    named = {'torch': {'architecture': 'never_imported:Net'}}
    small_torch.written(tmp_path, small_torch.tree('Compass', **named))
    refused(folder, 'never_imported:Net', 'Python code', 'models.trusted_code')
    with pytest.raises(ModelError, match='cannot be imported'):
        TorchModel(read_card(folder), folder, 1, trusted=['never_imported:Net'])
    assert 'never_imported' not in sys.modules


def test_a_whole_pickled_module_is_refused_unread(tmp_path: Path) -> None:
    """Old or new format, its code does not run, and the sentence says what to save instead."""
    torch = torch_here.torch()
    folder, mark = tmp_path / 'Compass', tmp_path / 'mark'
    folder.mkdir()
    for new in (True, False):
        held = {'head.weight': torch.zeros(4, 3), 'x': Runs(mark)}
        torch.save(held, folder / 'model.pt', _use_new_zipfile_serialization=new)
        card = small_torch.tree('Compass', torch={'architecture': 'torch_nets:Compass'})
        small_torch.written(tmp_path, card)
        refused(folder, 'more than tensors', 'state_dict()', 'torch.export.save')
        assert not mark.exists()
    torch.save(small_torch.net('Compass'), folder / 'model.pt')
    small_torch.written(tmp_path, card)
    refused(folder, 'more than tensors')


@pytest.mark.filterwarnings('ignore:.torch.jit:DeprecationWarning')
def test_torchscript_is_refused(tmp_path: Path) -> None:
    """It is code; the sentence says what to save instead."""
    folder = tmp_path / 'Compass'
    folder.mkdir()
    torch_here.torch().jit.script(small_torch.net('Compass')).save(folder / 'model.pt')
    for how in ({'exported': True}, {'architecture': 'torch_nets:Compass'}):
        small_torch.written(tmp_path, small_torch.tree('Compass', torch=how))
        refused(folder, 'TorchScript', 'torch.export.save')


def test_an_exported_program_with_code_is_refused_unread(tmp_path: Path) -> None:
    """torch.export.load would unpickle and evaluate these parts; their code does not run here."""
    mark = tmp_path / 'mark'
    buffer = io.BytesIO()
    folder = small_torch.exported(tmp_path, 'Compass')
    whole = (folder / 'model.pt').read_bytes()
    torch_here.torch().save(Runs(mark), buffer)
    changes: dict[str, tuple[dict[str, Any], str]] = {
        'inputs': ({'sample_inputs/model.pt': buffer.getvalue()}, 'more than tensors'),
        'bare': ({'sample_inputs/model.pt': pickle.dumps(Runs(mark))}, ''),
        'weights': (
            {
                'weights_config.json': lambda b: b.replace(b'false', b'true'),
                'weights/weight_0': buffer.getvalue(),
            },
            'a pickled tensor',
        ),
        'custom': (
            {
                'constants_config.json': b'{"config": {"x": {"path_name": "opaque_obj_0", '
                b'"is_param": false, "use_pickle": false, "tensor_meta": null}}}'
            },
            'a custom object',
        ),
        'sizes': (
            {
                'models/model.json': lambda b: (
                    b[:-1] + f', "x": {{"expr_str": "open(\'{mark}\', \'w\')"}}}}'.encode()
                )
            },
            'the size',
        ),
        'json': ({'models/model.json': b'{' * 100_000}, 'damaged'),
    }
    for change, word in changes.values():
        (folder / 'model.pt').write_bytes(whole)
        refused(rewritten(folder, change), word)
        assert not mark.exists()
    (folder / 'model.pt').write_bytes(whole)
    with zipfile.ZipFile(folder / 'model.pt', 'a') as archive:
        archive.writestr('model/data/aotinductor/model/x.so', b'')
    small_torch.written(tmp_path, small_torch.tree('Compass'))
    refused(folder, 'compiled code')


def test_the_sizes_of_an_exported_program_are_arithmetic() -> None:
    """Names, numbers, operators and functions of sympy pass; what could call Python does not."""
    sounds = ['', 's0', '2*s0 + 1', 'Max(1, FloorDiv(s77, 2)) - u0', '0.5*s0', 's0**2 <= 3']
    sounds += ["Mul(Integer(2), Symbol('s40', positive=True, integer=True))", '2*(s0 + 1)']
    for sound in sounds:
        assert _arithmetic(sound), sound
    unsound = ["__import__('os')", 'open(s0)', 'exit ()', 's0.x', 'a[0]', '(exit)()', '__x']
    unsound += [
        "open('x')",
        "Symbol('/etc/x')",
        "Symbol('__x')",
        "'a'('b')",
        '5(s0)',
        '1.x',
        '"a"',
    ]
    for text in unsound:
        assert not _arithmetic(text), text


@pytest.mark.parametrize('kind', ['dropout', 'batch_norm'])
def test_a_program_in_training_mode_is_refused(kind: str, tmp_path: Path) -> None:
    """It would answer differently each time, or by its own batch; exported for use it passes."""
    torch_here.torch()
    import torch_nets

    folder = tmp_path / 'doubtful'
    small_torch.export(torch_nets.Doubtful(kind).train(), folder / 'model.pt')
    small_torch.written(tmp_path, small_torch.tree('doubtful'))
    refused(folder, 'training mode', 'model.eval()')
    small_torch.export(torch_nets.Doubtful(kind).eval(), folder / 'model.pt')
    small_torch.written(tmp_path, small_torch.tree('doubtful'))
    small_torch.model(folder).predict(IMAGE)


def test_a_card_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    """Another number of labels, another size of input, and the wrong kind of file are told."""
    folder = small_torch.exported(tmp_path, 'Compass')
    tree = small_torch.tree('Compass', labels=['a', 'b', 'c'])
    refused(small_torch.written(tmp_path, tree), '(1, 4)', '(1, 3)')
    tree = small_torch.tree('Compass', outputs={'scores': '7'})
    refused(small_torch.written(tmp_path, tree | {'labels': ['a', 'b']}), 'is not what its card')
    tree = small_torch.tree('Compass')
    tree['input'] = {**tree['input'], 'size_px': 16}
    refused(small_torch.written(tmp_path, tree), 'cannot run on the input its card says')
    tree = small_torch.tree('Compass', torch={'architecture': 'torch_nets:Compass'})
    refused(small_torch.written(tmp_path, tree), 'exported: true')
    folder = small_torch.state_dict(tmp_path / 'other', 'Compass')
    small_torch.written(tmp_path / 'other', small_torch.tree('Compass'))
    refused(folder, 'is no exported program')


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """What lacks, what is too much and what has another shape is told by name."""
    torch = torch_here.torch()

    folder = small_torch.state_dict(tmp_path, 'Compass')
    card = small_torch.tree('Compass', torch={'architecture': 'torch_nets:Compass'})
    for held, word in (
        ({'head.weight': torch.zeros(4, 3)}, 'lacks head.bias'),
        ({'head.weight': torch.zeros(5, 3), 'head.bias': torch.zeros(4)}, '(5, 3), not (4, 3)'),
        (
            {'head.weight': torch.zeros(4, 3), 'head.bias': torch.zeros(4), 'x': torch.zeros(1)},
            'x',
        ),
        ({'epoch': 3}, "'epoch', a int"),
        (torch.zeros(1), 'a Tensor, no state dict'),
    ):
        torch.save(held, folder / 'model.pt')
        refused(small_torch.written(tmp_path, card), word)


def test_checkpoints_are_unwrapped(tmp_path: Path) -> None:
    """Weights inside a checkpoint, or of a network that was trained on several GPUs, are found."""
    torch = torch_here.torch()
    folder = small_torch.state_dict(tmp_path, 'Compass')
    card = small_torch.tree('Compass', torch={'architecture': 'torch_nets:Compass'})
    scores = small_torch.model(folder).predict(IMAGE).scores
    weights = torch.load(folder / 'model.pt', weights_only=True)
    parallel = {f'module.{name}': value for name, value in weights.items()}
    for held in ({'state_dict': weights, 'epoch': 3}, {'model': parallel}):
        torch.save(held, folder / 'model.pt')
        assert (
            small_torch.model(small_torch.written(tmp_path, card)).predict(IMAGE).scores == scores
        )


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    """The digest is compared before torch sees the file."""
    folder = small_torch.exported(tmp_path, 'Compass')
    with (folder / 'model.pt').open('ab') as file:
        file.write(b'x')
    refused(folder, 'is not the one its card names')


@pytest.mark.parametrize('make', [small_torch.exported, small_torch.state_dict])
def test_a_damaged_file_is_refused(make: Any, tmp_path: Path) -> None:
    """Cut off, overwritten or empty, even where a card was made for it: one line, no traceback."""
    folder = make(tmp_path, 'Compass')
    card = {k: v for k, v in read_tree(folder).items() if k != 'sha256'}
    whole = (folder / 'model.pt').read_bytes()
    random = np.random.default_rng(1)
    cuts = [whole[: int(share * len(whole))] for share in (0.0, 0.01, 0.5, 0.9, 0.999)]
    cuts += [bytes(random.integers(0, 256, 300, np.uint8)), b'\x80\x02', b'PK\x05\x06' + bytes(18)]
    for content in cuts:
        (folder / 'model.pt').write_bytes(content)
        refused(small_torch.written(tmp_path, card))


@pytest.mark.parametrize('make', [small_torch.exported, small_torch.state_dict])
def test_a_mutated_file_loads_or_is_refused(make: Any, tmp_path: Path) -> None:
    """Bytes changed, dropped or put in at random: nothing but ModelError comes out."""
    folder = make(tmp_path, 'Compass')
    card = {k: v for k, v in read_tree(folder).items() if k != 'sha256'}
    whole = (folder / 'model.pt').read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 6)).tolist():
            cut = place + int(random.choice([0, 1, 20]))
            content[place:cut] = bytes(random.integers(0, 256, random.integers(1, 20), np.uint8))
        (folder / 'model.pt').write_bytes(content)
        small_torch.written(tmp_path, card)
        try:
            small_torch.model(folder)
        except ModelError as err:
            assert '\n' not in str(err)


def read_tree(folder: Path) -> dict[str, Any]:
    """Return what a card file holds."""
    import yaml

    tree: dict[str, Any] = yaml.safe_load((folder / 'card.yaml').read_text(encoding='utf-8'))
    return tree


def test_a_device_that_is_missing_is_told(tmp_path: Path) -> None:
    """Without the card's leave it is an error; with it the processor stands in, and says so."""
    if torch_here.torch().cuda.is_available():
        pytest.skip('there is a GPU here')
    folder = small_torch.exported(tmp_path, 'Compass')
    with pytest.raises(ModelError, match='cuda is not available.*provider_fallback'):
        small_torch.model(folder, device='cuda')
    scores = small_torch.model(folder).predict(IMAGE).scores
    small_torch.written(tmp_path, small_torch.tree('Compass', provider_fallback=True))
    model = small_torch.model(folder, device='cuda')
    assert len(model.notes) == 1 and 'cpu is used' in model.notes[0]
    assert model.predict(IMAGE).scores == scores


def test_a_device_that_fails_is_replaced(tmp_path: Path) -> None:
    """From then on the processor answers where the card allows it; else the call fails."""
    folder = small_torch.exported(tmp_path, 'Compass')
    tree = small_torch.tree('Compass', provider_fallback=True)
    for allowed in (False, True):
        small_torch.written(tmp_path, tree if allowed else small_torch.tree('Compass'))
        model = small_torch.model(folder)
        scores = model.predict(IMAGE).scores
        # A device that is always there and fails when an answer is to be read from it.
        model._network.device = 'meta'
        if not allowed:
            with pytest.raises(PredictionError, match='Compass failed'):
                model.predict(IMAGE)
            continue
        assert model.predict(IMAGE).scores == scores
        assert model.predict(IMAGE).scores == scores
        assert len(model.notes) == 1 and 'device meta failed' in model.notes[0]


def test_an_image_is_not_written_to(tmp_path: Path) -> None:
    """A network that writes to its input gets a copy where the input is the frame itself."""
    image = {'name': 'image', 'size_px': 32, 'scale': 1.0, 'dtype': 'uint8', 'layout': 'nhwc'}
    folder = small_torch.state_dict(tmp_path, 'Writes', input=image)
    frame = np.full((32, 32, 3), 7, np.uint8)
    for given in (frame, frame.copy()):
        given.flags.writeable = given is frame
        small_torch.model(folder).predict(given)
        assert (given == 7).all()


def test_threads_are_those_of_the_card_or_the_parameter(tmp_path: Path) -> None:
    """The card's own number wins; torch has one number a process."""
    torch = torch_here.torch()
    before = torch.get_num_threads()
    try:
        for own, expected in ((None, 1), (2, 2)):
            folder = small_torch.exported(
                tmp_path / str(own), 'Compass', **({} if own is None else {'threads': own})
            )
            small_torch.model(folder)
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


def test_torch_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the line that installs it."""
    (tmp_path / 'Compass').mkdir()
    (tmp_path / 'Compass' / 'model.pt').write_bytes(b'')
    folder = small_torch.written(tmp_path, small_torch.tree('Compass'))
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(MissingError, match='torch is not installed: pip install torch'):
        small_torch.model(folder)


def child(code: str) -> str:
    """Run Python code in a process of its own and return what it prints."""
    environment = {**os.environ, 'PYTHONPATH': f'{REPO}:{REPO / "test"}'}
    done = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_torch_is_not_imported_before_it_is_needed() -> None:
    """Neither with the backend nor with the card."""
    code = 'import sys, selector.backends.torch_model; print("torch" in sys.modules)'
    assert child(code) == 'False'


def test_a_torchvision_of_another_torch_is_explained() -> None:
    """The registry's torchvision beside a CPU torch gives one sentence, not a missing operator."""
    torch_here.torchvision()
    told = child(
        'from selector.errors import MissingError\n'
        'from selector.networks.torch_runtime import torchvision_module\n'
        'try:\n'
        '    print("fits", torchvision_module().__version__)\n'
        'except MissingError as err:\n'
        '    print(err)\n'
    )
    assert told.startswith('fits') or 'install both from one source' in told, told
    assert '\n' not in told
