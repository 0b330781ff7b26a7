//! What headers ask for, computed before anybody asks: spectra, kernels, and the tables that all of them need.

use std::sync::LazyLock;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use rayon::ThreadPoolBuilder;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::off_thread::HEADERS;
use crate::domain::{Daughters, KernelMedium, Nuclide, VoxelGrid};
use crate::physics::kernel::radial_parts;
use crate::physics::{chain, nuclide};
use crate::plan::{ChosenCuts, HistoryCuts};
use crate::priority::stand_back;

/// Nuclides that are asked for most, in therapy and in its imaging. They come first.
const COMMON: [&str; 12] = [
    "Lu-177", "Y-90", "I-131", "Ac-225", "Ra-223", "Tb-161", "Ho-166", "Sm-153", "Re-188", "In-111", "Cu-67", "Pb-212",
];
/// How long after its own start a server waits for what all headers need at most.
const LONGEST: Duration = Duration::from_secs(2);

/// The work that is done in advance, on threads of its own. It ends with its work, whether it is waited for or not.
#[derive(Debug)]
pub struct WarmUp {
    begun: Instant,
    tables: oneshot::Receiver<()>,
}

impl WarmUp {
    /// Begins with what all headers need, which takes longest, goes on with the common nuclides and then with all
    /// others. Who asks for one of them later need not wait.
    pub fn begin() -> Self {
        let (done, tables) = oneshot::channel();
        // Not by the thread below: theirs would stand back with it.
        LazyLock::force(&HEADERS);
        let work = move || {
            stand_back();
            // With pools of their own: in that of all, doses would wait for them.
            let all_threads = available_parallelism().map_or(1, usize::from);
            on_threads(all_threads, || {
                header_tables();
                nuclide::named(COMMON[0]).into_iter().for_each(nuclide_and_kernels);
            });
            // Whether it is still waited for or not.
            let _ = done.send(());
            on_threads(1, || {
                COMMON[1..].iter().filter_map(|name| nuclide::named(name)).for_each(nuclide_and_kernels);
                nuclide::one_by_one().for_each(nuclide_and_kernels);
            });
            tracing::debug!("spectra and kernels are there");
        };
        if let Err(error) = thread::Builder::new().name("warm up".into()).spawn(work) {
            tracing::warn!(%error, "no thread to compute spectra in advance");
        }
        Self { begun: Instant::now(), tables }
    }

    /// Waits for what all headers need, but not for long: where it takes longer, the first jobs do.
    pub async fn tables(self) {
        match timeout_at(self.begun + LONGEST, self.tables).await {
            Ok(_) => {}
            Err(_) => tracing::debug!("tables are still computed"),
        }
    }
}

/// Runs work on a pool of threads that ends with it. Without threads it is not done.
fn on_threads(threads: usize, work: impl FnOnce() + Send) {
    if let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).thread_name(|_| "warm up".into()).build() {
        pool.install(work);
    }
}

/// What the header of any nuclide asks for.
fn header_tables() {
    let grid = VoxelGrid::new([1; 3], [1.0; 3]).expect("a voxel of 1 mm");
    // Ranges of electrons.
    let _ = HistoryCuts::new(&grid, &ChosenCuts::default());
}

fn nuclide_and_kernels(nuclide: &'static Nuclide) {
    if let Ok(source) = chain::source(nuclide, Daughters::default(), &[]) {
        // An energy above those of the library is told to whoever asks for it.
        let _ = radial_parts(source.emissions(), KernelMedium::Water);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn common_nuclides_are_known_and_tables_come() {
        assert!(COMMON.iter().all(|name| nuclide::named(name).is_some()), "{COMMON:?}");
        let WarmUp { tables, .. } = WarmUp::begin();
        assert_eq!(tables.await, Ok(()), "the thread does its work");
    }
}
