"""Command line: results on stdout, one sentence on stderr, exit codes 0, 1, 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
import json
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any
from typing import NamedTuple

from click.testing import CliRunner
from click.testing import Result
import numpy as np
import pair
import pytest
from selector.audit import segments
from selector.config import Config
from selector.config import flat
from selector.errors import SelectorError
from selector.tools.cli import main
from selector.tools.cli import new_run_folder

FRAMES = 40


class Files(NamedTuple):
    """What the commands are tried on."""

    models: Path
    table: Path
    run: Path
    base: Path


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Models, a profile table and a run made by the command line itself."""
    base = tmp_path_factory.mktemp('cli')
    models = pair.models_folder(base / 'models')
    table = pair.write_table(base / 't.npz', pair.table(FRAMES))
    arguments = ['replay', str(table), '--set', f'models.folder={models}', '--out', f'{base}/run']
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return Files(models, table, base / 'run', base)


def call(*arguments: object) -> Result:
    """Run a command; anything but an ordinary exit is a failure of the test."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert 'Traceback' not in result.output
    assert '\x1b' not in result.output
    return result


def with_models(files: Files, *arguments: object) -> Result:
    """Run a command with the test's models."""
    return call(*arguments, '--set', f'models.folder={files.models}')


def sentence(result: Result, code: int = 2) -> str:
    """Return the one line of stderr of a refused command; nothing is on stdout."""
    assert result.exit_code == code
    assert result.stdout == ''
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith('selector: ')
    return lines[0]


def copied(files: Files, folder: Path) -> Path:
    """Return a copy of the run."""
    return Path(shutil.copytree(files.run, folder / 'copy'))


def test_replay_prints_its_table_on_stdout(files: Files, tmp_path: Path) -> None:
    """The five rows, a decision in words, the folder, the closing line; stderr is empty."""
    result = with_models(files, 'replay', files.table, '--out', tmp_path / 'run')
    assert (result.exit_code, result.stderr) == (0, '')
    lines = result.stdout.splitlines()
    for name in ('fast only', 'slow only', 'random, same spend', 'ours', 'oracle, same spend'):
        assert sum(line.startswith(f'{name}  ') for line in lines) == 1
    assert f'files: {tmp_path / "run"}' in lines
    wanted = f'replay: {FRAMES} frames, {FRAMES} decisions, 0 unanswered, log verified'
    assert lines[-1] == wanted


def test_replay_json_is_one_object(files: Files, tmp_path: Path) -> None:
    """--json gives strict JSON and nothing else on stdout."""
    result = with_models(files, 'replay', files.table, '--json', '--out', tmp_path / 'run')
    told = strict_json(result.stdout)
    assert result.exit_code == 0
    assert (told['frames'], told['unanswered'], told['verified']) == (FRAMES, 0, True)
    assert [row['name'] for row in told['rows']][0] == 'fast only'
    assert told['loss'] is None
    assert told['folder'] == str(tmp_path / 'run')


def strict_json(text: str) -> Any:
    """Parse JSON as machines do: no NaN, one value."""

    def refuse(constant: str) -> None:
        raise AssertionError(f'{constant} in JSON')

    return json.loads(text, parse_constant=refuse)


def test_json_is_strict_without_labels_and_times(files: Files, tmp_path: Path) -> None:
    """A table without labels gives null, never NaN."""
    table = pair.table(10)
    path = pair.write_table(tmp_path / 'u.npz', table._replace(label=np.full(10, -1)))
    result = with_models(files, 'replay', path, '--json', '--out', tmp_path / 'run')
    told = strict_json(result.stdout)
    assert {row['accuracy'] for row in told['rows']} == {None}
    assert result.stderr == ''


def test_verify_says_sound(files: Files) -> None:
    """A sound log: exit 0, what was checked and what was not."""
    result = call('verify', files.run)
    assert result.exit_code == 0
    assert result.stdout.startswith(f'verify: sound: {FRAMES} decisions')
    assert 'not checked: signatures' in result.stdout
    told = strict_json(call('verify', files.run, '--json').stdout)
    assert (told['sound'], told['decisions'], told['flaw']) == (True, FRAMES, None)


def test_verify_an_altered_log(files: Files, tmp_path: Path) -> None:
    """One digit altered: exit 1, and the record is named, in words and in JSON."""
    copy = copied(files, tmp_path)
    path = segments(copy)[0]
    lines = path.read_bytes().splitlines(True)
    lines[3] = lines[3].replace(b'0.', b'1.', 1)
    path.write_bytes(b''.join(lines))
    result = call('verify', copy)
    assert result.exit_code == 1
    assert result.stdout.startswith(
        'verify: NOT SOUND: 000000.jsonl, line 4: record 3 was altered'
    )
    told = call('verify', copy, '--json')
    assert told.exit_code == 1
    assert strict_json(told.stdout)['flaw']['record'] == 3


def test_verify_an_unclosed_log(files: Files, tmp_path: Path) -> None:
    """Without its closing record: exit 1, named as unclosed."""
    copy = copied(files, tmp_path)
    path = segments(copy)[-1]
    path.write_bytes(b''.join(path.read_bytes().splitlines(True)[:-1]))
    result = call('verify', copy)
    assert result.exit_code == 1
    assert 'NOT SOUND' in result.stdout
    assert 'unclosed after record' in result.stdout
    assert strict_json(call('verify', copy, '--json').stdout)['flaw']['unclosed'] is True


def test_verify_a_moved_run(files: Files, tmp_path: Path) -> None:
    """A copy elsewhere is as sound as the run."""
    assert call('verify', copied(files, tmp_path)).exit_code == 0


def test_verify_an_empty_file(tmp_path: Path) -> None:
    """A log whose file is empty is not sound; that is an answer, not an error."""
    (tmp_path / '000000.jsonl').write_text('')
    assert call('verify', tmp_path).exit_code == 1


def test_explain_is_one_sentence(files: Files) -> None:
    """Every frame of the run has its sentence; --json has it too."""
    for frame in range(FRAMES):
        result = call('explain', files.run, frame)
        assert result.exit_code == 0
        assert result.stdout.startswith(f'Frame {frame} at ')
        assert result.stdout.endswith('.\n')
        assert result.stdout.count('\n') == 1
    told = strict_json(call('explain', files.run, 3, '--json').stdout)
    assert told['frame'] == 3
    assert told['sentence'] + '\n' == call('explain', files.run, 3).stdout


@pytest.mark.parametrize('frame', [FRAMES, 10**30])
def test_explain_a_frame_that_is_not_there(files: Files, frame: int) -> None:
    """A number beyond the last is refused with the numbers there are."""
    text = sentence(call('explain', files.run, frame))
    assert f'frames 0 to {FRAMES - 1}' in text


def test_fit_writes_and_tells(files: Files, tmp_path: Path) -> None:
    """The correlation is written, replay takes it, and both forms of the summary agree."""
    table = pair.write_table(tmp_path / 'c.npz', pair.table(600, seed=3))
    models = pair.models_folder(tmp_path / 'models')
    out = models / pair.CORRELATION
    common = [
        'fit',
        table,
        '--out',
        out,
        '--date',
        '2026-02-03',
        '--set',
        f'models.folder={models}',
    ]
    plain, told = call(*common), call(*common, '--json')
    assert (plain.exit_code, told.exit_code) == (0, 0)
    assert plain.stdout.splitlines()[-1] == f'fit: 600 labelled frames, written to {out}'
    whole = strict_json(told.stdout)
    written = json.loads(out.read_text())
    assert whole['sha256'] == written['sha256']
    assert (written['date'], whole['contexts']['all']['pairs']) == ('2026-02-03', 600)
    again = call(
        'replay', files.table, '--set', f'models.folder={models}', '--out', tmp_path / 'r'
    )
    assert again.exit_code == 0


def test_fit_tells_skipped_contexts_on_stderr(files: Files, tmp_path: Path) -> None:
    """What was left out is told beside the result, which stays machine readable."""
    table = pair.table(400)._replace(context=('fog',) * 20 + ('day',) * 380)
    path = pair.write_table(tmp_path / 'c.npz', table)
    result = with_models(files, 'fit', path, '--out', tmp_path / 'c.json')
    assert result.exit_code == 0
    assert 'fog' in result.stderr
    assert 'fog' not in result.stdout


def test_params_lists_every_parameter(files: Files) -> None:
    """Text, JSON, YAML and markdown name each parameter; a changed one is marked."""
    result = call('params', '--set', 'decision.stake=2')
    assert 'decision.stake = 2.0 (changed)' in result.stdout
    assert result.stdout.count('(changed)') == 1
    assert strict_json(call('params', '--json').stdout) == flat(Config())
    for form in ('yaml', 'markdown', 'text'):
        text = call('params', '--format', form).stdout
        assert all(name.split('.')[-1] in text for name in flat(Config()))


def test_params_shows_what_follows_from_the_budget(files: Files) -> None:
    """--derived: rho, B, kappa and beta of each resource, as a table or as JSON."""
    budget = ('--set', 'budget.slow_calls.allowance=30 calls/min', '--set',
              'budget.energy.allowance=36 mW')  # fmt: skip
    text = with_models(files, 'params', '--derived', *budget).stdout
    for word in ('rho', 'kappa', 'beta', 'slow_calls', 'energy_j', '0.036'):
        assert word in text
    calls, energy = strict_json(
        with_models(files, 'params', '--derived', '--json', *budget).stdout
    )
    assert (calls['resource'], calls['rate'], calls['burst']) == ('slow_calls', 0.5, 20.0)
    assert (energy['resource'], energy['unit']) == ('energy_j', 'J')
    refused = with_models(files, 'params', '--derived', '--set', 'budget.energy.allowance=fast')
    assert 'does not start with a number' in sentence(refused)


def test_replay_tells_how_often_it_reused(files: Files, tmp_path: Path) -> None:
    """With looks in the table and reuse on, some answers are carried on; the log verifies."""
    table = pair.write_table(tmp_path / 't.npz', pair.seen(pair.table(200)))
    result = with_models(
        files, 'replay', table, '--json', '--out', tmp_path / 'run',
        '--set', 'decision.reuse_max_age_s=1',
    )  # fmt: skip
    told = strict_json(result.stdout)
    assert (told['verified'], told['unanswered']) == (True, 0)
    assert 0 < told['reused'] < 200
    summary = json.loads((tmp_path / 'run' / 'summary.json').read_text())
    assert summary['reused'] == told['reused']


def test_the_audit_key_is_in_no_file_of_a_run(files: Files, tmp_path: Path) -> None:
    """Neither the log nor the configuration beside it holds the key."""
    made = ('--out', tmp_path / 'run', '--set', 'audit.key=my-secret')
    assert with_models(files, 'replay', files.table, *made).exit_code == 0
    texts = [path.read_text() for path in (tmp_path / 'run').rglob('*') if path.is_file()]
    assert len(texts) == 3
    assert not any('my-secret' in text for text in texts)


def test_params_yaml_is_a_config_file(tmp_path: Path) -> None:
    """The YAML form read back with --config gives the same parameters."""
    path = tmp_path / 'p.yaml'
    path.write_text(call('params', '--format', 'yaml', '--set', 'decision.stake=3').stdout)
    told = strict_json(call('params', '--json', '--config', path).stdout)
    assert told == {**flat(Config()), 'decision.stake': 3.0}


def test_models_list_and_show(files: Files) -> None:
    """Both models are listed as ok and shown with their card."""
    result = with_models(files, 'models', 'list')
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        [name, 'classification', 'ok'] for name in sorted(pair.NAMES.values())
    ]
    told = strict_json(with_models(files, 'models', 'list', '--json').stdout)
    assert {row['state'] for row in told} == {'ok'}
    shown = with_models(files, 'models', 'show', 'cifar10_fast')
    assert 'name: cifar10_fast' in shown.stdout
    assert 'sha256:' in shown.stdout


def test_models_list_with_an_altered_file(tmp_path: Path) -> None:
    """An altered file: exit 1, and the row says why; the other model is still listed."""
    for name in pair.NAMES.values():
        shutil.copytree(pair.MODELS / name, tmp_path / name)
    (tmp_path / 'cifar10_fast' / 'model.onnx').write_bytes(b'x')
    result = call('models', 'list', '--set', f'models.folder={tmp_path}')
    assert result.exit_code == 1
    assert 'is not the one its card names' in result.stdout
    assert 'cifar10_slow' in result.stdout
    text = sentence(call('models', 'show', 'cifar10_fast', '--set', f'models.folder={tmp_path}'))
    assert 'found' in text


def _refusals(files: Files, tmp: Path) -> dict[str, tuple[list[object], str]]:
    """Return commands with bad input, and a part of what is told."""
    text = tmp / 'text.npz'
    text.write_text('this is no table')
    broken = tmp / 'broken.yaml'
    broken.write_text('a: [')
    few = pair.write_table(tmp / 'few.npz', pair.table(20))
    models = f'models.folder={files.models}'
    return {
        'no table': (['replay', tmp / 'no.npz', '--set', models], 'no profile table at'),
        'no bag': (['replay', tmp / 'nobag', '--set', models], 'no bag at'),
        'folder': (['replay', tmp, '--set', models], 'no rosbag2'),
        'text npz': (['replay', text, '--set', models], 'is no profile table'),
        'wrong key': (['replay', few, '--set', 'decision.stke=1'], "mean 'decision.stake'?"),
        'wrong value': (['replay', few, '--set', 'decision.stake=-1'], '0 to 1000'),
        'wrong type': (['replay', few, '--set', 'decision.shadow=2'], 'must be bool'),
        'no equals': (['replay', few, '--set', 'decision.stake'], 'is not key=value'),
        'bad yaml value': (['params', '--set', 'decision.stake=['], 'no YAML'),
        'no config': (['params', '--config', tmp / 'no.yaml'], 'cannot read'),
        'broken config': (['params', '--config', broken], 'is no YAML'),
        'config folder': (['params', '--config', tmp], 'cannot read'),
        'no models': (['replay', few, '--set', f'models.folder={tmp / "m"}'], 'no model'),
        'models list': (['models', 'list', '--set', f'models.folder={tmp / "m"}'], 'no model'),
        'model name': (['models', 'show', 'x', '--set', models], 'models found: cifar10_fast'),
        'no correlation': (
            ['replay', few, '--set', models, '--set', 'models.correlation=no.json'],
            'selector fit',
        ),
        'budget': (
            ['replay', few, '--set', models, '--set', 'budget.slow_calls.burst=0.5'],
            'does not cover one invocation',
        ),
        'taken folder': (
            ['replay', files.table, '--set', models, '--out', files.run], 'cannot start a log'
        ),
        'out below a file': (
            ['replay', files.table, '--set', models, '--out', text / 'run'], 'cannot start a log'
        ),
        'no log': (['verify', tmp / 'no'], 'holds no audit log'),
        'log is a file': (['verify', text], 'holds no audit log'),
        'explain no log': (['explain', tmp / 'no', 0], 'holds no audit log'),
        'fit few': (['fit', few, '--out', tmp / 'c.json', '--set', models], '180 more are needed'),
        'fit text': (['fit', text, '--out', tmp / 'c.json', '--set', models], 'no profile table'),
        'fit out': (
            ['fit', files.base / 'fit.npz', '--out', text / 'c.json', '--set', models], 'text.npz'
        ),
    }  # fmt: skip


REFUSALS = [
    'no table', 'no bag', 'folder', 'text npz', 'wrong key', 'wrong value', 'wrong type',
    'no equals', 'bad yaml value', 'no config', 'broken config', 'config folder', 'no models',
    'models list', 'model name', 'no correlation', 'budget', 'taken folder', 'out below a file',
    'no log', 'log is a file', 'explain no log', 'fit few', 'fit text', 'fit out',
]  # fmt: skip


@pytest.mark.parametrize('name', REFUSALS)
def test_bad_input_is_one_sentence(files: Files, tmp_path: Path, name: str) -> None:
    """Exit 2, nothing on stdout, one line on stderr that names what was wrong."""
    if name == 'fit out':
        pair.write_table(files.base / 'fit.npz', pair.table(300))
    refusals = _refusals(files, tmp_path)
    assert sorted(refusals) == sorted(REFUSALS)
    arguments, told = refusals[name]
    if arguments[0] == 'replay' and '--out' not in arguments:
        arguments += ['--out', tmp_path / 'run']
    assert told in sentence(call(*arguments))


def test_bad_usage_is_clicks(files: Files) -> None:
    """An unknown verb, option or number: exit 2, on stderr, with the usage."""
    for arguments in (
        ['replai'], ['replay'], ['replay', 'x', '--no-such'], ['explain', files.run, '-1'],
        ['explain', files.run, 'two'], ['params', '--format', 'xml'], ['fit', 'x'],
        ['models', 'x'],
    ):  # fmt: skip
        result = call(*arguments)
        assert result.exit_code == 2, arguments
        assert result.stdout == ''
        assert 'Error: ' in result.stderr


def test_what_is_missing_on_this_machine_exits_with_3(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rosbags or scikit-learn: exit 3 and what to install."""
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'x.mcap').write_bytes(b'')
    monkeypatch.setitem(sys.modules, 'rosbags.rosbag2', None)
    result = with_models(files, 'replay', tmp_path / 'bag', '-q', '--out', tmp_path / 'run')
    assert 'pip install' in sentence(result, 3)
    monkeypatch.setitem(sys.modules, 'sklearn.linear_model', None)
    table = pair.write_table(tmp_path / 'c.npz', pair.table(300))
    result = with_models(files, 'fit', table, '--out', tmp_path / 'c.json')
    assert 'scikit-learn' in sentence(result, 3)


def test_every_error_kind_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever error of ours a verb raises becomes its sentence and its code; so do OS errors."""

    def kinds(kind: type[SelectorError]) -> list[type[SelectorError]]:
        return [kind, *(k for sub in kind.__subclasses__() for k in kinds(sub))]

    def raising(err: BaseException) -> Callable[..., int]:
        def verb(*_arguments: object, **_options: object) -> int:
            raise err

        return verb

    for kind in kinds(SelectorError):
        error = kind('told')
        monkeypatch.setattr('selector.tools.report.verify_report', raising(error))
        code = 3 if kind.__name__ == 'MissingError' else 2
        assert sentence(call('verify', 'x'), code) == f'selector: {error}'
    full = OSError(28, 'No space left on device', '/disk')
    monkeypatch.setattr('selector.tools.report.verify_report', raising(full))
    assert sentence(call('verify', 'x')) == 'selector: /disk: No space left on device'
    monkeypatch.setattr('selector.tools.report.verify_report', raising(KeyboardInterrupt()))
    assert call('verify', 'x').exit_code == 130


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is none of ours keeps its traceback: it is not a mistake of the user."""

    def verb(*_arguments: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr('selector.tools.report.verify_report', verb)
    with pytest.raises(ZeroDivisionError):
        call('verify', 'x')


def test_replay_of_a_damaged_bag_exits_with_1(files: Files, tmp_path: Path) -> None:
    """A cut bag: what is readable is replayed, the loss is told with its byte, exit 1."""
    bag = _bag(tmp_path / 'bag')
    (file,) = bag.glob('*.mcap')
    arguments = ['replay', bag, '-q', '--out']
    whole = with_models(files, *arguments, tmp_path / 'whole')
    assert (whole.exit_code, whole.stderr) == (0, '')
    file.write_bytes(file.read_bytes()[:-20])
    cut = with_models(files, *arguments, tmp_path / 'cut')
    assert cut.exit_code == 1
    assert f'{file.name} is damaged after' in cut.stderr
    assert 'at byte' in cut.stderr
    assert 'log verified' in cut.stdout
    told = with_models(files, 'replay', bag, '--json', '-q', '--out', tmp_path / 'json')
    assert strict_json(told.stdout)['loss']['offset_bytes'] > 0


def test_progress_is_silent_where_there_is_no_terminal(files: Files, tmp_path: Path) -> None:
    """Without -q, stderr that is no terminal stays empty."""
    result = with_models(files, 'replay', _bag(tmp_path / 'bag'), '--out', tmp_path / 'run')
    assert (result.exit_code, result.stderr) == (0, '')


def test_two_replays_of_a_bag_with_a_fault_are_the_same(files: Files, tmp_path: Path) -> None:
    """The log of a bag with an undecodable image has the same bytes in another process."""
    bag = _bag(tmp_path / 'bag', broken=2)
    here = with_models(files, 'replay', bag, '-q', '--out', tmp_path / 'a')
    assert here.exit_code == 0
    there = subprocess.run(
        [sys.executable, '-m', 'selector.tools.cli', 'replay', bag, '-q', '--out', tmp_path / 'b',
         '--set', f'models.folder={files.models}'],
        cwd=pair.MODELS.parent, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert there.returncode == 0, there.stderr
    one, two = ([f.read_bytes() for f in segments(tmp_path / n)] for n in 'ab')
    assert one == two
    assert b'INPUT_UNDECODABLE' in b''.join(one)


def _bag(path: Path, broken: int = -1) -> Path:
    """Write a bag of four images, one of which may be broken."""
    import io

    from PIL import Image
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    types: Any = get_typestore(Stores.ROS2_JAZZY)
    kind = 'sensor_msgs/msg/CompressedImage'
    draw = np.random.default_rng(0)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/image', kind, typestore=types)
        for k in range(4):
            out = io.BytesIO()
            Image.fromarray(draw.integers(0, 256, (32, 32, 3), np.uint8)).save(out, 'JPEG')
            data = b'broken' if k == broken else out.getvalue()
            stamp = types.types['builtin_interfaces/msg/Time'](sec=100, nanosec=k * 10**8)
            header = types.types['std_msgs/msg/Header'](stamp=stamp, frame_id='camera')
            payload = np.frombuffer(data, np.uint8)
            message = types.types[kind](header=header, format='jpeg', data=payload)
            writer.write(connection, 10**11 + k * 10**8, types.serialize_cdr(message, kind))
    return path


def test_help_and_version_start_quickly_and_load_no_numpy() -> None:
    """`selector --help` names the verbs; neither numpy nor onnxruntime is loaded for it."""
    code = (
        'import sys; from selector.tools.cli import main\n'
        'try: main(["--help"])\n'
        'except SystemExit as end: code = end.code\n'
        'print({"onnxruntime", "sklearn", "rosbags"} & set(sys.modules), code)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=pair.MODELS.parent, capture_output=True, check=True,
        text=True,
    )  # fmt: skip
    for verb in ('demo', 'replay', 'fit', 'verify', 'explain', 'params', 'models'):
        assert f'\n  {verb} ' in done.stdout
    assert done.stdout.splitlines()[-1] == 'set() 0'


def test_a_process_gives_the_codes_too(files: Files, tmp_path: Path) -> None:
    """Run as a process: 0, 1 and 2, with stdout and stderr apart."""
    (tmp_path / '000000.jsonl').write_text('')

    def run(*arguments: object) -> tuple[int, str, str]:
        command = [sys.executable, '-m', 'selector.tools.cli', *map(str, arguments)]
        done = subprocess.run(
            command, cwd=pair.MODELS.parent, capture_output=True, check=False, text=True
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = run('verify', files.run)
    assert (code, err) == (0, '')
    assert out.startswith('verify: sound')
    assert run('verify', tmp_path)[0] == 1
    code, out, err = run('verify', tmp_path / 'none')
    assert (code, out) == (2, '')
    assert err.count('\n') == 1


def test_new_run_folders_never_collide(tmp_path: Path) -> None:
    """Many runs in one second get folders of their own."""
    from selector.config import from_flat

    config = from_flat({'audit.folder': str(tmp_path)})
    made = set()
    for _ in range(5):
        folder = new_run_folder(config, 'replay')
        folder.mkdir()
        made.add(folder)
    assert len(made) == 5
    assert all(folder.name.split('-')[0].endswith('Z_replay') for folder in made)


def test_the_installed_command_is_this_one() -> None:
    """Where the package is installed, `selector` is this command line."""
    found = [e for e in entry_points(group='console_scripts') if e.name == 'selector']
    if not found:
        pytest.skip('the package is not installed here')
    assert found[0].load() is main
