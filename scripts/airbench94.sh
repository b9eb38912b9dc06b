#!/usr/bin/env bash
# Trains the recipe of configs/airbench94-muon.toml with SEEDS seeds, one after the other, into results/airbench94/runs.
#
#     scripts/airbench94.sh [SEEDS]         10 seeds from 0; those that have finished are not trained again
#
#   LRSCHED=target/release/lrsched, LRSCHED_DATA (CIFAR-10's files)
#
# scripts/publish.sh results/airbench94 airbench94 publishes the records.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.."
lrsched=${LRSCHED:-target/release/lrsched}
if [ ! -x "$lrsched" ]; then cargo build --release; fi
for ((seed = 0; seed < ${1:-10}; seed++)); do
    run=results/airbench94/runs/seed-$seed
    if grep -qE '^  "status": "(finished|diverged)"' "$run/run.json" 2>/dev/null; then continue; fi
    if [ -d "$run/checkpoints" ]; then
        "$lrsched" resume "$run"
    else
        "$lrsched" train --config configs/airbench94-muon.toml --seed "$seed" --out "$run" --force
    fi
done
