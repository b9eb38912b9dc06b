#!/usr/bin/env bash
# A load that lasts: one run of many epochs on a slice, and many tiny runs in one comparison. Prints resident memory, open files and
# threads of the process through its life (Linux: it reads /proc). The figures in docs/PROMISES.md were made by it.
#
#     scripts/load.sh [EPOCHS] [RUNS]      default: 2000 1000; needs target/release/lrsched
set -euo pipefail
cd "$(dirname "$0")/.."
program="$PWD/target/release/lrsched"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
slice=(--dataset synthetic --train-limit 10 --validation 10 --batch-size 10 --lr 0.001 --progress none)

# watch NAME FILE STEP: until the process $! ends, a line each time that FILE has grown by STEP lines.
watch() {
    local pid=$! next=2 lines
    echo "$1: lines of $(basename "$2"), resident kB, open files, threads"
    while kill -0 "$pid" 2>/dev/null; do
        lines=0
        [ ! -f "$2" ] || lines=$(wc -l <"$2")
        if [ "$lines" -ge "$next" ] && [ -d "/proc/$pid/fd" ]; then
            echo "$lines $(awk '/VmRSS/ {print $2}' "/proc/$pid/status") $(find "/proc/$pid/fd" -type l | wc -l) $(awk '/Threads/ {print $2}' "/proc/$pid/status")"
            next=$((lines + $3))
        fi
        # Finished runs only take up room here.
        find "$folder" -path '*/checkpoints/last/*.safetensors' -mmin +1 -path '*/runs/*' -delete 2>/dev/null || true
        sleep 0.2
    done
    wait "$pid"
}

epochs="${1:-2000}"
nice -n "${NICE:-10}" "$program" train "${slice[@]}" --epochs "$epochs" --out "$folder/run" &
watch "one run of $epochs epochs" "$folder/run/metrics.csv" $((epochs / 10))
runs="${2:-1000}"
nice -n "${NICE:-10}" "$program" compare "${slice[@]}" --entrants sgd/constant --seeds "$runs" --epochs 1 --out "$folder/cmp" >/dev/null &
watch "$runs runs in one comparison" "$folder/cmp/comparison.csv" $((runs / 10))
