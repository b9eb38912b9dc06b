#!/usr/bin/env bash
# Makes a published comparison again, or goes on with one that is not complete.
#
#   scripts/reproduce.sh NAME [FLAG…]     configs/published/NAME.toml, in results/NAME; FLAGs are those of `lrsched compare`, such as --dry-run
#
#   LRSCHED=target/release/lrsched        has to be built from the commit that `run.json` of the published runs names, for the same bits
#
# The runs that results/published/NAME has are not trained again: with FRESH=1, all are, in a new folder results/NAME-fresh. scripts/publish.sh results/NAME NAME publishes the new ones.
set -euo pipefail
if [ $# -eq 0 ]; then
    sed -n 's/^#   //p' "$0" >&2
    exit 2
fi
name=$1
shift
cd "$(dirname "$0")/.."
config=configs/published/$name.toml
if [ ! -f "$config" ]; then
    echo "$name: no such published comparison; there are $(find configs/published -name '*.toml' -printf '%f ' | sed 's/\.toml//g')" >&2
    exit 2
fi
lrsched=${LRSCHED:-target/release/lrsched}
if [ ! -x "$lrsched" ]; then cargo build --release; fi
out=results/$name
if [ -n "${FRESH:-}" ]; then
    out=results/$name-fresh
elif [ ! -d "$out" ] && [ -d "results/published/$name/runs" ]; then
    mkdir "$out"
    cp -r "results/published/$name/runs" "$out/"
fi
exec "$lrsched" compare --config "$config" --out "$out" "$@"
