//! Organ tables that are one cycle twice.

use std::path::PathBuf;

use crate::formats::organ_table::OrganRow;

/// Warns of tables that hold the same: two cycles never give the same doses.
///
/// * `paths`, `tables` – of each cycle
pub(super) fn warn_of_twins(paths: &[PathBuf], tables: &[Vec<OrganRow>]) {
    if paths.len() != tables.len() {
        return;
    }
    for (at, table) in tables.iter().enumerate() {
        if let Some(first) = tables[..at].iter().position(|other| other == table) {
            let [first, second] = [first, at].map(|at| paths[at].display());
            tell!("warning: {second}: holds the same as {first}; is it one cycle twice?");
        }
    }
}
