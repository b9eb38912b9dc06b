#!/usr/bin/env bash
# Builds the wheel with maturin, installs it into a fresh virtual environment, and runs the program from there.
#
#     scripts/check_wheel.sh [DIR]    leaves the wheel in DIR [default: target/wheels]
#
# Needs python3 with venv, and PyPI.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.."
wheels=${1:-target/wheels}
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
started=$SECONDS
python3 -m venv "$work/build"
"$work/build/bin/python" -m pip install --quiet 'maturin>=1.9,<2'
"$work/build/bin/maturin" build --release --locked --out "$wheels"
built=$((SECONDS - started))
wheel="$(find "$wheels" -name 'lrsched-*.whl' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)"
python3 -m venv "$work/user"
"$work/user/bin/python" -m pip install --quiet "$wheel"
lrsched="$work/user/bin/lrsched"
"$lrsched" --version
(cd "$work" && "$lrsched" train --dataset synthetic --model tiny --train-limit 64 --batch-size 16 --epochs 1 --lr 0.02 --out run --quiet)
test -s "$work/run/metrics.csv"
echo "== $(basename "$wheel"): $(du -h "$wheel" | cut -f1), installed $(du -h "$lrsched" | cut -f1), built in ${built} s"
