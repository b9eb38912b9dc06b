#!/usr/bin/env bash
# A load that lasts: one run of many epochs on a slice, and many tiny runs in one comparison. Prints the memory, open files and threads of the
# process through its life (Linux: it reads /proc). The figures in docs/PROMISES.md were made by it.
#
#     scripts/load.sh [EPOCHS] [RUNS]      default: 2000 1000; needs target/release/lrsched, or another one in PROGRAM
#
# Of the resident memory it prints the least and the most that was seen since the line before, of 20 looks a second, and the peak of the whole
# life. Memory that creeps shows in all three.
set -euo pipefail
cd "$(dirname "$0")/.."
program="${PROGRAM:-$PWD/target/release/lrsched}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
slice=(--dataset synthetic --train-limit 10 --validation 10 --batch-size 10 --lr 0.001 --progress none)

# watch NAME FILE STEP: until the process $! ends, a line each time that FILE has grown by STEP lines.
watch() {
    local pid=$! next=2 lines status resident least=999999999 most=0 look=0
    echo "$1: lines of $(basename "$2"), resident MB least, most, peak, open files, threads, seconds"
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
        # Finished runs only take up room here.
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
