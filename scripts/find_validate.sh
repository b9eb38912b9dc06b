#!/usr/bin/env bash
# Validates the rate that `lrsched find` suggests for EPOCHS epochs: one range test for each optimizer, then training at the suggestion, at a
# tenth of it, at ten times it and at four rates between (seven rates, each a factor of 10^(1/3) = 2.15 from the next). Writes validation.csv,
# a picture and a table (validation.png, .svg, .md).
#
#   scripts/find_validate.sh [OUT]            default: results/find-validate
#
#   LIMIT=20000   use this many training images, the same share of each class (default: all 45,000)
#   OPTIMIZERS="sgd sgd:momentum=0.9 adam" EPOCHS=3 SEED=0 DATASET=cifar10 LRSCHED=target/release/lrsched
#   FIND=...      more flags for `lrsched find`, such as "--seeds 3"
#
# Finished runs are not repeated, so a stopped validation can be continued by running the script again.
set -u
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.." || exit 1

out=${1:-results/find-validate}
epochs=${EPOCHS:-3}
seed=${SEED:-0}
optimizers=${OPTIMIZERS:-"sgd sgd:momentum=0.9 adam"}
lrsched=${LRSCHED:-target/release/lrsched}
# An array, so that an unset LIMIT or FIND adds no empty argument.
shared=(--dataset "${DATASET:-cifar10}" --seed "$seed" --progress none)
if [ -n "${LIMIT:-}" ]; then shared+=(--train-limit "$LIMIT"); fi
read -r -a find_flags <<<"${FIND:-}"

if [ ! -x "$lrsched" ]; then
    cargo build --release || exit 1
fi
same_settings "$out" "--epochs $epochs ${shared[*]}${FIND:+ $FIND}" || exit 1

table="$out/validation.csv"
echo "optimizer,suggested_lr,lr,val_accuracy,val_loss,exit_code" >"$table"
for optimizer in $optimizers; do
    name=$(printf %s "$optimizer" | tr ':=' '--')
    test="$out/find-$name"
    if ! grep -q '"status": "finished"' "$test/find.json" 2>/dev/null; then
        "$lrsched" find "${shared[@]}" --for-epochs "$epochs" "${find_flags[@]}" --optimizer "$optimizer" --out "$test" --force >"$out/find-$name.txt" || [ $? -eq 4 ] || exit 1
    fi
    suggested=$(sed -n 's/^  "suggested_lr": \([0-9.e-]*\).*/\1/p' "$test/find.json")
    # 4: nothing was learned.
    if [ -z "$suggested" ]; then
        echo "find_validate.sh: no rate is suggested for $optimizer, so there is nothing to validate" >&2
        continue
    fi
    for power in 0 1 -1 2 -2 3 -3; do
        rate=$(awk -v s="$suggested" -v p="$power" 'BEGIN { printf "%.3g", s * 10 ^ (p / 3) }')
        run="$out/runs/$name,lr=$rate"
        code=0
        if grep -q '"status": "diverged"' "$run/run.json" 2>/dev/null; then
            code=4
        elif ! grep -q '"status": "finished"' "$run/run.json" 2>/dev/null; then
            "$lrsched" train "${shared[@]}" --optimizer "$optimizer" --lr "$rate" --epochs "$epochs" --out "$run" --force
            code=$?
        fi
        # 0: finished; 4: diverged. Anything else is an error in the validation itself.
        if [ "$code" -ne 0 ] && [ "$code" -ne 4 ]; then exit 1; fi
        echo "$optimizer,$suggested,$rate,$(tail -n 1 "$run/metrics.csv" | cut -d, -f6,5 | awk -F, '{ print $2 "," $1 }'),$code" >>"$table"
    done
done
cargo run --quiet --release --example find_validation -- "$table"
