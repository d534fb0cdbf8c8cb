"""Proposal: from what an ONNX file shows to a card, with what is known, guessed and asked."""

from __future__ import annotations

from typing import NamedTuple

from selector.cards.card import checked_card
from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.errors import ModelError
from selector.newcomer.graph import Graph
from selector.newcomer.head import Claim
from selector.newcomer.head import FILE
from selector.newcomer.head import GUESS
from selector.newcomer.head import Head
from selector.newcomer.head import Question
from selector.newcomer.proposed_input import Asked
from selector.newcomer.proposed_input import GIVEN
from selector.newcomer.proposed_input import proposed_input
from selector.newcomer.proposed_input import the_image
from selector.newcomer.proposed_input import Tree
from selector.newcomer.recognition import recognise

_TO_FILL_IN = 'to be filled in'


class Proposal(NamedTuple):
    """A card.

    Attributes:
        tree: what stands in it, each value a Claim; mappings are nested.
        questions: what only the user knows.
    """

    tree: Tree
    questions: tuple[Question, ...]

    @property
    def card(self) -> Tree:
        """The card as a plain mapping."""
        return plain(self.tree)


def propose(graph: Graph, name: str, file: str, asked: Asked) -> Proposal:
    """Return the card that fits what a file shows and what the user says.

    Args:
        graph: what the file shows.
        name: of the model.
        file: name of the model file in its folder.
        asked: what the user says.

    Raises:
        ModelError: no card fits; the text goes on after the file's name.
        ConfigError: what the user says contradicts the file or is no part of a card.
    """
    image = the_image(graph)
    if graph.trial is None or graph.trial.fault:
        raise ModelError(_run_fault(graph))
    head = _overruled(recognise(graph, asked.task, len(asked.labels)), asked)
    taken, questions = proposed_input(image, graph, head, asked)
    names, more = _labels(graph, head, asked)
    tree: Tree = {
        'name': Claim(name, 'that of its folder'),
        'task': Claim(head.task, GIVEN if asked.task else head.origin),
        'file': Claim(file, FILE),
        'sha256': Claim(graph.sha256, FILE),
        **({'data_files': Claim(graph.beside, FILE)} if graph.beside else {}),
        **names,
        'input': taken,
        **_outputs(head),
        **_facts(graph, name),
    }
    for key, value in asked.lines.items():
        _set(tree, key, value)
    checked_card(plain(tree), 'the proposed card')
    return Proposal(tree, _open((*head.questions, *questions, *more), asked))


def plain(tree: Tree) -> Tree:
    """Return a tree with values in place of claims."""
    return {
        key: plain(value) if isinstance(value, dict) else value.value
        for key, value in tree.items()
    }


def _overruled(head: Head, asked: Asked) -> Head:
    """Return a head with what the user says of its decoding, on which the labels depend."""
    settings = dict(head.settings)
    for key, value in asked.lines.items():
        part, _, setting = key.partition('.')
        if part == 'decoding' and setting in settings:
            settings[setting] = Claim(value, GIVEN)
    return head._replace(settings=settings)


def _open(questions: tuple[Question, ...], asked: Asked) -> tuple[Question, ...]:
    """Return the questions that no line of the user answers."""
    return tuple(q for q in questions if not any(f'{key}=' in q.answer for key in asked.lines))


def _run_fault(graph: Graph) -> str:
    if graph.trial is None:
        return 'it was not run'
    height, width = graph.trial.size_px
    return (
        f'it loads, but failed on a picture of {height}x{width}: {graph.trial.fault[:300]}; where '
        'it wants another size, say --size HEIGHTxWIDTH'
    )


def _labels(graph: Graph, head: Head, asked: Asked) -> tuple[Tree, tuple[Question, ...]]:
    """Return the labels, or the scales of a regression.

    Raises:
        ConfigError: the user names another number of labels than there are.
    """
    if head.task == 'regression':
        scales = [1.0] * (head.classes or 1)
        return {'scales': Claim(scales, f'{GUESS}: to be filled in')}, ()
    count, names = head.classes, asked.labels or graph.names
    if asked.labels and count not in (None, len(names)):
        raise ConfigError(f'--labels names {len(names)}; the outputs of the file are for {count}')
    if names and count in (None, len(names)):
        origin = GIVEN if asked.labels else f'{FILE}: names in its metadata'
        return {'labels': Claim(_distinct(names), origin)}, ()
    text = 'what are its labels called?'
    if names:
        text = f'its metadata names {len(names)} labels and its outputs are for {count}; which?'
    elif count is None:
        count = _most_seen(graph, head) + 1
        text = f'how many labels has it, and what are they called? {count} are taken'
    made = [f'class_{k}' for k in range(count or 1)]
    question = Question(text, '--labels a,b,c or --labels FILE, one a line')
    return {'labels': Claim(made, f'{GUESS}: the file does not name them')}, (question,)


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Return names of which none repeats: the second `crane` becomes `crane (517)`."""
    seen: set[str] = set()
    distinct = []
    for k, name in enumerate(names):
        distinct.append(f'{name} ({k})' if name in seen else name)
        seen.add(distinct[-1])
    return distinct


def _most_seen(graph: Graph, head: Head) -> int:
    """Return the largest class id that came out of the run on a picture."""
    name = head.roles.get('classes', head.roles.get('labels', ''))
    most = max((o.high for o in graph.outputs if o.tensor.name == name), default=0.0)
    offset = head.settings['label_offset'].value
    return int(min(max(most - (offset if isinstance(offset, int) else 0), 0), 10_000))


def _outputs(head: Head) -> Tree:
    names: Tree = {role: Claim(name, FILE) for role, name in head.roles.items()}
    tree: Tree = {'outputs': names}
    if len(names) == 1:
        tree = {'output': next(iter(names.values()))}
    tree['decoding'] = {'kind': Claim(head.kind, head.origin), **head.settings}
    if head.task == 'detection':
        tree['threshold'] = Claim(0.5, f'{GUESS}: the score from which a box counts')
    return tree


def _facts(graph: Graph, name: str) -> Tree:
    licence = graph.metadata.get('license', '')
    source = f'not measured; selector profile-model {name} does'
    unknown = Claim({'value': None, 'kind': 'unknown', 'source': source}, '')
    return {
        'training_data': Claim('unknown', _TO_FILL_IN),
        'licence': Claim(licence or 'unknown', FILE if licence else _TO_FILL_IN),
        'latency_p50_s': unknown,
        'latency_p99_s': unknown,
        'energy_j': unknown,
    }


def _set(tree: Tree, key: str, value: object) -> None:
    """Set one value that the user gives; the card's own check refuses keys it does not know.

    Raises:
        ConfigError: the path leads through a value.
    """
    *path, last = key.split('.')
    for part in path:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f'--card {key}: {part} is no part with keys{did_you_mean(part, tree)}'
            )
        tree = inner
    tree[last] = Claim(value, GIVEN)
