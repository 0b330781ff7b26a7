//! Tables of single materials, kept between requests: most requests have the same tissues and cuts.

use std::sync::{Arc, LazyLock, Mutex};

use rayon::prelude::*;

use super::tables::{FlatTables, StepLimits, single, transfers};
use crate::domain::Material;
use crate::math::cache::{Cache, SharedCache};
use crate::math::watch::{Interrupted, Watch};
use crate::plan::HistoryCuts;

/// Most bytes of tables of single materials that the process keeps, of which each takes 0.3 MB.
const KEPT_BYTES: u64 = 32 << 20;

/// What the tables of one material depend on: besides it the cuts of collisions and photons [MeV], the steps, and
/// whether positrons can occur.
type Key = (Material, [f64; 2], StepLimits, bool);

static KEPT: SharedCache<Key, Arc<FlatTables>> =
    LazyLock::new(|| Mutex::new(Cache::new("transport tables", KEPT_BYTES, |tables| tables.bytes())));

impl FlatTables {
    /// Tabulates materials, in parallel. Those of earlier requests are kept.
    ///
    /// * `with_positrons` – whether positrons can occur; their tables are those of electrons otherwise
    /// * `watch` – asked at each energy of each table whether to go on
    ///
    /// # Errors
    /// [`Interrupted`]; what is finished by then is kept.
    pub fn new(
        materials: &[Material],
        cuts: &HistoryCuts,
        steps: StepLimits,
        with_positrons: bool,
        watch: &dyn Watch,
    ) -> Result<Self, Interrupted> {
        let kept = || KEPT.lock().expect("no thread panics while it holds the tables");
        let of_one = |material: &Material| -> Result<Arc<Self>, Interrupted> {
            let key = (material.clone(), [cuts.collision_mev, cuts.photon_mev], steps, with_positrons);
            if let Some(tables) = kept().get(&key) {
                return Ok(tables);
            }
            let tables = Arc::new(Self::of_one(material, cuts, steps, with_positrons, watch)?);
            kept().insert(key, Arc::clone(&tables));
            Ok(tables)
        };
        let tables = materials.par_iter().map(of_one).collect::<Result<Vec<Arc<Self>>, Interrupted>>()?;
        let mut all = Self { transfer: transfers().map(single).collect(), ..Self::default() };
        for tables in tables {
            all.reach.extend_from_slice(&tables.reach);
            all.step.extend_from_slice(&tables.step);
            all.spectra.extend_from_slice(&tables.spectra);
            all.attenuation.extend_from_slice(&tables.attenuation);
            all.incoherent.extend_from_slice(&tables.incoherent);
            all.coherent.extend_from_slice(&tables.coherent);
            all.k_shells.extend_from_slice(&tables.k_shells);
        }
        Ok(all)
    }

    fn bytes(&self) -> u64 {
        let singles = [&self.spectra, &self.incoherent, &self.coherent, &self.transfer].map(|part| part.len());
        let others = [
            size_of_val(self.reach.as_slice()),
            size_of_val(self.step.as_slice()),
            size_of_val(self.attenuation.as_slice()),
            size_of_val(self.k_shells.as_slice()),
        ];
        (singles.iter().sum::<usize>() * size_of::<f32>() + others.iter().sum::<usize>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::cache::caches;
    use crate::math::watch::Unwatched;
    use crate::physics::material;

    #[test]
    fn tables_of_one_material_after_another_are_those_of_all() {
        let cuts = HistoryCuts { absorption_mev: 0.02, collision_mev: 0.02, photon_mev: 0.01, track_length_mev: 0.0 };
        let of = |materials: &[Material]| {
            FlatTables::new(materials, &cuts, StepLimits::default(), false, &Unwatched).expect("nobody stops it")
        };
        let [water, lung] = ["water", "lung"].map(|name| material::find(name).expect("a known material").clone());
        let both = of(&[water.clone(), lung.clone()]);
        let [first, second] = [water, lung].map(|material| of(&[material]));
        assert_eq!(both.step, [first.step, second.step].concat());
        assert_eq!(both.spectra, [first.spectra, second.spectra].concat());
        assert_eq!(both.attenuation, [first.attenuation, second.attenuation].concat());
        assert_eq!(both.transfer, first.transfer);
        let kept = caches().into_iter().find(|cache| cache.name == "transport tables").expect("a cache in use");
        assert!(kept.entries >= 2 && kept.hits >= 2, "{kept:?}");
        assert!((100_000..1 << 20).contains(&(kept.bytes / kept.entries)), "{kept:?}");
    }
}
