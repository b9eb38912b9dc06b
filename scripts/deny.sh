#!/usr/bin/env bash
# Checks the dependencies with cargo-deny against deny.toml: licences, bans, sources, and advisories if the advisory database can be fetched.
#
#     scripts/deny.sh            everything
#     scripts/deny.sh offline    without advisories, whose result changes from day to day
#
# Needs cargo-deny 0.20 (`cargo install cargo-deny --locked`, about five minutes of CPU time, half that with `--debug`).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.."

if ! cargo deny --version >/dev/null 2>&1; then
    echo "cargo-deny is not installed: cargo install cargo-deny --locked" >&2
    exit 2
fi
cargo deny --log-level error check licenses bans sources
if [ "${1:-}" = offline ]; then
    exit 0
fi
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check --disable-fetch advisories
else
    echo "SKIPPED the advisories: https://github.com/RustSec/advisory-db cannot be fetched" >&2
fi
