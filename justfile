# Short names for the commands of every day. `just` alone lists them.

set positional-arguments

_list:
    @just --list --unsorted

# What CI runs; with arguments only the tests that match: just test revoke
test *filter:
    ./scripts/test {{ if filter == "" { "" } else { "--" } }} "$@"

# The same with long runs of the property tests
test-full:
    ./scripts/test --full

# The release program as it is given out, at target/release/tigertrust
build:
    ./scripts/build

# What scripts/build compiles by: before a release
profile:
    ./scripts/profile

# How fast the server is, beside a bare actix handler: just bench --quick
bench *arguments:
    ./scripts/bench "$@"

# What signing in costs and tells: just measure login-timing
measure *arguments:
    ./scripts/measure "$@"

# What clients see while something fails: just faults --short
faults *arguments:
    ./scripts/faults "$@"

# Container, compose file and package, as an operator runs them: just deployments --only systemd
deployments *arguments:
    ./scripts/deployments "$@"

# A server to try things on
quickstart:
    ./scripts/quickstart

# Lay out the code as the checks want it
fmt:
    cargo fmt --all

# The checks that need no test run
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Write the pages of the handbook that come out of the code: docs/src/reference
reference:
    TIGERTRUST_TEST_WRITE_REFERENCE=1 cargo test -p tigertrust-server --locked --bin tigertrust the_reference_says_what_the_code_says

# The handbook, into docs/book
docs:
    mdbook build docs
