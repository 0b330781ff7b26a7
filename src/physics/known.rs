//! Tables of the known materials that no request changes: of photons, slowing down, and bremsstrahlung at the usual
//! cut. They are computed in advance (`cargo run --release --example known_tables`), embedded, and read when first
//! asked for.
//!
//! The file names the data that it was computed from. After any change of them it is not used until it is made anew:
//! tables are computed then, as they are for a caller's own materials.

use std::sync::{Arc, LazyLock};

use super::electron::range::SlowingDown;
use super::electron::tables::Radiation;
use super::electron::{Charge, TransportCuts};
use super::energy_grid::energies;
use super::photon::PhotonTables;
use super::photon::fluorescence::KShell;
use super::photon::scattering::MaterialScattering;
use super::photon::tables::KShellTable;
use crate::domain::Material;
use crate::math::log_grid::{LogGrid, LogTable};
use crate::math::watch::Unwatched;
use crate::physics::material;

/// The usual energy above which bremsstrahlung photons are simulated [MeV].
pub const PHOTON_CUT_MEV: f64 = 0.005;

/// Digest of the data that tables are computed from (`build/data_digest.rs`).
const DATA_DIGEST: &str = env!("TABLES_DATA_DIGEST");
/// Begins the file, followed by the digest and the end of the line; then little-endian words of 64 bits.
const BEGINNING: &str = "tables of dosegrid, made from data with the digest ";
const FILE: &[u8] = include_bytes!("../../data/known_tables.bin");

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| read(FILE).unwrap_or_default());

/// The tables of one material.
#[derive(Clone, Debug)]
struct Known {
    photons: Arc<PhotonTables>,
    electrons: Charged,
    positrons: Charged,
}

#[derive(Clone, Debug)]
struct Charged {
    slowing_down: SlowingDown,
    radiation: Radiation,
}

/// Tables of photons in a known material.
pub(crate) fn photon_tables(material: &Material) -> Option<Arc<PhotonTables>> {
    Some(Arc::clone(&of(material)?.photons))
}

/// Slowing down in a known material, where the grid is [`energies`].
pub(crate) fn slowing_down(material: &Material, charge: Charge, grid: LogGrid) -> Option<&'static SlowingDown> {
    let charged = of_charged(material, charge, grid)?;
    Some(&charged.slowing_down)
}

/// CSDA range of a material on the grid of [`energies`] [g/cm²].
pub(crate) fn csda_range(material: &Material, charge: Charge) -> LogTable {
    match slowing_down(material, charge, energies()) {
        Some(slowing_down) => slowing_down.csda_range.clone(),
        None => SlowingDown::of(material, charge, energies()).csda_range,
    }
}

/// Bremsstrahlung in a known material, where the grid is [`energies`] and the cut the usual one.
pub(crate) fn radiation(
    material: &Material,
    charge: Charge,
    cuts: TransportCuts,
    grid: LogGrid,
) -> Option<&'static Radiation> {
    let charged = of_charged(material, charge, grid)?;
    (cuts.photon_mev() == PHOTON_CUT_MEV).then_some(&charged.radiation)
}

fn of_charged(material: &Material, charge: Charge, grid: LogGrid) -> Option<&'static Charged> {
    if grid == energies() { Some(of(material)?.charged(charge)) } else { None }
}

fn of(material: &Material) -> Option<&'static Known> {
    let number = material::all().iter().position(|known| known == material)?;
    KNOWN.get(number)
}

impl Known {
    fn compute(material: &Material) -> Self {
        let charged = |charge| Charged {
            slowing_down: SlowingDown::of(material, charge, energies()),
            radiation: Radiation::of(material, charge, PHOTON_CUT_MEV, energies(), &Unwatched)
                .expect("nobody stops it"),
        };
        Self {
            photons: Arc::new(PhotonTables::new(material, energies())),
            electrons: charged(Charge::Electron),
            positrons: charged(Charge::Positron),
        }
    }

    fn charged(&self, charge: Charge) -> &Charged {
        match charge {
            Charge::Electron => &self.electrons,
            Charge::Positron => &self.positrons,
        }
    }

    /// All tables, in the order of the file.
    fn tables(&self) -> Vec<&LogTable> {
        [self.photons.tables(), self.electrons.tables(), self.positrons.tables()].concat()
    }
}

impl Charged {
    fn tables(&self) -> Vec<&LogTable> {
        let SlowingDown { collision, radiative, csda_range, radiation_yield, annihilation_yield } = &self.slowing_down;
        let Radiation { soft_stopping, soft_variance, photons } = &self.radiation;
        let slowing_down = [collision, radiative, csda_range, radiation_yield, annihilation_yield];
        slowing_down.into_iter().chain([soft_stopping, soft_variance, photons]).collect()
    }
}

/// The file, computed anew.
pub fn computed() -> Vec<u8> {
    let mut bytes = format!("{BEGINNING}{DATA_DIGEST}\n").into_bytes();
    let known: Vec<Known> = material::all().iter().map(Known::compute).collect();
    for table in known.iter().flat_map(Known::tables) {
        let (bins, mut put) = (table.bins(), |word: u64| bytes.extend(word.to_le_bytes()));
        let last = bins[bins.len() - 1][1];
        bins.iter().map(|[low, _]| *low).chain([last]).for_each(|value| put(value.to_bits()));
        let jumps: Vec<usize> = (1..bins.len()).filter(|&bin| bins[bin - 1][1] != bins[bin][0]).collect();
        put(jumps.len() as u64);
        for bin in jumps {
            put(bin as u64);
            put(bins[bin - 1][1].to_bits());
        }
    }
    bytes
}

/// None if the file was made from other data.
fn read(file: &[u8]) -> Option<Vec<Known>> {
    let words = file.strip_prefix(format!("{BEGINNING}{DATA_DIGEST}\n").as_bytes())?;
    let mut words = Words(words);
    let known = material::all().iter().map(|material| words.known(material)).collect();
    assert!(words.0.is_empty(), "embedded tables are read by a test");
    Some(known)
}

/// Words not read yet.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn word(&mut self) -> u64 {
        let (word, rest) = self.0.split_first_chunk().expect("embedded tables are read by a test");
        self.0 = rest;
        u64::from_le_bytes(*word)
    }

    fn number(&mut self) -> usize {
        usize::try_from(self.word()).expect("embedded tables are read by a test")
    }

    fn value(&mut self) -> f64 {
        f64::from_bits(self.word())
    }

    fn table(&mut self, grid: LogGrid) -> LogTable {
        let nodes: Vec<f64> = (0..=grid.bins()).map(|_| self.value()).collect();
        let mut bins: Vec<[f64; 2]> = nodes.windows(2).map(|pair| [pair[0], pair[1]]).collect();
        for _ in 0..self.number() {
            let bin = self.number();
            bins[bin - 1][1] = self.value();
        }
        LogTable::from_bins(grid, bins)
    }

    fn known(&mut self, material: &Material) -> Known {
        Known { photons: Arc::new(self.photons(material)), electrons: self.charged(), positrons: self.charged() }
    }

    fn photons(&mut self, material: &Material) -> PhotonTables {
        let mut next = || self.table(energies());
        let [coherent, incoherent, photoelectric, pair] = [next(), next(), next(), next()];
        let [triplet, total, energy_transfer, energy_absorption] = [next(), next(), next(), next()];
        let shells = material.components().iter().filter_map(|component| KShell::of(component.element));
        let k_shells = shells.map(|shell| KShellTable { shell, probability: next() }).collect();
        let [transfers, squares] = MaterialScattering::grids();
        let scattering =
            MaterialScattering { incoherent: self.table(transfers), coherent_cumulative: self.table(squares) };
        PhotonTables {
            coherent,
            incoherent,
            photoelectric,
            pair,
            triplet,
            total,
            energy_transfer,
            energy_absorption,
            k_shells,
            scattering,
        }
    }

    fn charged(&mut self) -> Charged {
        let mut next = || self.table(energies());
        let slowing_down = SlowingDown {
            collision: next(),
            radiative: next(),
            csda_range: next(),
            radiation_yield: next(),
            annihilation_yield: next(),
        };
        let radiation = Radiation { soft_stopping: next(), soft_variance: next(), photons: next() };
        Charged { slowing_down, radiation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKE_ANEW: &str = "make it anew: cargo run --release --example known_tables";

    /// The logarithms and exponentials of another system may differ in the last digit.
    #[test]
    fn the_embedded_tables_are_those_that_are_computed() {
        let known = read(FILE).unwrap_or_else(|| panic!("data/known_tables.bin was made from other data: {MAKE_ANEW}"));
        assert_eq!(known.len(), material::all().len());
        for (material, known) in material::all().iter().zip(&known) {
            let computed = Known::compute(material);
            let (found, expected) = (known.tables(), computed.tables());
            assert_eq!(found.len(), expected.len());
            for (number, (found, expected)) in found.into_iter().zip(expected).enumerate() {
                assert_eq!(found.grid(), expected.grid(), "{} {number}", material.name());
                for (bin, (found, expected)) in found.bins().iter().zip(expected.bins()).enumerate() {
                    for (a, b) in found.iter().zip(expected) {
                        let same = (a - b).abs() <= 1e-12 * b.abs();
                        assert!(same, "{} {number} {bin}: {a} {b}; {MAKE_ANEW}", material.name());
                    }
                }
            }
        }
    }

    #[test]
    fn tables_of_other_data_are_not_used() {
        let other = format!("{BEGINNING}{}\n", DATA_DIGEST.replace(|digit: char| digit != '0', "0"));
        let words = &FILE[other.len()..];
        assert!(read(&[other.as_bytes(), words].concat()).is_none());
        let own = format!("{BEGINNING}{DATA_DIGEST}\n");
        assert!(read(&[own.as_bytes(), words].concat()).is_some());
    }

    #[test]
    fn only_the_usual_cut_of_known_materials_is_known() {
        let water = material::find("water").expect("water");
        let cuts = |photon_mev| TransportCuts::new(0.02, photon_mev).expect("a good cut");
        assert!(radiation(water, Charge::Electron, cuts(PHOTON_CUT_MEV), energies()).is_some());
        assert!(radiation(water, Charge::Electron, cuts(0.006), energies()).is_none());
        let coarse = LogGrid::new(energies().min(), energies().max(), 64).expect("a good grid");
        assert!(radiation(water, Charge::Electron, cuts(PHOTON_CUT_MEV), coarse).is_none());
        let mut own = water.definition().clone();
        own.mean_excitation_energy_ev = 78.0;
        let own = Material::new(own).expect("a material");
        assert!(photon_tables(&own).is_none() && slowing_down(&own, Charge::Positron, energies()).is_none());
    }
}
