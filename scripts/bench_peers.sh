#!/usr/bin/env bash
# Compares the speed and memory of a training step with PyTorch, Keras on TensorFlow, and JAX on this machine.
#
#     scripts/bench_peers.sh [VENV]         default: ${XDG_CACHE_HOME:-~/.cache}/lrsched/peers
#
# Builds VENV from PyPI if it does not exist (several GB), then runs lrsched and the peers in turn, ROUNDS times, each in its own process, and
# prints each median and the ratio. lrsched loads and augments its images; the peers get random tensors already in memory. PyTorch runs in
# both memory formats, compiled, and, where the processor has the instructions (avx512_bf16), in bfloat16; Keras and JAX run the cnn alone.
# Memory is the peak resident set of the process (MB, median).
#
# Variables: JOBS="cnn:128 resnet9:128", ROUNDS=5, STEPS=20, THREADS (default: all cores), LRSCHED (default: target/release/lrsched).
# With DATA=FOLDER of CIFAR-10, lrsched runs all of `lrsched train` on 20,000 images instead of `lrsched bench`.
# PEERS="torch-channels-last jax" selects the peers (bench_peers.py names them).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lrsched/peers}
jobs=${JOBS:-cnn:32 cnn:128 cnn:512 resnet9:128 airbench94:500 airbench94:2000}
rounds=${ROUNDS:-5}
steps=${STEPS:-20}
threads=${THREADS:-$(nproc)}
lrsched=${LRSCHED:-$here/../target/release/lrsched}
peers=${PEERS:-torch torch-channels-last torch-compile torch-bf16 keras jax}

if [[ ! -x $lrsched ]]; then
    echo "$lrsched does not exist; build it with \`cargo build --release\`, or set LRSCHED" >&2
    exit 1
fi
if [[ ! -x $venv/bin/python ]]; then
    echo "building $venv ..." >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet torch==2.15.0 numpy keras==3.15.1 tensorflow-cpu==2.21.0 jax==0.10.2
fi
if [[ -z ${PEERS:-} ]]; then
    # Without the instructions, bfloat16 is emulated, and tells nothing.
    if ! grep -qw avx512_bf16 /proc/cpuinfo; then
        peers=${peers/torch-bf16 /}
        echo "no bfloat16: this processor has no avx512_bf16"
    fi
    if ! command -v c++ >/dev/null; then
        peers=${peers/torch-compile /}
        echo "no torch.compile: it needs a C++ compiler"
    fi
fi
results=$(mktemp -d)
trap 'rm -r "$results"' EXIT

# Appends "images/s MB" of one run to $results/NAME.
measure() {
    local name=$1 model=$2 batch=$3
    if [[ $name == lrsched ]]; then
        "$venv/bin/python" "$here/bench_peers.py" lrsched "$model" "$batch" "$threads" "$steps" "$lrsched" "${DATA:-}"
    else
        "$venv/bin/python" "$here/bench_peers.py" "$name" "$model" "$batch" "$threads" "$steps" 2>/dev/null
    fi >>"$results/$name"
}

# The median of a column of $results/NAME.
median() { awk -v column="$2" '{ print $column }' "$results/$1" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

printf '%-16s %-20s %10s %8s %18s\n' model:batch program images/s MB "lrsched is faster"
for job in $jobs; do
    model=${job%:*} batch=${job#*:}
    rm -f "$results"/*
    for ((round = 0; round < rounds; round++)); do
        for name in lrsched $peers; do
            case $name in
            keras | jax) [[ $model == cnn ]] || continue ;;
            esac
            measure "$name" "$model" "$batch"
        done
    done
    ours=$(median lrsched 1)
    for name in lrsched $peers; do
        [[ -e $results/$name ]] || continue
        speed=$(median "$name" 1)
        printf '%-16s %-20s %10.0f %8.0f %17.2fx\n' "$job" "$name" "$speed" "$(median "$name" 2)" \
            "$(awk -v a="$ours" -v b="$speed" 'BEGIN { print a / b }')"
    done
done
echo "medians of $rounds alternating runs of $steps steps, $threads threads"
