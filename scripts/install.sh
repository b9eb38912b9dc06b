#!/usr/bin/env bash
# Builds lrsched and installs the program, its completions and its manual pages below PREFIX.
#
#   scripts/install.sh                       # into ~/.local
#   PREFIX=/usr/local scripts/install.sh     # for everybody
#   scripts/install.sh target/release/lrsched   # a program that is built already
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=help.sh
source "$(dirname "$0")/help.sh"
cd "$(dirname "$0")/.."
prefix=${PREFIX:-$HOME/.local}
program=${1:-}
if [ -z "$program" ]; then
    cargo build --release --locked
    program=${CARGO_TARGET_DIR:-target}/release/lrsched
fi
install -D -m 755 "$program" "$prefix/bin/lrsched"
# The symbols that profiles need are not needed to run it.
strip "$prefix/bin/lrsched" 2>/dev/null || true
lrsched=$prefix/bin/lrsched
mkdir -p "$prefix/share/man/man1"
"$lrsched" man --dir "$prefix/share/man/man1"
place() { # SHELL FILE
    mkdir -p "$(dirname "$prefix/share/$2")"
    "$lrsched" completions "$1" >"$prefix/share/$2"
}
place bash bash-completion/completions/lrsched
place zsh zsh/site-functions/_lrsched
place fish fish/vendor_completions.d/lrsched.fish
echo "installed $lrsched ($(du -h "$lrsched" | cut -f1)), completions for bash, zsh and fish, and $(find "$prefix/share/man/man1" -name 'lrsched*.1' | wc -l) manual pages"
case ":$PATH:" in
*":$prefix/bin:"*) ;;
*) echo "add $prefix/bin to your PATH" ;;
esac
