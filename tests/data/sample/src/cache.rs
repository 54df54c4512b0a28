//! A small cache that forgets what was not used for the longest time.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How many entries a cache holds unless it is told otherwise.
pub const DEFAULT_CAPACITY: usize = 64;

/// A least-recently-used cache of fixed size.
///
/// Reading an entry makes it young again; when there is no room left, the
/// oldest entry is thrown away.
///
/// ```
/// use sample::cache::Cache;
///
/// let mut cache = Cache::with_capacity(2);
/// cache.insert("a", 1);
/// cache.insert("b", 2);
/// cache.get(&"a");
/// cache.insert("c", 3);
/// assert_eq!(cache.get(&"b"), None);
/// ```
// The queue is short, so moving a key to its end by a search is cheap enough.
#[derive(Debug, Clone)]
pub struct Cache<K, V>
where
    K: Eq + Hash + Clone,
{
    capacity: usize,
    entries: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Cache<K, V>
where
    K: Eq + Hash + Clone,
{
    /// Makes an empty cache with room for so many entries, but for one at least.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Looks an entry up and marks it as just used.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if self.entries.contains_key(key) {
            self.touch(key);
        }
        self.entries.get(key)
    }

    /// Stores a value, evicts the oldest entries that no longer fit, and returns the
    /// value that stood under the same key before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.touch(&key);
        let before = self.entries.insert(key, value);
        while self.entries.len() > self.capacity {
            match self.order.pop_front() {
                Some(oldest) => self.entries.remove(&oldest),
                None => break,
            };
        }
        before
    }

    /// Returns the cached value, or computes and remembers it on a miss.
    ///
    /// # Errors
    ///
    /// Passes on the error of a failed computation; nothing is stored then.
    pub fn get_or_try_insert<F, E>(
        &mut self,
        key: K,
        compute: F,
    ) -> Result<&V, E>
    where
        F: FnOnce(&K) -> Result<V, E>,
    {
        if !self.entries.contains_key(&key) {
            let value = compute(&key)?;
            self.insert(key.clone(), value);
        }
        self.touch(&key);
        Ok(&self.entries[&key])
    }

    // Kept for callers of the first version.

    /// Tells how many entries are stored.
    #[deprecated(
        since = "0.1.0",
        note = "the number changes with every call; ask for the entry itself"
    )]
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        self.entries.len()
    }

    // Moves a key to the young end of the queue.
    fn touch(&mut self, key: &K) {
        self.order.retain(|other| other != key);
        self.order.push_back(key.clone());
    }
}

impl<K: Eq + Hash + Clone, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

/// Boils a text down to one number, for keys that are too long to be kept.
///
/// The same text gives the same number on every machine (FNV-1a, 64 bits).
#[inline] pub fn fingerprint(text: &str) -> u64 {
    /// Stirs one more byte into the hash.
    fn mix(hash: u64, byte: u8) -> u64 {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }

    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_entry_is_evicted() {
        let mut cache = Cache::default();
        for number in 0..=DEFAULT_CAPACITY {
            cache.insert(number, number * number);
        }
        assert_eq!(cache.get(&0), None);
        assert_eq!(cache.get(&3), Some(&9));
    }

    #[test]
    fn failed_computation_is_not_stored() {
        let mut cache = Cache::with_capacity(2);
        assert_eq!(cache.get_or_try_insert("key", |_| Err("no")), Err("no"));
        assert_eq!(
            cache.get_or_try_insert("key", |key| Ok::<_, &str>(fingerprint(key))),
            Ok(&0x3dc9_4a19_365b_10ec)
        );
    }
}
