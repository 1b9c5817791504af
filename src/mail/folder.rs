//! Letters as files, for tests, trials, and a mail system that collects them.

use super::compose::checked_id;
use super::transport::Failure;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the half-written files of one program apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        make_folder(path).map_err(|e| format!("the folder for mail {} cannot be made: {e}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Writes a message as `<id>.eml`, all or nothing. The same id is the same file.
    pub(super) fn put(&self, id: &str, message: &[u8]) -> Result<(), Failure> {
        let id = checked_id(id)?;
        let half = self.0.join(format!(".{id}.{}.{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let done =
            make_folder(&self.0).and_then(|()| write(&half, message)).and_then(|()| fs::rename(&half, self.0.join(format!("{id}.eml"))));
        done.map_err(|e| {
            // What is left of it is of no use; the error above is the one to tell.
            let _ = fs::remove_file(&half);
            failure(&e)
        })
    }
}

fn failure(error: &io::Error) -> Failure {
    let text = format!("the folder for mail cannot be written to: {error}");
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory => Failure::Broken(text),
        _ => Failure::Later(text),
    }
}

/// Letters hold secret links, so only the owner may look into a folder that is made here.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn write(path: &Path, message: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(message)?;
    file.sync_all()
}

/// A new file. One of that name can only be left from a program that died.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        other => other,
    }
}
