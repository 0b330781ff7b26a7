//! What the server keeps of earlier requests.

use super::pb;
use crate::math::cache::CacheAccount;

pub(in crate::api) fn encode(account: CacheAccount) -> pb::CacheAccount {
    let CacheAccount { name, entries, bytes, bound_bytes, hits, misses } = account;
    pb::CacheAccount { name: name.to_owned(), entries, bytes, bound_bytes, hits, misses }
}
