//! SQLite's one writer: a thread that takes write jobs from concurrent requests and commits many of them at once.
//!
//! A job runs in a savepoint of its own, so one that fails or panics takes nothing with it. It is answered only after the
//! COMMIT that holds it: durable and fast at the same time.

use super::backend::{self, Conn, Database};
use super::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Told whether the commit worked.
type Acknowledge = Box<dyn FnOnce(Result<(), &Error>) + Send>;
/// Runs in the transaction under way; gets the error when none could begin.
type Job = Box<dyn FnOnce(Result<&mut Conn, &Error>) -> Acknowledge + Send>;

/// Told, after each commit, how many jobs shared it.
pub type Observer = Box<dyn Fn(usize) + Send>;

/// Most jobs of one commit.
const BATCH: usize = 256;
/// Most jobs that wait; more are answered "busy".
const QUEUE: usize = 1024;

/// The way to the writer thread.
#[derive(Debug)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread. It ends when every [`Writer`] is gone and the queue is empty. `observer` must be quick.
    ///
    /// # Errors
    /// When the database cannot be opened or the thread not started.
    pub fn start(database: &Database, observer: Observer) -> Result<(Self, JoinHandle<()>), Error> {
        let mut conn = database.connect_roomy()?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || serve(&mut conn, queue, &observer))
            .map_err(|e| Error::Db(format!("the writer thread cannot start: {e}")))?;
        Ok((Self { jobs }, thread))
    }

    /// How many writes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.jobs.max_capacity().saturating_sub(self.jobs.capacity())
    }

    /// Runs `f` in a savepoint and waits for the commit that holds it.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Busy`] when too many writes wait; the failed commit.
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.submit(f)?.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// As [`Self::write`], for a thread outside the async runtime.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_blocking<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.submit(f)?.blocking_recv().unwrap_or_else(|_| Err(stopped().into()))
    }

    fn submit<T, E, F>(&self, f: F) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let result = conn.map_err(|e| copy(e).into()).and_then(|conn| attempt(conn, f));
            Box::new(move |committed| {
                let answer = match committed {
                    Ok(()) => result,
                    // A job that had failed by itself keeps its own reason.
                    Err(e) => result.and_then(|_| Err(copy(e).into())),
                };
                // A caller that went away needs no answer.
                let _ = tell.send(answer);
            })
        });
        self.jobs.try_send(job).map_err(|_| Error::Busy("too many writes are waiting".to_owned()))?;
        Ok(told)
    }
}

fn stopped() -> Error {
    Error::Db("the writer stopped".to_owned())
}

/// A savepoint around `f`; a panic becomes an error and is rolled back like one.
fn attempt<T, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    backend::savepoint(conn, |conn| {
        catch_unwind(AssertUnwindSafe(|| f(conn))).unwrap_or_else(|_| Err(Error::Db("a write panicked".to_owned()).into()))
    })
}

fn copy(e: &Error) -> Error {
    match e {
        Error::Busy(text) => Error::Busy(text.clone()),
        other => Error::Db(other.to_string()),
    }
}

fn serve(conn: &mut Conn, mut queue: mpsc::Receiver<Job>, observer: &Observer) {
    while let Some(first) = queue.blocking_recv() {
        let begun = backend::begin(conn);
        let mut acknowledge = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            acknowledge.push(job(begun.as_ref().map(|()| &mut *conn)));
            next = if acknowledge.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        let committed = begun.and_then(|()| backend::commit(conn));
        if let Err(e) = &committed {
            log::error!("a commit failed: {e}");
        }
        observer(acknowledge.len());
        for tell in acknowledge {
            tell(committed.as_ref().copied());
        }
    }
}
