//! The volumes of jobs, by name. Today they are held in the memory of this process.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::Reservation;
use crate::domain::{
    DensityMap, DoseError, DoseRequest, Invalid, LabelMap, LabelMaps, RequestHeader, RequestVolumes,
    TimeIntegratedActivity, VolumeRole,
};

/// The name of a volume: `sha256:` and 64 lower-case hexadecimal digits if it is named by its content, or `call:` and a
/// name that is used once, if it belongs to one call and nobody else can ask for it. Only the latter costs no digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VolumeName(String);

impl TryFrom<String> for VolumeName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let is_digest =
            |digits: &str| digits.len() == 64 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let is_good = match text.split_once(':') {
            Some(("sha256", digits)) => is_digest(digits),
            Some(("call", name)) => !name.is_empty(),
            _ => false,
        };
        if is_good { Ok(Self(text)) } else { Err(Invalid::new("is not the name of a volume")) }
    }
}

impl From<VolumeName> for String {
    fn from(name: VolumeName) -> Self {
        name.0
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A volume of a job: what it is, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobVolume {
    /// What it is.
    pub role: VolumeRole,
    /// Its name.
    pub name: VolumeName,
}

/// A volume with checked values. Copies share the values.
#[derive(Clone, Debug, PartialEq)]
pub enum InputVolume {
    /// Decays per voxel [Bq·s].
    Activity(TimeIntegratedActivity),
    /// Mass density per voxel [g/cm³].
    Density(DensityMap),
    /// Regions or materials.
    Labels(LabelMap),
}

/// Where the volumes of jobs are.
pub trait VolumeStore: Send + Sync + fmt::Debug {
    /// Keeps volumes until the hold is dropped.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with each volume that is not there.
    fn hold(&self, volumes: &[JobVolume]) -> Result<Hold, DoseError>;

    /// A volume; none if it is not there.
    fn get(&self, name: &VolumeName) -> Option<InputVolume>;
}

/// Keeps volumes in their store until it is dropped.
#[derive(Debug)]
pub struct Hold {
    _keep: Box<dyn Any + Send + Sync>,
}

impl Hold {
    /// * `keep` – what lets go of the volumes when it is dropped
    pub fn new(keep: impl Any + Send + Sync) -> Self {
        Self { _keep: Box::new(keep) }
    }
}

/// Puts a request together from a header and the volumes of a store.
///
/// # Errors
/// [`DoseError::Invalid`] if a volume is not there or is not what the header says.
pub(super) fn request(
    header: &RequestHeader,
    volumes: &[JobVolume],
    store: &dyn VolumeStore,
) -> Result<DoseRequest, DoseError> {
    let (mut activity, mut density, mut daughters) = (None, None, Vec::new());
    let mut labels = LabelMaps::default();
    for JobVolume { role, name } in volumes {
        let volume = store.get(name).ok_or_else(|| missing(*role))?;
        match (role, volume) {
            (VolumeRole::Activity, InputVolume::Activity(map)) => activity = Some(map),
            (VolumeRole::Density, InputVolume::Density(map)) => density = Some(map),
            (VolumeRole::Labels, InputVolume::Labels(map)) => labels.regions = Some(map),
            (VolumeRole::Materials, InputVolume::Labels(map)) => labels.materials = Some(map),
            (VolumeRole::DaughterActivity(_), InputVolume::Activity(map)) => daughters.push(map),
            (role, InputVolume::Activity(_) | InputVolume::Density(_) | InputVolume::Labels(_)) => {
                return Err(DoseError::invalid(role.field(), "names a volume of another kind"));
            }
        }
    }
    let activity = activity.ok_or_else(|| missing(VolumeRole::Activity))?;
    DoseRequest::of(header, RequestVolumes { activity, density, labels, daughters })
}

fn missing(role: VolumeRole) -> DoseError {
    DoseError::invalid(role.field(), "names a volume that is not there")
}

/// Volumes in memory. Each is there as long as somebody holds it.
#[derive(Debug, Default)]
pub struct MemoryVolumes {
    shelf: Arc<Shelf>,
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct Shelf(Mutex<HashMap<VolumeName, Weak<Kept>>>);

impl Shelf {
    /// No code of others runs under the lock, so a poisoned one still guards a sound map.
    fn lock(&self) -> MutexGuard<'_, HashMap<VolumeName, Weak<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &VolumeName) -> Option<Arc<Kept>> {
        self.lock().get(name)?.upgrade()
    }
}

/// A volume that somebody holds, with the memory that was reserved for it.
#[derive(Debug)]
struct Kept {
    name: VolumeName,
    volume: InputVolume,
    _memory: Option<Arc<Reservation>>,
    shelf: Weak<Shelf>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelf.upgrade() {
            let mut kept = shelf.lock();
            // The same content may have come again meanwhile.
            if kept.get(&self.name).is_some_and(|other| other.strong_count() == 0) {
                kept.remove(&self.name);
            }
        }
    }
}

impl MemoryVolumes {
    /// No volumes yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes in the volumes of a request under names that nobody else knows, without looking at their values.
    ///
    /// * `memory` – what was reserved for the request, given back when the last of its volumes is gone
    pub fn put_call(&self, volumes: &RequestVolumes, memory: Option<Arc<Reservation>>) -> (Vec<JobVolume>, Hold) {
        let RequestVolumes { activity, density, labels, daughters } = volumes;
        let labels_of = |role, map: &Option<LabelMap>| map.clone().map(|map| (role, InputVolume::Labels(map)));
        let density = density.clone().map(|map| (VolumeRole::Density, InputVolume::Density(map)));
        let daughters = daughters
            .iter()
            .enumerate()
            .map(|(number, map)| (VolumeRole::DaughterActivity(number), InputVolume::Activity(map.clone())));
        let all = std::iter::once((VolumeRole::Activity, InputVolume::Activity(activity.clone())))
            .chain(density)
            .chain(labels_of(VolumeRole::Labels, &labels.regions))
            .chain(labels_of(VolumeRole::Materials, &labels.materials))
            .chain(daughters);
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut kept = Vec::new();
        for (role, volume) in all {
            let name = VolumeName(format!("call:{call}/{}", role.field()));
            kept.push((role, self.put(name, volume, memory.clone())));
        }
        let names = kept.iter().map(|(role, kept)| JobVolume { role: *role, name: kept.name.clone() }).collect();
        (names, Hold::new(kept))
    }

    fn put(&self, name: VolumeName, volume: InputVolume, memory: Option<Arc<Reservation>>) -> Arc<Kept> {
        let shelf = Arc::downgrade(&self.shelf);
        let kept = Arc::new(Kept { name: name.clone(), volume, _memory: memory, shelf });
        self.shelf.lock().insert(name, Arc::downgrade(&kept));
        kept
    }
}

impl VolumeStore for MemoryVolumes {
    fn hold(&self, volumes: &[JobVolume]) -> Result<Hold, DoseError> {
        let find = |volume: &JobVolume| self.shelf.find(&volume.name).ok_or_else(|| missing(volume.role));
        let kept: Vec<Arc<Kept>> = volumes.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Hold::new(kept))
    }

    fn get(&self, name: &VolumeName) -> Option<InputVolume> {
        self.shelf.find(name).map(|kept| kept.volume.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::volumes;
    use super::*;
    use crate::jobs::Budget;

    #[test]
    fn names_are_digests_or_belong_to_a_call() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [digest.as_str(), "call:7/density"] {
            let name: VolumeName = text.to_owned().try_into().expect("a good name");
            let json = serde_json::to_string(&name).expect("a name is data");
            assert_eq!(serde_json::from_str::<VolumeName>(&json).expect("the same name"), name);
        }
        for text in ["", "density", "call:", "sha256:12", &digest.to_uppercase(), &digest.replace("0a", "0g")] {
            assert!(VolumeName::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_volume_is_there_as_long_as_it_is_held_and_its_memory_too() {
        let (store, budget) = (MemoryVolumes::new(), Budget::new(100));
        let memory = Arc::new(budget.reserve(60).expect("60 of 100"));
        let (names, first) = store.put_call(&volumes(), Some(memory));
        let second = store.hold(&names).expect("they are there");
        drop(first);
        assert!(names.iter().all(|volume| store.get(&volume.name).is_some()));
        assert_eq!(budget.free_bytes(), 40);
        drop(second);
        assert!(names.iter().all(|volume| store.get(&volume.name).is_none()));
        assert_eq!(budget.free_bytes(), 100);
        assert!(matches!(store.hold(&names), Err(DoseError::Invalid(_))));
    }

    #[test]
    fn two_calls_never_share_a_name() {
        let store = MemoryVolumes::new();
        let (first, second) = (store.put_call(&volumes(), None), store.put_call(&volumes(), None));
        assert!(first.0.iter().all(|volume| !second.0.contains(volume)));
    }
}
