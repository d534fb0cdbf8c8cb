"""Demo: the real node in its own process, a recorded stream, and what came of it."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import threading
from typing import NamedTuple

import click
import numpy as np
from selector.audit import Flaw
from selector.audit import records
from selector.audit import segments
from selector.bag import Bag
from selector.build import FAST
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.config import Config
from selector.config import flat
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.errors import BagError
from selector.errors import MissingError
from selector.errors import SelectorError
from selector.installed import share
from selector.justification import Justification
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.redecision import verify
from selector.table import ProfileTable
from selector.tools.profile import profile_bag
from selector.tools.report import closing_line
from selector.tools.report import progress
from selector.tools.report import worth_explaining
from selector.tools.tradeoff import advantage
from selector.tools.tradeoff import render
from selector.tools.tradeoff import rows

SETTINGS = ('decision.reuse_max_age_s=3.0',)
"""What the demo sets besides the defaults: its objects stay in view for one to three seconds."""

_START_S, _STOP_S = 60.0, 20.0
_ACTIVE = 'selector: active, log in '


class Live(NamedTuple):
    """What a live log says about each frame of the table, in the table's order."""

    invoked: np.ndarray
    answer: np.ndarray


def demo(config: Config, bag: Path | None, rate: float, out: Path | None, *, quiet: bool) -> int:
    """Play `bag` into the running node at `rate` and report; 0 when all is answered and verified.

    Raises:
        MissingError: ROS 2 is not there.
        SelectorError: the node or the player failed; the message holds their last words.
    """
    if importlib.util.find_spec('rclpy') is None:
        raise MissingError(
            'ROS 2 is not installed for this Python; run `make setup`, or use '
            '`selector replay BAG`, which needs no ROS'
        )
    bag = bag or share() / 'bags' / 'patrol'
    made = plan(config)
    profile = profile_bag(Bag(bag), made, progress=progress(quiet, 'frames profiled'))
    if not quiet:
        click.echo('\rplaying the stream into the node …', err=True)
    folder, played = _run_live(config, bag, rate, out)
    live = read_live(folder, profile.table)
    verdict = verify(folder)
    unanswered = played['frames'] - played['answered']
    click.echo(render(rows(profile, made, live.invoked, live.answer), _energy_kind(made)))
    if words := advantage(profile, live.invoked, live.answer):
        click.echo(words)
    click.echo(worth_explaining(folder))
    click.echo(f'files: {folder} (audit/ is the log, config.yaml the parameters)')
    click.echo(closing_line('demo', played['frames'], unanswered, verdict))
    whole = verdict.sound and unanswered == 0 and verdict.decisions == played['frames']
    return 0 if whole else 1


def _energy_kind(made: Plan) -> str:
    return made.cards[SLOW].energy_j.kind


def environment() -> dict[str, str]:
    """Return an environment in which the demo meets no other ROS graph and opens no socket."""
    transport = share() / 'config' / 'fastdds_shm.xml'
    named = {
        'ROS_DOMAIN_ID': str(101 + os.getpid() % 100),
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(transport),
        'FASTDDS_DEFAULT_PROFILES_FILE': str(transport),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT',
    }
    logs = {} if 'HOME' in os.environ else {'ROS_LOG_DIR': tempfile.gettempdir()}
    return {**os.environ, **logs, **(named if transport.is_file() else {})}


def _run_live(
    config: Config, bag: Path, rate: float, out: Path | None
) -> tuple[Path, dict[str, int]]:
    values = flat(config) | {'image.reliability': 'reliable', 'image.queue_depth': 10}
    if out is not None:
        values |= {'audit.folder': str(out.parent), 'mission.name': out.name}
    elif config.mission.name == 'mission':
        values |= {'mission.name': 'demo'}
    named = [f'-p{name}:={_yaml(value)}' for name, value in values.items()]
    given = [part for text in named for part in ('-p', text[2:])]
    node = _Process(['selector.ros.node', '--ros-args', '-p', 'use_sim_time:=true', *given])
    try:
        folder = Path(node.wait_for(_ACTIVE, _START_S))
        player = subprocess.run(
            [
                sys.executable,
                '-m',
                'selector.ros.player',
                str(bag),
                '--rate',
                str(rate),
                '--ahead',
                '1',
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        node.stop()
    if not player.stdout.strip():
        raise SelectorError(f'the player ended with code {player.returncode} before it began')
    return folder, json.loads(player.stdout.strip().splitlines()[-1])


def _yaml(value: object) -> str:
    return json.dumps(value)


class _Process:
    """The node in a process of its own; its words are kept for an error message."""

    def __init__(self, module: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', *module],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._news:
                self._lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_for(self, text: str, timeout_s: float) -> str:
        """Return what follows `text` in the node's words."""

        def found() -> bool:
            return any(text in line for line in self._lines) or self._process.poll() is not None

        with self._news:
            self._news.wait_for(found, timeout_s)
            for line in self._lines:
                if text in line:
                    return line.split(text, 1)[1].strip()
            words = ' | '.join(self._lines[-5:]) or 'it said nothing'
        raise SelectorError(f'the node did not start: {words}')

    def stop(self) -> None:
        """Ask the node to end as a user would; it closes its log."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()


def read_live(folder: Path, table: ProfileTable) -> Live:
    """Return where the log's run had slow run and what it answered, matched by stamp.

    Raises:
        BagError: the log's frames are not those of the table.
    """
    run = _Answers(table)
    for found in records(segments(folder)):
        if isinstance(found, Flaw):
            break
        if isinstance(found.body, Justification):
            run.decided(found.body)
        elif isinstance(found.body, OutcomeRecord):
            run.learned(found.body)
    return Live(run.invoked, run.answer)


class _Answers:
    """What was answered about each frame of a table, as the records tell it one by one."""

    def __init__(self, table: ProfileTable) -> None:
        self._place = {int(stamp): k for k, stamp in enumerate(table.stamp_ns)}
        self._frame: dict[int, int] = {}
        self._said: dict[tuple[int, str], int] = {}
        self.invoked = np.zeros(len(self._place), np.bool_)
        self.answer = np.full(len(self._place), -1, np.int64)

    def decided(self, record: Justification) -> None:
        """Take in a decision."""
        offer, decision = record.offer, record.decision
        if offer.stamp_ns not in self._place:
            raise BagError(f'the log has a frame of stamp {offer.stamp_ns}, the bag not')
        k = self._frame[offer.sequence] = self._place[offer.stamp_ns]
        self._said[offer.sequence, FAST] = offer.fast_class
        shadowed = decision.reason is Reason.SHADOWED
        self.invoked[k] = decision.purse is not Purse.NONE and not shadowed
        kept = decision.base.name if shadowed else decision.chosen
        reused = (record.carried, record.carried_tier)
        self._said[offer.sequence, REUSE] = self._said.get(reused, -1)
        source = reused if kept == REUSE else (offer.sequence, FAST)
        self.answer[k] = self._said.get(source, -1)

    def learned(self, record: OutcomeRecord) -> None:
        """Take in an outcome; a frame that waited has its answer with it."""
        outcome = record.outcome
        if outcome.kind is not OutcomeKind.LABEL:
            self._said[outcome.sequence, outcome.tier] = outcome.class_id
        if record.committed:
            said = self._said.get((outcome.sequence, record.committed), -1)
            self.answer[self._frame[outcome.sequence]] = said
