#!/usr/bin/env bash
# Compares the test accuracy of lrsched and PyTorch with the same recipe: trains `cnn` and `airbench94` with both on CIFAR-10, several seeds each,
# and prints the mean and standard deviation of the test accuracies.
#
#     scripts/parity.sh DATA [VENV]         default: the virtual environment built by bench_peers.sh
#
# One-cycle, flips and crops; SGD with momentum and weight decay for `cnn`, Adam and label smoothing for `airbench94`. parity_torch.py is the
# PyTorch side. Variables: SEEDS="0 1 2", JOBS="cnn:50000:5 airbench94:10000:8" (model, images, epochs), LRSCHED. PyTorch takes most of the time:
# an hour on two cores.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"

here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { about >&2 && exit 2; }
data=$1
venv=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/lrsched/peers}
lrsched=${LRSCHED:-$here/../target/release/lrsched}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# One run of lrsched: the test accuracy after the last epoch.
ours() {
    local model=$1 images=$2 epochs=$3 seed=$4 recipe
    case $model in
    cnn) recipe=(--lr 0.05 --batch-size 128 --momentum 0.9 --weight-decay 0.0005) ;;
    airbench94) recipe=(--optimizer adam --lr 0.003 --batch-size 250 --label-smoothing 0.2) ;;
    esac
    [[ $images == 50000 ]] || recipe+=(--train-limit "$images")
    "$lrsched" train --data-dir "$data" --model "$model" --epochs "$epochs" --seed "$seed" --validation test --augment flip-crop \
        --schedule one-cycle --no-cycle-momentum "${recipe[@]}" --progress none --out "$folder/run" --force >/dev/null
    "$venv/bin/python" -c "import json, sys; print(json.load(open(sys.argv[1]))['results']['test_accuracy'])" "$folder/run/run.json"
}

printf '%-12s %-8s %10s %10s %3s\n' model program "accuracy %" "std. dev." n
for job in ${JOBS:-cnn:50000:5 airbench94:10000:8}; do
    IFS=: read -r model images epochs <<<"$job"
    for program in lrsched torch; do
        for seed in ${SEEDS:-0 1 2}; do
            if [[ $program == lrsched ]]; then
                ours "$model" "$images" "$epochs" "$seed"
            else
                "$venv/bin/python" "$here/parity_torch.py" "$model" "$data" "$images" "$epochs" "$seed" 2>/dev/null
            fi
        done | awk -v m="$model" -v p="$program" '
            { n++; sum += $1; squares += $1 * $1 }
            END { mean = sum / n
                  deviation = n > 1 ? sprintf("%.2f", 100 * sqrt((squares - n * mean * mean) / (n - 1))) : "-"
                  printf "%-12s %-8s %10.2f %10s %3d\n", m, p, 100 * mean, deviation, n }'
    done
done
