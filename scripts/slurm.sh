#!/usr/bin/env bash
# Spreads a comparison over a Slurm cluster: an array of shards (scripts/slurm.sbatch), and behind it a job that merges and reports.
#
#   scripts/slurm.sh --shards N[%M] --out DIR [OPTIONS OF sbatch ...] -- [FLAGS OF lrsched compare ...]
#
#   scripts/slurm.sh --shards 8 --out results/rates --time=4:00:00 --cpus-per-task=4 --mem-per-cpu=2G -- \
#       --entrants sgd/cosine sgd/linear --grid lr=0.01,0.03,0.1 --seeds 5
#
#   --shards N[%M]   N tasks, each with every N-th run of the plan; at most M of them at once
#   --out DIR        the folder of the comparison, on a disk that all nodes share
#
# The options of sbatch (--partition, --account, --time, ...) hold for both jobs and go before `--`. The logs go to DIR.slurm/. Started again with
# the same arguments, it trains what is missing. The program is $LRSCHED (default: the one built here, else `lrsched` on the path), which all nodes must see.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "slurm.sh: $*" >&2
    exit 2
}
# Prints the lines above without their hashes.
help() {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
}

shards='' out='' options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
        -h | --help) help; exit 0 ;;
        --shards | --out)
            if [ $# -lt 2 ] || [ "$2" = -- ]; then fail "$1 needs a value"; fi
            if [ "$1" = --out ]; then out=$2; else shards=$2; fi
            shift
            ;;
        --shards=*) shards=${1#*=} ;;
        --out=*) out=${1#*=} ;;
        -a* | --array | --array=*) fail "the array follows from --shards; give --shards N%M to run at most M tasks at once" ;;
        *) options+=("$1") ;;
    esac
    shift
done
[ $# -eq 0 ] || shift # the `--`
[[ $shards =~ ^[1-9][0-9]*(%[1-9][0-9]*)?$ ]] || fail "--shards must be N or N%M with N and M at least 1, got '$shards' (--help explains)"
[ -n "$out" ] || fail "--out is missing: the folder of the comparison (--help explains)"
for flag in "$@"; do
    case $flag in
        --out | --out=* | --shard | --shard=*) fail "${flag%%=*} stands before --, as --out and --shards" ;;
        # A task that is requeued runs the same command again: with --force it would start over each time.
        --force | --dry-run | --print-config) fail "$flag does not go with an array of tasks; run lrsched compare $flag itself" ;;
    esac
done
command -v sbatch >/dev/null || fail "sbatch is not on the path: this machine is not part of a Slurm cluster"

lrsched=${LRSCHED:-$project/target/release/lrsched}
if [ -z "${LRSCHED:-}" ] && [ ! -x "$lrsched" ] && command -v lrsched >/dev/null; then
    lrsched=lrsched
elif [ -z "${LRSCHED:-}" ] && [ ! -x "$lrsched" ]; then
    cargo build --release --manifest-path "$project/Cargo.toml"
fi
command -v "$lrsched" >/dev/null || fail "$lrsched does not exist; set LRSCHED to the program, or unset it"
LRSCHED=$(realpath "$(command -v "$lrsched")")
export LRSCHED
# A mistake in the flags should show here, not in the logs of every task.
"$LRSCHED" compare "$@" --shard "1/${shards%\%*}" --out "$out" --print-config >/dev/null

logs=$out.slurm
mkdir -p "$logs"
# In a file name, sbatch replaces what begins with %.
pattern=${logs//%/%%}
array=$(sbatch --parsable --array="1-$shards" --output="$pattern/%A_%a.log" "${options[@]}" "$project/scripts/slurm.sbatch" "$out" "$@") || {
    rmdir --ignore-fail-on-non-empty "$logs"
    exit 1
}
array=${array%%;*} # a federation appends the name of its cluster
# afterany: a task that ends with 3 has a run that diverged, which is a result. The merge names runs that are missing. A task that is requeued has
# not ended.
merge=$(printf '#!/usr/bin/env bash\nexec %q merge %q --out %q\n' "$LRSCHED" "$out" "$out" |
    sbatch --parsable --job-name=lrsched-merge --output="$pattern/%j.log" "${options[@]}" --dependency="afterany:$array") || {
    echo "slurm.sh: job $array has the shards, but the merge behind it could not be submitted" >&2
    exit 1
}
merge=${merge%%;*}

echo "shards: job $array, ${shards%\%*} tasks; merge and report: job $merge"
printf 'watch:  squeue --jobs=%s,%s; tail -F %q/*.log\n' "$array" "$merge" "$logs"
echo "cancel: scancel $array $merge"
