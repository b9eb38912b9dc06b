# shellcheck shell=bash
# Sourced by scripts with a positional argument. With a flag in its place, such as --help, prints what the script says of itself and ends.
about() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# same_settings FOLDER SETTINGS: notes the settings that the results in FOLDER are made with, and ends the script if there are results of others.
same_settings() {
    local noted=$1/settings.txt was="settings that were not noted" now variables
    # Where the images are, and which instructions are used, is no setting.
    variables=$(env | grep '^LRSCHED_' | grep -vE '^LRSCHED_(DATA|CPU)=' | sort || true)
    now=$(tr -s '[:space:]' ' ' <<<"$2 $variables")
    now=${now% }
    if [[ -f $noted ]]; then was=$(<"$noted"); fi
    if [[ $was != "$now" && -n $(find "$1" \( -name find.json -o -name run.json \) 2>/dev/null | head -n 1) ]]; then
        echo "$(basename "$0"): $1 has results of other settings: $was, now $now; take another folder, or remove this one" >&2
        exit 2
    fi
    mkdir -p "$1" && printf '%s\n' "$now" >"$noted"
}

if [[ ${1:-} == -* ]]; then
    if [[ $1 == --help || $1 == -h ]]; then
        about
        exit 0
    fi
    echo "$(basename "$0"): unknown flag $1; see --help" >&2
    exit 2
fi
