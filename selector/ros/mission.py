"""Mission: what is loaded, measured and opened once, from configure to cleanup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from datetime import timezone
import functools
import itertools
import json
from pathlib import Path
import re
from typing import NamedTuple

from selector import build
from selector.audit import AuditLog
from selector.audit import Head
from selector.audit import Header
from selector.build import Latency
from selector.build import Plan
from selector.cards.card import FigureCard
from selector.config import Config
from selector.config import public
from selector.config_file import ros_form
from selector.errors import LogError
from selector.loading import FromTopic
from selector.loading import load_model
from selector.perception import Perception
from selector.prediction import Model
from selector.ros.tally import quantile
from selector.ros.tally import Tally
from selector.task import Task
from selector.workers.process_worker import ProcessWorker
from selector.workers.worker import Finished
from selector.workers.worker import Worker

SlowWorker = Worker | ProcessWorker

WARM_UP_RUNS = 20
_COLD_RUNS = 5
_TAIL = 1.5
_HANDOVER_S = 0.005


class Mission(NamedTuple):
    """The parts of one mission.

    Attributes:
        folder: the run folder.
        header: header of the log.
        fast: the model that answers every frame, warmed up.
        slow: runs the slow model, which is warmed up; its `done` is to be set.
        latency: of the slow model on this machine.
        task: what their answers are.
        call_energy: of a slow call, from its card [J].
        perception: joins models' answers, controller and log.
    """

    folder: Path
    header: Header
    fast: Model
    slow: SlowWorker
    latency: Latency
    task: Task
    call_energy: FigureCard
    perception: Perception


def measured(times_s: Sequence[float]) -> Latency:
    """Return the latency that warm-up runs [s] promise.

    The first runs are cold and say nothing. The rest run alone in an idle process, and only a few
    times: their tail is shorter than in service, so p99 is at least one and a half times the
    median. Nor do they wait for the model's thread, beside the fast model and the image callbacks:
    on two busy cores that made p99 about 6 ms longer and the median 1 ms. A deadline would look
    safer than it is without both allowances.
    """
    warm = times_s[_COLD_RUNS:] or times_s
    p50_s, p99_s = quantile(warm, 0.5) or 0.0, quantile(warm, 0.99) or 0.0
    return Latency(p50_s, max(p99_s, _TAIL * p50_s) + _HANDOVER_S)


def open_mission(config: Config, from_topic: FromTopic | None = None) -> Mission:
    """Load and warm up the models, make the run folder and open the log.

    Args:
        config: the parameters.
        from_topic: makes the model of a card that names topics.

    Raises:
        SelectorError: a model, the correlation, the budget or the folder is bad.
    """
    made = build.draft(config)
    fast = build.build_model(made, build.FAST, from_topic)
    fast.warm_up(WARM_UP_RUNS)
    slow, times_s = slow_worker(made, from_topic)
    try:
        return _opened(config, made, fast, slow, measured(times_s))
    except BaseException:
        slow.stop(0.0)
        raise


def _opened(
    config: Config, made: Plan, fast: Model, slow: SlowWorker, latency: Latency
) -> Mission:
    made = build.plan(config, {build.SLOW: latency})
    controller = build.build_controller(made)
    folder = _run_folder(config)
    header = build.header(made, folder.name, 'ros')
    log = AuditLog(folder / 'audit', header, config.audit.segment_records)
    perception = Perception(
        controller,
        log,
        config.decision.deadline_s,
        config.decision.max_skew_s,
        key=build.audit_key(config, folder.name),
        looks=build.needs_scene(made),
        task=made.task,
    )
    return Mission(
        folder, header, fast, slow, latency, made.task, made.cards[build.SLOW].energy_j, perception
    )


def slow_worker(made: Plan, from_topic: FromTopic | None = None) -> tuple[SlowWorker, list[float]]:
    """Return what runs the slow model, and the times of its warm-up runs [s].

    Raises:
        ModelError: the model cannot be loaded.
    """
    models, card = made.config.models, made.cards[build.SLOW]
    if models.slow_worker == 'thread' or card.runtime == 'topic':
        model = build.build_model(made, build.SLOW, from_topic)
        times_s = model.warm_up(WARM_UP_RUNS)
        return Worker(build.SLOW, model, _nobody, made.task), times_s
    worker = ProcessWorker(
        build.SLOW,
        functools.partial(load_model, card, build.means(made)),
        _nobody,
        task=made.task,
        warm_up_runs=WARM_UP_RUNS,
        hang_s=models.slow_hang_s,
        memory_limit_bytes=models.slow_memory_bytes,
    )
    return worker, worker.wait_until_ready()


def _nobody(_finished: Finished) -> None:
    """Take the end of a call before there is a stream; none is made until then."""


def close_mission(mission: Mission, tally: Tally) -> Head:
    """Close the log and write `summary.json`.

    Raises:
        LogError: the summary cannot be written; the log is closed all the same.
    """
    mission.slow.stop(0.0)  # the stream has done so, where there was one
    log = mission.perception.log
    head = log.close()
    summary = {
        'mission_id': mission.header.mission_id,
        'log': {'records': head.records, 'head': head.hash, 'lost': log.lost},
        **tally.summary(),
        'learned': build.learned(mission.perception.controller),
        'slow_p50_s': mission.latency.p50_s,
        'slow_p99_s': mission.latency.p99_s,
        'config_digest': mission.header.config_digest,
        'correlation_digest': mission.header.correlation_digest,
    }
    _write(mission.folder / 'summary.json', json.dumps(summary, indent=1) + '\n')
    return head


def _run_folder(config: Config) -> Path:
    """Make and return a new run folder with its `config.yaml`.

    The wall clock names it: the node's clock may be a simulated one that starts at the same time
    every day. No decision depends on it.
    """
    utc = datetime.now(timezone.utc).strftime('%Y%m%dT%H%M%SZ')
    name = re.sub(r'[^\w.-]+', '_', config.mission.name)
    parent = Path(config.audit.folder).expanduser().absolute()
    for number in itertools.count(1):
        folder = parent / (f'{utc}_{name}' + (f'-{number}' if number > 1 else ''))
        try:
            folder.mkdir(parents=True)
        except FileExistsError as err:
            if not parent.is_dir():
                raise LogError(f'{parent} is a file; audit.folder names a folder') from err
            continue
        except OSError as err:
            raise LogError(f'cannot make the run folder {folder}: {err.strerror}') from err
        _write(folder / 'config.yaml', ros_form(public(config)))
        return folder
    raise AssertionError('itertools.count ended')


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as err:
        raise LogError(f'cannot write {path}: {err.strerror}', path=str(path)) from err
