//! Priority of the processes of a run. Duties have times to keep, and what else the machine does should not be in the figures;
//! without the right to raise it nothing changes.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{getpriority_process, nice, setpriority_process, Pid};

/// Steps of niceness, of which -20 is the highest priority.
const STEPS: i32 = -5;

static IS_RAISED: AtomicBool = AtomicBool::new(false);

/// Raises this process, and with it all threads and processes that it starts from here on. To be called before there are
/// other threads. Whether the system allows it.
pub fn raise() -> bool {
    let is_raised = nice(STEPS).is_ok();
    IS_RAISED.store(is_raised, Ordering::Relaxed);
    is_raised
}

/// Raises a process that was just started and has one thread, unless it has this process's raised priority already.
pub fn raise_child(id: u32) {
    if IS_RAISED.load(Ordering::Relaxed) {
        return;
    }
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else { return };
    if let Ok(now) = getpriority_process(Some(pid)) {
        // Not allowed is not a failure.
        let _ = setpriority_process(Some(pid), now + STEPS);
    }
}
