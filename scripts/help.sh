# shellcheck shell=bash
# Sourced by scripts with a positional argument. With a flag in its place, such as --help, prints what the script says of itself and ends.
about() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}
if [[ ${1:-} == -* ]]; then
    if [[ $1 == --help || $1 == -h ]]; then
        about
        exit 0
    fi
    echo "$(basename "$0"): unknown flag $1; see --help" >&2
    exit 2
fi
