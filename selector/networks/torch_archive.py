"""Torch archive: what a torch file is, and whether reading it would run code of its own.

Nothing of the file is run or unpickled here. torch has four formats under the same endings. A
state dict is read with `weights_only=True`, which makes tensors only. An exported program is a
graph of known operators, but torch reads some of its parts with a full unpickler: subclassed
tensors, custom objects and, where they are no plain tensors, its constants and sample inputs; and
its symbolic sizes are evaluated as Python. A file with such parts is refused. TorchScript and
whole pickled modules are code and always refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from pathlib import PurePosixPath
import re
from typing import Any
from typing import Literal
import zipfile
import zlib

from selector.errors import ModelError

Kind = Literal['exported', 'pickled']

ADVICE = (
    'save its weights with torch.save(model.state_dict(), FILE), or export it with '
    'torch.export.save(torch.export.export(model.eval(), (image,)), FILE)'
)
_PICKLE = b'\x80'
# The format of torch 2.8 and newer, and the one before.
_EXPORTED = ('archive_format', 'serialized_exported_program.json')
_CODE_PREFIXES = ('custom_obj_', 'opaque_obj_')
# What zipfile and json raise for a file that is cut off, overwritten or locked.
_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError)
_TOKEN = re.compile(r"'[A-Za-z]\w*'|\w+|\S")
_OPERATORS = frozenset('+-*/%(),<>=!&|~.')
_BEFORE_BRACKET = _OPERATORS - {')', '.'}


def kind_of(path: Path) -> Kind:
    """Return whether a file is an exported program or a pickle, which holds tensors at best.

    Raises:
        ModelError: it cannot be read, is no torch file, or is TorchScript.
    """
    try:
        with path.open('rb') as file:
            start = file.read(1)
        names = {}
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = _entries(archive)
    except _DAMAGE as err:
        raise ModelError(f'{path} cannot be read: {one_line(err)}', path=str(path)) from err
    if any(name in names for name in _EXPORTED):
        return 'exported'
    if 'constants.pkl' in names or any(name.startswith('code/') for name in names):
        raise ModelError(f'{path} is TorchScript, which is code; {ADVICE}', path=str(path))
    if 'data.pkl' in names or (not names and start == _PICKLE):
        return 'pickled'
    raise ModelError(f'{path} is no torch file; {ADVICE}', path=str(path))


def refuse_code(path: Path) -> list[bytes]:
    """Refuse an exported program with parts that torch would unpickle or run.

    Returns:
        the pickles in it, which the caller has to try with `weights_only=True`, as torch reads
        them without where that fails.

    Raises:
        ModelError: the file is damaged or has such parts.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = _entries(archive)
            texts = [archive.read(names[name]) for name in names if name.endswith('.json')]
            pickles = [archive.read(names[name]) for name in names if name.endswith('.pt')]
        faults = [fault for text in texts for fault in _faults(text)]
    except _DAMAGE as err:
        raise ModelError(f'{path} is damaged: {one_line(err)}', path=str(path)) from err
    if any('aotinductor' in PurePosixPath(name).parts for name in names):
        faults.append('compiled code')
    if faults:
        raise ModelError(
            f'{path} holds {faults[0]}, which would run code of the file on loading; export a '
            f'model of plain tensors',
            path=str(path),
        )
    return [pickle for pickle in pickles if pickle]


def one_line(err: BaseException) -> str:
    """Return the first line of what an error says, or its kind."""
    return str(err).strip().partition('\n')[0] or type(err).__name__


def _entries(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the names in an archive by the same names without the folder they all lie in."""
    names = archive.namelist()
    root = names[0].partition('/')[0] + '/' if names else ''
    shared = all(name.startswith(root) for name in names)
    return {name.removeprefix(root) if shared else name: name for name in names}


def _faults(text: bytes) -> list[str]:
    """Return what in a JSON part would run code."""
    found: list[str] = []

    def look(part: dict[str, Any]) -> None:
        if part.get('use_pickle'):
            found.append('a pickled tensor')
        if str(part.get('path_name', '')).startswith(_CODE_PREFIXES):
            found.append('a custom object')
        if not _arithmetic(str(part.get('expr_str', ''))):
            found.append(f'the size {part["expr_str"]!r}')

    json.loads(text, object_hook=look)
    return found


def _arithmetic(expression: str) -> bool:
    """Return whether an expression has names, numbers, operators and sympy's functions only.

    Those functions begin with a capital letter, as no built-in function of Python does. A name
    may stand in quotes, as in Symbol('s0', integer=True).
    """
    tokens = _TOKEN.findall(expression)
    for token, following in zip(tokens, [*tokens[1:], ''], strict=False):
        name = token if token.isidentifier() else token.strip("'")
        if '__' in name or not (name.isalnum() or name.isidentifier() or token in _OPERATORS):
            return False
        if name.startswith('_') or (token == '.' and not following.isdecimal()):
            return False
        # A call is of a name with a capital letter; `(exit)()` is a call as well.
        if following == '(' and not (token in _BEFORE_BRACKET or token[0].isupper()):
            return False
    return True
