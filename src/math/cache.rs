//! Results kept for later, within a bound, and the list of all caches of the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// The figures of every cache that there is, in the order that they were made.
static LISTED: Mutex<Vec<Weak<Figures>>> = Mutex::new(Vec::new());

/// Keeps the values used last, as many as fit within a limit on the sum of their sizes. Each cache is listed by
/// [`caches`] from the moment that it is made until it is dropped.
#[derive(Debug)]
pub struct Cache<K, V> {
    /// What a value takes [bytes].
    bytes: fn(&V) -> u64,
    /// Ordered by last use, the most recent at the back.
    entries: VecDeque<(K, V)>,
    figures: Arc<Figures>,
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

/// The figures of one cache. They are read while it is in use, so one may be a step ahead of another.
#[derive(Debug)]
struct Figures {
    name: &'static str,
    bound_bytes: u64,
    entries: AtomicU64,
    bytes: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// All caches of the process, by name. Those of one name, such as that of each open device, are added up.
pub fn caches() -> Vec<CacheAccount> {
    let mut all = BTreeMap::<&str, CacheAccount>::new();
    for figures in listed().iter().filter_map(Weak::upgrade) {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let sum = all.entry(figures.name).or_insert_with(|| CacheAccount { name: figures.name, ..Default::default() });
        sum.entries += of(&figures.entries);
        sum.bytes += of(&figures.bytes);
        sum.bound_bytes += figures.bound_bytes;
        sum.hits += of(&figures.hits);
        sum.misses += of(&figures.misses);
    }
    all.into_values().collect()
}

/// No code of others runs under the lock, so a poisoned one still guards a sound list.
fn listed() -> MutexGuard<'static, Vec<Weak<Figures>>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: PartialEq, V: Clone> Cache<K, V> {
    /// * `name` – what it keeps, in the words of [`CacheAccount`]
    /// * `bound_bytes` – largest sum of sizes; a value that is larger by itself is not kept
    /// * `bytes` – what a value takes
    pub fn new(name: &'static str, bound_bytes: u64, bytes: fn(&V) -> u64) -> Self {
        let [entries, used, hits, misses] = [0; 4].map(AtomicU64::new);
        let figures = Arc::new(Figures { name, bound_bytes, entries, bytes: used, hits, misses });
        let mut listed = listed();
        listed.retain(|figures| figures.strong_count() > 0);
        listed.push(Arc::downgrade(&figures));
        Self { bytes, entries: VecDeque::new(), figures }
    }

    /// The value for this key, if it was kept.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let position = self.entries.iter().position(|(known, _)| known == key);
        let entry = position.and_then(|position| self.entries.remove(position));
        let counter = if entry.is_some() { &self.figures.hits } else { &self.figures.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        let entry = entry?;
        let value = entry.1.clone();
        self.entries.push_back(entry);
        Some(value)
    }

    /// Keeps a value, and drops those not used for longest until all fit.
    pub fn insert(&mut self, key: K, value: V) {
        if (self.bytes)(&value) > self.figures.bound_bytes {
            return;
        }
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push_back((key, value));
        while self.bytes() > self.figures.bound_bytes {
            self.entries.pop_front();
        }
        self.note();
    }

    /// Keeps only the values whose keys pass.
    pub fn retain(&mut self, passes: impl Fn(&K) -> bool) {
        self.entries.retain(|(key, _)| passes(key));
        self.note();
    }

    /// Sum of the sizes of all values kept [bytes].
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|(_, value)| (self.bytes)(value)).sum()
    }

    fn note(&self) {
        self.figures.entries.store(self.entries.len() as u64, Ordering::Relaxed);
        self.figures.bytes.store(self.bytes(), Ordering::Relaxed);
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
