//! Signals: the first asks the run to stop after its batch, the second ends the process at once.

use super::control::{Control, Stop};
use super::keys;
use super::progress::Speaker;
use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// Listens from now on, for the life of the process.
///
/// Ctrl+C, SIGTERM and SIGUSR1 ask `control` to stop. The second of any of them ends the process, with the exit code of its kind; what is
/// being saved then is not there, and the checkpoint before it is whole.
///
/// # Errors
/// The system refuses.
pub fn listen(control: &Control, speaker: Speaker) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1]).context("cannot listen to signals")?;
    let control = control.clone();
    let attend = move || {
        for signal in signals.forever() {
            let stop = match signal {
                SIGTERM => Stop::Terminate,
                SIGUSR1 => Stop::Requeue,
                _ => Stop::Interrupt,
            };
            if control.stopping().is_some() {
                keys::restore_terminal();
                std::process::exit(i32::from(stop.exit_code()));
            }
            control.stop(stop);
            if stop == Stop::Interrupt {
                speaker.line("stopping after this batch; Ctrl+C again stops at once");
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".to_string())
        .spawn(attend)
        .context("cannot start a thread (is there too little memory?)")?;
    Ok(())
}
