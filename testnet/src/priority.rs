//! Priority of the processes of a run. Duties have times to keep, and what else the machine does should not be in the figures;
//! without the right to raise it nothing changes.
//!
//! On a busy machine the beacon node is late first, by seconds where timers of operators are late by tenths of one: all that
//! operators do waits for it, and in a real network it has a machine of its own. So it is raised above them.

use rustix::process::{getpriority_process, nice, setpriority_process, Pid};

/// Steps of niceness, of which -20 is the highest priority.
const STEPS: i32 = -5;

/// Raises this process, and with it all threads and processes that it starts from here on. To be called before there are
/// other threads. Whether the system allows it.
pub fn raise() -> bool {
    nice(STEPS).is_ok()
}

/// Raises a process that was just started, and has one thread, above this one.
pub fn raise_child(id: u32) {
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else { return };
    if let Ok(now) = getpriority_process(Some(pid)) {
        // Not allowed is not a failure.
        let _ = setpriority_process(Some(pid), now + STEPS);
    }
}
