#!/usr/bin/env bash
# How many times as fast as PyTorch and Keras is a training step of lrsched, on this machine?
#
#     scripts/bench_peers.sh [VENV]         default: ${XDG_CACHE_HOME:-~/.cache}/lrsched/peers
#
# Builds VENV from PyPI if it is not there (several GB), then runs lrsched and the peers in turn, ROUNDS times, each in a process of its own,
# and prints the median of each and the ratio. lrsched loads and augments its images; the peers get random tensors that are in memory
# already, PyTorch in both memory formats, the better of which counts.
#
# MODELS="cnn:128 airbench94:500", ROUNDS=5, STEPS=20, THREADS (all cores) and LRSCHED (target/release/lrsched) may be set.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lrsched/peers}
models=${MODELS:-cnn:128 cnn:32 cnn:512 airbench94:500 airbench94:2000}
rounds=${ROUNDS:-5}
steps=${STEPS:-20}
threads=${THREADS:-$(nproc)}
lrsched=${LRSCHED:-$here/../target/release/lrsched}

if [[ ! -x $lrsched ]]; then
    echo "there is no $lrsched; build it with \`cargo build --release\`, or set LRSCHED" >&2
    exit 1
fi
if [[ ! -x $venv/bin/python ]]; then
    echo "building $venv ..." >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet torch==2.15.0 numpy keras==3.15.1 tensorflow-cpu==2.21.0
fi

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

printf '%-16s %12s %12s %20s %12s %8s\n' model:batch lrsched torch torch-channels-last keras ratio
for entry in $models; do
    model=${entry%:*} batch=${entry#*:}
    peers="torch torch-channels-last"
    if [[ $model == cnn ]]; then peers+=" keras"; fi
    declare -A speeds=([lrsched]="" [torch]="" [torch-channels-last]="" [keras]="")
    for ((round = 0; round < rounds; round++)); do
        ours=$("$lrsched" bench --model "$model" --batch-size "$batch" --threads "$threads" --steps "$steps" |
            sed -n 's/ images\/s.*//p')
        speeds[lrsched]+="$ours"$'\n'
        for peer in $peers; do
            theirs=$("$venv/bin/python" "$here/bench_peers.py" "$peer" "$model" "$batch" "$threads" "$steps" 2>/dev/null)
            speeds[$peer]+="$theirs"$'\n'
        done
    done
    declare -A medians=([keras]=-)
    for name in lrsched $peers; do medians[$name]=$(printf '%s' "${speeds[$name]}" | median); done
    ratio=$(awk -v a="${medians[lrsched]}" -v b="${medians[torch]}" -v c="${medians[torch-channels-last]}" \
        'BEGIN { printf "%.2f", a / (b > c ? b : c) }')
    printf '%-16s %12s %12s %20s %12s %8s\n' "$entry" "${medians[lrsched]}" "${medians[torch]}" \
        "${medians[torch-channels-last]}" "${medians[keras]}" "$ratio"
done
echo "images/s, medians of $rounds alternating runs of $steps steps; ratio: lrsched over PyTorch in its better memory format"
