# make run         builds Sluice and serves on :9091, with its stream in ./sluice-data
# make lint unit   check what Go alone can check: they need Go and install nothing else
# make test        installs what the tests need, where it is absent, and runs everything
# The other targets are the parts of these, and the measurements.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

CONFORMANCE ?= e2e/conformance
ROUNDS      ?= 200
RACE        ?= 1
BENCH       ?= .
COUNT       ?= 6
FUZZTIME    ?= 600
MINUTES     ?= 20

# Tools, at the newest release of the day they were chosen.
NATSCLI     := github.com/nats-io/natscli/nats@v0.5.1
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT   := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# Debian packages by the target that needs them, each behind what tells whether it
# is there.
debian_race        := gcc=gcc /usr/include/stdlib.h=libc6-dev
debian_conformance := openssl=openssl python3=python3
debian_deploy      := promtool=prometheus systemd-analyze=systemd
debian_bench       := curl=curl jq=jq
debian_page        := chromium=chromium node=nodejs npm=npm
debian_page-bench  := $(debian_page) $(debian_bench) prometheus-pushgateway=prometheus-pushgateway
debian_e2e         := $(debian_race) $(debian_page-bench) haproxy=haproxy hostname=hostname prometheus=prometheus python3:prometheus_client=python3-prometheus-client

# What `sluice --version` says. All of it may be missing: outside a clone the
# version is "unknown". The date is the commit's, so that builds can be repeated.
git     = $(shell git $(1) 2>/dev/null)
package := github.com/prometheus/common/version
LDFLAGS = -s -w \
	-X '$(package).Version=$(or $(patsubst v%,%,$(call git,describe --tags --always --dirty)),unknown)' \
	-X '$(package).Revision=$(or $(call git,rev-parse HEAD),unknown)' \
	-X '$(package).Branch=$(or $(call git,rev-parse --abbrev-ref HEAD),unknown)' \
	-X '$(package).BuildUser=$(shell id -un)@$(shell uname -n)' \
	-X '$(package).BuildDate=$(or $(call git,log -1 --format=%cd --date=format:%Y%m%d-%H:%M:%S),unknown)'

# The packages with tests of their own; ./e2e runs the whole program instead.
packages = $(shell go list ./... | grep -v '/e2e$$')

# The race detector needs a C compiler; without one the tests run, and say so.
race = $(shell .ci/race)

.PHONY: run build test tools lint unit conformance deploy e2e crash soak loadtest ttl-cost cluster-bench page-bench bench bench-compare fuzz clean

run: build
	build/sluice serve --web.listen-address=:9091 --bus.data-dir=sluice-data

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o build/sluice ./cmd/sluice

test:
	@FUZZTIME=20 .ci/stages tools lint unit fuzz conformance deploy e2e

# All that `make test` needs besides Go.
tools:
	@.ci/debian $(debian_e2e) $(debian_conformance) $(debian_deploy)
	@.ci/gotools $(NATSCLI) $(STATICCHECK)
	@.ci/npm

lint:
	@.ci/gotools $(STATICCHECK)
	@unformatted=$$(find . -name '*.go' -not -path './build/*' -print0 | xargs -0 gofmt -s -l); \
	[ -z "$$unformatted" ] || { printf 'gofmt -s would change: %s\n' $$unformatted; exit 1; }
	go vet ./...
	build/bin/staticcheck ./...
	go mod tidy -diff

unit:
	go test $(race) -timeout=10m $(packages)

conformance: build
	@.ci/debian $(debian_conformance)
	@e2e/conformance.sh "$(CONFORMANCE)" build/sluice build/conformance

# What is in deploy/, loaded by the programs that it is for. The checks are a
# module of their own, and no cache knows all that they read.
deploy:
	@.ci/debian $(debian_deploy)
	@.ci/gotools $(STATICCHECK)
	cd deploy/check && go vet ./... && ../../build/bin/staticcheck ./... && go mod tidy -diff && go test -count=1 -timeout=5m ./...

# The binary under test is built with the race detector, too; RACE=0 builds it
# as users do.
e2e:
	@.ci/debian $(debian_e2e)
	@.ci/gotools $(NATSCLI)
	@.ci/npm
	E2E_RACE=$(RACE) go test -race -count=1 -timeout=30m -parallel=4 ./e2e

# The crash loop as a soak: make crash ROUNDS=1000 SEED=42
crash:
	E2E_ROUNDS=$(ROUNDS) E2E_SEED=$(SEED) E2E_RACE=$(RACE) go test -race -count=1 -timeout=0 -v -run '^TestCrash' ./e2e

# A cluster of three under faults drawn from a seed, and whether all that was seen
# is what is promised: make soak MINUTES=20 SEED=42
soak:
	E2E_MINUTES=$(MINUTES) E2E_SEED=$(SEED) go test -count=1 -timeout=0 -v -run '^TestSoak$$' ./e2e

# Rates, sizes and replay beside a handler that only reads bodies, on this machine.
loadtest: build
	go build -o build/ ./e2e/loadgen ./e2e/loadgen/anchors ./e2e/loadtest
	build/loadtest -bin build

# What a time to live costs, beside none.
ttl-cost: build
	@.ci/debian $(debian_bench)
	go build -o build/ ./e2e/loadgen
	e2e/ttl-cost.sh build/sluice build/loadgen

# What three members cost beside a gateway that is alone, and how soon a fresh one
# has all.
cluster-bench: build
	@.ci/debian $(debian_bench)
	go build -o build/ ./e2e/loadgen
	e2e/cluster-bench.sh build/sluice build/loadgen

# The first page with 50,000 groups in a browser, beside Pushgateway's.
page-bench: build
	@.ci/debian $(debian_page-bench)
	@.ci/npm
	go build -o build/ ./e2e/loadgen
	e2e/page-bench.sh build/sluice build/loadgen

bench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout=0 $$(go list ./... | grep -v /e2e)

# Benchmarks of the working tree against a revision: make bench-compare REF=HEAD~1
bench-compare:
	@.ci/gotools $(BENCHSTAT)
	@e2e/bench-compare.sh "$(REF)" '$(BENCH)' $(COUNT)

# All fuzz targets for FUZZTIME seconds together: the parser against Prometheus'
# own, the consistency index against prometheus.Gatherers, and a few more.
# `make unit` runs their seeds, and `make test` fuzzes for a few seconds.
fuzz:
	go test -timeout=0 ./store ./ingest/decode -run 'Agree|Suspect' -rapid.checks=$$(($(FUZZTIME) * 50))
	@e2e/fuzz.sh $(FUZZTIME)

clean:
	rm -rf build
