#!/usr/bin/env bash
# A grid in plain shell: every rate under every schedule, with one folder and one line on stdout per run. `lrsched compare --grid` does the same in
# one process, and ranks the results.
#
#   scripts/sweep.sh [OUT]            default: results/sweep
#
# Change the grid below or by variables (LRSCHED is the program; default: the one built here):
#   LRSCHED=lrsched RATES="0.01 0.1" SCHEDULES="constant cosine" SEEDS="0 1" EPOCHS=10 DATASET=cifar10 scripts/sweep.sh results/mine
#
# Finished runs are not repeated, so a stopped sweep can be continued by running the script again.
set -u
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
project=$(cd "$(dirname "$0")/.." && pwd) || exit 1

out=${1:-results/sweep}
rates=${RATES:-"0.01 0.03 0.1"}
schedules=${SCHEDULES:-"constant step:factor=0.5,drop-every=2 cosine"}
seeds=${SEEDS:-0}
epochs=${EPOCHS:-5}
dataset=${DATASET:-synthetic}
lrsched=${LRSCHED:-$project/target/release/lrsched}

if [ -z "${LRSCHED:-}" ] && [ ! -x "$lrsched" ]; then
    cargo build --release --manifest-path "$project/Cargo.toml" || exit 1
elif ! command -v "$lrsched" >/dev/null; then
    echo "sweep.sh: $lrsched does not exist; set LRSCHED to the program, or unset it" >&2
    exit 1
fi

# A folder's name for a schedule. Others that differ only in what a name cannot have, such as lr/2 and lr*2, get another one.
name_of() {
    printf %s "$1" | tr -c 'A-Za-z0-9.=,+-' _
    case $1 in
    *[!A-Za-z0-9.=,+:-]*) printf ',%s' "$(printf %s "$1" | cksum | cut -d ' ' -f 1)" ;;
    esac
}

# Dataset, epochs, rate, schedule and seed are in the name of a run's folder.
same_settings "$out" "--progress none" || exit 1

failed=0
echo "lr,schedule,seed,val_accuracy,exit_code"
for rate in $rates; do
    for schedule in $schedules; do
        for seed in $seeds; do
            run="$out/$dataset,epochs=$epochs,lr=$rate,$(name_of "$schedule"),seed=$seed"
            code=0
            if grep -q '"status": "diverged"' "$run/run.json" 2>/dev/null; then
                code=4
            elif ! grep -q '"status": "finished"' "$run/run.json" 2>/dev/null; then
                "$lrsched" train --dataset "$dataset" --lr "$rate" --schedule "$schedule" --seed "$seed" \
                    --epochs "$epochs" --out "$run" --force --progress none
                code=$?
            fi
            # 0: finished; 4: diverged, its rows are kept. Anything else is an error in the sweep itself.
            if [ "$code" -eq 2 ]; then exit 2; fi
            if [ "$code" -ne 0 ]; then failed=1; fi
            # The sixth column of the last row: val_accuracy.
            accuracy=$(tail -n +2 "$run/metrics.csv" 2>/dev/null | tail -n 1 | cut -d, -f6)
            echo "$rate,\"$schedule\",$seed,$accuracy,$code"
        done
    done
done
exit $failed
