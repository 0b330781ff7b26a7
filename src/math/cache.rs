//! Results kept for later, within a bound.

use std::collections::VecDeque;

/// Keeps the values used last, as many as fit within a limit on the sum of their sizes.
#[derive(Debug)]
pub struct Cache<K, V> {
    limit: u64,
    size: fn(&V) -> u64,
    /// Ordered by last use, the most recent at the back.
    entries: VecDeque<(K, V)>,
}

impl<K: PartialEq, V: Clone> Cache<K, V> {
    /// * `limit` – largest sum of sizes; a value that is larger by itself is not kept
    /// * `size` – size of a value, such as its bytes; 1 for each to limit their number
    pub const fn new(limit: u64, size: fn(&V) -> u64) -> Self {
        Self { limit, size, entries: VecDeque::new() }
    }

    /// The value for this key, if it was kept.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let position = self.entries.iter().position(|(known, _)| known == key)?;
        let entry = self.entries.remove(position)?;
        let value = entry.1.clone();
        self.entries.push_back(entry);
        Some(value)
    }

    /// Keeps a value, and drops those not used for longest until all fit.
    pub fn insert(&mut self, key: K, value: V) {
        if (self.size)(&value) > self.limit {
            return;
        }
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push_back((key, value));
        while self.size() > self.limit {
            self.entries.pop_front();
        }
    }

    /// Keeps only the values whose keys pass.
    pub fn retain(&mut self, passes: impl Fn(&K) -> bool) {
        self.entries.retain(|(key, _)| passes(key));
    }

    /// Sum of the sizes of all values kept.
    pub fn size(&self) -> u64 {
        self.entries.iter().map(|(_, value)| (self.size)(value)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(limit: u64) -> Cache<&'static str, u64> {
        Cache::new(limit, |size| *size)
    }

    #[test]
    fn the_value_used_longest_ago_goes_first() {
        let mut cache = cache(7);
        cache.insert("a", 3);
        cache.insert("b", 3);
        cache.insert("b", 3);
        assert_eq!((cache.get(&"a"), cache.size()), (Some(3), 6));
        cache.insert("c", 3);
        assert_eq!((cache.get(&"b"), cache.get(&"a"), cache.get(&"c")), (None, Some(3), Some(3)));
        assert_eq!((cache.get(&"d"), cache.size()), (None, 6));
    }

    #[test]
    fn a_value_over_the_limit_is_not_kept() {
        let mut cache = cache(5);
        cache.insert("small", 5);
        cache.insert("large", 6);
        assert_eq!((cache.get(&"large"), cache.get(&"small")), (None, Some(5)));
    }

    #[test]
    fn keys_that_do_not_pass_are_dropped() {
        let mut cache = cache(9);
        cache.insert("a", 1);
        cache.insert("b", 1);
        cache.retain(|key| *key == "b");
        assert_eq!((cache.get(&"a"), cache.get(&"b"), cache.size()), (None, Some(1), 1));
    }
}
