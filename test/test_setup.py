"""Set-up says in one sentence what a machine lacks, and the build files are complete."""

from pathlib import Path
import re
import shutil
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

REPO = Path(__file__).resolve().parents[1]
SETUP = REPO / 'tools' / 'setup.sh'
# What the script itself runs before it looks for a compiler.
TOOLS = ['bash', 'basename', 'cat', 'cut', 'dirname', 'find', 'make', 'mkdir', 'sha256sum']
TOOLS += ['sort', 'xargs']


def base_python() -> str:
    """Return an interpreter outside any virtual environment."""
    name = f'python{sys.version_info.major}.{sys.version_info.minor}'
    return str(Path(sys.base_prefix) / 'bin' / name)


def script(path: Path, *lines: str) -> str:
    """Write an executable shell script."""
    path.write_text('\n'.join(['#!/bin/sh', *lines, '']), encoding='utf-8')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a folder to use as the PATH: shell tools, but neither compiler nor Python."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def setup(path: Path, python: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a new environment with nothing but `path` and a home that is not there."""
    venv = path.parent / 'venv'
    done = subprocess.run(
        [str(path / 'bash'), str(SETUP), str(venv), python, *more],
        env={'PATH': str(path), 'HOME': str(path.parent / 'nobody')},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not venv.exists(), 'it started although something was missing'
    return done


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check for exit status 3 and one line that names problem and fix."""
    assert done.returncode == 3, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith('setup: ') and lines[0].endswith('.')
    for word in words:
        assert word in lines[0]


def test_missing_compiler(bare: Path) -> None:
    """Without a compiler the sentence names the package that brings one."""
    assert_one_sentence(setup(bare, base_python()), 'compiler', 'apt install g++')


def test_old_python(bare: Path, tmp_path: Path) -> None:
    """A Python that is too old is named with its version and the way to choose another."""
    old = script(tmp_path / 'python-old', 'echo 3.9')
    assert_one_sentence(setup(bare, old), old, '3.9', '3.10', 'PYTHON=')


def test_python_2(bare: Path, tmp_path: Path) -> None:
    """Python 2, which `python` still is on some machines, gets the same sentence."""
    old = script(tmp_path / 'python2', 'echo 2.7')
    assert_one_sentence(setup(bare, old), '2.7', '3.10')


def test_no_python(bare: Path) -> None:
    """A Python that does not exist is named."""
    assert_one_sentence(setup(bare, 'python3.99'), 'python3.99', 'PYTHON=')


def test_broken_python(bare: Path, tmp_path: Path) -> None:
    """A Python that fails to start, as a version manager's placeholder does, is named."""
    broken = script(tmp_path / 'python-broken', 'exit 127')
    assert_one_sentence(setup(bare, broken), broken, 'does not run', 'PYTHON=')


def test_python_without_venv(bare: Path, tmp_path: Path) -> None:
    """Debian's Python without python3-venv is told what to install."""
    python = base_python()
    poor = tmp_path / 'python-poor'
    script(
        poor,
        f'if [ "$1" = -c ]; then exit 1; fi; {python} "$@" | sed "2s|.*|{poor}|"',
    )
    (bare / 'sed').symlink_to(str(shutil.which('sed')))
    assert_one_sentence(setup(bare, str(poor)), 'apt install python3-venv')


def test_unknown_torch(bare: Path) -> None:
    """What may be said about torch is listed."""
    assert_one_sentence(setup(bare, base_python(), 'gpu'), "'gpu'", 'no, cpu or full', 'TORCH=')


def test_other_folder_is_kept(bare: Path, tmp_path: Path) -> None:
    """A folder that is no virtual environment is never overwritten."""
    for compiler in ('cc', 'c++'):
        script(bare / compiler, 'exit 0')
    venv = tmp_path / 'mine'
    venv.mkdir()
    (venv / 'thesis.tex').write_text('', encoding='utf-8')
    done = subprocess.run(
        [str(bare / 'bash'), str(SETUP), str(venv), base_python()],
        env={'PATH': str(bare)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_sentence(done, 'mine')
    assert (venv / 'thesis.tex').exists()


def test_every_interface_is_built() -> None:
    """Each message file is named in the build, and each named file exists."""
    cmake = (REPO / 'selector_msgs' / 'CMakeLists.txt').read_text(encoding='utf-8')
    named = set(re.findall(r'"((?:msg|srv)/\w+\.\w+)"', cmake))
    folder = REPO / 'selector_msgs'
    assert named == {str(p.relative_to(folder)) for p in folder.glob('[ms][sr][gv]/*.*')}


def test_every_field_is_explained() -> None:
    """Each field of a message has a comment with its meaning, unit or range."""
    for path in (REPO / 'selector_msgs').glob('[ms][sr][gv]/*.*'):
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            if line and line != '---':
                assert '#' in line, f'{path.name}:{number}: {line}'


def test_versions_agree() -> None:
    """Both package.xml files and setup.py carry the same version."""
    manifests = [REPO / 'package.xml', REPO / 'selector_msgs' / 'package.xml']
    versions = {ElementTree.parse(path).findtext('version') for path in manifests}
    found = re.search(r"version='([^']+)'", (REPO / 'setup.py').read_text(encoding='utf-8'))
    assert found is not None
    assert versions == {found[1]}


@pytest.mark.parametrize('path', sorted((REPO / 'requirements').glob('constraints-*.txt')))
def test_constraints_are_portable(path: Path) -> None:
    """The pins hold versions only: no path, no host, no option."""
    for line in path.read_text(encoding='utf-8').splitlines():
        assert re.fullmatch(r'#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+', line), line


def test_torch_is_pinned_alike() -> None:
    """The versions that `make test` installs are those that were tested together."""
    pins = (REPO / 'requirements' / 'constraints-3.11.txt').read_text(encoding='utf-8')
    wanted = (REPO / 'requirements' / 'torch.txt').read_text(encoding='utf-8')
    named = re.findall(r'^torch(?:vision)?==.+$', wanted, re.MULTILINE)
    assert len(named) == 2
    assert set(named) <= set(pins.splitlines())
