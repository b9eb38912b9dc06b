# shellcheck shell=bash
# Sourced by scripts that take a folder or a name: with a flag in its place, such as --help, prints what the script says of itself and ends.
if [[ ${1:-} == -* ]]; then
    about=$(sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0")
    if [[ $1 == --help ]]; then
        printf '%s\n' "$about"
        exit 0
    fi
    printf '%s\n' "$about" >&2
    exit 2
fi
