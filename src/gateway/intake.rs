//! From the spool to studies: each file is looked at in a process of its own before anything believes it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::ledger::{Change, LedgerError, Table};
use super::record::{Claim, Item, Kept, StudyRecord};
use super::{Gateway, State, now_ms, offer};
use crate::digest::{Digest, sha256_hex};
use crate::domain::{DoseError, Invalid};
use crate::formats::dicom::{self, CLASSES, Outline, Outlined, Unread};
use crate::pacs::Instance;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;
/// How often a file is read whose process ends without an answer, and the time between two readings.
const READINGS: u32 = 3;
const REST: Duration = Duration::from_secs(10);
/// What files in the spool end with.
pub(super) const END: &str = ".dcm";

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// Name of the source.
    pub(super) source: String,
    /// Title that sent it; empty where it did not come by C-STORE.
    pub(super) calling: String,
}

impl Origin {
    /// A name for a file of the spool, which tells where it came from.
    pub(super) fn file_name(&self) -> String {
        let id = uuid::Uuid::now_v7().simple();
        format!("{id}-{}-{}{END}", hex(&self.source), hex(&self.calling))
    }

    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(END)?;
        let mut parts = name.split('-').skip(1);
        let mut part = || unhex(parts.next()?);
        Some(Self { source: part()?, calling: part()? })
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<String> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

/// The digest of a file.
pub(super) fn digest_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Digest::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.hex()),
            count => digest.update(&buffer[..count]),
        }
    }
}

/// The digest of what a file holds: the same by whatever way it comes.
fn content_of(path: &Path) -> io::Result<String> {
    // Without file meta information, it is the whole.
    Instance::read(path).map_or_else(|_| digest_of(path), |instance| instance.digest())
}

/// Why a file is not taken, whatever came before; none if it is.
pub(super) fn not_taken(outline: &Outline) -> Option<&'static str> {
    if outline.is_made_here {
        return Some("was made by this program: never an input");
    }
    (!CLASSES.iter().any(|(uid, _)| *uid == outline.class)).then_some("is of a class that is not used")
}

/// Whether the kept file of an instance holds the same in another transfer syntax.
///
/// # Errors
/// If the kept file cannot be read for a reason that is perhaps not its own.
fn holds_the_same(kept: &Path, outline: &Outline) -> Result<bool, Unread> {
    let kept = match dicom::outlines_or_why(kept) {
        Ok(found) => found.into_iter().next().and_then(|one| one.found.ok()),
        Err(Unread::Refused(_)) => None,
        Err(why @ (Unread::Ended(_) | Unread::NoProcess(_))) => return Err(why),
    };
    Ok(outline.plain.is_some() && kept.is_some_and(|kept| kept.plain == outline.plain))
}

/// Puts links to files into an empty folder as a gateway would keep them: one for each instance. The instances that are
/// there again with other bytes.
///
/// # Errors
/// If a file cannot be read, or no link be made.
pub(super) fn link_kept<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'a Path, &'a Outline)>,
) -> io::Result<Vec<String>> {
    let mut conflicts = Vec::new();
    for (path, outline) in files {
        let place = folder.join(kept_name(&outline.instance));
        if !place.exists() {
            std::os::unix::fs::symlink(path.canonicalize()?, &place)?;
        } else if content_of(path)? != content_of(&place)?
            && !holds_the_same(&place, outline).map_err(|why| io::Error::other(why.reason().to_string()))?
        {
            conflicts.push(outline.instance.clone());
        }
    }
    Ok(conflicts)
}

/// The name of an instance's file in the folder of its study.
pub(super) fn kept_name(instance: &str) -> String {
    sha256_hex(instance)[..32].to_owned() + END
}

/// Makes the names in a folder last.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl Gateway {
    /// Takes all that lies in the spool. How many files there were.
    pub(super) fn take_spool(&self) -> Result<usize, DoseError> {
        let failed = |error: io::Error| DoseError::Io(format!("gateway: the spool fails: {error}"));
        let (spool, begun_ms) = (self.at("spool"), now_ms());
        let mut paths: Vec<PathBuf> =
            fs::read_dir(&spool).map_err(failed)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let count = paths.len();
        paths.retain(|path| !self.rests_in_spool(path));
        if paths.is_empty() {
            self.taken_ms.store(begun_ms, Ordering::SeqCst);
            return Ok(count);
        }
        let outlines = Outlines::of(&spool);
        for path in &paths {
            if self.is_stopping() {
                return Ok(count);
            }
            let found = outlines.of_file(path);
            let origin = Origin::of(path);
            let origin = origin.unwrap_or_else(|| Origin { source: String::new(), calling: String::new() });
            let taken = match found {
                Ok(outline) => self.take(path, &outline, &origin)?,
                Err(why) => Err(why),
            };
            match taken {
                Ok(()) => {}
                Err(why) if self.is_read_again(path, &why) => {
                    let reason = why.reason().to_string();
                    tracing::warn!(source = origin.source, reason, "a file that came is read again later");
                    continue;
                }
                Err(why) => self.refuse(path, &why.reason().to_string(), &origin)?,
            }
            self.read_again.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        }
        self.taken_ms.store(begun_ms, Ordering::SeqCst);
        Ok(count)
    }

    /// Whether a file of the spool could not be read a short time ago.
    pub(super) fn rests_in_spool(&self, path: &Path) -> bool {
        let tried = self.read_again.lock().unwrap_or_else(PoisonError::into_inner);
        tried.get(path).is_some_and(|(_, at)| at.elapsed() < REST)
    }

    /// Whether a file that was not read stays in the spool. Its sender was told that it is safe, and has perhaps
    /// deleted it: it is not dropped for what this machine lacks.
    pub(super) fn is_read_again(&self, path: &Path, why: &Unread) -> bool {
        let mut tried = self.read_again.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, at) = tried.entry(path.to_owned()).or_insert_with(|| (0, Instant::now()));
        *at = Instant::now();
        match why {
            Unread::Refused(_) => false,
            Unread::NoProcess(_) => true,
            Unread::Ended(_) => {
                *times += 1;
                *times < READINGS
            }
        }
    }

    /// Takes a file into its study; what came before, or is of no use, is dropped. Inside, why it stays in the spool:
    /// the file that is kept of the same instance cannot be compared with it.
    fn take(&self, path: &Path, outline: &Outline, origin: &Origin) -> Result<Result<(), Unread>, DoseError> {
        let failed = |error: io::Error| DoseError::Io(format!("gateway: a file cannot be kept: {error}"));
        let study = self.salted(&outline.study);
        let is_ours = self.ledger.get::<String>(Table::Own, &outline.instance)?.is_some();
        if let Some(why) = not_taken(outline).or(is_ours.then_some("was made by this program: never an input")) {
            tracing::debug!(study, why, "a file is not taken");
            return fs::remove_file(path).map(Ok).map_err(failed);
        }
        let digest = content_of(path).map_err(failed)?;
        let _studies = self.studies.lock();
        let key = format!("{study}/{}", outline.instance);
        let known: Option<Kept> = self.ledger.get(Table::Instances, &key)?;
        let is_new = match &known {
            Some(known) if known.digest != digest => match self.is_kept(&study, outline) {
                Ok(is_kept) => !is_kept,
                Err(why) => return Ok(Err(why)),
            },
            Some(_) => false,
            None => true,
        };
        if is_new {
            if known.is_none() {
                self.keep(path, &study, &outline.instance).map_err(failed)?;
            }
            let kept = Kept { digest, came_ms: now_ms() };
            self.ledger.change(|change| arrived(change, (&study, &key), outline, origin, &kept))?;
        }
        fs::remove_file(path).map(Ok).map_err(failed)
    }

    /// Whether the file that is kept of an instance holds the same in another transfer syntax.
    fn is_kept(&self, study: &str, outline: &Outline) -> Result<bool, Unread> {
        holds_the_same(&self.study_folder(study).join(kept_name(&outline.instance)), outline)
    }

    /// Gives a file its place in the folder of its study. A loss before the ledger knows of it leaves the file in the
    /// spool too, and this is done again.
    fn keep(&self, path: &Path, study: &str, instance: &str) -> io::Result<()> {
        let folder = self.study_folder(study);
        fs::create_dir_all(&folder)?;
        sync(&self.at("studies"))?;
        let (place, beside) = (folder.join(kept_name(instance)), folder.join("new"));
        let _ = fs::remove_file(&beside);
        fs::hard_link(path, &beside)?;
        fs::rename(&beside, &place)?;
        // Where both are names of one file already, the first is left.
        let _ = fs::remove_file(&beside);
        sync(&folder)
    }

    /// Puts a file aside that cannot be read.
    fn refuse(&self, path: &Path, reason: &str, origin: &Origin) -> Result<(), DoseError> {
        let failed = |error: io::Error| DoseError::Io(format!("gateway: a file cannot be dropped: {error}"));
        let id = format!("file-{}", &digest_of(path).map_err(failed)?[..16]);
        let words = format!("a file from {} {reason}; it was dropped: send it again", origin.source);
        self.put_aside(id, words)?;
        fs::remove_file(path).map_err(failed)
    }

    /// Has somebody look at what is not of a study, unless that was asked for before.
    pub(super) fn put_aside(&self, id: String, words: String) -> Result<(), DoseError> {
        if self.ledger.get::<Item>(Table::Items, &id)?.is_none() {
            let item = Item { id: id.clone(), reason: words, state: State::Aside, ..Item::new("", 1, now_ms()) };
            let put = |change: &Change<'_>| change.put(Table::Items, &id, &item).and_then(|()| change.tell(&item));
            self.audited(put, |()| super::record_of(&item, None))?;
            tracing::warn!(item = id, reason = item.reason, "item");
        }
        Ok(())
    }
}

/// What the files of a folder say they are.
pub(super) struct Outlines(Vec<Outlined>);

impl Outlines {
    pub(super) fn of(folder: &Path) -> Self {
        Self(dicom::read_outlines(folder).unwrap_or_default())
    }

    /// A file of the folder. Where one makes the reading of all fail, each is read alone.
    pub(super) fn of_file(&self, path: &Path) -> Result<Outline, Unread> {
        let refused = |reason: String| Unread::Refused(Invalid(reason));
        if let Some(one) = self.0.iter().find(|one| one.path == path) {
            return one.found.clone().map_err(refused);
        }
        let found = dicom::outlines_or_why(path)?.into_iter().next();
        found.map_or_else(|| Err(refused("is not a DICOM file".to_owned())), |one| one.found.map_err(refused))
    }
}

/// Tells the ledger of a file that is new, or came again with other bytes.
fn arrived(
    change: &Change<'_>,
    (study, key): (&str, &str),
    outline: &Outline,
    origin: &Origin,
    kept: &Kept,
) -> Result<(), LedgerError> {
    let mut record: StudyRecord = change.get(Table::Studies, study)?.unwrap_or_default();
    let known: Option<Kept> = change.get(Table::Instances, key)?;
    if known.is_some() {
        if record.conflicts.contains(&outline.instance) {
            return Ok(());
        }
        record.conflicts.push(outline.instance.clone());
    } else {
        change.put(Table::Instances, key, kept)?;
    }
    record.uid.clone_from(&outline.study);
    record.source.clone_from(&origin.source);
    record.calling.clone_from(&origin.calling);
    if offer::is_activity(outline) {
        record.activity = Some(origin.clone());
    }
    record.last_ms = kept.came_ms;
    record.arrivals += 1;
    let last = change.versions(study)?.pop();
    let waits = "waits until nothing more comes";
    match last.as_ref().map(|item| (item, item.state)) {
        Some((item, State::Received)) => {
            change.note(&item.id, State::Received, |item| item.reason = waits.to_owned())?;
        }
        Some((item, State::Ready | State::Aside)) if item.objects.is_empty() => {
            change.advance(&item.id, State::Received, waits, |_| {})?;
        }
        other => {
            record.versions += 1;
            let mut next = Item::new(study, record.versions, kept.came_ms);
            let has_gone = |item: &Item| item.deliveries.iter().any(super::delivery::has_arrived);
            if let Some((item, state)) = other
                && state.followers().contains(&State::Skipped)
                && !has_gone(item)
            {
                let reason = format!("{} takes its place: more of the study came", next.id);
                // The work is that of the study: it goes on with the version that takes its place.
                let is_open = |claim: &mut Claim| claim.state.is_open();
                change.advance(&item.id, State::Skipped, &reason, |item| {
                    next.workitem = item.workitem.take_if(is_open);
                })?;
            }
            change.put(Table::Items, &next.id, &next)?;
        }
    }
    change.put(Table::Studies, study, &record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_spool_tells_where_it_came_from() {
        let origin = Origin { source: "gamma camera".into(), calling: "SPECT-1".into() };
        assert_eq!(Origin::of(Path::new(&origin.file_name())), Some(origin));
        let none = Origin { source: "a".into(), calling: String::new() };
        assert_eq!(Origin::of(Path::new(&none.file_name())), Some(none));
        assert_eq!(Origin::of(Path::new("other.dcm")), None);
    }
}
