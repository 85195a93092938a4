# `make demo` and `make test` are all the set-up there is: env/run builds the environment when it is missing.
RUN := env/run
OUT ?= out

.PHONY: help demo demo-satellite test test-all test-next fuzz lint format bench verify docs images tutorial lock clean
help:
	@echo "make demo      run the gigawatt plant for an orbit (table, result.zarr, report, pictures)"
	@echo "make demo-satellite   the first satellite on finite elements"
	@echo "make test      the tests        make test-all   with the slow ones"
	@echo "make fuzz      broken input     make test-next  the tests on the newest dolfinx of Debian"
	@echo "make lint      ruff and mypy    make format     put the code in form"
	@echo "make verify    the reference cases: expected, obtained, error, tolerance"
	@echo "make bench     the benchmarks   make docs       the tables of docs/verification, and docs/_build/html"

# One orbit of the gigawatt plant; the reduced model of its modules is trained first, once.
demo:
	$(RUN) twin run cases/gigawatt.yaml --duration "1 orbit" --out $(OUT)/gigawatt

# Finite elements throughout: one satellite for three orbits.
demo-satellite:
	$(RUN) twin run cases/experimental-satellite.yaml --out $(OUT)/experimental-satellite

# Sessions and reports are tested in a real browser where this machine has Chromium.
test:
	tests/with_browser $(RUN) python -m pytest -q -m "not slow" -n 2 --dist loadscope

test-all:
	tests/with_browser $(RUN) python -m pytest -q -n 2 --dist loadscope

# The tests on the newest dolfinx that Debian has, in a root of its own (another 5 GB in the cache).
test-next:
	DAWNDUSK_SUITE=unstable DAWNDUSK_ISOLATED=1 $(RUN) python -c "import dolfinx, sys; print('dolfinx', dolfinx.__version__, 'Python', sys.version.split()[0])"
	DAWNDUSK_SUITE=unstable DAWNDUSK_ISOLATED=1 $(RUN) python -m pytest -q -m "not slow" -n 2 --dist loadscope -p no:cacheprovider

# Ten thousand broken inputs of every kind: taken, or refused with a message.
fuzz:
	$(RUN) python tests/robustness/fuzz.py

lint:
	$(RUN) sh -c 'ruff check . && ruff format --check . && mypy'

format:
	$(RUN) sh -c 'ruff check --fix . && ruff format .'

verify:
	$(RUN) twin verify

bench:
	@set -e; for script in bench/bench_*.py; do echo "== $$script"; $(RUN) python $$script; done

docs:
	$(RUN) python docs/generate.py
	$(RUN) python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# The pictures of README.md and of docs, from the demos and a plant with hot cards; those of pages need Chromium.
images: demo demo-satellite
	$(RUN) twin run cases/sub-center.yaml --duration "1 orbit" --out $(OUT)/sub-center
	tests/with_browser $(RUN) python docs/make_images.py $(OUT)/experimental-satellite $(OUT)/gigawatt $(OUT)/sub-center

# The notebook keeps what its cells print and draw.
tutorial:
	$(RUN) jupyter execute --inplace --timeout=3600 docs/tutorials/from-case-to-sizing.ipynb

# The lock names exact versions and hashes, never where they come from.
lock:
	$(RUN) uv pip compile -q pyproject.toml --extra test --extra lint --extra docs --extra cluster --python-version 3.12 --universal \
		--generate-hashes --no-emit-index-url --no-header -o env/requirements.lock

clean:
	rm -rf out bench/results
