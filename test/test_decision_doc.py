"""The document of the decision: its symbols are what the messages hold."""

from pathlib import Path
import re

import pytest

REPO = Path(__file__).resolve().parent.parent
TEXT = (REPO / 'docs' / 'decision.md').read_text(encoding='utf-8')
ROWS = [line for line in TEXT.split('\n') if line.startswith('| ') and '`' in line]


def fields(name: str) -> set[str]:
    """Return the fields of a message."""
    text = (REPO / 'selector_msgs' / 'msg' / f'{name}.msg').read_text(encoding='utf-8')
    lines = [line.split('#')[0].split() for line in text.split('\n')]
    return {line[1] for line in lines if len(line) == 2 and '=' not in line[1]}


def table() -> list[tuple[str, str]]:
    """Return symbol and place of every row of the table of symbols."""
    begin = TEXT.index('| symbol | meaning')
    block = TEXT[begin : TEXT.index('\n\n', begin)].split('\n')[2:]
    return [(cells[1].strip(), cells[4].strip()) for cells in (row.split('|') for row in block)]


def test_the_table_is_there() -> None:
    """The table lists at least the symbols of the two formulas of the rule."""
    symbols = ' '.join(symbol for symbol, _ in table())
    for needed in ('net_k', 'gain_k', 'w', 'p_arrive', 'reach', 'V', 'beta_r', 'lambda_r', 'c_kr'):
        assert needed in symbols


@pytest.mark.parametrize(('symbol', 'place'), table())
def test_every_symbol_is_a_field_of_the_message(symbol: str, place: str) -> None:
    """Each name that the table gives is a field of Decision, or of Tier behind `tiers[].`."""
    if place.startswith('B of the purse') or place.startswith('header'):
        return  # a sum of fields, and the reserve, which stands in the log
    names = re.findall(r'`([a-z_.\[\]]+)`', place)
    assert names, symbol
    for name in names:
        bare = name.replace('[]', '')
        kind, field = ('Tier', bare[6:]) if bare.startswith('tiers.') else ('Decision', bare)
        assert field in fields(kind), f'{symbol}: {name}'
