#!/usr/bin/env bash
# Makes a published comparison again, or goes on with one that is not complete.
#
#   scripts/reproduce.sh NAME [FLAG…]     configs/published/NAME.toml, in results/NAME; FLAGs are those of `lrsched compare`, such as --dry-run
#
#   LRSCHED=target/release/lrsched        for the same bits, built from the commit that `program` in the published run.json files names
#   FRESH=1                               trains all runs, in results/NAME-fresh; else the published ones are not trained again
#
# scripts/publish.sh results/NAME NAME publishes the new runs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
if [ $# -eq 0 ]; then
    about >&2
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
elif [[ " $* " == *" --dry-run "* ]]; then
    # Writes nothing.
    if [ ! -d "$out" ] && [ -d "results/published/$name/runs" ]; then out=results/published/$name; fi
elif [ -d "results/published/$name/runs" ]; then
    mkdir -p "$out/runs"
    for run in "results/published/$name/runs"/*/; do
        [ -e "$out/runs/$(basename "$run")" ] || cp -r "$run" "$out/runs/"
    done
fi
built=$("$lrsched" --version | sed -n 's/.*(commit \([0-9a-f]*\).*/\1/p')
published=$(grep -ho '"commit": "[0-9a-f]*"' "results/published/$name/runs"/*/run.json 2>/dev/null | sort | uniq -c | sort -rn | sed -n '1s/.*"\([0-9a-f]\{7\}\).*/\1/p' || true)
if [ -z "${FRESH:-}" ] && [ -n "$published" ] && [ "$built" != "$published" ]; then
    echo "note: the published runs were made by commit $published, this program is of ${built:-an unknown one}: results may differ in their last bits" >&2
fi
exec "$lrsched" compare --config "$config" --out "$out" "$@"
