"""Config file: YAML in both forms and `--set` give the same parameters, or one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.config import Config
from selector.config import flat
from selector.config import from_flat
from selector.config_file import load
from selector.config_file import read_values
from selector.errors import ConfigError
from selector.tools.params import as_yaml
import yaml


def written(folder: Path, text: str) -> Path:
    """Write a parameter file; return its path."""
    path = folder / 'parameters.yaml'
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    'text',
    [
        'decision: {deadline_s: 0.2}\nbudget: {slow_calls: {rate_hz: 1}}',
        'decision.deadline_s: 0.2\nbudget.slow_calls.rate_hz: 1',
        'decision: {deadline_s: 0.2}\nbudget: {slow_calls.rate_hz: 1}',
        '/**: {ros__parameters: {decision: {deadline_s: 0.2}, budget.slow_calls.rate_hz: 1}}',
        '/robot/selector: {ros__parameters: {decision.deadline_s: 0.2, '
        'budget: {slow_calls: {rate_hz: 1.0}}}}',
    ],
)
def test_every_form_reads_the_same(tmp_path: Path, text: str) -> None:
    """Plain and ROS form, nested and dotted names give the same configuration."""
    wanted = from_flat({'decision.deadline_s': 0.2, 'budget.slow_calls.rate_hz': 1.0})
    assert load(written(tmp_path, text)) == wanted


@pytest.mark.parametrize('text', ['', '# nothing\n', '/**: {ros__parameters: }\n', '{}'])
def test_a_file_without_parameters_gives_the_defaults(tmp_path: Path, text: str) -> None:
    """An empty file, plain or in ROS form, changes nothing."""
    assert load(written(tmp_path, text)) == Config()


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('a: [1', 'is no YAML'),
        ('- 1\n- 2', 'holds no mapping'),
        ('just words', 'holds no mapping'),
        ('/**: {ros__parameters: [1, 2]}', 'holds no mapping'),
        ('/**: {ros__parameters: 3}', 'holds no mapping'),
        ('a: {ros__parameters: {}}\nb: {ros__parameters: {}}', 'parameters of 2 nodes'),
        ('/**: {ros__parameters: {}}\ndecision: {stake: 2}', 'decision'),
        ('decision: 3', "unknown parameter 'decision'"),
        ('3: 4', "unknown parameter '3'"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    """What is no parameter file is refused in one line, and nothing in it is dropped silently."""
    with pytest.raises(ConfigError, match='.+') as caught:
        load(written(tmp_path, text))
    assert told in str(caught.value)
    assert '\n' not in str(caught.value)


def test_missing_binary_or_folder_is_a_config_error(tmp_path: Path) -> None:
    """A file that cannot be read as text is named."""
    binary = tmp_path / 'binary.yaml'
    binary.write_bytes(b'\xff\xfe\x00\x80')
    for path in (tmp_path / 'none.yaml', tmp_path, binary):
        with pytest.raises(ConfigError, match=str(path)):
            read_values(path)


@pytest.mark.parametrize(
    ('setting', 'name', 'value'),
    [
        ('decision.deadline_s=0.2', 'decision.deadline_s', 0.2),
        ('decision.deadline_s=1e-2', 'decision.deadline_s', 0.01),
        (' decision.stake = 3 ', 'decision.stake', 3.0),
        ('models.threads=2', 'models.threads', 2),
        ('decision.shadow=true', 'decision.shadow', True),
        ('mission.name=a=b', 'mission.name', 'a=b'),
        ('mission.name=007', 'mission.name', '007'),
        ('mission.name=yes', 'mission.name', 'yes'),
        ('mission.name=', 'mission.name', ''),
        ('models.folder=[x', 'models.folder', '[x'),
    ],
)
def test_set_parses_by_the_type_of_the_parameter(setting: str, name: str, value: object) -> None:
    """A text parameter takes the text as it stands, the others read it as YAML."""
    told = flat(load(None, (setting,)))[name]
    assert told == value
    assert type(told) is type(value)


@pytest.mark.parametrize(
    'setting',
    [
        'decision.deadline_s',
        '=3',
        'decision.deadline_s=',
        'decision.deadline_s=[1',
        'decision.deadline_s={a: 1}',
        'decision.shadow=1',
        'models.threads=true',
        'models.threads=1.5',
        'decision.stake=.nan',
        'decision.stake=: :',
        'decision.stake="',
        'decision.stake=!!python/object:os.system x',
    ],
)
def test_a_bad_setting_is_a_config_error(setting: str) -> None:
    """No text after `--set` escapes as another kind of error, nor as several lines."""
    with pytest.raises(ConfigError, match='.+') as caught:
        load(None, (setting,))
    assert '\n' not in str(caught.value)


@given(st.text(max_size=12))
def test_no_text_crashes_a_setting(text: str) -> None:
    """Any text for a number is a value in range or a ConfigError."""
    try:
        config = load(None, (f'decision.stake={text}',))
    except ConfigError:
        return
    assert 0.0 <= config.decision.stake <= 1000.0


def test_settings_win_over_the_file_and_are_checked_with_it(tmp_path: Path) -> None:
    """File and settings are one candidate: the later wins, all mistakes are told together."""
    path = written(tmp_path, 'decision: {stake: 2, deadline_s: 0.5, nonsense: 1}')
    with pytest.raises(ConfigError, match='nonsense') as caught:
        load(path, ('models.threads=0',))
    assert 'models.threads' in str(caught.value)
    fine = written(tmp_path, 'decision: {stake: 2, deadline_s: 0.5}')
    config = load(fine, ('decision.stake=3', 'decision.stake=4'))
    assert (config.decision.stake, config.decision.deadline_s) == (4.0, 0.5)


@pytest.mark.parametrize('name', ["it's", 'a: b', '# x', '', ' ', 'two\nlines', 'é', "'", '\t'])
def test_a_written_parameter_file_reads_back(tmp_path: Path, name: str) -> None:
    """`params --format yaml` and the run folder's config.yaml give the configuration again."""
    values: dict[str, Any] = {'mission.name': name, 'budget.slow_calls.price_ceiling': 1e-06}
    config = from_flat(values)
    assert load(written(tmp_path, as_yaml(config))) == config
    dumped = yaml.safe_dump({'/**': {'ros__parameters': flat(config)}})
    assert load(written(tmp_path, dumped)) == config


def test_parameters_of_the_node_alone_are_passed_over(tmp_path: Path) -> None:
    """A node's file may hold use_sim_time and autostart, which mean nothing without ROS."""
    path = tmp_path / 'robot.yaml'
    path.write_text('/**: {ros__parameters: {use_sim_time: true, autostart: false}}')
    assert load(path) == Config()
