"""Card text: a proposed card as YAML, each line with where its value comes from."""

from __future__ import annotations

from collections.abc import Iterator
import textwrap
from typing import Any

from selector.newcomer.head import Claim
from selector.newcomer.proposed_input import Tree
import yaml

_COLUMNS = 99


def card_text(tree: Tree, heading: str) -> str:
    """Return a tree of claims as YAML.

    Args:
        tree: see `proposal.Proposal`.
        heading: comment of the first line.
    """
    return '\n'.join([f'# {heading}', *_lines(tree, '')]) + '\n'


def _lines(tree: Tree, indent: str) -> Iterator[str]:
    for key, claim in tree.items():
        if isinstance(claim, dict):
            yield f'{indent}{key}:'
            yield from _lines(claim, f'{indent}  ')
        else:
            yield from _line(f'{indent}{key}: ', claim)


def _line(begin: str, claim: Claim) -> Iterator[str]:
    """Yield one value; one that is too long for its comment has it above."""
    text = _value(claim.value)
    if not claim.origin:
        yield f'{begin}{text}'
        return
    comment = f'# {claim.origin}'
    if len(begin) + len(text) + len(comment) + 2 <= _COLUMNS:
        yield f'{begin}{text}  {comment}'
        return
    indent = ' ' * (len(begin) - len(begin.lstrip()))
    yield from textwrap.wrap(f'{indent}{comment}', _COLUMNS, subsequent_indent=f'{indent}# ')
    if isinstance(claim.value, list) and len(begin) + len(text) > _COLUMNS:
        yield begin.rstrip()
        yield from (f'{indent}  - {_value(item)}' for item in claim.value)
    else:
        yield f'{begin}{text}'


def _value(value: Any) -> str:
    """Return a value on one line; texts that YAML would take for something else are quoted."""
    dumped = yaml.safe_dump(
        value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return dumped.removesuffix('\n').removesuffix('\n...')
