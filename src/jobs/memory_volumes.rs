//! Volumes in the memory of this process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::volumes::missing;
use super::{Hold, InputVolume, JobVolume, Reservation, VolumeName, VolumeStore};
use crate::domain::{DoseError, RequestVolumes, VolumeRole};

/// Volumes in memory. Each is there as long as somebody holds it.
#[derive(Debug, Default)]
pub struct MemoryVolumes {
    shelf: Arc<Shelf>,
    calls: AtomicU64,
}

/// A name, and what its bytes are taken for: the same bytes may be an activity and a density.
type Key = (VolumeName, &'static str);

fn key(volume: &JobVolume) -> Key {
    let kind = match volume.role {
        VolumeRole::Activity | VolumeRole::DaughterActivity(_) => "activity",
        VolumeRole::Density => "density",
        VolumeRole::Labels | VolumeRole::Materials => "labels",
    };
    (volume.name.clone(), kind)
}

#[derive(Debug, Default)]
struct Shelf(Mutex<HashMap<Key, Weak<Kept>>>);

impl Shelf {
    /// No code of others runs under the lock, so a poisoned one still guards a sound map.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, volume: &JobVolume) -> Option<Arc<Kept>> {
        self.lock().get(&key(volume))?.upgrade()
    }
}

/// A volume that somebody holds, with the memory that was reserved for it.
#[derive(Debug)]
struct Kept {
    key: Key,
    volume: InputVolume,
    _memory: Option<Arc<Reservation>>,
    shelf: Weak<Shelf>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelf.upgrade() {
            let mut kept = shelf.lock();
            // The same content may have come again meanwhile.
            if kept.get(&self.key).is_some_and(|other| other.strong_count() == 0) {
                kept.remove(&self.key);
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
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.put(volumes, memory, |role, _| VolumeName::of_call(call, role))
    }

    /// Takes in the volumes of a request under the digests of their content.
    ///
    /// * `memory` – as of [`MemoryVolumes::put_call`]
    pub fn put_content(&self, volumes: &RequestVolumes, memory: Option<Arc<Reservation>>) -> (Vec<JobVolume>, Hold) {
        self.put(volumes, memory, |_, volume| volume.content_name())
    }

    fn put(
        &self,
        volumes: &RequestVolumes,
        memory: Option<Arc<Reservation>>,
        name: impl Fn(VolumeRole, &InputVolume) -> VolumeName,
    ) -> (Vec<JobVolume>, Hold) {
        let (mut names, mut kept) = (Vec::new(), Vec::new());
        for (role, volume) in InputVolume::all_of(volumes) {
            let named = JobVolume { role, name: name(role, &volume) };
            kept.push(self.keep(&named, volume, memory.clone()));
            names.push(named);
        }
        (names, Hold::new(kept))
    }

    /// Keeps a volume. One that is there already is shared.
    fn keep(&self, named: &JobVolume, volume: InputVolume, memory: Option<Arc<Reservation>>) -> Arc<Kept> {
        let key = key(named);
        let mut shelf = self.shelf.lock();
        if let Some(there) = shelf.get(&key).and_then(Weak::upgrade) {
            return there;
        }
        let (place, back) = (key.clone(), Arc::downgrade(&self.shelf));
        let kept = Arc::new(Kept { key, volume, _memory: memory, shelf: back });
        shelf.insert(place, Arc::downgrade(&kept));
        kept
    }
}

impl VolumeStore for MemoryVolumes {
    fn hold(&self, volumes: &[JobVolume]) -> Result<Hold, DoseError> {
        let find = |volume: &JobVolume| self.shelf.find(volume).ok_or_else(|| missing(volume.role));
        let kept: Vec<Arc<Kept>> = volumes.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Hold::new(kept))
    }

    fn get(&self, volume: &JobVolume) -> Option<InputVolume> {
        self.shelf.find(volume).map(|kept| kept.volume.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::volumes;
    use super::*;
    use crate::domain::{ActivityUnit, TimeIntegratedActivity};
    use crate::jobs::Budget;

    #[test]
    fn a_volume_is_there_as_long_as_it_is_held_and_its_memory_too() {
        let (store, budget) = (MemoryVolumes::new(), Budget::new(100));
        let memory = Arc::new(budget.reserve(60).expect("60 of 100"));
        let (names, first) = store.put_call(&volumes(), Some(memory));
        let second = store.hold(&names).expect("they are there");
        drop(first);
        assert!(names.iter().all(|volume| store.get(volume).is_some()));
        assert_eq!(budget.free_bytes(), 40);
        drop(second);
        assert!(names.iter().all(|volume| store.get(volume).is_none()));
        assert_eq!(budget.free_bytes(), 100);
        assert!(matches!(store.hold(&names), Err(DoseError::Invalid(_))));
    }

    #[test]
    fn the_same_content_is_kept_once() {
        let (store, budget) = (MemoryVolumes::new(), Budget::new(100));
        let put = || store.put_content(&volumes(), Some(Arc::new(budget.reserve(40).expect("there is room"))));
        let ((names, first), (again, second)) = (put(), put());
        assert_eq!(names, again);
        assert_eq!(budget.free_bytes(), 60, "the second copy is gone, and its memory with it");
        drop(first);
        assert!(names.iter().all(|volume| store.get(volume).is_some()));
        drop(second);
        assert!(names.iter().all(|volume| store.get(volume).is_none()));
        assert_eq!(budget.free_bytes(), 100);
    }

    #[test]
    fn the_same_bytes_may_be_volumes_of_two_kinds() {
        let store = MemoryVolumes::new();
        let mut volumes = volumes();
        let density = volumes.density.as_ref().expect("it has one").g_cm3().clone();
        volumes.activity = TimeIntegratedActivity::new(density, ActivityUnit::BqS).expect("good");
        let (names, _hold) = store.put_content(&volumes, None);
        assert_eq!(names[0].name, names[1].name);
        assert_eq!(store.get(&names[0]), Some(InputVolume::Activity(volumes.activity)));
        assert_eq!(store.get(&names[1]), volumes.density.map(InputVolume::Density));
    }

    #[test]
    fn two_calls_never_share_a_name() {
        let store = MemoryVolumes::new();
        let (first, second) = (store.put_call(&volumes(), None), store.put_call(&volumes(), None));
        assert!(first.0.iter().all(|volume| !second.0.contains(volume)));
    }
}
