#!/usr/bin/env bash
# Judges `lrsched find` by a sweep of constant rates: how far its suggestion is from the best rate, and how many points of accuracy it costs to follow it.
#
#   SETTINGS="--train-limit 5000" EPOCHS=3 scripts/find_sweep.sh SWEEP OPTIMIZER… [-- OUT]     default: results/find-sweep
#
#   SWEEP      the folder of a comparison of these optimizers at constant rates, with a [grid] of rates, as configs/published/optimizers.toml
#   SETTINGS   the flags that it was trained with, besides its epochs, rates and seeds
#   EPOCHS=3   its epochs
#   TESTS="100 400 1000"    lengths of the range test, in updates
#   SEEDS=3    seeds of the range tests, and of the runs at the suggested rates, from 0
#   LRSCHED=target/release/lrsched
#
# A range test, three seeds in one, for each optimizer and length; then runs at the rates that they suggest, with the same seeds. What is
# finished is not repeated. Writes OUT/table.md.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
if [ $# -lt 2 ]; then
    about >&2
    exit 2
fi
sweep=$(realpath "$1")
shift
out=
optimizers=()
while [ $# -gt 0 ]; do
    case $1 in
    --) out=$(realpath -m "$2") && shift 2 ;;
    *) optimizers+=("$1") && shift ;;
    esac
done
cd "$(dirname "$0")/.."
out=${out:-results/find-sweep}
lrsched=${LRSCHED:-target/release/lrsched}
read -r -a settings <<<"${SETTINGS:-}"
read -r -a tests <<<"${TESTS:-100 400 1000}"
epochs=${EPOCHS:-3}
seeds=${SEEDS:-3}

python3 - "$sweep/comparison.csv" "${optimizers[@]}" <<'PYTHON' || exit 2
import csv, sys

have = {row["optimizer"] for row in csv.DictReader(open(sys.argv[1]))}
for optimizer in sys.argv[2:]:
    if optimizer not in have:
        sys.exit(f"{optimizer}: not in {sys.argv[1]}; there are {', '.join(sorted(have))}")
PYTHON

if [ ! -x "$lrsched" ]; then cargo build --release; fi
same_settings "$out" "--epochs $epochs --seeds $seeds${SETTINGS:+ $SETTINGS}"
for optimizer in "${optimizers[@]}"; do
    name=$(printf %s "$optimizer" | tr ':=,' '---')
    rates=()
    for steps in "${tests[@]}"; do
        test="$out/$name-$steps"
        if ! grep -q '"status": "finished"' "$test/find.json" 2>/dev/null; then
            # 4: nothing was learned, so nothing is suggested.
            "$lrsched" find --optimizer "$optimizer" --steps "$steps" --seeds "$seeds" --for-epochs "$epochs" "${settings[@]}" --out "$test" --force \
                --progress none >"$test.txt" </dev/null || [ $? -eq 4 ]
        fi
        rate=$(sed -n 's/^  "suggested_lr": \([0-9.e-]*\),$/\1/p' "$test/find.json")
        if [ -n "$rate" ]; then rates+=("$rate"); fi
    done
    if [ ${#rates[@]} -gt 0 ]; then
        # Suggestions may agree.
        list=$(printf '%s\n' "${rates[@]}" | sort -gu | paste -sd,)
        "$lrsched" compare --entrants "$optimizer/constant" --grid "lr=$list" --seeds "$seeds" --epochs "$epochs" "${settings[@]}" --keep none \
            --out "$out/$name" --progress none >"$out/$name.txt" </dev/null || [ $? -eq 3 ]
    fi
done

python3 - "$sweep" "$out" "${tests[*]}" "${optimizers[@]}" <<'PYTHON' | tee "$out/table.md"
import csv, json, math, os, statistics, sys

sweep, out, tests, optimizers = sys.argv[1], sys.argv[2], sys.argv[3].split(), sys.argv[4:]


def means(folder, optimizer):
    """The accuracies of each rate by seed, in percent; a run that diverged has that of guessing."""
    rates = {}
    path = f"{folder}/comparison.csv"
    for row in csv.DictReader(open(path)) if os.path.exists(path) else []:
        if row["optimizer"] == optimizer and row["status"] in ("finished", "diverged"):
            accuracy = 100 * float(row["val_accuracy"]) if row["status"] == "finished" else 10.0
            rates.setdefault(float(row["lr"]), {})[int(row["seed"])] = accuracy
    return rates


def summit(rates):
    """The rate at the top of the parabola through the best rate and its neighbours, by ln(rate); at an end of the grid, the best rate."""
    ordered = sorted(rates)
    heights = [statistics.mean(rates[rate].values()) for rate in ordered]
    best = max(range(len(ordered)), key=heights.__getitem__)
    if best in (0, len(ordered) - 1):
        return ordered[best]
    (a, b, c), (x, y, z) = (map(math.log, ordered[best - 1 : best + 2])), heights[best - 1 : best + 2]
    slopes = (y - x) / (b - a), (z - y) / (c - b)
    curve = (slopes[1] - slopes[0]) / (c - a)
    return math.exp((a + b) / 2 - slopes[0] / (2 * curve))


print("| optimizer | best rate | accuracy there, % | test | suggested | factor | accuracy there, % | points below |")
print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
factors, costs = [], []
for optimizer in optimizers:
    grid = means(sweep, optimizer)
    top = summit(grid)
    best = max(grid, key=lambda rate: statistics.mean(grid[rate].values()))
    name = "".join("-" if letter in ":=," else letter for letter in optimizer)
    followed = means(f"{out}/{name}", optimizer)
    spread = lambda seeds: f"{statistics.mean(seeds.values()):.1f}" + (f" ± {statistics.stdev(seeds.values()):.1f}" if len(seeds) > 1 else "")
    for steps in tests:
        rate = json.load(open(f"{out}/{name}-{steps}/find.json"))["suggested_lr"]
        start = f"| `{optimizer}` | {top:.3g} | {spread(grid[best])} | {steps} |"
        if rate is None:
            print(f"{start} none | | | |")
            factors.append(math.inf)
            continue
        # A rate is written with three digits in one file and read from another.
        seeds = next(seeds for trained, seeds in followed.items() if math.isclose(trained, rate, rel_tol=1e-6))
        lost = [grid[best][seed] - seeds[seed] for seed in seeds if seed in grid[best]]
        if not lost:
            sys.exit(f"the sweep has no run of {optimizer} with a seed of SEEDS={len(seeds)}; take those that it has, from 0")
        factors.append(max(rate / top, top / rate))
        # Too high in the mean: the best rate was picked by the accuracies that it is compared by.
        costs.append(statistics.mean(lost))
        print(f"{start} {rate:.3g} | {factors[-1]:.2g} | {spread(seeds)} | {costs[-1]:.1f} |")
within = " and ".join(f"of {most} in {sum(factor <= most for factor in factors)}" for most in (2, 3))
print(f"\nWithin a factor {within} of {len(factors)} tests.")
if costs:
    mean, median = statistics.mean(costs), statistics.median(costs)
    print(f"The {len(costs)} that suggest a rate are {mean:.1f} points below the best rate in the mean, {median:.1f} in the median.")
PYTHON
