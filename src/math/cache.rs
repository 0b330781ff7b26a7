//! Results kept for later, within bounds, and the list of all caches of the process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// Every cache that there is, in the order that they were made.
static LISTED: Mutex<Vec<Weak<dyn Listed>>> = Mutex::new(Vec::new());
/// What those who share the memory of this machine leave to caches [bytes].
static ROOMS: Mutex<BTreeMap<u64, u64>> = Mutex::new(BTreeMap::new());

/// Keeps the values used last, as many as fit within a limit on the sum of their sizes. Each cache is listed by
/// [`caches`] from the moment that it is made until it is dropped.
pub struct Cache<K, V> {
    kept: Arc<Kept<K, V>>,
}

/// A cache for all threads of the process, made when it is first used.
pub type SharedCache<K, V> = LazyLock<Mutex<Cache<K, V>>>;

/// What a cache holds and how often it was of use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheAccount {
    /// What it keeps, such as `voxel kernels`.
    pub name: &'static str,
    /// Values kept.
    pub entries: u64,
    /// Sum of their sizes [bytes].
    pub bytes: u64,
    /// Largest such sum [bytes].
    pub bound_bytes: u64,
    /// How often a value was there when it was asked for.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
}

/// Whose memory a cache takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Host,
    Device,
}

/// The values of one cache, and its figures. They are read while it is in use, so one may be a step ahead of another.
struct Kept<K, V> {
    name: &'static str,
    memory: Memory,
    bound_bytes: u64,
    /// What a value takes [bytes].
    size: fn(&V) -> u64,
    /// Ordered by last use, the most recent at the back.
    entries: Mutex<VecDeque<(K, V)>>,
    bytes: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A cache whatever it keeps.
trait Listed: Send + Sync {
    fn account(&self) -> CacheAccount;
    fn memory(&self) -> Memory;
    /// Drops the value used longest ago. False if there is none.
    fn drop_oldest(&self) -> bool;
}

impl<K, V> Kept<K, V> {
    /// No code of others runs under the lock, so a poisoned one still guards sound entries.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(K, V)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the entries, and notes what they take then.
    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<(K, V)>) -> T) -> T {
        let mut entries = self.lock();
        let changed = change(&mut entries);
        self.bytes.store(entries.iter().map(|(_, value)| (self.size)(value)).sum(), Ordering::Relaxed);
        changed
    }
}

impl<K: Send, V: Send> Listed for Kept<K, V> {
    fn account(&self) -> CacheAccount {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        CacheAccount {
            name: self.name,
            entries: self.lock().len() as u64,
            bytes: of(&self.bytes),
            bound_bytes: self.bound_bytes,
            hits: of(&self.hits),
            misses: of(&self.misses),
        }
    }

    fn memory(&self) -> Memory {
        self.memory
    }

    fn drop_oldest(&self) -> bool {
        // The value itself is dropped without the lock.
        self.change(VecDeque::pop_front).is_some()
    }
}

/// All caches of the process, by name. Those of one name, such as that of each open device, are added up.
pub fn caches() -> Vec<CacheAccount> {
    let mut all = BTreeMap::<&str, CacheAccount>::new();
    for account in living().iter().map(|cache| cache.account()) {
        let sum = all.entry(account.name).or_insert_with(|| CacheAccount { name: account.name, ..Default::default() });
        sum.entries += account.entries;
        sum.bytes += account.bytes;
        sum.bound_bytes += account.bound_bytes;
        sum.hits += account.hits;
        sum.misses += account.misses;
    }
    all.into_values().collect()
}

/// No code of others runs under the lock, so a poisoned one still guards a sound list.
fn listed() -> MutexGuard<'static, Vec<Weak<dyn Listed>>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn living() -> Vec<Arc<dyn Listed>> {
    listed().iter().filter_map(Weak::upgrade).collect()
}

/// Memory that all caches together may take, as long as this is held: what is left of that which they share with the
/// work at hand. Of several, the one that leaves most counts; without any, each cache has its own bound alone.
#[derive(Debug)]
pub struct Room(u64);

impl Room {
    /// * `bytes` – left to caches
    pub fn new(bytes: u64) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let room = Self(MADE.fetch_add(1, Ordering::Relaxed));
        room.set(bytes);
        room
    }

    /// Changes what is left. Values that do not fit any more are dropped, those used longest ago first in each cache.
    pub fn set(&self, bytes: u64) {
        rooms().insert(self.0, bytes);
        make_fit();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        rooms().remove(&self.0);
    }
}

fn rooms() -> MutexGuard<'static, BTreeMap<u64, u64>> {
    ROOMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops values of caches in this machine's memory until all have room.
fn make_fit() {
    let Some(most) = rooms().values().copied().max() else { return };
    let all: Vec<Arc<dyn Listed>> = living().into_iter().filter(|cache| cache.memory() == Memory::Host).collect();
    loop {
        let sizes: Vec<u64> = all.iter().map(|cache| cache.account().bytes).collect();
        let largest = all.iter().zip(&sizes).max_by_key(|(_, bytes)| **bytes).map(|(cache, _)| cache);
        let fits = sizes.iter().sum::<u64>() <= most;
        if fits || !largest.is_some_and(|cache| cache.drop_oldest()) {
            return;
        }
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.kept.name).finish_non_exhaustive()
    }
}

impl<K: PartialEq + Send + 'static, V: Clone + Send + 'static> Cache<K, V> {
    /// * `name` – what it keeps, in the words of [`CacheAccount`]
    /// * `bound_bytes` – largest sum of sizes; a value that is larger by itself is not kept
    /// * `bytes` – what a value takes
    pub fn new(name: &'static str, bound_bytes: u64, bytes: fn(&V) -> u64) -> Self {
        Self::within(Memory::Host, name, bound_bytes, bytes)
    }

    /// As [`Cache::new`], of values in the memory of a device.
    pub fn on_device(name: &'static str, bound_bytes: u64, bytes: fn(&V) -> u64) -> Self {
        Self::within(Memory::Device, name, bound_bytes, bytes)
    }

    fn within(memory: Memory, name: &'static str, bound_bytes: u64, size: fn(&V) -> u64) -> Self {
        let [bytes, hits, misses] = [0; 3].map(AtomicU64::new);
        let kept = Arc::new(Kept { name, memory, bound_bytes, size, entries: Mutex::default(), bytes, hits, misses });
        let mut listed = listed();
        listed.retain(|cache| cache.strong_count() > 0);
        let cache: Arc<dyn Listed> = kept.clone();
        listed.push(Arc::downgrade(&cache));
        Self { kept }
    }

    /// The value for this key, if it was kept.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let mut entries = self.kept.lock();
        let position = entries.iter().position(|(known, _)| known == key);
        let entry = position.and_then(|position| entries.remove(position));
        let counter = if entry.is_some() { &self.kept.hits } else { &self.kept.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        let entry = entry?;
        let value = entry.1.clone();
        entries.push_back(entry);
        Some(value)
    }

    /// Keeps a value, and drops those not used for longest until all fit.
    pub fn insert(&mut self, key: K, value: V) {
        let Kept { size, bound_bytes, .. } = &*self.kept;
        if size(&value) > *bound_bytes {
            return;
        }
        self.kept.change(|entries| {
            entries.retain(|(known, _)| *known != key);
            entries.push_back((key, value));
            while entries.iter().map(|(_, value)| size(value)).sum::<u64>() > *bound_bytes {
                entries.pop_front();
            }
        });
        make_fit();
    }

    /// Keeps only the values whose keys pass.
    pub fn retain(&mut self, passes: impl Fn(&K) -> bool) {
        self.kept.change(|entries| entries.retain(|(key, _)| passes(key)));
    }

    /// Sum of the sizes of all values kept [bytes].
    pub fn bytes(&self) -> u64 {
        self.kept.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(name: &'static str, bound_bytes: u64) -> Cache<&'static str, u64> {
        Cache::new(name, bound_bytes, |size| *size)
    }

    #[test]
    fn the_value_used_longest_ago_goes_first() {
        let mut cache = cache("of order", 7);
        cache.insert("a", 3);
        cache.insert("b", 3);
        cache.insert("b", 3);
        assert_eq!((cache.get(&"a"), cache.bytes()), (Some(3), 6));
        cache.insert("c", 3);
        assert_eq!((cache.get(&"b"), cache.get(&"a"), cache.get(&"c")), (None, Some(3), Some(3)));
        assert_eq!((cache.get(&"d"), cache.bytes()), (None, 6));
    }

    #[test]
    fn a_value_over_the_limit_is_not_kept() {
        let mut cache = cache("of large values", 5);
        cache.insert("small", 5);
        cache.insert("large", 6);
        assert_eq!((cache.get(&"large"), cache.get(&"small")), (None, Some(5)));
    }

    #[test]
    fn keys_that_do_not_pass_are_dropped() {
        let mut cache = cache("of passing keys", 9);
        cache.insert("a", 1);
        cache.insert("b", 1);
        cache.retain(|key| *key == "b");
        assert_eq!((cache.get(&"a"), cache.get(&"b"), cache.bytes()), (None, Some(1), 1));
    }

    #[test]
    fn every_cache_is_listed_as_long_as_it_is_there() {
        let found = || caches().into_iter().find(|cache| cache.name == "of the list");
        assert_eq!(found(), None);
        let (mut first, mut second) = (cache("of the list", 7), cache("of the list", 2));
        first.insert("a", 3);
        first.insert("b", 3);
        second.insert("a", 1);
        let _ = (first.get(&"a"), first.get(&"c"), second.get(&"b"));
        let both = CacheAccount { name: "of the list", entries: 3, bytes: 7, bound_bytes: 9, hits: 1, misses: 2 };
        assert_eq!(found(), Some(both));
        first.insert("c", 4);
        drop(second);
        let one = CacheAccount { name: "of the list", entries: 2, bytes: 7, bound_bytes: 7, hits: 1, misses: 1 };
        assert_eq!(found(), Some(one));
        drop(first);
        assert_eq!(found(), None);
    }
}
