# shellcheck shell=bash
# Sourced by check_slurm.sh and check_parallel.sh: the comparison that both spread over four shards, what it is when one process makes it, and
# whether two comparisons are the same. Sets `project`, `lrsched` ($LRSCHED, else the program built here), `work` (a temporary folder, which the
# caller removes) and `flags`.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lrsched=${LRSCHED:-$project/target/release/lrsched}
if [ -z "${LRSCHED:-}" ] && [ ! -x "$lrsched" ]; then
    cargo build --release --manifest-path "$project/Cargo.toml"
fi
if ! command -v "$lrsched" >/dev/null; then
    echo "$lrsched does not exist; set LRSCHED to the program, or unset it" >&2
    exit 1
fi
lrsched=$(realpath "$(command -v "$lrsched")")
work=$(mktemp -d)

# Eight runs, two a shard, of a few seconds each. Shells, sbatch and parallel must all leave the last entrant as it is.
flags=(--dataset synthetic --model tiny --train-limit 2000 --epochs 40 --checkpoint-every 20st --seeds 2
    --entrants sgd/constant sgd/cosine adam/constant 'sgd/constant:for=50%;cosine')
shards=4

fail() {
    echo "== FAILED: $*" >&2
    exit 1
}

# wait_until SECONDS WHAT COMMAND...: repeats COMMAND until it succeeds.
wait_until() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
        sleep 0.1
    done
}

# A port that nobody listens on.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

# The comparison in one process, in $work/one.
compare_in_one_process() {
    echo "== $("$lrsched" --version): the comparison in one process"
    "$lrsched" compare "${flags[@]}" --out "$work/one" --progress none >/dev/null
}

# runs_of SHARD: the names of its runs, from the order of the comparison in one process.
runs_of() {
    awk -F, -v shard="$1" -v shards="$shards" 'NR > 1 && (NR - 2) % shards + 1 == shard { print $1 }' "$work/one/comparison.csv"
}

# process_of SHARD FOLDER: the process that trains it.
process_of() {
    local process arguments
    for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/exe")" = "$lrsched" ]; then
            arguments=$(tr '\0' '\n' 2>/dev/null <"$process/cmdline") || continue
            if grep -Fqx -- "$1/$shards" <<<"$arguments" && grep -Fqx -- "$2" <<<"$arguments"; then
                basename "$process"
                return
            fi
        fi
    done
    return 1
}

# saved SHARD FOLDER: whether a run of the shard has a checkpoint.
saved() {
    local name
    while read -r name; do
        if [ -e "$2/runs/$name/checkpoints/last" ]; then return; fi
    done < <(runs_of "$1")
    return 1
}

# in_events SHARD FOLDER TEXT: whether it is in the history of a run of the shard.
in_events() {
    local name
    while read -r name; do
        if grep -Fqs -- "$3" "$2/runs/$name/events.jsonl"; then return; fi
    done < <(runs_of "$1")
    return 1
}

# without COLUMNS FILE: the CSV without these columns. No field of these comparisons has a comma.
without() {
    awk -F, -v dropped=",$1," '
        NR == 1 { for (i = 1; i <= NF; i++) keep[i] = !index(dropped, "," $i ",") }
        { line = ""; for (i = 1; i <= NF; i++) if (keep[i]) line = line $i ","; print line }' "$2"
}

# Everything in the comparison FOLDER that a result is: the table, the rows of each run, the weights; no times.
results_of() {
    local run
    cd "$1" || return
    without seconds comparison.csv
    for run in runs/*; do
        echo "$run $(sha256sum <"$run/weights.safetensors")"
        without images_per_second,seconds "$run/metrics.csv"
    done
}

# same_as_one_process FOLDER: fails, and shows the difference, if the comparison is not that of one process.
same_as_one_process() {
    local file
    (results_of "$work/one") >"$work/one.txt"
    (results_of "$1") >"$work/other.txt"
    diff "$work/one.txt" "$work/other.txt" || fail "the comparison differs from that of one process (<)"
    for file in report.html comparison.png; do
        [ -s "$1/$file" ] || fail "$1 has no $file"
    done
    echo "== $(grep -c '^runs/' "$work/one.txt") runs: the same table, rows and weights as in one process"
}
