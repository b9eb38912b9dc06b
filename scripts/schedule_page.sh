#!/bin/sh
# Generates docs/SCHEDULES.md and its pictures from the schedule table.
set -eu
cd "$(dirname "$0")/.."
LRSCHED_WRITE_DOCS=1 cargo test --release --test formulas schedule_docs
