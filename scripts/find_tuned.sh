#!/usr/bin/env bash
# Puts the rate that `lrsched find` suggests beside the peak that a tuned comparison chose, for each of its entrants: a table in Markdown.
# `find` suggests a constant rate, so the factors of schedules that fall are expected to be above 1.
#
#   FIND="--train-limit 5000 --for-epochs 3 --seeds 3" scripts/find_tuned.sh COMPARISON [OUT]     default: results/find-tuned
#
#   FIND=...   the flags that the comparison was trained with, and those of the range tests
#   LRSCHED=target/release/lrsched
#
# Range tests that are finished are not repeated.
set -eu
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
comparison=$(realpath "${1:?the folder of a tuned comparison}")
cd "$(dirname "$0")/.."
out=${2:-results/find-tuned}
lrsched=${LRSCHED:-target/release/lrsched}
read -r -a flags <<<"${FIND:-}"

if [ ! -x "$lrsched" ]; then cargo build --release; fi
same_settings "$out" "${FIND:-none}"
"$lrsched" report "$comparison" -o "$out/ranking.json" --quiet
optimizers=$(python3 -c 'import json, sys
print("\n".join(dict.fromkeys(one["optimizer"] for one in json.load(open(sys.argv[1]))["entrants"])))' "$out/ranking.json")
while IFS= read -r optimizer; do
    test="$out/$(printf %s "$optimizer" | tr ':=,' '---')"
    if ! grep -q '"status": "finished"' "$test/find.json" 2>/dev/null; then
        "$lrsched" find --optimizer "$optimizer" "${flags[@]}" --out "$test" --force --progress none >"$test.txt" </dev/null || [ $? -eq 4 ]
    fi
done <<<"$optimizers"

python3 - "$out" <<'PYTHON' | tee "$out/table.md"
import json, math, os, sys

out = sys.argv[1]
suggested = {}
hits = {2: 0, 3: 0}
print("| entrant | `find` | chosen peaks | median | factor | within one point |")
print("| --- | ---: | --- | ---: | ---: | --- |")
entrants = [one for one in json.load(open(f"{out}/ranking.json"))["entrants"] if one["chosen_peaks"]]
for one in entrants:
    optimizer = one["optimizer"]
    name = "".join("-" if letter in ":=," else letter for letter in optimizer)
    rate = json.load(open(f"{out}/{name}/find.json"))["suggested_lr"]
    if rate is None:
        print(f"| `{optimizer.split(':')[0]}/{one['schedule']}` | none | | | | |")
        continue
    peaks = sorted(one["chosen_peaks"])
    middle = peaks[(len(peaks) - 1) // 2]
    factor = middle / rate
    within = one["peak_within_a_point"]
    within = f"{within[0]:.3g} to {within[1]:.3g}" if within else ""
    for most in hits:
        hits[most] += max(factor, 1 / factor) <= most
    listed = ", ".join(f"{peak:.3g}" for peak in one["chosen_peaks"])
    short = f"{optimizer.split(':')[0]}/{one['schedule']}"
    print(f"| `{short}` | {rate:.3g} | {listed} | {middle:.3g} | {factor:.2g} | {within} |")
print(f"\nWithin a factor of 2: {hits[2]} of {len(entrants)}; of 3: {hits[3]} of {len(entrants)}.")
PYTHON
