#!/bin/sh
# Writes docs/SCHEDULES.md and its pictures from the table of schedules.
set -eu
cd "$(dirname "$0")/.."
LRSCHED_WRITE_DOCS=1 cargo test --release --test formulas schedule_docs
