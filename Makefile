# The two commands: `make try` and `make test`. See CONTRIBUTING.md for the others.

PYTHON ?= python3
DIR ?= /usr
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600
KILLS ?= 200
CUTS ?= 1000
SOAK_SECONDS ?= 3600

VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python's bytecode caches would be written into the checkout.
export PYTHONDONTWRITEBYTECODE := 1

BUILD_PACKAGES := g++ cmake ninja-build pkg-config python3-dev python3-venv libarchive-dev \
  libcurl4-openssl-dev libssl-dev libzstd-dev zlib1g-dev
TEST_PACKAGES := libgtest-dev libfuse3-dev fuse3 findutils xfsprogs btrfs-progs bzip2 cpio iproute2 \
  nginx-light openssl p7zip-full rsync xz-utils zip zstd
LINT_PACKAGES := clang-format clang-tidy
BENCH_PACKAGES := libfuse3-dev fuse3 bfs fd-find gdu findutils diffutils git rsync

SOURCES := $(shell find CMakeLists.txt pyproject.toml LICENSE cmake include src python -type f \
             -not -name '*.pyc')
CPP := $(shell find include src tests bench examples -name '*.[ch]pp' -o -name '*.[ch]')
TESTED_PRESETS := dev asan tsan

.PHONY: help setup try test test-cpp test-python test-python-asan test-portable check-macos wheel kill fuzz soak bench docs lint \
  coverage lint-repository format clean

help:
	@echo 'make try [DIR=/usr]  install what is missing, build, report on DIR, say what was found'
	@echo 'make test            install what is missing, build, run every test'
	@echo 'make setup           both packages in .venv'
	@echo 'make test-python-asan  the Python tests again, with extension modules that the address sanitizer watches'
	@echo 'make coverage        every test, with lines counted: build/coverage'
	@echo 'make test-portable   the C++ tests of what macOS gets, on Linux'
	@echo 'make check-macos     compile everything for macOS'
	@echo 'make kill            kill reports and cut their power, again and again (KILLS=200 CUTS=1000)'
	@echo 'make fuzz            libFuzzer on the readers of foreign bytes (FUZZ_SECONDS=600 each)'
	@echo 'make soak            random work for an hour, and nothing leaks (SOAK_SECONDS=3600)'
	@echo 'make wheel           a source archive and a wheel in dist/, with its libraries inside'
	@echo 'make bench           measure beside other tools, into docs/benchmarks (QUICK=1: smaller trees)'
	@echo 'make docs            the documentation, in build/docs'
	@echo 'make lint, format    check the style of everything; mend what can be mended'

setup: $(VENV)/.installed

$(VENV)/.created:
	@tools/apt-install $(BUILD_PACKAGES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q 'scikit-build-core>=0.11' 'nanobind>=2.4'
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(SOURCES)
	$(BIN)/pip install -q --no-build-isolation --no-deps --force-reinstall .
	$(BIN)/pip install -q --no-build-isolation .
	@touch $@

$(VENV)/.test-tools: $(VENV)/.installed pyproject.toml
	@tools/apt-install $(TEST_PACKAGES)
	$(BIN)/pip install -q --no-build-isolation '.[test]'
	@touch $@

try: setup
	$(BIN)/pip install -q 'duckdb>=1.0'
	$(BIN)/pwalk report $(DIR) --output scan.parquet || [ $$? -eq 1 ]
	$(BIN)/python examples/first_look.py scan.parquet

test: test-cpp test-python

test-cpp: $(VENV)/.test-tools
	@set -e; for preset in $(TESTED_PRESETS); do \
		cmake --preset $$preset >/dev/null; \
		cmake --build --preset $$preset -j $(JOBS); \
		ctest --preset $$preset -j $(JOBS); \
	done

test-python: $(VENV)/.test-tools
	cmake --preset dev >/dev/null
	cmake --build --preset dev -j $(JOBS)
	$(BIN)/python -m pytest

# With this system's libraries inside, so it is for systems like this one. Releases are built by
# cibuildwheel (pyproject.toml).
wheel: $(VENV)/.test-tools
	rm -rf dist build/wheel
	$(BIN)/python -m build --outdir build/wheel -C cmake.define.FILETREE_PRIVATE_OPENSSL=ON
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m auditwheel repair -w dist build/wheel/*.whl
	cp build/wheel/*.tar.gz dist/

# What macOS gets, as far as Linux can tell: the C++ tests of its part of the code, and whether all of
# it compiles for a Mac.
test-portable: $(VENV)/.test-tools
	cmake --preset portable >/dev/null
	cmake --build --preset portable -j $(JOBS)
	ctest --preset portable

check-macos: $(VENV)/.created
	$(BIN)/pip install -q 'ziglang~=0.17.0'
	tools/check-macos $(BIN)/python build/macos $(JOBS)

# build/dev has the file system that some of the tests mount.
test-python-asan: $(VENV)/.test-tools
	cmake --preset dev >/dev/null
	cmake --build --preset dev -j $(JOBS) --target latencyfs
	tools/python-environment $(BIN)/python build/asan-python asan FILETREE_TESTS=OFF
	tools/with-asan build/asan-python/reports build/asan-python/venv/bin/python -m pytest

coverage: $(VENV)/.test-tools
	$(BIN)/pip install -q 'coverage>=7.17' 'gcovr>=8.0'
	cmake --preset dev >/dev/null
	cmake --build --preset dev -j $(JOBS) --target latencyfs
	tools/coverage $(BIN)/python

# What a failed round says begins with its seed: FILETREE_KILLS_SEED=N repeats it.
kill: $(VENV)/.test-tools
	cmake --preset dev >/dev/null
	cmake --build --preset dev -j $(JOBS) --target latencyfs
	FILETREE_KILLS=$(KILLS) FILETREE_CUTS=$(CUTS) $(BIN)/python -m pytest -s \
		tests/python/test_checkpoint_kill.py tests/python/test_checkpoint_powercut.py

# Each target for FUZZ_SECONDS, from seeds made by the text of its format. libarchive asks for as much
# as a cpio header says that a name is long, up to 4 GiB, and touches what comes: memory is judged by
# what is in use.
fuzz: setup
	@tools/apt-install clang
	@tools/apt-install libclang-rt-$$(clang -dumpversion | cut -d. -f1)-dev
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j $(JOBS)
	PYTHONPATH=tests/python $(BIN)/python tests/fuzz/seeds.py build/fuzz/seeds
	@set -e; for target in pwal_fuzz archive_fuzz; do \
		mkdir -p build/fuzz/corpus/$$target; \
		build/fuzz/tests/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=20000 \
			-malloc_limit_mb=5000 -rss_limit_mb=1024 -print_final_stats=1 \
			build/fuzz/corpus/$$target build/fuzz/seeds/$$target; \
	done

# Says why when descriptors, threads or memory have not stayed as they were.
soak: $(VENV)/.test-tools
	$(BIN)/python bench/soak.py --seconds $(SOAK_SECONDS) $(SOAK_ARGS)

# GOALS=1: only what goals are set for. RESUME=1: keep what build/bench has, and measure the rest.
# SCALING=1: computed trees of up to 10^9 files, too. A failed contender fails this at the end.
BENCH_DIR := build/bench/$(if $(QUICK),quick,full)
BENCH_OUT := $(if $(QUICK)$(BENCH_ARGS),$(BENCH_DIR)/report,docs/benchmarks)
BENCH_FAILED := 3

$(VENV)/.bench-tools: $(VENV)/.test-tools
	$(BIN)/pip install -q --no-build-isolation '.[bench]'
	@touch $@

bench: $(VENV)/.bench-tools
	@tools/apt-install $(BENCH_PACKAGES)
	@command -v go >/dev/null || tools/apt-install golang-go || echo 'bench: without the loop in Go'
	@command -v rustc >/dev/null || tools/apt-install rustc || echo 'bench: without the loop in Rust'
	@$(BIN)/pip install -q --only-binary scandir-rs 'scandir-rs~=2.10.0' || echo 'bench: without scandir-rs'
	cmake --preset release >/dev/null
	cmake --build --preset release -j $(JOBS) --target bench/all
	@mkdir -p $(BENCH_DIR)
	$(BIN)/python bench/run.py --build build/release --python $(BIN)/python \
		--json $(BENCH_DIR)/run.json $(if $(QUICK),--quick) $(if $(GOALS),--goals) \
		$(if $(RESUME),--append) $(BENCH_ARGS) || [ $$? -eq $(BENCH_FAILED) ]
	$(if $(SCALING),$(BIN)/python bench/billions.py measure $(BENCH_DIR)/scaling.json)
	$(BIN)/python bench/report.py $(BENCH_DIR)/run.json $(BENCH_OUT)

# The packages are installed, as the reference is made from them.
$(VENV)/.docs-tools: $(VENV)/.installed pyproject.toml
	$(BIN)/pip install -q --no-build-isolation '.[docs]'
	@touch $@

docs: $(VENV)/.docs-tools
	$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs build/docs
	@echo 'build/docs/index.html'

# The last release that the Go of Debian 12 can build.
$(BIN)/actionlint: | $(VENV)/.created
	@command -v go >/dev/null || tools/apt-install golang-go ca-certificates
	GOBIN=$(abspath $(BIN)) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

lint-repository: $(BIN)/actionlint
	@tools/apt-install shellcheck
	$(BIN)/pip install -q 'check-jsonschema>=0.39'
	tools/lint-repository $(BIN)

lint: $(VENV)/.test-tools lint-repository
	@tools/apt-install $(LINT_PACKAGES)
	clang-format --dry-run --Werror $(CPP)
	cmake --preset lint >/dev/null
	tools/clang-tidy build/lint $(JOBS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests/python
	$(BIN)/mypy bench
	$(BIN)/mypy examples
	$(BIN)/mypy docs/terminal.py
	$(BIN)/mypy packaging/conda

format:
	clang-format -i $(CPP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf build $(VENV)
