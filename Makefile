PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin

# One machine, no sockets: nothing from the network gets in, and large images are not lost.
# Fast DDS changed the name of the first variable between ROS releases.
export FASTRTPS_DEFAULT_PROFILES_FILE := $(CURDIR)/config/fastdds_shm.xml
export FASTDDS_DEFAULT_PROFILES_FILE := $(FASTRTPS_DEFAULT_PROFILES_FILE)
export ROS_AUTOMATIC_DISCOVERY_RANGE := SYSTEM_DEFAULT
# rclpy refuses to start where neither this nor a home folder can be written.
export ROS_LOG_DIR := $(VENV)/log/ros
# A sourced ROS finds the libraries of the messages by this path only.
ifneq ($(AMENT_PREFIX_PATH),)
export LD_LIBRARY_PATH := $(VENV)/lib:$(LD_LIBRARY_PATH)
endif

ROBOCUP := $(realpath ../shared/data/robocup)
ifneq ($(ROBOCUP),)
export SELECTOR_ROBOCUP_DIR ?= $(ROBOCUP)
endif

# The plugins of a sourced ROS do not load under every pytest; the tests need none of them.
PYTEST := $(BIN)/python -m pytest -q -p no:launch_testing -p no:launch_testing_ros -p no:launch_pytest
WORKERS ?= 2
# For the tests of torch models: cpu, full (the build for CUDA where there is no other) or no.
TORCH ?= cpu

.PHONY: help setup demo test bench lint clean
.DEFAULT_GOAL := help

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-7s %s\n", $$1, $$2}'

setup:  ## set up .venv; PYTHON=python3.12 chooses the interpreter
	@bash tools/setup.sh $(VENV) $(PYTHON)

demo: setup  ## replay the embedded bag through the node and show what was decided
	@$(BIN)/selector demo $(ARGS)

test: setup  ## run every test; ARGS='-k launch' narrows it down
	@bash tools/setup.sh $(VENV) $(PYTHON) $(TORCH)
	@SELECTOR_REQUIRE_ROS=1 SELECTOR_REQUIRE_TORCH=$$(test ! -e $(VENV)/.stamp-torch || echo 1) \
		$(PYTEST) -n $(WORKERS) $(ARGS)

bench: setup  ## run the benchmarks, one after the other
	@set -e; for file in benchmarks/*.py; do $(BIN)/python $$file $(ARGS); done

lint: setup  ## check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict selector
	@$(BIN)/lint-imports

clean:  ## remove what setup, tests and builds made; runs/ stays
	rm -rf $(VENV) build install log dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
