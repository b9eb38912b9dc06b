#!/usr/bin/env bash
# Spreads a comparison over processes with GNU parallel, kills some of them, resumes, merges, and checks that the result is that of one process: the
# same table but for times, the same rows, the same weights.
#
#     scripts/check_parallel.sh         the program is $LRSCHED (default: the one built here)
#
# First in one shared folder, where one shard is killed in the middle (SIGKILL) and then all of parallel is terminated; then in folders of their
# own, with --sshlogin. Installs Debian's parallel as root; where it cannot be installed, this prints SKIPPED and exits with 0.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=check_shards.sh
source "$(dirname "$0")/check_shards.sh"
background=''
finish() {
    local code=$?
    trap - EXIT
    if [ -n "$background" ]; then kill "$background" 2>/dev/null || true; fi
    if [ -e "$work/ssh/pid" ]; then kill "$(cat "$work/ssh/pid")" || true; fi
    if [ "$code" -ne 0 ]; then tail -n 8 "$work"/joblog "$work"/*.log 2>/dev/null || true; fi
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# have PROGRAM PACKAGE: whether the program is there or can be installed.
have() {
    command -v "$1" >/dev/null && return
    [ "$(id -u)" -eq 0 ] && timeout 240 bash -c "apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $2" >"$work/install.log" 2>&1
}
PATH=$PATH:/usr/sbin
if ! have parallel parallel; then
    tail -n 3 "$work/install.log" 2>/dev/null >&2 || true
    echo "== SKIPPED the comparison with GNU parallel: it cannot be installed" >&2
    exit 0
fi
echo "== $(parallel --version | head -n 1)"

compare_in_one_process

echo "== two of $shards shards at a time, in one folder"
out="$work/one folder"
# One SIGTERM and time to save; by default parallel sends three within 0.4 s and then SIGKILL.
in_one_folder=(--joblog "$work/joblog" --termseq 'TERM,20000,KILL,100' --jobs 2
    --quote "$lrsched" compare "${flags[@]}" --threads 1 --shard "{}/$shards" --out "$out" ::: 1 2 3 4)
parallel --will-cite "${in_one_folder[@]}" >"$work/interrupted.log" 2>&1 &
background=$!
wait_until 60 "a checkpoint of shard 1" saved 1 "$out"
kill -KILL "$(process_of 1 "$out")"
wait_until 60 "a checkpoint of shard 3" saved 3 "$out"
kill -TERM "$background"
code=0
wait "$background" || code=$?
background=''
[ "$code" -ne 0 ] || fail "parallel was terminated and exits with 0"
awk 'NR > 1 && $8 == 9 { found = 1 } END { exit !found }' "$work/joblog" || fail "the joblog does not have the shard that was killed"
in_events 3 "$out" '"by":"SIGTERM"' || fail "terminating parallel did not stop a run of shard 3"

parallel --will-cite --resume-failed "${in_one_folder[@]}" >"$work/resumed.log" 2>&1
cut -f 1,4,7,8 "$work/joblog"
for shard in 1 3; do
    in_events $shard "$out" '"event":"resume"' || fail "no run of shard $shard was resumed"
done
"$lrsched" merge "$out" --out "$out"
same_as_one_process "$out"

# An SSH server of our own, for this user, with the name `node`.
start_ssh() {
    mkdir -p "$work/ssh" && chmod 755 "$work"
    ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/host" && ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/user" || return
    local port
    port=$(free_port)
    cat >"$work/ssh/server" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $work/ssh/host
PidFile $work/ssh/pid
AuthorizedKeysFile $work/ssh/user.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
CONF
    cat >"$work/ssh/client" <<CONF
Host node
HostName 127.0.0.1
Port $port
User $(id -un)
IdentityFile $work/ssh/user
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile $work/ssh/known
LogLevel ERROR
CONF
    if [ "$(id -u)" -eq 0 ]; then mkdir -p /run/sshd; fi
    "$(command -v sshd)" -f "$work/ssh/server" && ssh -F "$work/ssh/client" node true
}
remote=(--ssh "ssh -F $work/ssh/client" --sshlogin node)
if ! have sshd openssh-server || ! start_ssh >"$work/ssh.log" 2>&1; then
    tail -n 3 "$work"/install.log "$work/ssh.log" 2>/dev/null >&2 || true
    echo "== SKIPPED ssh: no server can be installed or started; --sshlogin : (this machine) instead" >&2
    remote=(--sshlogin :)
fi
echo "== each shard in a folder of its own: parallel ${remote[*]}"
parallel --will-cite "${remote[@]}" --jobs 2 --quote "$lrsched" compare "${flags[@]}" --threads 1 --shard "{}/$shards" --out "$work/shard {}" \
    ::: 1 2 3 4 >"$work/remote.log" 2>&1
"$lrsched" merge "$work"/shard\ [1-4] --out "$work/merged"
same_as_one_process "$work/merged"
