"""Street pair: one text detector at two sizes, on the scenes of `street`, and how it did.

The network is the PP-OCRv4 text detector that the package `rapidocr-onnxruntime` 1.4.4 carries;
nothing of it is stored here. `unclip` was chosen on scenes 10000 to 10039, which no result is
about.
"""

from __future__ import annotations

from collections.abc import Sequence
import hashlib
import importlib.util
import io
import json
import os
from pathlib import Path
import sys
from typing import NamedTuple

from PIL import Image
from PIL import ImageDraw
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.errors import MissingError
from selector.prediction import Model
from selector.prediction import Prediction
from selector.scene import Look
from selector.scene import look
from selector.tasks.detection import Boxes
from selector.tasks.detection import Detection
from selector.tasks.detection import prediction
from selector.tasks.detection import truth

from benchmarks.bench.street import HEIGHT
from benchmarks.bench.street import scene
from benchmarks.bench.street import WIDTH

TASK = Detection(('text',))
SIZES_PX = {'fast': 192, 'slow': 960}
_UNCLIP = {'fast': 0.8, 'slow': 1.2}
_COLOURS = {'': (0, 220, 0), 'fast': (255, 230, 0), 'slow': (255, 0, 255)}
_FILE = 'ch_PP-OCRv4_det_infer.onnx'
_CACHE = Path(__file__).resolve().parents[2] / 'build' / 'benchmark'


class Seen(NamedTuple):
    """One scene and what both sizes said about it.

    Attributes:
        fast, slow: the answers.
        truth: the lines of text.
        look: of the image.
    """

    fast: Prediction
    slow: Prediction
    truth: Prediction
    look: Look


def network() -> Path:
    """Return the ONNX file.

    Raises:
        MissingError: the package is not installed, and SELECTOR_RAPIDOCR_DIR names no folder.
    """
    named = os.environ.get('SELECTOR_RAPIDOCR_DIR')
    spec = importlib.util.find_spec('rapidocr_onnxruntime')
    folders = [Path(named)] if named else []
    folders += [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        path = folder / 'models' / _FILE
        if path.is_file():
            return path
    raise MissingError(
        f'{_FILE} is not here: pip install --no-deps rapidocr-onnxruntime==1.4.4, or name the '
        'unpacked package in SELECTOR_RAPIDOCR_DIR'
    )


def card(tier: str, path: Path) -> Card:
    """Return the card of one size of the network."""
    size_px = SIZES_PX[tier]
    return checked_card(
        {
            'name': f'text_{size_px}',
            'task': 'detection',
            'file': path.name,
            'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
            'labels': ['text'],
            'input': {
                'name': 'x',
                'resize': 'keep_multiple',
                'size_px': size_px,
                'colour': 'bgr',
                'scale': 1.0 / 255.0,
                'mean': [0.5, 0.5, 0.5],
                'std': [0.5, 0.5, 0.5],
            },
            'output': 'sigmoid_0.tmp_0',
            'decoding': {'kind': 'segmentation_map', 'unclip': _UNCLIP[tier]},
            'training_data': 'see PP-OCRv4',
            'licence': 'Apache-2.0',
        },
        f'text_{size_px}',
    )


def models(threads: int = 1) -> dict[str, Model]:
    """Return the network at both sizes, by tier."""
    path = network()
    return {tier: OnnxModel(card(tier, path), path, threads) for tier in SIZES_PX}


def seen(first: int, count: int) -> list[Seen]:
    """Return what both sizes say about `count` scenes, from the cache where that is of today."""
    path = _cached(first, count)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_answers(first, count)))
    said = json.loads(path.read_text())
    return [_seen(first + k, said['fast'][k], said['slow'][k]) for k in range(count)]


def picture(numbers: Sequence[int]) -> bytes:
    """Return scenes side by side as JPEG: true lines green, fast's yellow, slow's magenta."""
    running = models()
    columns = 2
    sheet = Image.new('RGB', (columns * WIDTH, -(-len(numbers) // columns) * HEIGHT))
    for k, number in enumerate(numbers):
        made = scene(number)
        panel = Image.fromarray(made.image)
        brush = ImageDraw.Draw(panel)
        for tier, colour in _COLOURS.items():
            found = running[tier].predict(made.image).content if tier else Boxes(made.xyxy)
            assert isinstance(found, Boxes)
            for box in found.xyxy:
                brush.rectangle(box, outline=colour, width=2)
        sheet.paste(panel, (k % columns * WIDTH, k // columns * HEIGHT))
    out = io.BytesIO()
    sheet.resize((960, 720)).save(out, 'JPEG', quality=85, subsampling=0)
    return out.getvalue()


def _cached(first: int, count: int) -> Path:
    here = Path(__file__).resolve().parent
    core = here.parents[1] / 'selector'
    whole = hashlib.sha256(network().read_bytes())
    sources = [here / 'street.py', here / 'street_pair.py']
    sources += [core / 'model_input.py', core / 'reading.py', *core.glob('decoders/*.py')]
    for source in sorted(sources):
        whole.update(source.read_bytes())
    return _CACHE / f'street_{first}_{count}_{whole.hexdigest()[:16]}.json'


def _answers(first: int, count: int) -> dict[str, list[object]]:
    made: dict[str, list[object]] = {tier: [] for tier in SIZES_PX}
    running = models()
    for number in range(first, first + count):
        image = scene(number).image
        for tier, model in running.items():
            answer = model.predict(image)
            assert isinstance(answer.content, Boxes)
            made[tier].append((answer.scores, answer.content, answer.wall_s))
        if number % 50 == 49:
            print(f'{number + 1 - first} of {count} scenes', file=sys.stderr, flush=True)
    return made


def _seen(number: int, fast: list[object], slow: list[object]) -> Seen:
    made = scene(number)
    right = truth(made.xyxy, (0,) * len(made.xyxy))
    return Seen(_answer('fast', fast), _answer('slow', slow), right, look(made.image))


def _answer(tier: str, said: list[object]) -> Prediction:
    scores, (xyxy, class_ids, threshold, doubtful), wall_s = said  # type: ignore[misc]
    boxes = Boxes(tuple(map(tuple, xyxy)), tuple(class_ids), threshold, tuple(doubtful))
    return prediction(f'text_{SIZES_PX[tier]}', boxes, tuple(scores), wall_s)
