#!/usr/bin/env bash
# Publishes a comparison, or runs of `lrsched train`, below results/published: the records of its finished runs (run.json and metrics.csv; no weights), and the tables and
# pictures that follow from them.
#
#   scripts/publish.sh FOLDER NAME    adds the runs below FOLDER/runs that have finished since; others may still be in training
#   scripts/publish.sh                makes the tables and pictures of all published runs again, and the tables of docs/RESULTS.md, in seconds once the tests are built
#
#   LRSCHED=target/release/lrsched
#
# `lrsched compare … --out results/published/NAME` in a fresh clone goes on where the published runs end.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
case $# in
0) ;;
2) comparison=$(realpath "$1") ;;
*)
    about >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
lrsched=${LRSCHED:-target/release/lrsched}
published=results/published
if [ ! -x "$lrsched" ]; then cargo build --release; fi

if [ $# -eq 2 ]; then
    [ -d "$comparison/runs" ] || { echo "$1: no runs/ in it; give the folder of a comparison, or results/airbench94" >&2 && exit 2; }
    mkdir -p "$published/$2/runs"
    for run in "$comparison"/runs/*/; do
        to="$published/$2/runs/$(basename "$run")"
        # A run that is still in training, or was stopped, is published once it has finished.
        if grep -qE '^  "status": "(finished|diverged)"' "$run/run.json" 2>/dev/null && [ ! -f "$to/run.json" ]; then
            # The copy is complete as soon as it has its name.
            rm -rf "$to.part" && mkdir "$to.part"
            cp "$run/run.json" "$run/metrics.csv" "$to.part/"
            mv "$to.part" "$to"
        fi
    done
fi

# The commands in a report begin with the name that the program was called by.
PATH=$(dirname "$(realpath "$lrsched")"):$PATH
lrsched=$(basename "$lrsched")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in "$published"/*/; do
    folder=${folder%/}
    name=$(basename "$folder")
    [ -d "$folder/runs" ] || continue
    # Runs of `train` are reported, not ranked.
    if grep -qE '^    "compare",?$' "$folder"/runs/*/run.json; then
        # 3: some of its runs diverged, or are still missing.
        "$lrsched" merge "$folder" --out "$work/$name" --quiet || [ $? -eq 3 ]
        # The report on a comparison that is under way names the command that goes on only beside its table.
        cp "$work/$name/comparison.csv" "$folder/"
    fi
    mkdir -p "$work/$name"
    "$lrsched" report "$folder" -o "$work/$name/report.json" --quiet
    "$lrsched" report "$folder" -o "$work/$name/report.md" >/dev/null
    # Before the first final there is nothing to rank.
    grep -q '"val_accuracy": [0-9]' "$work/$name/report.json" || rm -f "$work/$name/ranking.png" "$folder/ranking.png"
    for file in comparison.csv ranking.png trials.png report.json report.md; do
        if [ -f "$work/$name/$file" ]; then cp "$work/$name/$file" "$folder/"; fi
    done
    echo "$name: $(find "$folder/runs" -name run.json | wc -l) runs"
done

# The tables of docs/RESULTS.md.
LRSCHED_WRITE_DOCS=1 cargo test --release --quiet --test formulas results_page >"$work/page" 2>&1 || { cat "$work/page" >&2 && exit 1; }
