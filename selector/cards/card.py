"""Card: what is declared about a model, and the check that its file is the declared one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from typing import Literal

from pydantic import AfterValidator
from pydantic import Field
from pydantic import model_validator
from pydantic import ValidationError
from selector.cards import label_map
from selector.cards.backend_card import EnsembleCard
from selector.cards.backend_card import TopicCard
from selector.cards.backend_card import TorchCard
from selector.cards.card_file import CARD
from selector.cards.card_file import check_digest
from selector.cards.card_file import file_in
from selector.cards.card_file import read_tree
from selector.cards.card_part import Digest
from selector.cards.card_part import kind_of
from selector.cards.card_part import Part
from selector.cards.card_part import Positives
from selector.cards.card_part import problems
from selector.cards.card_part import Text
from selector.cards.card_part import Texts
from selector.cards.decoding_card import ClassifierCard
from selector.cards.decoding_card import Decoding
from selector.cards.decoding_card import DETECTORS
from selector.cards.decoding_card import RegressorCard
from selector.cards.input_card import InputCard
from selector.errors import did_you_mean
from selector.errors import ModelError
from selector.task import TaskSpec
from selector.tasks.known import names

_DETECTION_ONLY = ('threshold', 'candidates_above', 'nms_iou', 'max_boxes', 'class_weights')


class FigureCard(Part):
    """One figure with where it comes from.

    Attributes:
        value: the figure, None when unknown.
        kind: measured | profiled | default | unknown.
        source: how it was obtained.
    """

    value: float | None = Field(ge=0)
    kind: Literal['measured', 'profiled', 'default', 'unknown']
    source: str


def _known_task(name: str) -> str:
    if name not in names():
        raise ValueError(f'must be one of {", ".join(names())}{did_you_mean(name, names())}')
    return name


_UNKNOWN = FigureCard(value=None, kind='unknown', source='not stated in the card')


class Card(Part):
    """The card of one model, `models/<name>/card.yaml`; docs/models.md explains each key.

    Attributes:
        name: name of the model, that of its folder.
        task: what it answers; classification, detection, regression or a registered one.
        runtime: what runs it.
        file, sha256: the model file, from the card's folder, and its digest.
        data_files: digest of each file beside it with weights (ONNX external data), by name.
        labels: class names in the model's own order.
        label_map: what each of `labels` is called in the answers, None: left out; `*` stands
            for all that are not named. Labels of one name are one class.
        class_weights: how much a box of a class counts in the loss, by its name in the answers.
        scales: of each number of a regression, the error that counts as wholly wrong.
        input: how a frame becomes the input.
        output, outputs: name of the only output; or of each, by its role in the decoding.
        decoding: how outputs become an answer.
        threshold: score from which a box counts.
        candidates_above: score above which a box that does not count is told as doubtful; None:
            a third of the threshold.
        nms_iou: overlap from which the lower of two boxes of a class is dropped; None: 0.45 for
            yolo, and none is dropped for the others.
        max_boxes: most boxes of an answer.
        threads: threads of this model; None: as the parameter models.threads says.
        providers: execution providers of onnxruntime, the first that can is used.
        provider_fallback: a provider that is missing or fails is replaced by the next, and told.
        torch, ensemble, topic: what these runtimes need.
        training_data, licence: of the weights.
        accuracy, multiply_adds, latency_p50_s, latency_p99_s, energy_j: what is known of it.
    """

    name: Text
    task: Annotated[Text, AfterValidator(_known_task)]
    runtime: Literal['onnx', 'torch', 'torchvision', 'ensemble', 'topic'] = 'onnx'
    file: Text | None = None
    sha256: Digest | None = None
    data_files: dict[Text, Digest] = {}
    labels: Annotated[Texts, Field(max_length=100_000)] = ()
    label_map: dict[Text, Text | None] = {}
    class_weights: dict[Text, Annotated[float, Field(gt=0)]] = {}
    scales: Positives = ()
    input: InputCard | None = None
    output: Text | None = None
    outputs: dict[Text, Text] = {}
    decoding: Decoding | None = None
    threshold: float = Field(default=0.5, gt=0, lt=1)
    candidates_above: float | None = Field(default=None, gt=0, lt=1)
    nms_iou: float | None = Field(default=None, gt=0, le=1)
    max_boxes: int = Field(default=300, ge=1, le=10_000)
    threads: int | None = Field(default=None, ge=1, le=64)
    providers: Annotated[Texts, Field(min_length=1)] = ('CPUExecutionProvider',)
    provider_fallback: bool = False
    torch: TorchCard | None = None
    ensemble: EnsembleCard | None = None
    topic: TopicCard | None = None
    training_data: str
    licence: str
    accuracy: FigureCard = _UNKNOWN
    multiply_adds: int | None = Field(default=None, ge=0)
    latency_p50_s: FigureCard = _UNKNOWN
    latency_p99_s: FigureCard = _UNKNOWN
    energy_j: FigureCard = _UNKNOWN

    @property
    def answer_labels(self) -> tuple[str, ...]:
        """Class names of the answers, by class id: in the order of the label map, if any."""
        return label_map.answer_labels(self.labels, self.label_map)

    @property
    def answer_ids(self) -> tuple[int, ...]:
        """Class id in the answers of each of `labels`, -1 where it is left out."""
        return label_map.answer_ids(self.labels, self.label_map)

    @property
    def task_spec(self) -> TaskSpec:
        """What the task has to know."""
        return TaskSpec(self.answer_labels, self.class_weights, self.scales)

    @property
    def decoder(self) -> Decoding | None:
        """How outputs become an answer: `decoding`, else the one that the task has without it."""
        if self.decoding is not None or self.input is None:
            return self.decoding
        return _DEFAULTS.get(self.task)

    @property
    def roles(self) -> dict[str, str]:
        """Name of each output, by its role in the decoding."""
        decoder = self.decoder
        if decoder is None:
            return {}
        if self.output is not None:
            return {decoder.ROLES[0]: self.output}
        if not self.outputs and self.runtime != 'onnx':
            return {role: role for role in decoder.ROLES}
        return self.outputs

    @property
    def doubtful_from(self) -> float:
        """Score above which a box that does not count is told as doubtful."""
        return self.threshold / 3.0 if self.candidates_above is None else self.candidates_above

    @model_validator(mode='after')
    def _fits_together(self) -> Card:
        rules = (_runtime, _labels, _task, _decoding, _outputs)
        found = [told for rule in rules for told in rule(self)]
        if found:
            raise ValueError('; '.join(found))
        return self


_DEFAULTS: dict[str, Decoding] = {
    'classification': ClassifierCard(kind='classifier'),
    'regression': RegressorCard(kind='regressor'),
}


def _runtime(card: Card) -> Iterator[str]:
    """Yield what contradicts the runtime."""
    own = {'torchvision': 'torch'}.get(card.runtime, card.runtime)
    pictured = card.runtime in ('onnx', 'torch', 'torchvision')
    loaded = pictured and not (card.torch is not None and card.torch.weights == 'DEFAULT')
    needs = {'file': loaded, 'sha256': loaded, 'input': pictured}
    needs |= {key: key == own for key in ('torch', 'ensemble', 'topic')}
    for key, needed in needs.items():
        if (getattr(card, key) is not None) != needed:
            yield f'{key}: runtime {card.runtime} {"needs" if needed else "does not know"} it'
    if card.data_files and card.runtime != 'onnx':
        yield 'data_files: only of runtime onnx'
    if card.ensemble is not None and card.name in card.ensemble.members:
        yield f'ensemble.members: {card.name} is the ensemble itself'


def _labels(card: Card) -> Iterator[str]:
    """Yield what is wrong with the labels and what names them."""
    yield from label_map.faults(card.labels, card.label_map)
    least = {'classification': 2, 'detection': 1}.get(card.task, 0)
    if isinstance(card.decoder, ClassifierCard):
        least = 2
    elif isinstance(card.decoder, DETECTORS):
        least = 1
    if len(card.answer_labels) < least:
        where = 'label_map' if card.label_map else 'labels'
        yield f'{where}: {card.task} needs {least} or more labels'
    if card.task == 'regression' and card.labels:
        yield 'labels: regression has none'
    for name in sorted(card.class_weights.keys() - set(card.answer_labels)):
        yield f'class_weights: {name!r} is no label{did_you_mean(name, card.answer_labels)}'


def _task(card: Card) -> Iterator[str]:
    """Yield what contradicts the task."""
    if card.task == 'regression' and not card.scales:
        yield 'scales: regression needs them'
    if card.task in ('classification', 'detection') and card.scales:
        yield 'scales: only for regression'
    if card.task in ('classification', 'regression'):
        for key in sorted(card.model_fields_set & {*_DETECTION_ONLY}):
            yield f'{key}: only for detection'
    if card.candidates_above is not None and card.candidates_above >= card.threshold:
        yield 'candidates_above: must be below threshold'


def _decoding(card: Card) -> Iterator[str]:
    """Yield what contradicts the decoding."""
    decoder = card.decoder
    if decoder is None:
        if card.input is not None:
            kinds = map(
                kind_of, _SHAPED.get(card.task, (ClassifierCard, RegressorCard, *DETECTORS))
            )
            yield f'decoding: {card.task} needs it; its kind is one of {", ".join(kinds)}'
    elif card.input is None:
        yield f'decoding: runtime {card.runtime} does not know it'
    elif card.task in _SHAPED and not isinstance(decoder, _SHAPED[card.task]):
        yield f'decoding.kind: {decoder.kind} is not for {card.task}'
    if isinstance(decoder, RegressorCard):
        for key, numbers in (('factors', decoder.factors), ('offsets', decoder.offsets)):
            if len(numbers) not in (0, len(card.scales)):
                yield f'decoding.{key}: must be {len(card.scales)} numbers, one a scale'


def _outputs(card: Card) -> Iterator[str]:
    """Yield what is wrong with the names of outputs."""
    decoder = card.decoder
    if decoder is None:
        if card.output is not None or card.outputs:
            yield 'output, outputs: without a decoding there are none'
        return
    if card.output is not None and card.outputs:
        yield 'output, outputs: give one of them'
    known = (*decoder.ROLES, *decoder.OPTIONAL)
    for role in card.outputs.keys() - set(known):
        told = did_you_mean(role, known) or f'; {decoder.kind} has {", ".join(known)}'
        yield f'outputs: unknown role {role!r}{told}'
    lacking = [role for role in decoder.ROLES if role not in card.roles]
    if lacking == list(decoder.ROLES) and len(lacking) == 1:
        yield f'output: missing; the name of the output that holds {lacking[0]}'
    elif lacking:
        yield f'outputs: missing {", ".join(lacking)}'
    if len(set(card.roles.values())) != len(card.roles):
        yield 'outputs: two roles have one name'


_SHAPED: dict[str, tuple[type[Part], ...]] = {
    'classification': (ClassifierCard,),
    'regression': (RegressorCard,),
    'detection': DETECTORS,
}


def checked_card(tree: object, where: str) -> Card:
    """Return the card of a mapping.

    Args:
        tree: what a card file holds.
        where: what to call it when something is wrong with it.

    Raises:
        ModelError: unknown, missing or bad keys, all named, or keys that contradict each other.
    """
    try:
        return Card.model_validate(tree)
    except ValidationError as err:
        raise ModelError(f'{where}: {"; ".join(problems(err, Card))}', path=where) from err


def read_card(folder: Path) -> Card:
    """Return the checked card in `folder`.

    Raises:
        ModelError: the card is missing, is no YAML, see `checked_card`, or has another name than
            its folder.
    """
    path = folder / CARD
    try:
        tree = read_tree(path)
    except OSError as err:
        near = sorted(p.parent.name for p in folder.parent.glob(f'*/{CARD}'))
        raise ModelError(
            f'no model {folder.name!r} in {folder.parent}: {path.name} is not there; '
            f'models found: {", ".join(near) or "none"}{did_you_mean(folder.name, near)}',
            path=str(path),
        ) from err
    card = checked_card(tree, str(path))
    if card.name != folder.name:
        raise ModelError(
            f'{path}: name is {card.name!r}; it must be that of its folder, {folder.name!r}',
            path=str(path),
        )
    return card


def checked_file(card: Card, folder: Path) -> Path:
    """Return the path of the card's model file after comparing its digest and those beside it.

    Raises:
        ModelError: the card names no file; or a file lies outside the models folder, is missing,
            too large, or not the one the card names.
    """
    if card.file is None or card.sha256 is None:
        raise ModelError(f'{card.name} has no model file: its runtime is {card.runtime}')
    path = file_in(folder, card.file)
    check_digest(path, card.sha256)
    for name, sha256 in card.data_files.items():
        check_digest(file_in(path.parent, name), sha256)
    return path
