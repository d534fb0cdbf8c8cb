"""Models add: from a file of any exporter to a model that runs, or to one sentence and nothing."""

from __future__ import annotations

from collections.abc import Callable
import importlib.util
import json
import os
from pathlib import Path
from typing import Any
import warnings

import numpy as np
import onnx_files
import pair
from PIL import Image
import pytest
from selector.cards.card import checked_file
from selector.cards.card import read_card
from selector.config import Config
from selector.errors import SelectorError
from selector.image import decode_compressed
from selector.loading import load_model
from selector.loading import Means
from selector.newcomer.sample_picture import sample_picture
from selector.tasks import detection
from selector.tools.add_options import Options
from selector.tools.add_options import parsed
from selector.tools.models_add import models_add_report
from selector.tools.new_model import add_model
from selector.tools.new_model import Added
import yaml

FAST = pair.MODELS / pair.NAMES['fast']
UNCLIP = ('decoding.unclip=1.5',)
FILES = {'card.yaml', 'model.onnx', 'preview.png'}


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """A red picture of 120x80 pixels."""
    path = tmp_path / 'red.png'
    Image.new('RGB', (120, 80), (250, 10, 20)).save(path)
    return path


def added(file: Path, folder: Path, options: Options) -> Added:
    """Add a model, and check that it is one: files, card, digest, and an answer that is alike."""
    made = add_model(Config(), parsed(file, options._replace(folder=folder)))
    assert made.folder == folder / made.name
    assert FILES <= {path.name for path in made.folder.iterdir()}
    assert [path.name for path in folder.iterdir() if path.name.startswith('.')] == []
    card = read_card(made.folder)
    assert checked_file(card, made.folder).read_bytes() == file.read_bytes()
    decode_compressed((made.folder / 'preview.png').read_bytes())
    image = options.image
    picture = decode_compressed(image.read_bytes()) if image else sample_picture()
    again = load_model(card, Means(folder, 1)).predict(picture)
    assert again.scores == pytest.approx(made.answer.scores)
    assert again.content == made.answer.content
    return made


def refusal(file: Path, folder: Path, options: Options) -> str:
    """Return the sentence with which a file is refused; nothing may have been written."""
    before = sorted(folder.rglob('*')) if folder.exists() else None
    with pytest.raises(SelectorError) as caught:
        add_model(Config(), parsed(file, options._replace(folder=folder)))
    after = sorted(folder.rglob('*')) if folder.exists() else None
    assert after in (before, [])
    assert '\n' not in str(caught.value)
    assert 'selector_' not in str(caught.value), 'a temporary folder is told to the user'
    return str(caught.value)


def test_a_file_becomes_a_model(
    tmp_path: Path, red: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was found, what to check, and the next two commands are printed."""
    file = onnx_files.classifier(tmp_path / 'Colours v2.onnx', last='Softmax')
    folder = tmp_path / 'models'
    options = Options(labels='red,green,blue', image=red, folder=folder)
    assert models_add_report(Config(), file, options) == 0
    printed = capsys.readouterr().out
    card = read_card(folder / 'colours_v2')
    assert card.labels == ('red', 'green', 'blue')
    assert card.decoder is not None
    assert card.decoder.kind == 'classifier'
    assert 'operation set 17, by a test' in printed
    assert 'input   pixels (?, 3, 16, 16) float32' in printed
    assert 'on red.png: red 1.00' in printed
    assert '--normalise' in printed
    assert '--labels' not in printed
    assert f'selector profile-model colours_v2 --set models.folder={folder}' in printed
    assert '--set models.slow=colours_v2' in printed


def test_the_result_is_told_to_machines(
    tmp_path: Path, red: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The card, the questions with the options that answer them, and the answer."""
    file = onnx_files.yolo(tmp_path / 'net.onnx')
    options = Options(image=red, folder=tmp_path / 'models')
    assert models_add_report(Config(), file, options, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told['card'] == yaml.safe_load((tmp_path / 'models/net/card.yaml').read_text())
    assert told['folder'] == str(tmp_path / 'models/net')
    assert any('--labels' in question['answer'] for question in told['questions'])
    assert 'ros2 launch' in told['next'][1]
    assert told['answer']['boxes']['class_ids'] == [0, 1]
    assert told['file']['outputs'][0]['came_out'] == [1, 6, 20]


def test_boxes_are_in_pixels_of_the_picture(tmp_path: Path, red: Path) -> None:
    """A 120x80 picture is letterboxed into 64x64; its boxes come back where they are."""
    props = {'names': "{0: 'ball', 1: 'robot'}", 'license': 'AGPL-3.0'}
    file = onnx_files.yolo(tmp_path / 'net.onnx', props=props)
    made = added(file, tmp_path / 'models', Options(image=red))
    found = detection.boxes(made.answer)
    scale, top = 64 / 120, (64 - round(80 * 64 / 120)) // 2
    left, upper, right, lower = (10.0, 4.0, 30.0, 28.0)
    assert found.xyxy[0] == pytest.approx(
        (left / scale, max(0.0, (upper - top) / scale), right / scale, (lower - top) / scale),
        abs=1.0,
    )
    assert made.answer.scores == pytest.approx((0.9, 0.7))
    assert made.labels == ('ball', 'robot')
    assert made.proposal.card['licence'] == 'AGPL-3.0'
    assert made.proposal.questions == ()


def _ssd(path: Path) -> Path:
    """Write a detector in the way of TensorFlow."""
    return onnx_files.fixed(
        path,
        {
            'detection_boxes': np.array([[[0.1, 0.2, 0.5, 0.6], [0, 0, 0, 0]]], np.float32),
            'detection_scores': np.array([[0.8, 0.0]], np.float32),
            'detection_classes': np.array([[1.0, 0.0]], np.float32),
            'num_detections': np.array([1.0], np.float32),
        },
    )


def _detr(path: Path) -> Path:
    """Write a detector in the way of DETR."""
    return onnx_files.fixed(
        path,
        {
            'logits': np.array([[[-9.0, 5.0, -9.0], [-9.0, -9.0, 9.0]]], np.float32),
            'pred_boxes': np.array([[[0.4, 0.3, 0.4, 0.4], [0.5, 0.5, 1.0, 1.0]]], np.float32),
        },
    )


def _torchvision(path: Path) -> Path:
    """Write a detector in the way of torchvision, without a batch."""
    return onnx_files.fixed(
        path,
        {
            'boxes': np.array([[12.8, 6.4, 38.4, 32.0]], np.float32),
            'labels': np.array([2]),
            'scores': np.array([0.8], np.float32),
        },
        ('image', [3, 64, 64]),
    )


def _map(path: Path) -> Path:
    """Write a segmentation map with one region."""
    array = np.zeros((1, 2, 32, 32), np.float32)
    array[0, 1, 3:16, 6:19] = 0.9
    return onnx_files.fixed(path, {'map': array})


@pytest.mark.parametrize('make', [_ssd, _detr, _torchvision, _map])
def test_each_kind_of_detector_is_known(
    tmp_path: Path, red: Path, make: Callable[[Path], Path]
) -> None:
    """Four exporters, one box: at the same place of the picture and of the same class."""
    made = added(make(tmp_path / 'net.onnx'), tmp_path / 'models', Options(image=red))
    found = detection.boxes(made.answer)
    assert found.class_ids == (1,)
    assert made.answer.scores[0] > 0.75
    expected = (0.2 * 120, 0.1 * 80, 0.6 * 120, 0.5 * 80)
    assert found.xyxy[0] == pytest.approx(expected, abs=2.5)


def test_a_graph_of_nhwc_bytes_is_added(tmp_path: Path, red: Path) -> None:
    """The way of TensorFlow and of many cameras: (1, H, W, 3) uint8 of any size."""
    file = onnx_files.classifier(tmp_path / 'net.onnx', nhwc=True)
    made = added(file, tmp_path / 'models', Options(image=red, labels='r,g,b', size='48x64'))
    card = made.proposal.card['input']
    assert (card['layout'], card['dtype'], card['scale']) == ('nhwc', 'uint8', 1.0)
    assert card['size_px'] == [48, 64]
    assert made.answer.class_id == 0
    assert made.proposal.questions == ()


def test_a_model_with_weights_beside_it_is_added(tmp_path: Path) -> None:
    """Both files are copied, and the card names the digests of both."""
    file = onnx_files.beside(tmp_path / 'net.onnx', 'weights/w.bin')
    made = added(file, tmp_path / 'models', Options(task='classification'))
    assert (made.folder / 'weights/w.bin').read_bytes() == (
        tmp_path / 'weights/w.bin'
    ).read_bytes()
    assert list(read_card(made.folder).data_files) == ['weights/w.bin']


@pytest.mark.slow
def test_a_file_that_torch_exported_is_added(tmp_path: Path, red: Path) -> None:
    """As torch.onnx.export writes it when nothing else is said: weights in a second file."""
    torch: Any = pytest.importorskip('torch', reason='torch is not here')
    pytest.importorskip('onnxscript', reason='onnxscript is not here')
    nn = torch.nn
    layers = [nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(8, 4)).eval()
    file, example = tmp_path / 'net.onnx', torch.zeros(1, 3, 64, 64)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch's own deprecations
        torch.onnx.export(net, (example,), str(file), dynamo=True, verbose=False)
    options = Options(image=red, task='classification', labels='a,b,c,d')
    made = added(file, tmp_path / 'models', options)
    square = Image.open(red).crop((20, 0, 100, 80)).resize((64, 64), Image.Resampling.BILINEAR)
    pixels = np.asarray(square, np.float32).transpose(2, 0, 1)[None] / 255.0
    with torch.no_grad():
        expected = torch.softmax(net(torch.from_numpy(pixels)), 1)[0].tolist()
    assert made.answer.scores == pytest.approx(expected, abs=1e-4)


def text_detector() -> Path:
    """Return the PP-OCRv4 text detector of rapidocr-onnxruntime, or skip."""
    named = os.environ.get('SELECTOR_RAPIDOCR_DIR')
    spec = importlib.util.find_spec('rapidocr_onnxruntime')
    folders = [named] if named else list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / 'models' / 'ch_PP-OCRv4_det_infer.onnx'
        if path.is_file():
            return path
    pytest.skip(
        'rapidocr-onnxruntime 1.4.4 is not here, and SELECTOR_RAPIDOCR_DIR names no folder'
    )


def test_a_text_detector_is_added(tmp_path: Path) -> None:
    """A file from Paddle with open sides: as it is, and with what the questions ask for."""
    file = text_detector()
    made = added(file, tmp_path / 'models', Options(name='plain'))
    assert made.proposal.card['decoding']['kind'] == 'segmentation_map'
    assert made.proposal.card['input']['resize'] == 'keep_multiple'
    asked = ' '.join(question.answer for question in made.proposal.questions)
    assert all(way in asked for way in ('--size', '--normalise', '--labels', 'unclip=1.5'))
    made = added(
        file,
        tmp_path / 'models',
        Options('told', labels='text', size='640', normalise='symmetric', lines=UNCLIP),
    )
    assert made.proposal.questions == ()
    found = detection.boxes(made.answer)
    truth = detection.truth(
        ((400, 76, 550, 114), (400, 127, 570, 152), (45, 203, 173, 219)), (0,) * 3
    )
    assert detection.Detection(('text',)).loss(made.answer, truth) < 0.35, found.xyxy


def test_a_name_is_never_overwritten(tmp_path: Path) -> None:
    """Not even an empty folder; the sentence says both ways out."""
    folder = tmp_path / 'models'
    (folder / 'taken').mkdir(parents=True)
    told = refusal(FAST / 'model.onnx', folder, Options(name='taken'))
    assert 'never overwritten: choose another --name, or remove it first' in told


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (Options(name='../up'), '--name'),
        (Options(name='.hidden'), '--name'),
        (Options(task='detecton'), "did you mean 'detection'"),
        (Options(task='detection'), 'none of a detection model'),
        (Options(normalise='imagnet'), "did you mean 'imagenet'"),
        (Options(size='big'), 'HEIGHTxWIDTH'),
        (Options(size='0'), '1 to 4096'),
        (Options(size='64'), 'the file fixes 32x32'),
        (Options(labels='a,b'), '--labels names 2; the outputs of the file are for 10'),
        (Options(labels='a,,b'), 'empty label'),
        (Options(labels='nowhere.txt'), 'nowhere.txt: No such file'),
        (Options(labels=str(FAST / 'model.onnx')), 'no text in UTF-8'),
        (Options(memory_gb=0.1), '--memory-gb 0.1: give a number of 1 to 1000'),
        (Options(seconds=float('nan')), '--seconds nan'),
        (Options(lines=('threads',)), 'KEY=VALUE'),
        (Options(lines=('threads=[1',)), 'no YAML'),
        (Options(lines=('threds=1',)), "did you mean 'threads'"),
        (Options(lines=('input.layout=nhwc',)), 'with --card KEY=VALUE'),
        (Options(lines=('decoding.values=probabilities',)), 'returned no probabilities'),
        (Options(image=Path('nowhere.png')), '--image nowhere.png: No such file'),
        (Options(image=FAST / 'card.yaml'), 'no JPEG or PNG'),
    ],
)
def test_what_the_user_says_wrong_is_told(tmp_path: Path, options: Options, told: str) -> None:
    """Each in one sentence with the option in it; nothing is written."""
    assert told in refusal(FAST / 'model.onnx', tmp_path / 'models', options)


def test_a_file_that_is_no_model_leaves_nothing_behind(tmp_path: Path) -> None:
    """The sentence begins with its name."""
    path = tmp_path / 'net.pt'
    path.write_bytes(b'\x80\x02}q\x00.')
    told = refusal(path, tmp_path / 'models', Options())
    assert told.startswith(f'{path}: it is a pickle')
    assert 'weights_only=True' in told
    assert not (tmp_path / 'models').exists()


def test_a_model_without_an_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """The verb ends with the limits of the check."""
    file = onnx_files.endless(tmp_path / 'endless.onnx')
    options = Options(folder=tmp_path / 'models', seconds=1.0)
    with pytest.raises(SelectorError, match='allow more with --seconds') as caught:
        add_model(Config(), parsed(file, options))
    assert caught.value.values['state'] == 'timed out'
    assert not (tmp_path / 'models').exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file stands where the models folder should be."""
    (tmp_path / 'models').touch()
    with pytest.raises(SelectorError, match='name another --folder'):
        add_model(Config(), parsed(FAST / 'model.onnx', Options(folder=tmp_path / 'models')))


def test_a_dry_run_shows_the_card_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where the card does not fit, so that one sees what to correct."""
    options = Options(folder=tmp_path / 'models', dry_run=True)
    assert models_add_report(Config(), FAST / 'model.onnx', options) == 0
    printed = capsys.readouterr().out
    assert 'size_px: 32  # from the file' in printed
    assert 'nothing was written (--dry-run)' in printed
    wrong = options._replace(lines=('decoding.values=probabilities',))
    with pytest.raises(SelectorError, match='returned no probabilities'):
        models_add_report(Config(), FAST / 'model.onnx', wrong)
    assert 'values: probabilities  # given' in capsys.readouterr().out
    assert not (tmp_path / 'models').exists()


def test_labels_are_a_list_or_a_file(tmp_path: Path, red: Path) -> None:
    """One label a line, with or without a byte order mark and empty lines."""
    path = tmp_path / 'labels.txt'
    path.write_text('\ufeffdark red\n\nlight green\r\nblue\n', encoding='utf-8')
    file = onnx_files.classifier(tmp_path / 'net.onnx')
    made = added(file, tmp_path / 'models', Options(labels=str(path), image=red))
    assert made.labels == ('dark red', 'light green', 'blue')


def test_a_regression_is_added(tmp_path: Path, red: Path) -> None:
    """With scales from the user; the numbers are in the answer."""
    file = onnx_files.classifier(tmp_path / 'net.onnx')
    options = Options(image=red, task='regression', lines=('scales=[1, 2.0, 2.0]',))
    assert 'scales' in refusal(file, tmp_path / 'models', options._replace(lines=('scales=x',)))
    made = added(file, tmp_path / 'models', options._replace(lines=('scales=[1.0, 2.0, 2.0]',)))
    assert made.answer.content is not None
    assert read_card(made.folder).scales == (1.0, 2.0, 2.0)
