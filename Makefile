# The commands of odrwatch's developers. `make help` lists them.

CARGO ?= cargo
export KAFKA_PORT ?= 9092
# What `make simulate` runs.
SEEDS ?= 10000
FROM ?= 0
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
ODRWATCH := $(TARGET)/release/odrwatch

.DEFAULT_GOAL := help
.PHONY: demo test simulate check check-deploy check-report canaries bench kafka kafka-stop build fmt fmt-check lint doc deny setup test-setup clean help

demo: build ## A synthetic market on a real Kafka (on the in-memory broker without a JDK and Maven)
	@scripts/demo.sh $(ODRWATCH) $(DEMO_ARGS)

test: test-setup ## All tests, also those against a real Kafka
	$(CARGO) test --locked --no-fail-fast

simulate: ## SEEDS=100000 simulated worlds, from seed FROM on, and what was exercised in them
	SIMULATE_SEEDS=$(SEEDS) SIMULATE_FROM=$(FROM) $(CARGO) test --locked --test simulation -- \
		--nocapture worlds_come_to

check: fmt-check lint test deny doc check-deploy ## Everything that a change must pass

check-deploy: test-setup ## What is under deploy/, with promtool, Helm and the Kubernetes schemas where they can be had
	@scripts/deploy/check.sh --fetch

canaries: test-setup ## Puts some twenty bugs into a copy of the sources, and sees that the tests catch each
	@scripts/canaries.sh

bench: test-setup ## The benchmarks, also those against a real Kafka
	$(CARGO) bench --locked

kafka: ## Starts a Kafka broker on 127.0.0.1:$(KAFKA_PORT); its files are under target/kafka/run
	@scripts/kafka/broker.sh start

kafka-stop: ## Stops the broker of `make kafka`
	@scripts/kafka/broker.sh stop

build: setup ## The release binary
	$(CARGO) build --release --locked

fmt: ## Formats the code
	$(CARGO) fmt

fmt-check:
	$(CARGO) fmt --check

lint: setup ## Clippy, warnings denied
	$(CARGO) clippy --locked --all-targets -- -D warnings

doc: setup ## The documentation of the code, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

deny: ## Licences, sources and bans of the dependencies, if cargo-deny is installed
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny --locked --all-features check bans licenses sources; \
	else \
		echo "deny: left out, cargo-deny is not installed (cargo install --locked cargo-deny)"; \
	fi

setup:
	@scripts/setup.sh --runtime

test-setup:
	@scripts/setup.sh
	@scripts/kafka/fetch.sh

clean: kafka-stop ## Removes all that was built, and the local broker with its data
	$(CARGO) clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		sed 's/$$(KAFKA_PORT)/$(KAFKA_PORT)/' | while IFS='|' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done
