#!/usr/bin/env bash
# Runs tiny comparisons on the synthetic dataset and checks their reports in headless Chromium with scripts/check_report.py.
#
# Installs playwright from PyPI (into target/browser) and, if there is no browser, Debian's chromium (as root). If that fails, it prints SKIPPED
# and exits with 0: a missing browser is not a defect of the report.
set -euo pipefail
cd "$(dirname "$0")/.."
lrsched="$PWD/target/release/lrsched"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

install_browser() {
    if ! command -v chromium chromium-browser google-chrome >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium
    fi
    python3 -m venv target/browser && target/browser/bin/python -m pip install --quiet playwright==1.65.2
}
export -f install_browser
if ! DEBIAN_FRONTEND=noninteractive timeout 240 bash -c install_browser >"$work/install.log" 2>&1; then
    tail -n 3 "$work/install.log" >&2
    echo "== SKIPPED the report in a browser: chromium or playwright cannot be installed" >&2
    exit 0
fi

"$lrsched" compare --dataset synthetic --train-limit 64 --validation 50 --batch-size 32 --epochs 5 --seeds 2 --lr 0.01 \
    --entrants sgd/constant sgd/cosine adam/step:factor=0.5,drop-every=1 --out "$work/comparison" --progress none >/dev/null
# A run that was changed by hand, which the charts mark.
"$lrsched" train --dataset synthetic --train-limit 64 --validation 50 --batch-size 32 --epochs 2 --lr 0.01 --out "$work/hand" --quiet
"$lrsched" resume "$work/hand" --epochs 4 --lr 0.002 --quiet
"$lrsched" report "$work/comparison" "$work/hand" -o "$work/report.html" --quiet
# A comparison of one epoch, and one that was stopped before its finals.
small=(--dataset synthetic --model tiny --train-limit 64 --validation 50 --batch-size 32 --epochs 1 --entrants cosine linear constant --progress none)
"$lrsched" compare "${small[@]}" --out "$work/one-epoch" >/dev/null
"$lrsched" compare "${small[@]}" --tune 3 --studies 2 --out "$work/trials" >/dev/null
grep -v ',final,' "$work/trials/comparison.csv" >"$work/rest.csv"
mv "$work/rest.csv" "$work/trials/comparison.csv"
rm -r "$work/trials/runs/"*_seed=[01]
"$lrsched" report "$work/one-epoch" -o "$work/one-epoch.html" --quiet
"$lrsched" report "$work/trials" -o "$work/trials.html" --quiet
# The script's default of 2 seconds holds on an idle machine; CI machines are busy.
for page in report one-epoch trials; do
    target/browser/bin/python scripts/check_report.py "$work/$page.html" --seconds 20
done
