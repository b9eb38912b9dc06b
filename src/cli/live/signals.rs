//! Signals: the first asks the run to stop after the current batch, a Ctrl+C after it ends the process at once.

use super::keys;
use super::speaker::Speaker;
use crate::memory::is_ignored;
use crate::threads::spawn;
use crate::train::{Control, Stop};
use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// Installs the handlers for the life of the process.
///
/// Ctrl+C, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU and SIGHUP ask `control` to stop; a SIGHUP that was ignored at startup,
/// as under `nohup`, stays ignored. While the run stops, another Ctrl+C ends the process with its exit code: a
/// checkpoint being written is lost, and the one before it is intact. Other signals then change nothing. `speaker` is
/// set once output is set up.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen(control: &Control, speaker: &Arc<OnceLock<Speaker>>) -> Result<()> {
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let always = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU];
    let mut signals = Signals::new(always.into_iter().chain(hangup)).context("cannot listen to signals")?;
    let (control, speaker) = (control.clone(), Arc::clone(speaker));
    let attend = move || {
        for signal in signals.forever() {
            let stop = match signal {
                SIGTERM => Stop::Terminate,
                SIGUSR1 | SIGUSR2 => Stop::Requeue,
                SIGXCPU => Stop::CpuLimit,
                SIGHUP => Stop::Hangup,
                _ => Stop::Interrupt,
            };
            if control.stopping().is_some() {
                // Only a person is impatient. The kernel repeats SIGXCPU every second, Slurm sends a preempted job
                // SIGTERM twice within 40 ms and GNU parallel three times within 0.4 s: saving takes longer than that.
                if signal == SIGINT {
                    keys::restore_terminal();
                    std::process::exit(i32::from(stop.exit_code()));
                }
                continue;
            }
            let speaker = speaker.get().filter(|_| stop == Stop::Interrupt && control.is_attended());
            // Before any of them ends.
            let stopping = speaker.map(Speaker::stopping);
            control.stop(stop);
            if let (Some(speaker), Some(stopping)) = (speaker, stopping) {
                speaker.line(&format!("{stopping}; Ctrl+C again stops at once"));
            }
        }
    };
    spawn("signals", attend)?;
    Ok(())
}

/// Makes exceeding the file size limit (`ulimit -f`) an ordinary error, as on a full disk; without a handler SIGXFSZ
/// would end the process. The handler does nothing. Ignoring the signal would also work, but child processes would
/// inherit that.
///
/// # Errors
/// The handler cannot be installed.
pub fn report_full_files() -> Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).context("cannot listen to signals")?;
    Ok(())
}
