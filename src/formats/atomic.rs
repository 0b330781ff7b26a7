//! Files that are there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file under a temporary name next to `path` and renames it: nobody ever sees half of it, and a failure leaves what was there before.
///
/// # Errors
/// What the file system or `write` says. The temporary file is removed.
pub fn write_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let partial = partial_path(path)?;
    let result = write_all(&partial, write).and_then(|()| fs::rename(&partial, path));
    if result.is_err() {
        // The first failure is the one to report; the partial file may not even exist.
        let _ = fs::remove_file(&partial);
    }
    result
}

fn write_all(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()
}

/// `.NAME.PID.partial` in the same folder, so that the rename stays within one file system.
fn partial_path(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    let mut partial = OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    Ok(path.with_file_name(partial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("dose.txt");
        write_file(&path, |file| file.write_all(b"old")).expect("a writable folder");
        write_file(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        })
        .expect_err("the writer failed");
        assert_eq!(fs::read(&path).expect("still there"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(write_file(Path::new("/"), |_| Ok(())).is_err());
    }
}
