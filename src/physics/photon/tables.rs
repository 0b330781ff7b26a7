//! The tables that the transport of photons needs of one material, on a grid of energies.

use std::sync::{Arc, LazyLock, Mutex};

use super::attenuation::ElementAttenuation;
use super::energy_absorption::{CollisionParts, EnergyParts};
use super::fluorescence::{KShell, k_shell_part};
use super::scattering::MaterialScattering;
use crate::domain::{Component, Material};
use crate::math::cache::{Cache, SharedCache};
use crate::math::log_grid::{LogGrid, LogTable};
use crate::math::watch::{Interrupted, Unwatched, Watch};
use crate::physics::energy_grid::energies;
use crate::physics::known;

/// Tables of one material against the photon energy [MeV], per gram: a voxel of density ρ multiplies cross sections by
/// ρ.
///
/// An absorption edge lies at the nearest node of the grid, at most 0.45 % of its energy away on
/// [`energies`].
#[derive(Clone, Debug)]
pub struct PhotonTables {
    /// Coherent (Rayleigh) scattering [cm²/g].
    pub coherent: LogTable,
    /// Incoherent (Compton) scattering [cm²/g].
    pub incoherent: LogTable,
    /// Photoelectric absorption [cm²/g].
    pub photoelectric: LogTable,
    /// Pair production in the field of nuclei [cm²/g].
    pub pair: LogTable,
    /// Pair production in the field of electrons [cm²/g].
    pub triplet: LogTable,
    /// All of the above: the mass attenuation coefficient [cm²/g].
    pub total: LogTable,
    /// Mass energy-transfer coefficient [cm²/g].
    pub energy_transfer: LogTable,
    /// Mass energy-absorption coefficient [cm²/g].
    pub energy_absorption: LogTable,
    /// K shells that can emit fluorescence.
    pub k_shells: Vec<KShellTable>,
    /// Angles of scattering.
    pub scattering: MaterialScattering,
}

/// The K shell of one element of a material.
#[derive(Clone, Debug)]
pub struct KShellTable {
    /// Its lines.
    pub shell: &'static KShell,
    /// Probability that a photon absorbed in the material is absorbed in this shell.
    pub probability: LogTable,
}

/// Most bytes of tables that the process keeps, of which one material takes 0.2 MB.
const KEPT_BYTES: u64 = 16 << 20;

static KEPT: SharedCache<Material, Arc<PhotonTables>> =
    LazyLock::new(|| Mutex::new(Cache::new("photon tables", KEPT_BYTES, |tables| tables.bytes())));

/// The tables of a material on [`energies`]: from an earlier request, or computed now.
///
/// # Errors
/// [`Interrupted`]; nothing is kept then.
pub fn photon_tables(material: &Material, watch: &dyn Watch) -> Result<Arc<PhotonTables>, Interrupted> {
    if let Some(tables) = known::photon_tables(material) {
        return Ok(tables);
    }
    let kept = || KEPT.lock().expect("no thread panics while it holds the tables");
    if let Some(tables) = kept().get(material) {
        return Ok(tables);
    }
    let tables = Arc::new(PhotonTables::new_watched(material, energies(), watch)?);
    kept().insert(material.clone(), Arc::clone(&tables));
    Ok(tables)
}

impl PhotonTables {
    fn bytes(&self) -> u64 {
        (size_of::<Self>() + self.tables().iter().map(|table| size_of_val(table.bins())).sum::<usize>()) as u64
    }

    /// All tables, in the order of their fields.
    pub(crate) fn tables(&self) -> Vec<&LogTable> {
        let Self {
            coherent, incoherent, photoelectric, pair, triplet, total, energy_transfer, energy_absorption, ..
        } = self;
        [coherent, incoherent, photoelectric, pair, triplet, total, energy_transfer, energy_absorption]
            .into_iter()
            .chain(self.k_shells.iter().map(|shell| &shell.probability))
            .chain([&self.scattering.incoherent, &self.scattering.coherent_cumulative])
            .collect()
    }

    /// Tabulates a material.
    pub fn new(material: &Material, grid: LogGrid) -> Self {
        Self::new_watched(material, grid, &Unwatched).expect("nobody stops it")
    }

    /// As [`PhotonTables::new`]; `watch` is asked at each energy of each quantity whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn new_watched(material: &Material, grid: LogGrid, watch: &dyn Watch) -> Result<Self, Interrupted> {
        let sum = |f: &dyn Fn(&ElementAttenuation) -> f64| -> f64 {
            material.components().iter().map(|c| c.atoms_per_g() * f(ElementAttenuation::of(c.element))).sum()
        };
        let smooth = |f: fn(&ElementAttenuation, f64) -> f64| {
            LogTable::tabulate_watched(grid, watch, |e| sum(&|table| f(table, e)))
        };
        let coherent = smooth(ElementAttenuation::coherent)?;
        let incoherent = smooth(ElementAttenuation::incoherent)?;
        let pair = smooth(ElementAttenuation::pair)?;
        let triplet = smooth(ElementAttenuation::triplet)?;
        let photoelectric = weighted_photoelectric(material, grid, watch, |_, _, _| 1.0)?;
        let rest = [&coherent, &incoherent, &pair, &triplet];
        let total = LogTable::tabulate_bins(grid, watch, |bin, e| {
            value_in_bin(&photoelectric, bin, e) + rest.iter().map(|table| table.value(e)).sum::<f64>()
        })?;
        let parts = CollisionParts::of(material, grid, watch)?;
        let scattering = MaterialScattering::of(material);
        let compton = grid.map_watched(watch, |e| parts.incoherent(&scattering, e))?;
        let left_by = |part: fn(EnergyParts) -> f64| {
            let absorbed = weighted_photoelectric(material, grid, watch, |c, k_shell_is_open, e| {
                part(parts.photoelectric(c, k_shell_is_open, e))
            })?;
            LogTable::tabulate_bins(grid, watch, |bin, e| {
                value_in_bin(&absorbed, bin, e)
                    + incoherent.value(e) * part(compton[grid.nearest_node(e)])
                    + (pair.value(e) + triplet.value(e)) * part(parts.pair(e))
            })
        };
        Ok(Self {
            energy_transfer: left_by(|parts| parts.transferred)?,
            energy_absorption: left_by(|parts| parts.absorbed)?,
            k_shells: k_shells(material, grid, &photoelectric, watch)?,
            scattering,
            coherent,
            incoherent,
            photoelectric,
            pair,
            triplet,
            total,
        })
    }
}

/// Photoelectric cross section of a material, each element weighted: `weight(component, whether its K shell can be
/// ionised, energy)`.
fn weighted_photoelectric(
    material: &Material,
    grid: LogGrid,
    watch: &dyn Watch,
    weight: impl Fn(&Component, bool, f64) -> f64,
) -> Result<LogTable, Interrupted> {
    LogTable::tabulate_bins(grid, watch, |bin, energy| {
        let one = |component: &Component| {
            let attenuation = ElementAttenuation::of(component.element);
            let edges = attenuation.edges().count();
            let k_shell_is_open = edges > 0 && edges_below(attenuation, grid, bin) == edges;
            weight(component, k_shell_is_open, energy) * photoelectric_in_bin(component, grid, bin, energy)
        };
        material.components().iter().map(one).sum()
    })
}

/// Absorption edges at or below a bin, each at the node nearest to it.
fn edges_below(attenuation: &ElementAttenuation, grid: LogGrid, bin: usize) -> usize {
    attenuation.edges().filter(|&edge| grid.nearest_node(edge) <= bin).count()
}

/// Photoelectric cross section of one element in a gram of material, on the side of its edges where the bin lies.
fn photoelectric_in_bin(component: &Component, grid: LogGrid, bin: usize, energy_mev: f64) -> f64 {
    let attenuation = ElementAttenuation::of(component.element);
    component.atoms_per_g() * attenuation.photoelectric_above(edges_below(attenuation, grid, bin), energy_mev)
}

/// Value of a table at one end of a bin, from inside.
fn value_in_bin(table: &LogTable, bin: usize, energy_mev: f64) -> f64 {
    let end = usize::from(energy_mev > table.grid().node(bin));
    table.bins()[bin][end]
}

/// The K shells of a material that can be ionised, and the probability of each.
fn k_shells(
    material: &Material,
    grid: LogGrid,
    photoelectric: &LogTable,
    watch: &dyn Watch,
) -> Result<Vec<KShellTable>, Interrupted> {
    let table = |component: &Component| {
        let shell = KShell::of(component.element)?;
        let attenuation = ElementAttenuation::of(component.element);
        let (edge, part) = (grid.nearest_node(attenuation.edges().last()?), k_shell_part(attenuation));
        let probability = LogTable::tabulate_bins(grid, watch, |bin, energy| {
            if bin < edge {
                return 0.0;
            }
            part * photoelectric_in_bin(component, grid, bin, energy) / value_in_bin(photoelectric, bin, energy)
        });
        Some(probability.map(|probability| KShellTable { shell, probability }))
    };
    material.components().iter().filter_map(table).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::material;

    fn tables(name: &str) -> PhotonTables {
        PhotonTables::new(material::find(name).expect("known"), energies())
    }

    /// Hubbard & Seltzer, NISTIR 5632 (1995), water: energy [MeV], μ/ρ and μ_en/ρ [cm²/g].
    const WATER: [(f64, f64, f64); 8] = [
        (0.01, 5.329, 4.944),
        (0.03, 0.3756, 0.1557),
        (0.06, 0.2059, 0.03190),
        (0.1, 0.1707, 0.02546),
        (0.3, 0.1186, 0.03192),
        (1.0, 0.07072, 0.03103),
        (3.0, 0.03969, 0.02281),
        (10.0, 0.02219, 0.01566),
    ];

    #[test]
    fn water_attenuates_and_absorbs_as_nist_says() {
        let water = tables("water");
        for (energy, attenuation, absorption) in WATER {
            let ratio = water.total.value(energy) / attenuation;
            assert!((ratio - 1.0).abs() < 1e-3, "{energy} MeV: total {ratio}");
            let ratio = water.energy_absorption.value(energy) / absorption;
            assert!((ratio - 1.0).abs() < 5e-3, "{energy} MeV: absorption {ratio}");
        }
    }

    #[test]
    fn the_total_is_the_sum_on_both_sides_of_an_edge() {
        let bone = tables("cortical_bone");
        for energy in [0.002, 0.004_02, 0.004_06, 0.01, 1.1, 10.0] {
            let parts = [&bone.coherent, &bone.incoherent, &bone.photoelectric, &bone.pair, &bone.triplet];
            let sum: f64 = parts.iter().map(|table| table.value(energy)).sum();
            assert!((bone.total.value(energy) / sum - 1.0).abs() < 1e-12, "{energy}");
        }
        for energy in [0.004_02, 0.004_06] {
            let components = material::find("cortical_bone").expect("bone").components();
            let one = |c: &Component| c.atoms_per_g() * ElementAttenuation::of(c.element).photoelectric(energy);
            let expected: f64 = components.iter().map(one).sum();
            assert!((bone.photoelectric.value(energy) / expected - 1.0).abs() < 1e-4, "{energy}");
        }
    }

    #[test]
    fn bone_is_absorbed_in_the_k_shell_of_calcium_above_its_edge_only() {
        let bone = tables("cortical_bone");
        let calcium = bone.k_shells.iter().find(|table| table.shell.z == 20).expect("calcium");
        assert_eq!(calcium.probability.value(0.0039), 0.0);
        assert!((0.5..0.886).contains(&calcium.probability.value(0.01)), "{}", calcium.probability.value(0.01));
        for i in 0..100 {
            let energy = 1e-3 * 10f64.powf(f64::from(i) / 25.0);
            let sum: f64 = bone.k_shells.iter().map(|table| table.probability.value(energy)).sum();
            assert!((0.0..1.0).contains(&sum), "{energy}: {sum}");
        }
        assert!(tables("water").k_shells.is_empty());
    }

    #[test]
    fn less_is_absorbed_than_transferred_than_attenuated() {
        for material in material::all() {
            let tables = PhotonTables::new(material, energies());
            for energy in energies().nodes().skip(1) {
                let chain =
                    [&tables.energy_absorption, &tables.energy_transfer, &tables.total].map(|t| t.value(energy));
                assert!(0.0 < chain[0] && chain[0] < chain[1] && chain[1] < chain[2], "{} {energy}", material.name());
            }
        }
    }
}
