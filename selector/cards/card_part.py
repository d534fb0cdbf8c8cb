"""Card part: what all parts of a model's card share, and how their mistakes are told."""

from __future__ import annotations

from typing import Annotated
from typing import Any
from typing import get_args

from pydantic import AfterValidator
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import ValidationError
from selector.errors import did_you_mean

_MOST_TOLD = 20
# In place of pydantic's words for some kinds of mistake, which are about Python.
_WORDS = {
    'missing': 'missing',
    'string_type': 'must be a text (quote no, on, yes and numbers)',
    'tuple_type': 'must be a list',
    'dict_type': 'must be a mapping of keys',
    'model_type': 'must be a mapping of keys',
    'model_attributes_type': 'must be a mapping of keys',
    'union_tag_not_found': 'its kind is missing',
    'invalid_key': 'a key must be a text',
    'bool_type': 'must be true or false',
    'int_type': 'must be a whole number',
    'float_type': 'must be a number',
}


class Part(BaseModel):
    """A mapping in a card: unknown keys, NaN and infinity are refused, `yes` is no number."""

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False, strict=True)


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 500:
        raise ValueError('must be 1 to 500 printable characters')
    return text


Text = Annotated[str, AfterValidator(_printable)]
"""A name: of a model, a label, an output or a file."""

Digest = Annotated[str, Field(pattern='^[0-9a-f]{64}$')]
"""SHA-256 of a file, in hexadecimal."""

# A list in a file; strict pydantic takes no list for a tuple. What is in it stays strict.
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
Numbers = Annotated[tuple[float, ...], Field(strict=False)]
Positives = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False)]


def problems(err: ValidationError, card: type[BaseModel]) -> list[str]:
    """Return what is wrong with a card, one text each, with the dotted path of the key."""
    found = [_problem(error, card) for error in err.errors(include_url=False)]
    told = list(dict.fromkeys(found))
    more = [f'and {len(told) - _MOST_TOLD} more'] if len(told) > _MOST_TOLD else []
    return told[:_MOST_TOLD] + more


def _problem(error: Any, card: type[BaseModel]) -> str:
    path, known = _followed(error['loc'], card)
    name = '.'.join(path)
    if error['type'] == 'extra_forbidden':
        allowed = did_you_mean(path[-1], known) or f'; allowed here: {", ".join(known)}'
        return f'unknown key {name!r}{allowed}'
    text = _WORDS.get(error['type']) or str(error['msg']).replace('Input should be', 'must be')
    text = ' '.join(text.removeprefix('Value error, ').split()) + _advice(error)
    return f'{name}: {text}' if name else text


def _advice(error: Any) -> str:
    """Return what to do about some kinds of mistake."""
    given, context = error['input'], error.get('ctx', {})
    if error['type'] == 'literal_error' and isinstance(given, str) and len(given) <= 80:
        allowed = str(context['expected']).replace("'", '').replace(' or ', ', ').split(', ')
        return f', not {given!r}{did_you_mean(given, allowed)}'
    if error['type'] == 'union_tag_invalid':
        allowed = str(context['expected_tags']).replace("'", '').split(', ')
        return did_you_mean(str(context['tag']), allowed)
    return ''


def _followed(
    loc: tuple[int | str, ...], card: type[BaseModel]
) -> tuple[list[str], tuple[str, ...]]:
    """Return the path as it stands in the file, and the keys its last mapping may have."""
    path: list[str] = []
    parts, known = [card], tuple(card.model_fields)
    for step in map(str, loc):
        kinds = {kind_of(part): part for part in parts} if len(parts) > 1 else {}
        if step in kinds:  # pydantic names the kind of a part here, which is no key
            parts = [kinds[step]]
            continue
        path.append(step if len(step) <= 80 else f'{step[:77]}...')
        known = tuple(name for part in parts for name in part.model_fields)
        fields = parts[0].model_fields if parts else {}
        parts = _parts_in(fields[step].annotation) if step in fields else []
    return path, known


def _parts_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _parts_in(inner)]


def kind_of(part: type[BaseModel]) -> str:
    """Return what a part that is one of several has as `kind`, '' for any other."""
    field = part.model_fields.get('kind')
    return str(get_args(field.annotation)[0]) if field is not None else ''
