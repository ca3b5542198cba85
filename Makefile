# peerd's verbs. With only Go, git and make on a machine, "make build",
# "make test" and "make quickstart" work; tools come at pinned versions from
# tools/*/go.mod, test programs from the distribution (.ci/programs).

.DEFAULT_GOAL := build
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

GO       ?= go
GOLANGCI  = $(GO) tool -modfile=tools/lint/go.mod golangci-lint
GOFUMPT   = $(GO) tool -modfile=tools/format/go.mod gofumpt
BUF       = $(GO) tool -modfile=tools/go.mod buf
VULN      = $(GO) tool -modfile=tools/vuln/go.mod govulncheck
TESTSUM   = $(GO) tool -modfile=tools/test/go.mod gotestsum

# The race detector needs a C compiler; without one the tests run without it,
# and say so.
RACE     := $(if $(shell command -v $${CC:-gcc} cc),-race)
TESTFLAGS ?=
# A few tests that fail are run again, alone, and named at the end: a
# machine that stalls does not hide what else a run has to say, nor does a
# second run hide the first. A data race is never run again.
FLAKY    := .flaky
FUZZTIME ?= 10s

PROGRAMS := $(notdir $(wildcard cmd/peerd cmd/peerd-keeper cmd/ccpc))
SAMPLE   := $(if $(wildcard samples/CCPComponent/*.go),bin/ccpcomponent)

.PHONY: help build test lint fmt vuln gen ci bench fuzz torture soak quickstart package clean programs $(PROGRAMS)

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(PROGRAMS) $(SAMPLE) ## the programs and the sample component, in bin/

$(PROGRAMS):
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/$@ ./cmd/$@

.PHONY: bin/ccpcomponent
bin/ccpcomponent:
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./samples/CCPComponent

programs: # what tests run, from the distribution
	@.ci/programs

test: programs ## all tests, with the race detector
	@$(if $(RACE),,echo "notice: no C compiler, so no race detector" >&2)
	$(TESTSUM) --format standard-quiet --hide-summary skipped \
		--rerun-fails=2 --rerun-fails-max-failures=6 --rerun-fails-abort-on-data-race --rerun-fails-run-root-test \
		--rerun-fails-report $(FLAKY) --packages ./... -- -timeout 20m $(RACE) $(TESTFLAGS)
	@if [[ -s $(FLAKY) ]]; then echo "notice: tests that failed and then passed; each is a defect to be filed:"; cat $(FLAKY); fi

lint: ## go vet and golangci-lint
	$(GO) vet ./...
	$(GOLANGCI) run

fmt: ## format all Go code
	$(GOFUMPT) -w $$(git ls-files '*.go' ':!*.pb.go')

vuln: ## known vulnerabilities (needs vuln.go.dev)
	$(VULN) ./...

gen: ## all generated files
	$(BUF) generate
	$(GO) generate ./...

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

fuzz: ## every fuzz target for FUZZTIME, a time or a number of inputs (5000x)
	@.ci/fuzz $(FUZZTIME)

torture: programs ## the torture kit in its long form: thousands of kill points, hundreds of rounds (docs/torture.md)
	PEERD_SOAK=1 $(GO) test -timeout 0 -v -run 'Rounds|EachLine|KillPoints|UnderLoad|ADamagedJournal|OnlyTheKeeperSaw' ./acceptance | grep -v '^ *==='

soak: torture ## long: the torture kit, property tests a hundredfold, larger models, every fuzz target for ten minutes
	$(GO) test -timeout 0 $$(git grep -l pgregory.net/rapid -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's,^,./,') -rapid.checks=10000
	$(GO) test -timeout 0 -run TestSimulation ./supervisor -args -simulation.seeds=5000
	$(GO) test -timeout 0 -run NoEffect ./controller/election -args -model.whole
	@.ci/fuzz 10m

quickstart: build ## the first thing to try: a component's whole life
	@scripts/quickstart

ci: ## what must pass before a merge
	@.ci/ci

package: ## archives for every platform, with checksums, in dist/
	@scripts/package

clean: ## forget what was built
	rm -rf bin dist coverage.out .quickstart $(FLAKY)
