"""Models add: the verb that makes a model of an ONNX file, and says what to check about it."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import shlex
from typing import Any

import click
from selector.config import Config
from selector.errors import SelectorError
from selector.newcomer.graph import Graph
from selector.newcomer.head import shape
from selector.newcomer.head import shape_text
from selector.overlay import boxes_text
from selector.tasks.classification import Classification
from selector.tasks.detection import Boxes
from selector.tasks.regression import Values
from selector.tools.add_options import Options
from selector.tools.add_options import parsed
from selector.tools.new_model import add_model
from selector.tools.new_model import Added
from selector.tools.new_model import MODEL
from selector.tools.new_model import PREVIEW
from selector.tools.new_model import Wanted

_TOP = 5


def models_add_report(
    config: Config, file: Path, options: Options, *, as_json: bool = False
) -> int:
    """Check a file, write a card for it, show a picture with its answer, and say what to check.

    Args:
        config: where the models are, and their threads.
        file: the ONNX file.
        options: what the user says.
        as_json: print JSON.

    Raises:
        SelectorError: the file cannot be used, contradicts what is said of it, or its name is
            taken; nothing has been written then.
    """
    wanted = parsed(file, options)
    try:
        made = add_model(config, wanted)
    except SelectorError as err:
        if wanted.dry_run and 'card' in err.values:
            click.echo(err.values['card'])
        raise
    if as_json:
        click.echo(json.dumps(_tree(made, wanted), allow_nan=False))
    else:
        click.echo('\n'.join(_lines(made, wanted)))
    return 0


def _lines(made: Added, wanted: Wanted) -> Iterator[str]:
    """Yield what is printed."""
    yield from _found(made, wanted)
    if wanted.dry_run:
        yield f'\n{made.text.rstrip()}\n'
    if made.proposal.questions:
        mend = f'correct card.yaml, or remove {made.folder} and add it again with the option'
        yield f'please check. Where it is otherwise, {"give" if wanted.dry_run else mend}:'
    for number, question in enumerate(made.proposal.questions, 1):
        yield f'  {number}. {question.text}'
        yield f'     {question.answer}'
    if wanted.dry_run:
        yield 'nothing was written (--dry-run)'
        return
    yield f'files: {made.folder}: card.yaml (guesses are marked), {MODEL}, {PREVIEW}: look at it'
    yield 'next:'
    yield from (f'  {command}' for command in _next(made, wanted))


def _found(made: Added, wanted: Wanted) -> Iterator[str]:
    graph, card = made.graph, made.proposal.card
    assert graph.trial is not None
    height, width = graph.trial.size_px
    opset = f'operation set {graph.opset}'
    by = f', by {graph.producer}' if graph.producer else ''
    yield f'{wanted.file}: {_size_text(graph.size_bytes)}, {opset}{by}; it loads and runs'
    for tensor in graph.inputs:
        yield f'  input   {tensor.name} {shape_text(tensor.shape)} {tensor.dtype}'
    for output in graph.outputs:
        yield f'  output  {output.tensor.name} {shape_text(shape(output))} {output.tensor.dtype}'
    yield f'taken for {card["task"]}, decoding {card["decoding"]["kind"]}'
    picture = wanted.image.name if wanted.image else 'a drawn street (show it yours with --image)'
    yield (f'on {picture}: {_said(made)}; one call took {1e3 * made.answer.wall_s:.3g} ms here')


def _said(made: Added) -> str:
    """Return the answer in words."""
    answer, content = made.answer, made.answer.content
    if isinstance(content, Values):
        return ', '.join(f'{value:.4g}' for value in content.values[:_TOP])
    order = sorted(range(len(answer.scores)), key=lambda k: -answer.scores[k])[:_TOP]
    if isinstance(content, Boxes):
        names = [f'{made.labels[content.class_ids[k]]} {answer.scores[k]:.2f}' for k in order]
        return f'{boxes_text(answer, content)}{": " if names else ""}{", ".join(names)}'
    return ', '.join(f'{made.labels[k]} {answer.scores[k]:.2f}' for k in order)


def _next(made: Added, wanted: Wanted) -> tuple[str, str]:
    """Return the commands that measure the model, and use it."""
    folder = f' --set models.folder={shlex.quote(str(wanted.folder))}' if wanted.folder else ''
    pair = f'--set models.fast=NAME --set models.slow={made.name} --set models.correlation='
    use = f'selector replay BAG{folder} {pair}'
    if made.proposal.card['task'] != Classification.name:
        file = f'selector params --format yaml{folder} {pair} > my.yaml'
        use = f'{file}; ros2 launch model_selector selector.launch.py params_file:=my.yaml'
    return f'selector profile-model {made.name}{folder}', use


def _tree(made: Added, wanted: Wanted) -> dict[str, Any]:
    answer, content = made.answer, made.answer.content
    return {
        'name': made.name,
        'folder': None if wanted.dry_run else str(made.folder),
        'file': _facts(made.graph),
        'card': made.proposal.card,
        'questions': [question._asdict() for question in made.proposal.questions],
        'answer': {
            'scores': answer.scores,
            'class_id': answer.class_id,
            'boxes': content._asdict() if isinstance(content, Boxes) else None,
            'values': content._asdict() if isinstance(content, Values) else None,
            'wall_s': answer.wall_s,
        },
        'next': [] if wanted.dry_run else list(_next(made, wanted)),
    }


def _facts(graph: Graph) -> dict[str, Any]:
    return {
        'sha256': graph.sha256,
        'size_bytes': graph.size_bytes,
        'opset': graph.opset,
        'producer': graph.producer,
        'inputs': [tensor._asdict() for tensor in graph.inputs],
        'outputs': [
            {**output.tensor._asdict(), 'came_out': output.shape} for output in graph.outputs
        ],
        'metadata': graph.metadata,
        'run_on_zeros_s': graph.trial.wall_s if graph.trial else None,
    }


def _size_text(size_bytes: int) -> str:
    return f'{size_bytes / 1e6:.1f} MB' if size_bytes >= 1e6 else f'{size_bytes / 1e3:.1f} kB'
