# 两条命令就够 / two commands are all:  make demo   make test
.DEFAULT_GOAL := help
PY := .venv/bin/python
READY := .venv/.ready
SIM := .venv/.sim
MUTATION := .venv/.mutation
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo test sim check asyncapi bench evidence evidence-ota evaluate evaluate-detector ratchet mutants nightly system trace build lock golden docs clean

help:  ## 列出命令 / lists the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: build  ## 守护一个演示路口 60 秒 / guards a demonstration junction for 60 s
	sentinel demo --seconds 60

test: build trace  ## 安装并跑测试 / installs and runs the tests
	$(PY) -m pytest -n 2 -q

sim: build $(SIM)  ## 安装交通仿真并跑它的测试 / installs the traffic simulator and runs its tests
	$(PY) -m pytest -n 2 -q tests/unit/test_sumo_*.py tests/scenario/test_sumo_*.py

check: build  ## 静态检查 / ruff, mypy, import contracts, every shipped site file
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	$(PY) -m tools.build.reference --check docs/config-reference.md
	$(PY) -m tools.county.asyncapi --check docs/asyncapi.yaml
	$(PY) -m tools.county.examples --check docs/platform.md
	@for site in configs/examples/*.yaml; do sentinel config check --config $$site || exit 1; done

asyncapi: build  ## 用官方解析器检查平台合同(装 Node.js)/ the contract for platforms through the official parser (installs Node.js)
	tools/install/system-packages asyncapi
	$(PY) -m tools.county.asyncapi_parser docs/asyncapi.yaml

bench: build  ## 微基准与短测 / micro-benchmarks and a short bench
	$(PY) -m pytest -q tests/bench --benchmark-enable -o addopts=--import-mode=importlib
	sentinel bench --quick

evidence: build  ## 测全部指标,写 docs/evidence.md / measures every figure
	$(PY) -m tools.bench.evidence

evidence-ota: build trace  ## 测县里下发的全部指标(千节点车队,约一刻钟)/ every figure of the county office, with a fleet of a thousand nodes
	$(PY) -m tools.county.evidence

evaluate: sim  ## 用模拟车流判定警示是否恰当,刷新 docs/evidence.md / judges the warning on simulated traffic
	$(PY) -m tools.evaluate --write

evaluate-detector: build  ## 检测器与两个公开模型同图并排评测(需要 ../shared)/ the detector beside two public ones on the same pictures
	$(PY) -m tools.detector

ratchet: sim  ## 同上,只看有没有退步 / the same, and fails only where it got worse than reached before
	$(PY) -m tools.evaluate --no-worse

mutants: build $(MUTATION)  ## 改坏决策代码的每一行,看测试是否发觉(手动,约半小时)/ mutation tests of what decides, by hand
	$(PY) -m tools.mutation

nightly: mutants sim  ## 变异测试,新种子的模拟车流 / what is too slow for every change: mutants, traffic of a fresh seed
	$(PY) -m tools.evaluate --seeds 1 --no-worse

system:
	@tools/install/system-packages || echo "以下继续运行不需要这些软件包的部分 / going on with what runs without them"

trace:
	@tools/install/system-packages trace || echo "没有 strace,断电的测试跳过 / without strace the tests of power cuts are skipped"

build: $(READY)  ## 安装并生成语音与中文界面 / installs, renders voice clips and the Chinese catalogue
	@$(PY) -m tools.build.catalogue
	@$(PY) -m tools.voice.render || echo "没有语音,其余照常 / no voice clips, the rest goes on"

$(READY): pyproject.toml tools/install/requirements-dev.txt tools/install/requirements-ncnn.txt | system
	python3 -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r tools/install/requirements-dev.txt
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r tools/install/requirements-ncnn.txt
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	touch $@

# SUMO, 148 MB: for the junction bench and its tests, never for a node.
$(SIM): tools/install/requirements-sim.txt $(READY)
	tools/install/system-packages sim
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r tools/install/requirements-sim.txt
	touch $@

$(MUTATION): tools/install/requirements-mutation.txt $(READY)
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r tools/install/requirements-mutation.txt
	touch $@

lock:  ## 重新导出依赖 / exports the hashed requirements again (needs uv)
	cd tools/install && for extra in node dev sim mutation; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	    -q $$([ $$extra = node ] || echo --extra $$extra) ../../pyproject.toml -o requirements-$$extra.txt; done
	cd tools/install && echo 'ncnn>=1.0.20260114' | uv pip compile --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-deps -q - -o requirements-ncnn.txt

golden: build  ## 接受回放结果(先看它打印的差别)/ accepts what the replay says now; read what it prints
	$(PY) -m tests.replay.accept

docs:  ## 重新生成配置参考和平台合同 / writes the configuration reference and the contract for platforms again
	$(PY) -m tools.build.reference docs/config-reference.md
	$(PY) -m tools.county.asyncapi docs/asyncapi.yaml
	$(PY) -m tools.county.examples docs/platform.md

clean:
	rm -rf .venv .cache mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis
