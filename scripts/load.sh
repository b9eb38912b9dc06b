#!/usr/bin/env bash
# Sustained load: one run of many epochs on a few images, then many tiny runs in one comparison. Prints the memory, open files and threads of the
# process over its lifetime (Linux only: it reads /proc). docs/PROMISES.md has the results.
#
#     scripts/load.sh [EPOCHS] [RUNS]      default: 2000 1000; needs target/release/lrsched, or another binary in PROGRAM
#
# Resident memory is sampled 20 times per second: each line prints the minimum and maximum since the line before, and the peak since the start.
# A leak shows in all three.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.."
program="${PROGRAM:-$PWD/target/release/lrsched}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
slice=(--dataset synthetic --train-limit 10 --validation 10 --batch-size 10 --lr 0.001 --progress none)

# watch NAME FILE STEP: until the process $! ends, prints a line each time FILE has grown by STEP lines.
watch() {
    local pid=$! next=2 lines status resident least=999999999 most=0 look=0
    echo "$1: lines of $(basename "$2"), resident MB min, max, peak, open files, threads, seconds"
    while kill -0 "$pid" 2>/dev/null; do
        status="$(cat "/proc/$pid/status" 2>/dev/null)" || break
        resident=$(awk '/VmRSS/ {print $2}' <<<"$status")
        [ -n "$resident" ] || break
        if [ "$resident" -lt "$least" ]; then least=$resident; fi
        if [ "$resident" -gt "$most" ]; then most=$resident; fi
        lines=0
        [ ! -f "$2" ] || lines=$(wc -l <"$2")
        if [ "$lines" -ge "$next" ]; then
            echo "$lines $((least / 1024)) $((most / 1024)) $(awk '/VmHWM/ {print int($2 / 1024)}' <<<"$status")" \
                "$(find "/proc/$pid/fd" -type l 2>/dev/null | wc -l) $(awk '/Threads/ {print $2}' <<<"$status") $SECONDS"
            next=$((lines + $3)) least=999999999 most=0
        fi
        # The weights of finished runs are not needed; free the disk space.
        if [ $((++look % 100)) = 0 ]; then
            find "$folder" -path '*/runs/*' -name '*.safetensors' -mmin +1 -delete 2>/dev/null || true
        fi
        sleep 0.05
    done
    wait "$pid"
}

epochs="${1:-2000}"
nice -n "${NICE:-10}" "$program" train "${slice[@]}" --epochs "$epochs" --out "$folder/run" &
watch "one run of $epochs epochs" "$folder/run/metrics.csv" $((epochs / 10))
runs="${2:-1000}"
nice -n "${NICE:-10}" "$program" compare "${slice[@]}" --entrants sgd/constant --seeds "$runs" --epochs 1 --out "$folder/cmp" >/dev/null &
watch "$runs runs in one comparison" "$folder/cmp/comparison.csv" $((runs / 10))
