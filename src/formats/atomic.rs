//! Output files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Permissions of a new file before the umask, as for any file that a program creates.
const NEW_FILE_MODE: u32 = 0o666;
/// Where Linux keeps the open files of a process: `/dev/stdout` and `/dev/fd/N` lead here.
const OPEN_FILES: &str = "/proc";
/// Stands for stdout.
const STDOUT: &str = "-";
/// Most symbolic links in a row, as in the kernel of Linux.
const MAX_LINKS: usize = 40;

/// Writes a file under a temporary name in the same folder, then renames it to `path`. Nobody ever sees half of a file,
/// and a failure leaves what was there before.
///
/// An existing file keeps its permissions, and a symbolic link stays a link. A pipe, a device or an open file such as
/// `/dev/stdout` cannot be replaced, and is written to directly.
///
/// # Errors
/// If the file cannot be written, or `write` fails. The temporary file is removed.
pub fn write_file(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    if path == Path::new(STDOUT) {
        // It is no failure if the reader has seen enough.
        return match write_file(Path::new("/dev/stdout"), write) {
            Err(error) if is_closed_pipe(&error) => Ok(()),
            done => done,
        };
    }
    if !is_replaceable(path) {
        return fill(&File::create(path)?, write);
    }
    // The file behind a link is replaced, not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let nameless = nameless(&path)?;
    let partial = nameless.is_none().then(|| partial(&path)).transpose()?;
    let file = nameless.as_ref().or(partial.as_ref().map(NamedTempFile::as_file));
    let file = file.ok_or_else(|| io::Error::other("no file to write to"))?;
    fill(file, write)?;
    if let Ok(replaced) = fs::metadata(&path) {
        file.set_permissions(replaced.permissions())?;
    }
    file.sync_all()?;
    match partial {
        Some(partial) => drop(partial.persist(&path)?),
        None => name(file, &path)?,
    }
    Ok(())
}

/// Whether the reader of a pipe has closed it.
fn is_closed_pipe(error: &io::Error) -> bool {
    let of_table = error.get_ref().and_then(|inner| inner.downcast_ref::<csv::Error>());
    let inner =
        of_table.and_then(|error| if let csv::ErrorKind::Io(error) = error.kind() { Some(error) } else { None });
    inner.unwrap_or(error).kind() == io::ErrorKind::BrokenPipe
}

/// The file that a name leads to over symbolic links, which need not be there yet. `write_file` replaces it where it is
/// there, and else the link; both are one place.
pub fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = parent(&path).join(target);
    }
    path
}

/// Removes a file, if it is there.
///
/// # Errors
/// If it cannot be removed.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file without a name in the folder of `path`: nothing is left of it where the program is ended. None where the
/// system has no such files.
fn nameless(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags, open};
    if !Path::new(OPEN_FILES).join("self/fd").is_dir() {
        return Ok(None);
    }
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match open(parent(path), flags, Mode::from_bits_truncate(NEW_FILE_MODE)) {
        Ok(descriptor) => Ok(Some(File::from(descriptor))),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::INVAL) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Gives a file without a name the name `path`: in one step if no other has it, so that a program that is ended leaves
/// nothing else. Else first a name that nobody can foresee, and then, in one step, this one.
fn name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    let open_file = Path::new(OPEN_FILES).join(format!("self/fd/{}", file.as_raw_fd()));
    let link = |to: &Path| Ok(linkat(CWD, &open_file, CWD, to, AtFlags::SYMLINK_FOLLOW)?);
    match link(path) {
        Err(error) if io::Error::kind(&error) == io::ErrorKind::AlreadyExists => {}
        done => return done,
    }
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{own}.");
    let linked = Builder::new().prefix(&prefix).suffix(".partial").make_in(parent(path), link)?;
    linked.into_temp_path().persist(path)?;
    Ok(())
}

/// Checks that [`write_file`] can write to a path, before long work.
///
/// # Errors
/// If the file cannot be written.
pub fn check_place(path: &Path) -> io::Result<()> {
    if path == Path::new(STDOUT) {
        return Ok(());
    }
    if is_replaceable(path) {
        return partial(path).map(drop);
    }
    if path.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
}

/// Writes bytes as [`write_file`] does.
///
/// # Errors
/// If the file cannot be written.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_file(path, |file| file.write_all(bytes))
}

/// Whether a path is that of a regular file or of none, so that another file can take its name.
fn is_replaceable(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.is_file()) && !is_open_file(path)
}

/// A hidden file beside `path`, so that the rename stays within one file system. It removes itself if it is dropped.
fn partial(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    let prefix = format!(".{}.", name.to_string_lossy());
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".partial").permissions(Permissions::from_mode(NEW_FILE_MODE));
    builder.tempfile_in(parent(path))
}

/// The folder that a path names, or the current one.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn fill(file: &File, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let mut output = BufWriter::new(file);
    write(&mut output)?;
    output.flush()
}

/// Whether a path is another name of a file that a process has open, at the end of any number of links.
fn is_open_file(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(folder) = parent(&path).canonicalize() else { return false };
        if folder.starts_with(OPEN_FILES) {
            return true;
        }
        let Ok(target) = fs::read_link(&path) else { return false };
        path = folder.join(target);
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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
        check_place(&path).expect("a writable folder");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(check_place(&folder.path().join("no/dose.txt")).is_err() && check_place(folder.path()).is_err());
    }

    #[test]
    fn permissions_are_those_of_an_ordinary_file() {
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (ordinary, path) = (folder.path().join("ordinary"), folder.path().join("dose.txt"));
        fs::write(&ordinary, b"text").expect("a writable folder");
        write_bytes(&path, b"new").expect("a writable folder");
        assert_eq!(mode(&path), mode(&ordinary));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("own file");
        write_bytes(&path, b"newer").expect("a writable folder");
        assert_eq!((mode(&path), fs::read(&path).expect("a file")), (0o640, b"newer".to_vec()));
    }

    #[test]
    fn links_stay_links_and_devices_are_written_to() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, link) = (folder.path().join("dose.txt"), folder.path().join("link"));
        fs::write(&path, b"old").expect("a writable folder");
        symlink("dose.txt", &link).expect("a writable folder");
        write_bytes(&link, b"new").expect("a writable folder");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::read(&path).expect("a file"), b"new");
        write_bytes(Path::new("/dev/null"), b"lost").expect("a device");
        assert!(!fs::metadata("/dev/null").expect("a device").is_file());
        assert!(is_open_file(Path::new("/dev/stdout")) && is_open_file(Path::new("/dev/fd/1")) && !is_open_file(&path));
    }
}
