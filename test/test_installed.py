"""Installed: where the models lie, in a checkout and where the package was installed."""

from pathlib import Path

import pair
import pytest
from selector.errors import MissingError
from selector.installed import share


def test_share_is_the_checkout_or_an_error_with_the_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The checkout is found; where there is none, the error names where it looked, exit 3."""
    assert share() == pair.MODELS.parent
    monkeypatch.setattr(
        'selector.installed.__file__', str(tmp_path / 'site' / 'selector' / 'b.py')
    )
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'prefix'))
    monkeypatch.setattr('sys.prefix', str(tmp_path / 'venv'))
    with pytest.raises(MissingError, match=str(tmp_path / 'prefix')) as caught:
        share()
    assert caught.value.exit_code == 3
    for name in ('models', 'config'):
        (tmp_path / 'prefix' / 'share' / 'model_selector' / name).mkdir(parents=True)
    assert share() == tmp_path / 'prefix' / 'share' / 'model_selector'
