"""Proposal: the card that is written fits the file, and says what was guessed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from selector.cards.card import checked_card
from selector.errors import ConfigError
from selector.errors import ModelError
from selector.errors import SelectorError
from selector.newcomer.card_text import card_text
from selector.newcomer.graph import Channel
from selector.newcomer.graph import Graph
from selector.newcomer.graph import Output
from selector.newcomer.graph import Tensor
from selector.newcomer.graph import Trial
from selector.newcomer.head import Claim
from selector.newcomer.proposal import Proposal
from selector.newcomer.proposal import propose
from selector.newcomer.proposed_input import Asked
import yaml

SHA = '0' * 64
OPEN, SQUARE = (1, 3, 'h', 'w'), (1, 3, 64, 64)


def graph(
    outputs: tuple[Output, ...] = (),
    image: Tensor | None = None,
    names: tuple[str, ...] = (),
    trial: Trial | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Graph:
    """Return what a file shows: by default ten logits of a 64x64 image."""
    logits = Output(Tensor('logits', 'float32', (1, 10)), 'Gemm', (1, 10), True, -3.0, 4.0)
    taken = image or Tensor('x', 'float32', SQUARE)
    return Graph(
        SHA,
        1000,
        17,
        'a test',
        (taken,),
        outputs or (logits,),
        names=names,
        metadata=dict(metadata or {}),
        trial=trial or Trial((64, 64), 0.001, ''),
    )


def yolo(classes: int) -> tuple[Output, ...]:
    """Return the output of a YOLO."""
    shape = (1, 4 + classes, 900)
    rows = (*[Channel(0.0, 60.0, False)] * 4, *[Channel(0.0, 0.9, False)] * classes)
    return (Output(Tensor('output0', 'float32', shape), '', shape, True, 0.0, 60.0, (0, 9), rows),)


def proposed(found: Graph, asked: Asked | None = None) -> Proposal:
    """Return the card for a file."""
    return propose(found, 'net', 'model.onnx', asked or Asked())


def answers(proposal: Proposal) -> str:
    """Return the options that answer the questions."""
    return ' '.join(question.answer for question in proposal.questions)


def test_the_text_is_the_card() -> None:
    """The YAML reads back as the proposed values, and each guess is marked where it stands."""
    proposal = proposed(graph())
    text = card_text(proposal.tree, 'made by a test')
    assert text.startswith('# made by a test\n')
    assert yaml.safe_load(text) == proposal.card
    card = checked_card(yaml.safe_load(text), 'card')
    assert (card.name, card.sha256, card.output) == ('net', SHA, 'logits')
    assert card.labels == tuple(f'class_{k}' for k in range(10))
    lines = text.splitlines()
    assert any('size_px: 64  # from the file' in line for line in lines)
    assert any('scale: 0.00392156862745098  # guessed' in line for line in lines)
    assert all(len(line) <= 120 for line in lines)


def test_a_figure_nobody_measured_is_unknown() -> None:
    """Neither latency nor energy is made up; the source names the verb that measures."""
    card = proposed(graph()).card
    for key in ('latency_p50_s', 'latency_p99_s', 'energy_j'):
        assert (card[key]['value'], card[key]['kind']) == (None, 'unknown')
        assert 'selector profile-model net' in card[key]['source']
    assert card['licence'] == card['training_data'] == 'unknown'
    assert proposed(graph(metadata={'license': 'MIT'})).card['licence'] == 'MIT'


def test_labels_come_from_the_user_then_from_the_file() -> None:
    """And are distinct, as a card wants them."""
    names = tuple(f'n{k}' for k in range(9))
    assert proposed(graph(names=(*names, 'z'))).card['labels'] == [*names, 'z']
    assert proposed(graph(names=(*names, 'n0'))).card['labels'][-1] == 'n0 (9)'
    given = proposed(graph(names=(*names, 'z')), Asked(labels=('a', *names)))
    assert given.card['labels'][0] == 'a'
    with pytest.raises(ConfigError, match='--labels names 2; the outputs of the file are for 10'):
        proposed(graph(), Asked(labels=('a', 'b')))


def test_names_that_do_not_fit_are_a_question() -> None:
    """A contradiction within the file is never settled in silence."""
    (text,) = [q.text for q in proposed(graph(names=('a', 'b'))).questions if 'names 2' in q.text]
    assert 'its outputs are for 10' in text


def test_how_many_labels_a_detector_has_is_asked() -> None:
    """With a class output nothing says how many there are: at least as many as were seen."""
    outputs = (
        Output(Tensor('boxes', 'float32', (1, 5, 4)), '', (1, 5, 4), True, 0.0, 1.0),
        Output(Tensor('scores', 'float32', (1, 5)), '', (1, 5), True, 0.0, 0.9),
        Output(Tensor('classes', 'float32', (1, 5)), '', (1, 5), True, 0.0, 6.0),
    )
    proposal = proposed(graph(outputs))
    assert len(proposal.card['labels']) == 7
    assert '--labels' in answers(proposal)
    shifted = proposed(graph(outputs), Asked(lines={'decoding.label_offset': 1}))
    assert len(shifted.card['labels']) == 6
    named = proposed(graph(outputs), Asked(labels=('a', 'b')))
    assert named.card['labels'] == ['a', 'b']


def test_what_the_user_says_of_the_decoding_changes_the_labels() -> None:
    """With objectness there is one label less, and nothing is asked about it any more."""
    plain = proposed(graph(yolo(3)))
    assert len(plain.card['labels']) == 3
    assert 'decoding.objectness' in answers(plain)
    told = proposed(graph(yolo(3)), Asked(lines={'decoding.objectness': True}))
    assert len(told.card['labels']) == 2
    assert 'decoding.objectness' not in answers(told)


@pytest.mark.parametrize(
    ('image', 'expected'),
    [
        (Tensor('x', 'float32', SQUARE), {'layout': 'nchw', 'colour': 'rgb', 'dtype': 'float32'}),
        (Tensor('x', 'float16', (64, 64, 3)), {'layout': 'hwc', 'dtype': 'float16'}),
        (Tensor('x', 'float32', (1, 64, 64, 1)), {'layout': 'nhwc', 'colour': 'grey'}),
        (Tensor('x', 'uint8', (1, 64, 64, 3)), {'layout': 'nhwc', 'dtype': 'uint8', 'scale': 1.0}),
    ],
)
def test_the_input_is_as_the_file_has_it(image: Tensor, expected: dict[str, object]) -> None:
    """Layout, colour and type; what goes in as it is is not scaled, and nothing is asked."""
    proposal = proposed(graph(image=image))
    found = proposal.card['input']
    assert {key: found[key] for key in expected} == expected
    assert ('--normalise' in answers(proposal)) == (image.dtype != 'uint8')


@pytest.mark.parametrize(
    ('name', 'scale', 'mean'),
    [
        ('01', 1 / 255, None),
        ('none', 1.0, None),
        ('symmetric', 1 / 255, [0.5, 0.5, 0.5]),
        ('imagenet', 1 / 255, [0.485, 0.456, 0.406]),
    ],
)
def test_the_range_has_names(name: str, scale: float, mean: list[float] | None) -> None:
    """Each preset is what it is called, and ends the question."""
    proposal = proposed(graph(), Asked(normalise=name))
    assert proposal.card['input']['scale'] == pytest.approx(scale)
    assert proposal.card['input'].get('mean') == mean
    assert '--normalise' not in answers(proposal)
    if name != 'none':
        with pytest.raises(ConfigError, match='takes uint8'):
            proposed(graph(image=Tensor('x', 'uint8', SQUARE)), Asked(normalise=name))


def test_an_open_size_is_asked_about() -> None:
    """Unless the metadata or the user says it; what the file fixes cannot be changed."""
    free = Tensor('x', 'float32', OPEN)
    trial = Trial((320, 320), 0.001, '')
    assert '--size' in answers(proposed(graph(image=free, trial=trial)))
    stated = graph(image=free, trial=trial)._replace(size_px=(320, 320))
    assert '--size' not in answers(proposed(stated))
    given = proposed(graph(image=free, trial=Trial((48, 96), 0.0, '')), Asked(size_px=(48, 96)))
    assert given.card['input']['size_px'] == [48, 96]
    with pytest.raises(ConfigError, match='the file fixes 64x64'):
        proposed(graph(), Asked(size_px=(32, 32)))


def test_frames_are_resized_as_the_detector_was_trained() -> None:
    """A YOLO letterboxed; a map with open sides to multiples; the rest stretched."""
    heat = (Output(Tensor('m', 'float32', (1, 1, 320, 320)), '', (1, 1, 320, 320)),)
    free = Tensor('x', 'float32', OPEN)
    trial = Trial((320, 320), 0.001, '')
    assert proposed(graph(yolo(2))).card['input']['resize'] == 'letterbox'
    assert proposed(graph(heat, free, trial=trial)).card['input']['resize'] == 'keep_multiple'
    assert proposed(graph(heat)).card['input']['resize'] == 'stretch'
    assert proposed(graph()).card['input']['crop'] == 'centre_square'
    wide = graph(image=Tensor('x', 'float32', (1, 3, 48, 64)), trial=Trial((48, 64), 0.0, ''))
    assert 'crop' not in proposed(wide).card['input']


def test_a_regression_needs_scales_from_the_user() -> None:
    """1 stands in for them, and is asked about until they are given."""
    proposal = proposed(graph(), Asked(task='regression'))
    assert proposal.card['scales'] == [1.0] * 10
    assert 'scales=' in answers(proposal)
    scales = [2.0] * 10
    told = proposed(graph(), Asked(task='regression', lines={'scales': scales}))
    assert told.card['scales'] == scales
    assert 'scales=' not in answers(told)


def test_any_line_of_the_card_can_be_given() -> None:
    """By its dotted path; a key that no card has is refused with the closest."""
    lines = {'input.colour': 'bgr', 'threads': 2, 'label_map': {'class_0': 'cat', '*': 'rest'}}
    card = proposed(graph(), Asked(lines=lines)).card
    assert card['input']['colour'] == 'bgr'
    assert (card['threads'], card['label_map']) == (2, lines['label_map'])
    with pytest.raises(ModelError, match="unknown key 'input.color'; did you mean 'colour'"):
        proposed(graph(), Asked(lines={'input.color': 'bgr'}))
    with pytest.raises(ConfigError, match='name is no part with keys'):
        proposed(graph(), Asked(lines={'name.first': 'x'}))
    with pytest.raises(SelectorError, match='objectness'):
        proposed(graph(yolo(3)), Asked(lines={'decoding.objectness': 'maybe'}))


@pytest.mark.parametrize(
    ('inputs', 'told'),
    [
        ((), 'none'),
        ((Tensor('x', 'float32', (1, 13)),), r"'x' float32 \(1, 13\)"),
        ((Tensor('x', 'float32', (8, 3, 32, 32)),), 'a batch of 1'),
        (
            (Tensor('x', 'float32', SQUARE), Tensor('size', 'int64', (1, 2))),
            "'size' int64.*export it without the others",
        ),
    ],
)
def test_inputs_that_are_no_image_are_refused(inputs: tuple[Tensor, ...], told: str) -> None:
    """The text lists them, and says what would be right."""
    with pytest.raises(ModelError, match=told):
        proposed(graph()._replace(inputs=inputs))


def test_a_model_that_does_not_run_is_refused_with_why() -> None:
    """The size it was tried at, what onnxruntime said, and the option for another size."""
    with pytest.raises(ModelError, match='failed on a picture of 320x224: dims differ.*--size'):
        proposed(graph(trial=Trial((320, 224), 0.0, 'dims differ')))


def test_long_lists_stay_readable() -> None:
    """Eighty labels stand one a line under their origin; a short one stays on its line."""
    labels = [f'a label with a long name {k}' for k in range(80)]
    text = card_text({'labels': Claim(labels, 'given'), 'short': Claim([1, 2], 'given')}, 'x')
    assert text.count('\n  - ') == 80
    assert 'short: [1, 2]  # given' in text
    assert yaml.safe_load(text) == {'labels': labels, 'short': [1, 2]}


@pytest.mark.parametrize('name', ['no', 'on', '1', '1.5', 'a: b', '# c', "it's", '- d', 'ä', '~'])
def test_any_label_survives_yaml(name: str) -> None:
    """Texts that YAML takes for something else are quoted."""
    assert yaml.safe_load(card_text({'k': Claim([name], 'given')}, 'x')) == {'k': [name]}
