#!/usr/bin/env bash
# Trains a few steps of each network with candle on a device and on the CPU, and compares their losses.
#
#   scripts/check_device.sh DEVICE                   cuda:0, metal: with a program built for it, as `cargo build --release --features cuda`
#
#   LRSCHED=target/release/lrsched
#
# Generated images and one seed. Fails where a loss differs by more than 1e-4 of it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
if [ $# -ne 1 ]; then
    about >&2
    exit 2
fi
lrsched=$(realpath "${LRSCHED:-target/release/lrsched}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
for model in cnn resnet9 airbench94; do
    run() {
        "$lrsched" train --dataset synthetic --engine candle --device "$1" --model "$model" --epochs 1 --train-limit 640 --batch-size 64 \
            --schedule cosine --log-steps --progress none --out "$folder/$model-$2" > "$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
    }
    run "$1" there
    run cpu here
    # step,epoch,learning_rate,momentum,loss
    paste -d, "$folder/$model-there/steps.csv" "$folder/$model-here/steps.csv" | awk -F, -v model="$model" -v device="$1" '
        NR > 1 { difference = ($5 - $10) / $10; if (difference < 0) difference = -difference; if (difference > worst) worst = difference
                 if (!(difference <= 1e-4)) apart = 1 }
        END { printf "%s: %d steps, largest relative difference of the losses on %s from the CPU %.1e\n", model, NR - 1, device, worst; exit apart || NR < 2 }' || failed=1
done
exit $failed
