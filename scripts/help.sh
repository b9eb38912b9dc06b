# shellcheck shell=bash
# Sourced by scripts with a positional argument. With a flag in its place, such as --help, prints what the script says of itself and ends.
about() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# same_settings FOLDER SETTINGS: notes the settings that the results in FOLDER were made with, and ends the script if they are others.
same_settings() {
    local noted=$1/settings.txt
    if [[ -f $noted && $(<"$noted") != "$2" ]]; then
        echo "$(basename "$0"): $1 has results of other settings: $(<"$noted"), now $2; take another folder, or remove this one" >&2
        exit 2
    fi
    mkdir -p "$1" && printf '%s\n' "$2" >"$noted"
}

if [[ ${1:-} == -* ]]; then
    if [[ $1 == --help || $1 == -h ]]; then
        about
        exit 0
    fi
    echo "$(basename "$0"): unknown flag $1; see --help" >&2
    exit 2
fi
