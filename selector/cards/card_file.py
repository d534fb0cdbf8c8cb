"""Card file: a mapping from YAML that may come from anybody, and files that a card names."""

from __future__ import annotations

import hashlib
from pathlib import Path
import re
import stat
from typing import Any

from selector.errors import ModelError
import yaml

CARD = 'card.yaml'
_CARD_BYTES = 1_000_000
_MOST_VALUES = 500_000
_MODEL_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):
    """Refuses repeated keys, and aliases by which a few lines stand for a million values."""

    def get_single_data(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > _MOST_VALUES:
            raise ValueError(f'its aliases stand for more than {_MOST_VALUES} values')
        return self.construct_document(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                told = f'key {key.value!r} stands twice; keep one'
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return how many values a node stands for, each alias counted as what it stands for."""
    if id(node) not in sizes:
        sizes[id(node)] = _MOST_VALUES + 1  # until it is known: a node within itself has no end
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        flat = [part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,))]
        sizes[id(node)] = 1 + sum(_size(part, sizes) for part in flat)
    return sizes[id(node)]


# YAML 1.1 takes 1e-3 for a text.
_Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float',
    re.compile(r'[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$'),
    [*'-+0123456789'],
)


def read_tree(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        OSError: the file cannot be read.
        ModelError: it is too large, no YAML, or no mapping with texts as keys.
    """
    with path.open('rb') as file:
        data = file.read(_CARD_BYTES + 1)
    if len(data) > _CARD_BYTES:
        raise ModelError(f'{path} is larger than {_CARD_BYTES} bytes; no card is', path=str(path))
    try:
        tree = yaml.load(data.decode(), _Loader)
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, RecursionError) as err:
        deep = isinstance(err, RecursionError)
        told = 'it is nested too deeply' if deep else ' '.join(str(err).split())
        raise ModelError(f'{path} is no YAML: {told}', path=str(path)) from err
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise ModelError(f'{path} is no card: it holds no mapping of keys', path=str(path))
    return tree


def file_in(folder: Path, name: str) -> Path:
    """Return the path of a file that the card in `folder` names.

    Args:
        folder: the folder of the card, right in the models folder. Where it, or the card in it, is
            a link (as `colcon build --symlink-install` makes them), the models folder that the
            link leads to counts as well.
        name: path from there; `../other/model.onnx` is a file of another model.

    Raises:
        ModelError: the path leads out of the models folder, through a link or without one.
    """
    path = folder / name
    try:
        real, card = path.resolve(), (folder / CARD).resolve()
        roots = [folder.parent.resolve()]
    except (OSError, RuntimeError, ValueError) as err:  # a loop of links, a NUL in the name
        raise ModelError(f'file {name!r} of {folder}: {err}', path=str(path)) from err
    if card.parent.name == folder.name:
        roots.append(card.parent.parent)
    if not any(real.is_relative_to(root) for root in roots):
        raise ModelError(
            f'{path} leads to {real}, outside the models folder {roots[0]}; nothing is loaded '
            f'from there: copy the file into {folder}',
            path=str(path),
        )
    return path


def check_digest(path: Path, sha256: str) -> None:
    """Compare the digest of a file with the one that a card names.

    Raises:
        ModelError: the file cannot be read, is larger than 4 GiB, or is another one.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f'model file {path} cannot be read: it is no file', path=str(path))
        if status.st_size > _MODEL_BYTES:
            raise ModelError(f'model file {path} is larger than 4 GiB', path=str(path))
        found = _digest(path)
    except OSError as err:
        raise ModelError(
            f'model file {path} cannot be read: {err.strerror}', path=str(path)
        ) from err
    if found != sha256:
        raise ModelError(
            f'model file {path} is not the one its card names: expected sha256 {sha256}, '
            f'found {found}; restore the file, or correct the card if the change was meant',
            path=str(path),
            expected=sha256,
            found=found,
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
