"""Params: the shipped parameter file and the page of the docs are those of the table."""

from __future__ import annotations

from pathlib import Path

from selector.config import Config
from selector.config_file import load
from selector.tools.params import as_markdown
from selector.tools.params import as_text
from selector.tools.params import as_yaml

REPO = Path(__file__).resolve().parents[2]


def test_shipped_file_is_the_table() -> None:
    """config/selector.yaml is what `selector params --format yaml` writes, and reads back."""
    path = REPO / 'config' / 'selector.yaml'
    assert path.read_text() == as_yaml(Config())
    assert load(path) == Config()


def test_page_is_the_table() -> None:
    """docs/parameters.md is what `selector params --format markdown` writes."""
    assert (REPO / 'docs' / 'parameters.md').read_text() == as_markdown()


def test_changed_values_are_marked() -> None:
    """The text shows the value in force and says which ones are not the default."""
    text = as_text(load(None, ('decision.deadline_s=0.2',)))
    assert 'decision.deadline_s = 0.2 (changed)' in text
    assert text.count('(changed)') == 1
