#!/usr/bin/env bash
# A comparison whose runs are all finished, started again: seconds until it has checked them, and drawn and ranked them anew, and its peak memory.
# docs/SCALING.md has the results.
#
#     scripts/idle.sh [RUNS]      default: 1000; needs target/release/lrsched, or another binary in PROGRAM
#
# Three folders, each trained first (minutes): RUNS entrants with one seed, 10 entrants with RUNS / 10 seeds, and RUNS / 2 entrants with two seeds and
# ten epochs of 100 steps. FOLDER keeps them for the next time.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.."
program="${PROGRAM:-$PWD/target/release/lrsched}"
runs="${1:-1000}"
folder="${FOLDER:-}"
if [ -z "$folder" ]; then
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
fi
entrants=()
for ((i = 0; i < runs; i++)); do
    entrants+=("sgd:weight-decay=$((i / 20 + 1))e-5/exponential:decay-rate=0.$((i % 20 * 2 + 50))")
done
ten=(sgd/constant sgd/cosine sgd/linear sgd/step adam/constant adam/cosine adam/linear rmsprop/constant rmsprop/cosine adagrad/constant)
common=(--dataset synthetic --model tiny --train-limit 100 --validation 100 --progress none)
short=(--epochs 1 --batch-size 100)

# idle NAME ARGUMENTS: trains the comparison if need be, then starts it again five times.
idle() {
    local out="$folder/$1" name="$1"
    shift
    "$program" compare "$@" "${common[@]}" --out "$out" --quiet 2>/dev/null
    for _ in 1 2 3 4 5; do
        /usr/bin/time -f "$name: %e s (%U user, %S system), %M KB" "$program" compare "$@" "${common[@]}" --out "$out" 2>&1 >/dev/null | tail -n 1
    done
    du -h --apparent-size "$out"/{report.html,comparison.png,comparison.svg} | sed "s|$folder/||"
    /usr/bin/time -f "$name: report alone %e s (%U user, %S system), %M KB" "$program" report "$out" -o "$folder/$name.html" 2>&1 >/dev/null | tail -n 1
}
idle entrants --entrants "${entrants[@]}" --seeds 1 "${short[@]}"
idle seeds --entrants "${ten[@]}" --seeds $((runs / 10)) "${short[@]}"
idle epochs --entrants "${entrants[@]:0:$((runs / 2))}" --seeds 2 --epochs 10 --batch-size 1
