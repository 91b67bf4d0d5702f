# make run: try it. make test: everything that CI runs.

SWIFT ?= swift

.PHONY: run build test lint configuration install-run install-test clean

run: install-run build
	.build/debug/notify-bridge dev

build:
	$(SWIFT) build --product notify-bridge --explicit-target-dependency-import-check error

test: install-test
	Tests/Support/run_all.sh

lint: install-test
	Tests/Support/lint.sh

# Writes the pages that are generated from the table of settings.
configuration: build
	.build/debug/notify-bridge reference yaml >.build/page && mv .build/page Config/notify-bridge.yaml
	.build/debug/notify-bridge reference markdown >.build/page && mv .build/page Documentation/configuration.md

install-run:
	Tests/Support/install.sh run

install-test:
	Tests/Support/install.sh test

clean:
	rm -rf .build Tests/EndToEndTests/.venv Tests/EndToEndTests/.nginx Clients/django/.venvs Tests/CNotifyStoreTests/build Benchmarks/build
