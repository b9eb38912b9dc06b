#!/usr/bin/env bash
# Spreads a comparison over a Slurm cluster of this one machine with scripts/slurm.sh, interrupts it, and checks that the result is that of one
# process: the same table but for times, the same rows, the same weights.
#
#     scripts/check_slurm.sh            about 2 minutes; the program is $LRSCHED (default: the one built here)
#
# Shard 2 is requeued in the middle (scontrol requeue), shard 3 gets the signal before its time limit, saves, and requeues itself. Needs Debian's
# slurm-wlm and munge, which it installs as root. The cluster has ports and a folder of its own, no cgroups and no accounts, and is stopped at the
# end. Where it cannot be installed or started, this prints SKIPPED and exits with 0.
set -euo pipefail

# A cluster around this machine is no business of ours.
unset "${!SLURM@}" "${!SBATCH@}" "${!SRUN@}"
# shellcheck source-path=SCRIPTDIR source=check_shards.sh
source "$(dirname "$0")/check_shards.sh"
cluster=$work/cluster
out="$work/100% of the shards"
stopped=''

finish() {
    local code=$? daemon pid
    trap - EXIT
    if [ -n "$stopped" ]; then kill -CONT "$stopped" 2>/dev/null || true; fi
    if [ "$code" -ne 0 ]; then
        tail -n 8 "$out.slurm"/*.log 2>/dev/null || true
        squeue 2>/dev/null || true
    fi
    if [ -e "$cluster/run/slurmctld.pid" ]; then
        scancel --user="$(id -un)" 2>/dev/null || true
        for _ in $(seq 150); do
            [ -n "$(squeue --noheader 2>/dev/null)" ] || break
            sleep 0.1
        done
    fi
    for daemon in slurmd slurmctld munged; do
        pid=$(cat "$cluster/run/$daemon.pid" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip() {
    tail -n 4 "$work"/install.log "$cluster"/log/* >&2 2>/dev/null || true
    echo "== SKIPPED the comparison on a Slurm cluster: $*" >&2
    exit 0
}

install_slurm() {
    command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged && return
    [ "$(id -u)" -eq 0 ] && apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

# One node, called as the machine, with four cores whether it has them or not. A requeued job waits cred_expire seconds: 5 instead of 120.
start_cluster() {
    local host user
    host=$(hostname -s) user=$(id -un)
    mkdir -p "$cluster"/{run,state,spool,log}
    chmod 755 "$work" "$cluster" "$cluster/run"
    (umask 077 && head -c 1024 /dev/urandom >"$cluster/munge.key")
    cat >"$cluster/slurm.conf" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$cluster/run/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
KillWait=10
SchedulerParameters=sched_interval=3,bf_interval=3
SlurmdParameters=config_overrides
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldLogFile=$cluster/log/slurmctld.log
SlurmdLogFile=$cluster/log/slurmd.log
SlurmctldPidFile=$cluster/run/slurmctld.pid
SlurmdPidFile=$cluster/run/slurmd.pid
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000
PartitionName=main Nodes=$host Default=YES State=UP
CONF
    export SLURM_CONF=$cluster/slurm.conf
    munged --key-file="$cluster/munge.key" --socket="$cluster/run/munge.socket" --pid-file="$cluster/run/munged.pid" \
        --log-file="$cluster/log/munged.log" --seed-file="$cluster/state/munged.seed" &&
        slurmctld && slurmd || return
    for _ in $(seq 200); do
        if [ "$(sinfo --noheader --format=%T)" = idle ]; then return; fi
        sleep 0.1
    done
    return 1
}

PATH=$PATH:/usr/sbin
timeout 240 bash -c "$(declare -f install_slurm); install_slurm" >"$work/install.log" 2>&1 || skip "slurm-wlm and munge cannot be installed"
start_cluster >>"$work/install.log" 2>&1 || skip "Slurm does not start"
echo "== $(sbatch --version) on $(hostname -s), ports $(sed -n 's/^Slurm.*Port=//p' "$SLURM_CONF" | paste -sd' ')"

compare_in_one_process

# Slurm looks every 30 s for jobs whose limit is near, and signals those of which less than the warning and 30 s are left: here after 25 to 55 s.
echo "== the same on $shards shards"
LRSCHED=$lrsched "$project/scripts/slurm.sh" --shards "$shards" --out "$out" --time=1 --signal=USR1@5 -- "${flags[@]}" | tee "$work/jobs.txt"
read -r array merge < <(sed -n 's/^shards: job \([0-9]*\),.* job \([0-9]*\)$/\1 \2/p' "$work/jobs.txt")

# The restarts of a task.
restarts_of() {
    scontrol show job "${array}_$1" | sed -n 's/.* Restarts=\([0-9]*\).*/\1/p'
}

# Shard 3 must not be done when its time limit comes, on a fast machine either: it stands still until Slurm, before the signal, continues it.
wait_until 60 "a checkpoint of shard 3" saved 3 "$out"
stopped=$(process_of 3 "$out") || fail "shard 3 has no process"
kill -STOP "$stopped"
wait_until 60 "a checkpoint of shard 2" saved 2 "$out"
scontrol requeue "${array}_2"
echo "== requeued shard 2; waiting for the time limit of shard 3"
wait_until 90 "the end of shard 3 before its time limit" grep -q 'exit code 75' "$out.slurm/${array}_3.log"
stopped=''

nothing_queued() { [ -z "$(squeue --noheader)" ]; }
wait_until 240 "the end of all jobs" nothing_queued
cat "$out.slurm/$merge.log"
for shard in 1 2 3 4; do
    grep '^==' "$out.slurm/${array}_$shard.log"
done

# What was to happen did happen, and not because the work was done again from its beginning.
for shard in 2 3; do
    [ "$(restarts_of $shard)" -ge 1 ] || fail "shard $shard was never restarted"
    in_events $shard "$out" '"event":"resume"' || fail "no run of shard $shard was resumed"
done
in_events 2 "$out" '"by":"SIGTERM"' || fail "the requeue of shard 2 did not stop a run"
in_events 3 "$out" '"by":"SIGUSR1"' || fail "the time limit of shard 3 did not stop a run"
same_as_one_process "$out"

echo "== a task that fails is not requeued"
array=$(sbatch --parsable --array=1-1 --output="$work/failing.log" "$project/scripts/slurm.sbatch" "$work/failing" --epochs 0)
wait_until 60 "the end of the failing task" nothing_queued
scontrol show job "${array}_1" | grep -q 'Restarts=0 .*ExitCode=2:0' || fail "a usage error did not end its task"
if "$project/scripts/slurm.sh" --shards 0 --out "$out" -- "${flags[@]}" 2>/dev/null; then fail "slurm.sh took 0 shards"; fi
