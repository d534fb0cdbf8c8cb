"""ONNX model: a file that is not the model of its card is refused in one line, before a frame."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime
import pair
import pytest
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import Card
from selector.cards.card import read_card
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.model_input import tensor as model_input
from selector.tasks.detection import Boxes
from selector.tasks.regression import Values
import small_onnx
import yaml

FOLDER = pair.MODELS / pair.NAMES['fast']
CPU = 'CPUExecutionProvider'
REAL_SESSION = onnxruntime.InferenceSession
ABSENT = next(
    name
    for name in onnxruntime.get_all_providers()
    if name not in onnxruntime.get_available_providers()
)


@pytest.fixture
def card() -> Card:
    """The fast model's card."""
    return read_card(FOLDER)


def with_input(card: Card, **changes: Any) -> Card:
    """Return a card with changes to its input."""
    assert card.input is not None
    return card.model_copy(update={'input': card.input.model_copy(update=changes)})


def refusal(card: Card, path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(ModelError, match='.+') as caught:
        OnnxModel(card, path, 1)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.values['path'] == str(path)
    return str(caught.value)


def loaded(folder: Path, **changes: Any) -> OnnxModel:
    """Return the model in a folder, with changes to its card."""
    return OnnxModel(read_card(folder).model_copy(update=changes), folder / 'model.onnx', 1)


@pytest.mark.parametrize('kind', ['empty', 'text', 'noise', 'half', 'head', 'none', 'folder'])
def test_a_file_that_is_no_model_is_refused(card: Card, tmp_path: Path, kind: str) -> None:
    """Empty, text, noise, cut or missing: one line with the path."""
    path = tmp_path / 'model.onnx'
    whole = (FOLDER / 'model.onnx').read_bytes()
    contents = {
        'empty': b'',
        'text': b'this is\nno model\n',
        'noise': np.random.default_rng(0).bytes(500),
        'half': whole[: len(whole) // 2],
        'head': whole[:20],
    }
    if kind == 'folder':
        path.mkdir()
    elif kind != 'none':
        path.write_bytes(contents[kind])
    assert 'cannot be loaded' in refusal(card, path)


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        (
            {'name': 'imagee'},
            "there is no input 'imagee'; inputs ['image']; did you mean 'image'?",
        ),
        (
            {'size_px': 64},
            "'image' has shape (any, 3, 32, 32); the card says nchw, (1, 3, 64, 64)",
        ),
        ({'size_px': (32, 16)}, 'the card says nchw, (1, 3, 32, 16)'),
        ({'layout': 'nhwc'}, 'the card says nhwc, (1, 32, 32, 3)'),
        ({'layout': 'chw'}, 'the card says chw, (3, 32, 32)'),
        ({'colour': 'grey'}, 'the card says nchw, (1, 1, 32, 32)'),
        ({'dtype': 'uint8'}, "input 'image' is tensor(float); the card says dtype uint8"),
    ],
)
def test_an_input_that_is_another_is_told(card: Card, changes: dict[str, Any], told: str) -> None:
    """Name, type, order of axes, channels and sizes, with what the file has."""
    assert told in refusal(with_input(card, **changes), FOLDER / 'model.onnx')


@pytest.mark.parametrize('output', ['scores', 'image', 'logit'])
def test_another_output_is_told(card: Card, output: str) -> None:
    """With the outputs there are, and the closest."""
    text = refusal(card.model_copy(update={'output': output}), FOLDER / 'model.onnx')
    assert f"there is no output {output!r}; outputs ['logits']" in text
    assert ("did you mean 'logits'?" in text) == (output == 'logit')


def test_all_contradictions_come_at_once(card: Card) -> None:
    """Input, type, and another number of labels than the graph has."""
    bad = with_input(card, dtype='uint8', size_px=16).model_copy(update={'labels': ('a', 'b')})
    text = refusal(bad, FOLDER / 'model.onnx')
    assert 'is not what its card says: ' in text
    for part in (
        'dtype uint8',
        '(1, 3, 16, 16)',
        'the card expects (1, 2) or (2) or (1, 2, 1, 1)',
    ):
        assert part in text


def test_a_graph_with_two_inputs_is_told(tmp_path: Path) -> None:
    """Only an image can be given."""
    shapes = {'image': [1, 3, 32, 32], 'scale_factor': [1, 3, 32, 32]}
    data = small_onnx.onnx_bytes(
        [
            ('Mul', ['image', 'scale_factor'], ['both'], {}),
            ('ReduceMean', ['both'], ['values'], {'axes': [2, 3], 'keepdims': 0}),
        ],
        shapes,
        {'values': [1, 3]},
    )
    tree = small_onnx.tree('two', 'regression', scales=[1.0] * 3, output='values')
    folder = small_onnx.written(tmp_path, data, tree)
    assert "inputs ['image', 'scale_factor']; only one" in refusal(
        read_card(folder), folder / 'model.onnx'
    )


def test_the_scores_are_those_of_the_file(card: Card) -> None:
    """Against onnxruntime called by hand: the softmax of the same logits."""
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    session = onnxruntime.InferenceSession(str(FOLDER / 'model.onnx'), providers=[CPU])
    assert card.input is not None
    tensor, _ = model_input(image, card.input)
    (logits,) = session.run(['logits'], {'image': tensor})
    powers = np.exp(logits[0].astype(float) - logits[0].max())
    answer = OnnxModel(card, FOLDER / 'model.onnx', 1).predict(image)
    assert answer.scores == pytest.approx(powers / powers.sum(), abs=1e-6)
    assert answer.wall_s > 0.0


def test_the_shipped_card_keeps_its_promise_on_the_graph(card: Card) -> None:
    """Labels, input size and scale of the card fit the file: a 0..1 image of size_px goes in."""
    assert card.input is not None
    tensor, _ = model_input(np.full((50, 40, 3), 255, np.uint8), card.input)
    assert tensor.shape == (1, 3, 32, 32)
    assert tensor.max() == pytest.approx(1.0)
    answer = OnnxModel(card, FOLDER / 'model.onnx', 1).predict(np.zeros((32, 32, 3), np.uint8))
    assert len(card.labels) == len(answer.scores)


def test_a_detector_finds_a_lamp_where_it_is(tmp_path: Path) -> None:
    """Boxes in pixels of the frame, though the graph sees it at half the size."""
    folder = small_onnx.detector(tmp_path)
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[16:32, 8:40] = 255
    found = loaded(folder).predict(frame)
    assert isinstance(found.content, Boxes)
    assert found.content.xyxy == ((8.0, 16.0, 40.0, 32.0),)
    assert found.scores[0] > 0.9


def test_a_resolution_pair_sees_two_sizes_of_one_file(tmp_path: Path) -> None:
    """Two cards, one file: the small one misses a lamp that the large one finds."""
    folder = small_onnx.detector(tmp_path)
    frame = np.zeros((128, 128, 3), np.uint8)
    frame[10:13, 10:13] = 255
    tree = yaml.safe_load((folder / 'card.yaml').read_text())
    tree['input']['size_px'] = 128
    tree.update(name='large', file='../lamps/model.onnx')
    (tmp_path / 'large').mkdir()
    (tmp_path / 'large' / 'card.yaml').write_text(yaml.safe_dump(tree))
    large = OnnxModel(read_card(tmp_path / 'large'), folder / 'model.onnx', 1)
    answers = [model.predict(frame).scores for model in (loaded(folder), large)]
    assert [len(scores) for scores in answers] == [0, 1]


def test_a_regressor_gives_numbers_and_spreads(tmp_path: Path) -> None:
    """The mean colour, in 0..1."""
    frame = np.zeros((10, 10, 3), np.uint8)
    frame[..., 1] = 51
    found = loaded(small_onnx.regressor(tmp_path)).predict(frame).content
    assert isinstance(found, Values)
    assert found.values == pytest.approx([0.0, 0.2, 0.0], abs=1e-6)
    assert found.spreads == pytest.approx([0.0, 0.04, 0.0], abs=1e-6)


def test_an_unknown_provider_is_refused_with_those_that_are_here(card: Card) -> None:
    """Also where the card would allow another: it is a mistake, not a missing device."""
    with pytest.raises(ModelError, match='is unknown') as caught:
        loaded(FOLDER, providers=('CPUExecutionProvidre',), provider_fallback=True)
    assert f"did you mean '{CPU}'?" in str(caught.value)
    assert f'available here: {", ".join(onnxruntime.get_available_providers())}' in str(
        caught.value
    )


@pytest.mark.parametrize('providers', [(ABSENT,), (ABSENT, CPU)])
def test_a_missing_provider_is_replaced_only_where_the_card_allows_it(
    providers: tuple[str, ...],
) -> None:
    """And then it is said."""
    with pytest.raises(ModelError, match=f'{ABSENT} is not available here') as caught:
        loaded(FOLDER, providers=providers)
    assert 'provider_fallback: true' in str(caught.value)
    model = loaded(FOLDER, providers=providers, provider_fallback=True)
    assert model.notes == (f'{ABSENT} is not available here; {CPU} is used',)
    assert model.predict(np.zeros((32, 32, 3), np.uint8)).scores
    assert loaded(FOLDER).notes == ()


class FailingSession:
    """A session on a provider that breaks, which no machine here has; real on the CPU."""

    fails: Mapping[str, str] = {}

    def __init__(self, path: str, options: Any, providers: list[str]) -> None:
        start = self.fails.get(providers[0]) == 'at the start'
        self.provider = CPU if start else providers[0]
        self.session = REAL_SESSION(path, options, providers=[CPU])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def get_providers(self) -> list[str]:
        """Return the provider that was asked for, and the CPU behind it."""
        return list(dict.fromkeys([self.provider, CPU]))

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> Any:
        """Run on the CPU, or fail as told."""
        if self.provider in self.fails:
            raise RuntimeError('out of memory\non the device')
        return self.session.run(outputs, inputs)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[FailingSession]:
    """Have a GPU that breaks; the test says when."""

    class Session(FailingSession):
        fails = {'CUDAExecutionProvider': 'in use'}

    monkeypatch.setattr(onnxruntime, 'InferenceSession', Session)
    monkeypatch.setattr(
        onnxruntime, 'get_available_providers', lambda: ['CUDAExecutionProvider', CPU]
    )
    return Session


CUDA: dict[str, Any] = {'providers': ('CUDAExecutionProvider', CPU)}
IMAGE = np.random.default_rng(5).integers(0, 256, (32, 32, 3), np.uint8)


@pytest.mark.usefixtures('failing')
def test_a_provider_that_fails_in_use_is_an_error_where_the_card_allows_no_other() -> None:
    """Each call fails, and nothing runs on another device unsaid."""
    model = loaded(FOLDER, **CUDA)
    for _ in range(2):
        with pytest.raises(PredictionError, match=r'^cifar10_fast failed: out of memory$'):
            model.predict(IMAGE)
    assert model.notes == ()


@pytest.mark.usefixtures('failing')
def test_a_provider_that_fails_in_use_is_replaced_by_the_cpu_once() -> None:
    """The frame is answered, as the CPU answers it, and the change is told once."""
    model = loaded(FOLDER, **CUDA, provider_fallback=True)
    first, second = model.predict(IMAGE), model.predict(IMAGE)
    assert first.scores == second.scores == loaded(FOLDER).predict(IMAGE).scores
    assert model.notes == (
        f'CUDAExecutionProvider failed (out of memory); {CPU} is used from now',
    )


def test_a_cpu_that_fails_too_is_an_error(failing: type[FailingSession]) -> None:
    """There is nothing to fall back on."""
    failing.fails = {'CUDAExecutionProvider': 'in use', CPU: 'in use'}
    model = loaded(FOLDER, **CUDA, provider_fallback=True)
    for _ in range(2):
        with pytest.raises(PredictionError, match='failed: out of memory$'):
            model.predict(IMAGE)


def test_a_provider_that_cannot_be_started_is_not_replaced_unsaid(
    failing: type[FailingSession],
) -> None:
    """Onnxruntime would go on with the CPU, as it does without the libraries of a GPU."""
    failing.fails = {'CUDAExecutionProvider': 'at the start'}
    with pytest.raises(ModelError, match='CUDAExecutionProvider could not be started here'):
        loaded(FOLDER, **CUDA)
    model = loaded(FOLDER, **CUDA, provider_fallback=True)
    assert model.notes == (f'CUDAExecutionProvider could not be started here; {CPU} is used',)
    assert model.predict(IMAGE).scores


def beside(folder: Path) -> Path:
    """Write the small classifier with its weights beside it."""
    onnx = pytest.importorskip('onnx')
    made = small_onnx.classifier(folder)
    onnx.save_model(
        onnx.load(made / 'model.onnx'),
        made / 'model.onnx',
        save_as_external_data=True,
        location='weights.bin',
        size_threshold=0,
    )
    return made


def test_weights_beside_the_file_must_be_named(tmp_path: Path) -> None:
    """Without their digest in the card they could be anybody's; with it they are used."""
    inside = loaded(small_onnx.classifier(tmp_path / 'inside')).predict(IMAGE).scores
    folder = beside(tmp_path / 'beside')
    card = read_card(folder)
    text = refusal(card, folder / 'model.onnx')
    assert 'keeps weights in weights.bin, which its card does not name' in text
    assert 'data_files: {name: sha256}' in text
    digest = hashlib.sha256((folder / 'weights.bin').read_bytes()).hexdigest()
    named = card.model_copy(update={'data_files': {'weights.bin': digest}})
    assert OnnxModel(named, folder / 'model.onnx', 1).predict(IMAGE).scores == inside


def test_an_operation_set_that_does_not_exist_is_refused(card: Card, tmp_path: Path) -> None:
    """One line, though onnxruntime writes several."""
    onnx = pytest.importorskip('onnx')
    model = onnx.load(FOLDER / 'model.onnx')
    model.opset_import[0].version = 999
    onnx.save_model(model, tmp_path / 'model.onnx')
    assert 'cannot be loaded' in refusal(card, tmp_path / 'model.onnx')


@pytest.mark.parametrize(('own', 'used'), [(None, 1), (2, 2)])
def test_the_threads_are_those_of_the_card_or_the_parameter(own: int | None, used: int) -> None:
    """The card's number goes first."""
    model = loaded(FOLDER, threads=own)
    assert model._session.get_session_options().intra_op_num_threads == used
