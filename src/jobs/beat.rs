//! A thread that looks for something to do again and again, until it is dropped.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The pause between two looks, where nobody waits for what they find.
pub const PAUSE: Duration = Duration::from_millis(500);

/// The thread. Dropping it waits until it has ended.
pub struct Beat {
    name: &'static str,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    /// Starts it. `work` is told how to find out whether it has to stop; `last` is done at the end, by the same thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        name: &'static str,
        pause: Duration,
        mut work: impl FnMut(&dyn Fn() -> bool) + Send + 'static,
        last: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                work(&|| stopped.try_recv() == Err(TryRecvError::Disconnected));
            }
            last();
        })?;
        Ok(Self { name, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread \"{}\" panicked", self.name);
        }
    }
}
