# make run: try it. make test: everything that CI runs. make package: a .deb for Debian 12.

SWIFT ?= swift

.PHONY: run build test test-postgresql docker-test autobahn fuzz chaos sanitize lint schema configuration package test-package install-run install-test install-package clean

# A first start is mostly building: without an index for editors and without debug information it takes a quarter less.
# Developers want both, so this build has a folder of its own.
run: install-run
	$(SWIFT) build --scratch-path .build-run --product notify-bridge --disable-index-store -debug-info-format none
	.build-run/debug/notify-bridge dev

build:
	$(SWIFT) build --product notify-bridge --explicit-target-dependency-import-check error

test: install-test
	Tests/Support/run_all.sh

# All that a version of PostgreSQL decides, on 16, 17 and 18. `make test` runs a part of it.
test-postgresql: install-test
	$(SWIFT) build --build-tests
	Tests/Support/test_postgresql.sh --all

# The images and compose files, on the Docker engine that is here. BRIDGE_BIN=.build/release/notify-bridge spares a build.
docker-test:
	Tests/Docker/run.sh

# Faults of every kind with an account of every row. SCENARIO=bridge_killed runs one. `make test` runs a part.
# TABLE=Documentation/reliability.md writes the numbers of a whole run into that document.
chaos: install-test build
	cd Tests/Chaos && ../EndToEndTests/.venv/bin/pytest -q $(if $(SCENARIO),-k test_$(SCENARIO)) $(if $(TABLE),--table=$(CURDIR)/$(TABLE))

# All cases of the Autobahn|Testsuite; `test` runs those without large messages.
autobahn: install-test
	$(SWIFT) build -c release --product websocket-echo
	WEBSOCKET_ECHO=.build/release/websocket-echo Tests/Autobahn/run.py all

# All fuzz targets, or one: make fuzz SECONDS=600 TARGET=frames
SECONDS = 20
fuzz: install-test
	Fuzzing/run.py $(SECONDS) $(TARGET)

# The Swift tests under ThreadSanitizer and AddressSanitizer, or some: make sanitize SANITIZER=thread FILTER=Marker
sanitize: install-test
	Tests/Support/sanitize.sh $(or $(SANITIZER),"thread address") $(FILTER)

package: install-package
	Packaging/build.sh

test-package: package
	Packaging/test.sh

# After a change in sql/schema or sql/functions.
schema:
	sql/current.sh

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

install-package:
	Tests/Support/install.sh package

clean:
	rm -rf .build .build-run .build-fuzz .build-sanitize Tests/EndToEndTests/.venv Tests/EndToEndTests/.programs Tests/Autobahn/.venv Clients/django/.venvs Tests/CNotifyStoreTests/build Benchmarks/build
