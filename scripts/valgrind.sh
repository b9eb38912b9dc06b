#!/usr/bin/env bash
# Runs the kernel tests under valgrind's memcheck, which checks every load and store of the `unsafe` blocks. The tests compute layers of small
# odd shapes twice, with the best instruction set that valgrind supports (AVX2 and FMA) and with portable code.
#
#     scripts/valgrind.sh [FILTER…]    tests of tests/engine/engine_cpu_layers.rs whose names contain one of the words; all by default
#
# Needs valgrind 3.19 or later, which does not support AVX-512 and hides it from the program.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed" >&2
    exit 2
fi
built="$(cargo test --release --test engine --no-run 2>&1)" || { echo "$built" >&2; exit 1; }
binary="$(sed -n 's#.*(\(.*\/engine-[0-9a-f]*\)).*#\1#p' <<<"$built")"

valgrind --quiet --error-exitcode=9 --leak-check=no "$binary" --test-threads=1 "${@:-engine_cpu_layers::}"
echo "== no invalid reads or writes, no use of uninitialised memory"
