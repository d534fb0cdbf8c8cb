"""What is measured and written once a mission."""

import json
from pathlib import Path

import pytest
from selector.config import from_flat
from selector.errors import LogError
from selector.ros.mission import close_mission
from selector.ros.mission import measured
from selector.ros.mission import open_mission
from selector.ros.tally import Tally
from small_pair import small_pair


def test_latency_leaves_out_the_cold_runs() -> None:
    """The first runs do not count; p99 is the slowest of the rest and the handover."""
    p50_s, p99_s = measured([9.0] * 5 + [0.010] * 14 + [0.030])
    assert (p50_s, p99_s) == (0.010, pytest.approx(0.035))


def test_latency_has_a_tail() -> None:
    """Runs that are all alike still promise no p99 below one and a half times the median."""
    p50_s, p99_s = measured([0.010] * 20)
    assert (p50_s, p99_s) == (0.010, pytest.approx(0.020))


def test_measured_latency_is_what_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log's settings hold this machine's figures, not those of the card."""
    pair = small_pair(tmp_path / 'models', monkeypatch)
    given = {**pair.parameters(), 'audit.folder': str(tmp_path / 'runs')}
    mission = open_mission(from_flat(given))
    (spec,) = mission.header.settings.tiers
    assert (spec.latency_p50_s, spec.latency_p99_s) == mission.latency == (0.0, 0.005)
    assert mission.header.clock == 'ros'
    close_mission(mission, Tally())


def test_summary_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is closed even where its summary cannot be written; the error names the file."""
    pair = small_pair(tmp_path / 'models', monkeypatch)
    given = {**pair.parameters(), 'audit.folder': str(tmp_path / 'runs')}
    mission = open_mission(from_flat(given))
    (mission.folder / 'summary.json').mkdir()
    with pytest.raises(LogError, match=r'cannot write .*summary\.json'):
        close_mission(mission, Tally())
    last = (mission.folder / 'audit' / '000000.jsonl').read_text().splitlines()[-1]
    assert json.loads(last)['kind'] == 'close'


def test_log_folder_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder that cannot be made is one clear error."""
    pair = small_pair(tmp_path / 'models', monkeypatch)
    (tmp_path / 'runs').write_text('')
    given = {**pair.parameters(), 'audit.folder': str(tmp_path / 'runs')}
    with pytest.raises(LogError, match='cannot make the run folder'):
        open_mission(from_flat(given))
