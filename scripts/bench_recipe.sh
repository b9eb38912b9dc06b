#!/usr/bin/env bash
# Times the whole recipe of configs/airbench94-muon.toml beside the same recipe in PyTorch on this machine: reading, augmentation, Muon, SGD groups, an
# evaluation after each epoch, and the test with its six views.
#
#     scripts/bench_recipe.sh [VENV]        VENV with PyTorch as for bench_peers.sh; default: ${XDG_CACHE_HOME:-~/.cache}/lrsched/peers
#
# Runs both in turn, ROUNDS times, from the initial weights of seeds 0, 1, …, and prints the medians: seconds of a step of 2000 images, of an
# evaluation, of the test and of all, with their ratios; the loss of the last epoch, test loss and test accuracy. PyTorch's clock starts after its
# imports, that of lrsched with its process. The whole takes 8 epochs of 50,000 images; for the steps alone, less will do: IMAGES=10000 EPOCHS=1 ROUNDS=3.
#
# Variables: IMAGES=50000, EPOCHS=8, ROUNDS=1, THREADS (default: all cores), LRSCHED (default: target/release/lrsched), LRSCHED_DATA (CIFAR-10's files).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lrsched/peers}
images=${IMAGES:-50000} epochs=${EPOCHS:-8} rounds=${ROUNDS:-1} threads=${THREADS:-$(nproc)}
lrsched=${LRSCHED:-$here/../target/release/lrsched}
data=${LRSCHED_DATA:-$here/../data/cifar-10-batches-bin}

[[ -x $lrsched ]] || { echo "$lrsched does not exist; build it with \`cargo build --release\`, or set LRSCHED" >&2 && exit 1; }
[[ -x $venv/bin/python ]] || { echo "$venv has no Python; scripts/bench_peers.sh builds it" >&2 && exit 1; }
[[ -f $data/data_batch_1.bin ]] || { echo "$data has no CIFAR-10; set LRSCHED_DATA" >&2 && exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Times, losses and accuracy of one run of lrsched, as bench_recipe.py prints them.
ours() {
    local seed=$1
    rm -rf "$work/run"
    local all=("--config" "$here/../configs/airbench94-muon.toml")
    [[ $images -lt 50000 ]] && all+=("--train-limit" "$images")
    local started ended
    started=$(date +%s.%N)
    "$lrsched" train "${all[@]}" --epochs "$epochs" --data-dir "$data" --threads "$threads" --seed "$seed" --out "$work/run" --quiet >/dev/null
    ended=$(date +%s.%N)
    python3 - "$work/run" "$started" "$ended" <<'PYTHON'
import csv, json, statistics, sys
run, started, ended = sys.argv[1], *map(float, sys.argv[2:])
record = json.load(open(f"{run}/run.json"))
rows = list(csv.DictReader(open(f"{run}/metrics.csv")))
step = [2000 / float(row["images_per_second"]) for row in rows]
updates = [int(row["step"]) for row in rows]
updates = [after - before for before, after in zip([0, *updates], updates)]
evaluation = [float(row["seconds"]) - count * one for row, count, one in zip(rows, updates, step)]
test = record["results"]["seconds"] - sum(float(row["seconds"]) for row in rows)
results = record["results"]
reached = f"{results['loss']:.4f} {results['test_loss']:.4f} {results['test_accuracy']:.4f}"
print(f"{statistics.median(step):.4f} {statistics.median(evaluation):.3f} {test:.3f} {ended - started:.2f} {reached}")
PYTHON
}

for ((round = 0; round < rounds; round++)); do
    ours "$round" | tee -a "$work/lrsched"
    "$venv/bin/python" "$here/bench_recipe.py" "$data" "$threads" "$images" "$epochs" "$round" | tee -a "$work/torch"
done >&2

python3 - "$work/lrsched" "$work/torch" <<'PYTHON'
import statistics, sys
ours, theirs = ([list(map(float, line.split())) for line in open(path)] for path in sys.argv[1:])
print(f"{'':12} {'lrsched':>10} {'PyTorch':>10} {'ratio':>7}")
names = ["step s", "evaluation s", "test s", "all s", "loss", "test loss", "test acc."]
for place, name in enumerate(names):
    our, their = (statistics.median(row[place] for row in rows) for rows in (ours, theirs))
    ratio = f"{their / our:7.2f}" if name.endswith(" s") else ""
    print(f"{name:12} {our:10.4g} {their:10.4g} {ratio}")
PYTHON
echo "medians over $rounds rounds of $epochs epochs of $images images, $threads threads"
