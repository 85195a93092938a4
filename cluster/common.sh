# Shared by the job scripts: where the checkout is, going on where an earlier job ended, being put back into the queue.
# shellcheck shell=bash

# SLURM runs a copy of the script; the job is submitted from the checkout, or names it.
cd "${DAWNDUSK:-${SLURM_SUBMIT_DIR:-.}}" || exit 2
[ -x env/run ] || { echo "submit from the checkout of Dawndusk, or set DAWNDUSK to it" >&2; exit 2; }

# tell SIGNAL PID: to the program that env/run started; bubblewrap, where it is used, would die of it and leave it alone.
tell() {
    local to=$2
    [ "$(ps -o comm= -p "$to")" != bwrap ] || to=$(ps -o pid= --ppid "$to" | head -n 1 | tr -d ' ')
    kill "-$1" "$to" 2>/dev/null
}

# with_restart OUT CMD...: adds --resume where OUT holds a run that has begun; puts the job back when the time is over.
with_restart() {
    local out=$1 status=0 resume=()
    shift
    [ ! -d "$out/checkpoints" ] || resume=(--resume)
    "$@" --out "$out" "${resume[@]}" &
    local run=$!
    # The signal comes to this script (--signal=B:...); the run ends at its next output time with a checkpoint.
    trap 'tell USR1 "$run"' USR1
    trap 'tell TERM "$run"' TERM
    # A signal ends `wait`, not the run.
    while :; do
        status=0
        wait "$run" || status=$?
        kill -0 "$run" 2>/dev/null || break
    done
    trap - USR1 TERM
    if [ "$status" = 138 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
        echo "out of time at a checkpoint; back into the queue"
        scontrol requeue "$SLURM_JOB_ID"
    fi
    return "$status"
}
