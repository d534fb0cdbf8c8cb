"""Card: a model is what its card says, or it is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
import re
import shutil
from typing import Any

import pair
import pytest
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.cards.card import checked_file
from selector.cards.card import read_card
from selector.errors import ModelError
from selector.task import TaskSpec
from selector.tasks import known
from selector.tasks.detection import Detection
import yaml

NAME = pair.NAMES['fast']
TREE: dict[str, Any] = yaml.safe_load((pair.MODELS / NAME / 'card.yaml').read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder's copy of the fast model."""
    return Path(shutil.copytree(pair.MODELS / NAME, tmp_path / NAME))


def changed(folder: Path, **changes: Any) -> None:
    """Change top-level fields of the card; None removes one."""
    path = folder / 'card.yaml'
    tree = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if v is not None}))


def refusal(folder: Path) -> str:
    """Return the text with which the card in `folder` is refused, one line."""
    with pytest.raises(ModelError, match='.+') as caught:
        read_card(folder)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('name', sorted(pair.NAMES.values()))
def test_the_shipped_cards_name_their_files(name: str) -> None:
    """The models in the repository pass their own check, with every figure's provenance."""
    card = read_card(pair.MODELS / name)
    path = checked_file(card, pair.MODELS / name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert card.latency_p50_s.value is not None
    assert card.latency_p50_s.source


def test_all_problems_of_a_card_are_named(folder: Path) -> None:
    """Unknown, missing and bad fields are told together, an unknown one with advice."""
    changed(folder, labls=['a'], licence=None, sha256='abc', multiply_adds=-1)
    text = refusal(folder)
    for part in ("'labls'; did you mean 'labels'?", 'licence:', 'sha256:', 'multiply_adds:'):
        assert part in text


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        ({'lables': []}, "unknown key 'lables'; did you mean 'labels'?"),
        ({'input': {'siz_px': 8}}, "unknown key 'input.siz_px'; did you mean 'size_px'?"),
        ({'decoding': {'valus': 'logits'}}, "'decoding.valus'; did you mean 'values'?"),
        ({'energy_j': {'val': 1.0}}, "unknown key 'energy_j.val'; did you mean 'value'?"),
        ({'energy_j': {'zzz': 1.0}}, "'energy_j.zzz'; allowed here: value, kind, source"),
        ({'decoding': {'kind': 'clasifier'}}, "decoding: .*did you mean 'classifier'?"),
        ({'input': {'colour': 'rbg'}}, "input.colour: .*'rbg'; did you mean 'rgb'?"),
        ({'task': 'detecton'}, "task: must be one of .*; did you mean 'detection'?"),
    ],
)
def test_a_misspelled_key_or_choice_is_told_where_it_stands(
    folder: Path, change: dict[str, Any], told: str
) -> None:
    """At every depth, by its dotted path, with the closest that is allowed there."""
    tree = {**TREE, 'decoding': {'kind': 'classifier'}}
    for key, value in change.items():
        change = {key: {**tree[key], **value} if isinstance(value, dict) else value}
    changed(folder, **{**tree, **change})
    assert re.search(told.replace('?', '[?]'), refusal(folder))


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('labels', ['only']),
        ('labels', [1, 2]),
        ('labels', [True, 'cat']),
        ('labels', ['cat', 'dog', 'cat']),
        ('labels', ['cat', 'do\ng']),
        ('labels', ['cat', '']),
        ('labels', 'cat'),
        ('task', 'speech'),
        ('task', ''),
        ('input', None),
        ('input', {'size_px': 0}),
        ('input', {'size_px': 5000}),
        ('input', {'size_px': [32]}),
        ('input', {'size_px': [32, 32, 32]}),
        ('input', {'size_px': 32.0}),
        ('input', {'size_px': '32'}),
        ('input', {'size_px': True}),
        ('input', {'crop': 'left'}),
        ('input', {'scale': 0.0}),
        ('input', {'scale': True}),
        ('input', {'scale': float('nan')}),
        ('input', {'mean': [0.5]}),
        ('input', {'colour': 'grey', 'std': [1.0, 1.0, 1.0]}),
        ('input', {'std': [1.0, 0.0, 1.0]}),
        ('input', {'dtype': 'uint8'}),
        ('input', {'resize': 'keep_multiple', 'size_px': 100, 'multiple_px': 32}),
        ('input', {'resize': 'keep_multiple', 'size_px': [64, 64]}),
        ('input', {'multiple_px': 16}),
        ('input', {'pad_value': 0}),
        ('energy_j', {'value': -1.0, 'kind': 'measured', 'source': 'x'}),
        ('energy_j', {'value': float('inf'), 'kind': 'measured', 'source': 'x'}),
        ('energy_j', {'value': 1.0, 'kind': 'guessed', 'source': 'x'}),
        ('energy_j', 0.5),
        ('sha256', 'A' * 64),
        ('sha256', None),
        ('file', None),
        ('file', 'model\0.onnx'),
        ('output', None),
        ('outputs', {'scores': 'logits'}),
        ('decoding', {'kind': 'yolo'}),
        ('decoding', {}),
        ('scales', [1.0]),
        ('threshold', 0.4),
        ('max_boxes', 10),
        ('class_weights', {'cat': 2.0}),
        ('threads', 0),
        ('providers', []),
        ('data_files', {'weights.bin': 'x'}),
        ('torch', {'architecture': 'resnet18'}),
        ('runtime', 'tflite'),
        ('multiply_adds', -1),
        ('name', 3),
    ],
)
def test_a_bad_field_is_named(folder: Path, field: str, value: object) -> None:
    """No nonsense passes for a figure, a size, a digest, a list of labels or any other key."""
    if field == 'input' and isinstance(value, dict):
        value = {**TREE['input'], **value}
    changed(folder, **{field: value})
    assert field in refusal(folder)


def bombs() -> dict[str, str]:
    """Return texts that are no card, some of them made to do harm."""
    levels = [f'a{k}: &a{k} [{", ".join([f"*a{k - 1}"] * 9)}]' for k in range(1, 12)]
    return {
        'empty': '',
        'list': '[]',
        'words': 'words',
        'number': '3.5',
        'null': 'null',
        'open': 'a: [1',
        'nul': 'labels: "\x00"',
        'tag': 'name: !!python/object/apply:os.system ["true"]',
        'two': 'name: a\n---\nname: b',
        'date': 'name: 2026-99-99',
        'keys': '3: 4\ntrue: 5',
        'key': '? [a, b]\n: 1',
        'twice': 'name: a\nname: b',
        'digits': 'multiply_adds: ' + '9' * 10_000,
        'deep': 'labels: ' + '[' * 600,
        'brackets': '[' * 600 + ']' * 600,
        'aliases': '\n'.join(['a0: &a0 [x, x]', *levels]),
        'itself': 'labels: &a [*a]',
        'huge': 'licence: ' + 'x' * 1_000_001,
        'many': 'labels:\n' + '- 1\n' * 4_000,
    }


@pytest.mark.parametrize('kind', sorted(bombs()))
def test_a_card_that_is_none_is_refused(folder: Path, kind: str) -> None:
    """Other YAML, other things than YAML, and what is made to fill the memory: one line."""
    (folder / 'card.yaml').write_text(bombs()[kind])
    text = refusal(folder)
    assert str(folder / 'card.yaml') in text
    assert len(text) < 10_000


def test_bytes_that_are_no_text_are_refused(folder: Path) -> None:
    """A file in another encoding, or a folder in the place of the card."""
    (folder / 'card.yaml').write_bytes(b'\xff\xfe\x00a')
    assert 'is no YAML' in refusal(folder)
    (folder / 'card.yaml').unlink()
    (folder / 'card.yaml').mkdir()
    refusal(folder)


def test_the_same_value_by_an_alias_is_fine(folder: Path) -> None:
    """What a YAML writer makes of one object that stands in two places can be read again."""
    figure = {'value': 1.0, 'kind': 'default', 'source': 'made up'}
    text = yaml.safe_dump({**TREE, 'latency_p50_s': figure, 'latency_p99_s': figure})
    assert '*' in text
    (folder / 'card.yaml').write_text(text)
    assert read_card(folder).latency_p99_s.value == 1.0


def test_numbers_with_an_exponent_are_numbers(folder: Path) -> None:
    """1e-3 is a text in YAML 1.1, and a number here."""
    text = yaml.safe_dump({**TREE, 'energy_j': 'here'})
    text = text.replace('energy_j: here', 'energy_j: {value: 1e-3, kind: default, source: x}')
    (folder / 'card.yaml').write_text(text)
    assert read_card(folder).energy_j.value == 1e-3


def test_what_nobody_knows_may_be_left_out(folder: Path) -> None:
    """Figures are unknown then, not zero."""
    figures = ('accuracy', 'multiply_adds', 'latency_p50_s', 'latency_p99_s', 'energy_j')
    changed(folder, **dict.fromkeys(figures))
    card = read_card(folder)
    assert card.multiply_adds is None
    assert (card.energy_j.value, card.energy_j.kind) == (None, 'unknown')


def test_all_that_does_not_fit_together_is_told(folder: Path) -> None:
    """Contradictions between keys come all in one line as well."""
    changed(folder, labels=['a', 'a'], scales=[1.0], threshold=0.5, outputs={'scores': 'x'})
    text = refusal(folder)
    for part in ('labels: they repeat', 'scales: only', 'threshold: only', 'output, outputs:'):
        assert part in text


DETECTOR: dict[str, Any] = {
    'task': 'detection',
    'labels': ['cat', 'dog', 'car'],
    'output': 'p',
    'decoding': {'kind': 'yolo'},
}


def detector(**changes: Any) -> Card:
    """Return a detector's card."""
    tree = {**TREE, **DETECTOR, **changes}
    return checked_card({k: v for k, v in tree.items() if v is not None}, 'here')


def test_a_detector() -> None:
    """Its defaults: what counts, what is doubtful, and the name of its output by role."""
    card = detector()
    assert (card.threshold, card.max_boxes, card.nms_iou) == (0.5, 300, None)
    assert card.doubtful_from == pytest.approx(0.5 / 3.0)
    assert card.roles == {'predictions': 'p'}
    assert card.task_spec == TaskSpec(('cat', 'dog', 'car'), {}, ())
    assert detector(candidates_above=0.1).doubtful_from == 0.1


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'labels': []}, 'labels: detection needs 1'),
        ({'decoding': None}, 'decoding: detection needs it; its kind is one of yolo, ssd'),
        ({'decoding': {'kind': 'classifier'}}, 'classifier is not for detection'),
        ({'candidates_above': 0.5}, 'candidates_above: must be below threshold'),
        ({'class_weights': {'cta': 2.0}}, "class_weights: 'cta' is no label; did you mean 'cat'"),
        ({'class_weights': {'cat': 0.0}}, 'class_weights.cat'),
        ({'output': None}, 'output: missing; the name of the output that holds predictions'),
        ({'output': None, 'outputs': {'prediction': 'x'}}, "did you mean 'predictions'"),
        (
            {'output': None, 'decoding': {'kind': 'detr'}, 'outputs': {'boxes': 'x'}},
            'outputs: missing logits',
        ),
        ({'decoding': {'kind': 'detr'}}, 'outputs: missing boxes'),
        (
            {
                'output': None,
                'decoding': {'kind': 'detr'},
                'outputs': {'boxes': 'x', 'logits': 'x'},
            },
            'two roles have one name',
        ),
        ({'label_map': {'cat': 'animal'}}, "2 labels are not in it, such as 'dog'"),
        ({'label_map': {'*': None}}, 'label_map: detection needs 1'),
        (
            {'label_map': {'cta': None, '*': 'x'}},
            "'cta' is none of the labels; did you mean 'cat'",
        ),
        ({'label_map': {'cat': 3, '*': 'x'}}, 'label_map.cat'),
    ],
)
def test_a_detector_that_does_not_fit_together(changes: dict[str, Any], told: str) -> None:
    """Each is told by its key."""
    with pytest.raises(ModelError, match=r'^here: ') as caught:
        detector(**changes)
    assert told in str(caught.value)


def test_a_label_map_makes_the_labels_of_the_answers() -> None:
    """In the order of the map, so that a pair can agree; weights go by the new names."""
    names = {'dog': 'animal', 'car': 'vehicle', '*': 'animal'}
    card = detector(label_map=names, class_weights={'vehicle': 3.0})
    assert card.answer_labels == ('animal', 'vehicle')
    assert card.answer_ids == (0, 0, 1)
    assert card.task_spec == TaskSpec(('animal', 'vehicle'), {'vehicle': 3.0}, ())
    assert detector().answer_ids == (0, 1, 2)


RUNTIMES: dict[str, dict[str, Any]] = {
    'torch': {'torch': {'exported': True}},
    'torchvision': {'torch': {'architecture': 'ssdlite320_mobilenet_v3_large'}},
    'ensemble': {'ensemble': {'members': ['one', 'two']}},
    'topic': {
        'topic': {
            'input': '/camera/image_raw',
            'output': '/yolo/detections',
            'answer': 'vision_msgs/Detection2DArray',
        }
    },
}


def of_runtime(runtime: str, **changes: Any) -> Card:
    """Return a detector's card of another runtime."""
    none: dict[str, Any] = {}
    if runtime in ('ensemble', 'topic'):
        none = dict.fromkeys(('file', 'sha256', 'input', 'output', 'decoding'))
    return detector(runtime=runtime, **{**none, **RUNTIMES[runtime], **changes})


@pytest.mark.parametrize('runtime', sorted(RUNTIMES))
def test_a_runtime_needs_its_own_part_and_no_other(runtime: str) -> None:
    """Each takes its part of the card, misses it, and refuses that of another."""
    assert of_runtime(runtime).runtime == runtime
    (key,) = RUNTIMES[runtime]
    with pytest.raises(ModelError, match=f'{key}: runtime {runtime} needs it'):
        of_runtime(runtime, **{key: None})
    other = 'topic' if runtime == 'ensemble' else 'ensemble'
    with pytest.raises(ModelError, match=f'{other}: runtime {runtime} does not know it'):
        of_runtime(runtime, **RUNTIMES[other])


@pytest.mark.parametrize(
    ('runtime', 'changes', 'told'),
    [
        ('torch', {'file': None}, 'file: runtime torch needs it'),
        ('torchvision', {'torch': {'architecture': 'x', 'weights': 'DEFAULT'}}, 'file: runtime'),
        ('torch', {'torch': {'exported': True, 'architecture': 'x'}}, 'not both'),
        ('torch', {'torch': {}}, 'give architecture'),
        ('torch', {'torch': {'exported': True, 'weights': 'DEFAULT'}}, 'brings its weights'),
        ('torch', {'data_files': {'a': '0' * 64}}, 'data_files: only of runtime onnx'),
        ('ensemble', {'ensemble': {'members': ['one']}}, 'ensemble.members'),
        ('ensemble', {'ensemble': {'members': ['one', 'one']}}, 'members repeat'),
        ('ensemble', {'ensemble': {'members': ['one', '../../two']}}, 'no paths'),
        ('ensemble', {'ensemble': {'members': ['one', NAME]}}, 'is the ensemble itself'),
        ('ensemble', {'input': TREE['input']}, 'input: runtime ensemble does not know it'),
        ('topic', {'decoding': {'kind': 'yolo'}}, 'decoding: runtime topic does not know it'),
        ('topic', {'output': 'x'}, 'output, outputs: without a decoding'),
    ],
)
def test_a_runtime_that_does_not_fit(runtime: str, changes: dict[str, Any], told: str) -> None:
    """What a runtime has no use for is refused, not passed over."""
    with pytest.raises(ModelError, match='^here: ') as caught:
        of_runtime(runtime, **changes)
    assert told in str(caught.value)


def test_a_torch_model_names_its_outputs_by_role() -> None:
    """A torchvision detector returns a mapping with these very names."""
    card = of_runtime('torchvision', output=None, decoding={'kind': 'torchvision'})
    assert card.roles == {'boxes': 'boxes', 'labels': 'labels', 'scores': 'scores'}


def test_a_regression_needs_scales_and_no_labels() -> None:
    """Factors and offsets go with the scales, one each."""
    more: dict[str, Any] = {'task': 'regression', 'labels': None}
    decoding = {'kind': 'regressor', 'factors': [1.0]}
    assert detector(**more, scales=[1.0], decoding=None).roles == {'values': 'p'}
    for changes, told in (
        ({}, 'scales: regression needs them'),
        ({'scales': [0.0]}, 'scales.0'),
        ({'scales': [1.0], 'labels': ['a']}, 'labels: regression has none'),
        ({'scales': [1.0, 2.0], 'decoding': decoding}, 'decoding.factors: must be 2 numbers'),
    ):
        with pytest.raises(ModelError, match='here') as caught:
            detector(**{**more, 'decoding': None, **changes})
        assert told in str(caught.value)


def test_a_registered_task_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of one's own has the decoding that its card names."""
    monkeypatch.setattr(known, '_TASKS', dict(known._TASKS))
    known.register('lidar', Detection)  # type: ignore[arg-type]
    assert detector(task='lidar').task == 'lidar'
    with pytest.raises(ModelError, match='decoding: lidar needs it'):
        detector(task='lidar', decoding=None)


def test_a_missing_model_lists_the_others(folder: Path) -> None:
    """A misspelled name is answered with the models there are, and the closest."""
    text = refusal(folder.parent / 'cifar10_fsat')
    assert f'models found: {NAME}' in text
    assert f"did you mean '{NAME}'?" in text
    assert 'models found: none' in refusal(folder.parent / 'nowhere' / 'x')


def test_a_card_in_another_models_folder_is_refused(folder: Path) -> None:
    """A copied folder whose card keeps the old name would run the old model's file."""
    copy = shutil.copytree(folder, folder.parent / 'copy')
    text = refusal(Path(copy))
    assert NAME in text
    assert 'copy' in text


def test_an_altered_file_is_refused_with_both_digests(folder: Path) -> None:
    """One flipped bit in the weights is found; path, expected and found digest are told."""
    card, path = read_card(folder), folder / 'model.onnx'
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match='is not the one its card names') as caught:
        checked_file(card, folder)
    found = hashlib.sha256(data).hexdigest()
    assert all(part in str(caught.value) for part in (str(path), str(card.sha256), found))
    assert caught.value.values['found'] == found


def test_a_missing_file_is_refused(folder: Path) -> None:
    """A card without its weights is refused by the path of the weights."""
    card = read_card(folder)
    (folder / 'model.onnx').unlink()
    with pytest.raises(ModelError, match=r'model\.onnx cannot be read'):
        checked_file(card, folder)
