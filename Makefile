# Every target sets itself up on a Debian machine with Rust.
.DEFAULT_GOAL := help
.PHONY: help setup app app-pictures demo test lint doc bench fuzz soak clean

# One set of features for everything under test, so that nothing is compiled twice.
TEST_FEATURES := --features cluster-core/simulation,cluster-node/fault-injection
# The next release beside this one, for tests of upgrades: the same crates but for cluster-net and what is built on it.
NEXT_FEATURES := cluster-node/next-version,cluster-testnet/next-version
DEMO_DIR ?= demo-out
VALIDATORS ?= 3
OPERATORS ?= 4
NETWORK ?= hoodi
TRANSPORT ?= quic
# A chain of the demo's own where there is npm to install it; none: a registry file.
CHAIN ?= $(if $(shell command -v npm),anvil,none)

help: ## This list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## What the tests need besides Rust: PostgreSQL, a Python verifier, a beacon node (Node.js), Chromium
	@bash .ci/setup

app: ## The web app in app/dist, which cluster-service embeds and serves (needs Node.js)
	@bash app/tools/npm.sh run build

app-pictures: app ## Pictures of every page in docs/app (needs Chromium)
	cargo build --locked --workspace --bins $(TEST_FEATURES)
	PICTURES=1 bash app/tools/npm.sh run e2e

demo: ## A whole network makes 3 validators; with npm on a chain of its own, up to their exit
	@if command -v npm >/dev/null; then bash app/tools/npm.sh run build; else echo "without npm the web app is left out"; fi
	@if [ "$(CHAIN)" = anvil ]; then bash contracts/install; fi
	cargo build --release --locked -p cluster-testnet -p cluster-node
	./target/release/cluster-testnet demo --operators $(OPERATORS) --validators $(VALIDATORS) --network $(NETWORK) \
		--withdrawal-address lido --transport $(TRANSPORT) --chain $(CHAIN) --out $(DEMO_DIR) $(DEMO_FLAGS)

test: setup app ## All tests
	@# Two things that take minutes and keep one core busy for most of them: the contracts' checks, and building everything.
	bash contracts/check >target/contracts-check.log 2>&1 & contracts=$$!; \
	cargo build --locked --workspace --bins $(TEST_FEATURES) && \
	cargo build --locked --workspace --bin cluster-node-next --bin cluster-testnet-next $(TEST_FEATURES),$(NEXT_FEATURES) && \
	cargo test --locked --workspace $(TEST_FEATURES) --no-run; built=$$?; \
	wait $$contracts; checked=$$?; cat target/contracts-check.log; [ $$built = 0 ] && [ $$checked = 0 ]
	cargo test --locked --workspace $(TEST_FEATURES)
	bash app/tools/npm.sh test
	bash app/tools/npm.sh run e2e

lint: ## Formatting, clippy, documentation, licences, dependency rules
	@bash .ci/lint

doc: ## The API documentation in target/doc
	cargo doc --locked --workspace --no-deps

bench: ## criterion benches and the table of ratios of docs/benchmarks.md
	cargo bench --locked -p cluster-benches
	cargo run --release --locked -p cluster-benches --bin ratios

fuzz: ## Every fuzz target for a minute each (needs cargo-fuzz)
	@bash fuzz/run.sh

soak: setup ## Thousands of simulated schedules, simulation tests over many seeds, and an hour of duties on a real beacon chain
	cargo build --release --locked -p cluster-testnet -p cluster-node
	for operators in 4 7 10 13; do \
		./target/release/cluster-testnet simulate --operators $$operators --validators 2 --seeds 2000 || exit 1; \
		./target/release/cluster-testnet simulate --duties --operators $$operators --seeds 200 || exit 1; \
	done
	SIMULATION_SEEDS=200 cargo test --release --locked -p cluster-core --features simulation --test ceremony --test byzantine \
		--test consensus_simulation
	bash testnet/soak.sh

clean: ## Remove what was built
	cargo clean
	rm -rf $(DEMO_DIR) contracts/out contracts/cache contracts/broadcast
	rm -rf $(DEMO_DIR) app/dist app/node_modules
