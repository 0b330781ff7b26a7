//! The embedded results of EGSnrc that checks compare with. Origin and digests: `data/SOURCES.md`.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::domain::{Emission, EmissionSpectrum, Particle};
use crate::embedded::commented_csv_rows;

/// Energy in concentric shells of water around a point source of one particle per history, in the format that
/// [`crate::physics::kernel::read_point_kernel`] reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct PointKernelTable(pub(super) &'static str);

#[derive(serde::Deserialize)]
struct Shell {
    r_in_cm: f64,
    r_out_cm: f64,
    #[serde(rename = "sigma_E_MeV")]
    sigma_mev: f64,
}

impl PointKernelTable {
    /// 1σ of the energy between two radii [MeV].
    pub(super) fn sigma_mev(self, from_cm: f64, to_cm: f64) -> f64 {
        let shells: Vec<Shell> = commented_csv_rows(self.0);
        let variance = |shell: &Shell| {
            let overlap = (to_cm.min(shell.r_out_cm) - from_cm.max(shell.r_in_cm)).max(0.0);
            shell.sigma_mev.powi(2) * overlap / (shell.r_out_cm - shell.r_in_cm)
        };
        shells.iter().map(variance).sum::<f64>().sqrt()
    }
}

macro_rules! table {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/validation/", $name))
    };
}

pub(super) const ELECTRON_0_1_MEV: PointKernelTable = PointKernelTable(table!("electron_0.1MeV.csv"));
pub(super) const ELECTRON_0_5_MEV: PointKernelTable = PointKernelTable(table!("electron_0.5MeV.csv"));
pub(super) const ELECTRON_2_MEV: PointKernelTable = PointKernelTable(table!("electron_2MeV.csv"));
pub(super) const PHOTON_0_113_MEV: PointKernelTable = PointKernelTable(table!("photon_0.113MeV.csv"));
pub(super) const PHOTON_0_364_MEV: PointKernelTable = PointKernelTable(table!("photon_0.364MeV.csv"));
pub(super) const PHOTON_1_MEV: PointKernelTable = PointKernelTable(table!("photon_1MeV.csv"));

/// A voxel S value in water, 3 mm voxels.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub(super) struct SValue {
    pub(super) i: usize,
    pub(super) j: usize,
    pub(super) k: usize,
    #[serde(rename = "S_Gy_per_decay")]
    pub(super) s_gy: f64,
    #[serde(rename = "sigma_Gy")]
    pub(super) sigma_gy: f64,
}

/// Voxel S values of a nuclide at the offsets 0 ≤ i ≤ j ≤ k. All others follow by symmetry.
pub(super) fn s_values(nuclide: &str) -> Vec<SValue> {
    let text = match nuclide {
        "Lu-177" => table!("s_values_Lu-177_3mm.csv"),
        "Y-90" => table!("s_values_Y-90_3mm.csv"),
        "I-131" => table!("s_values_I-131_3mm.csv"),
        _ => unreachable!("checks name nuclides that have a table"),
    };
    let rows: Vec<SValue> = commented_csv_rows(text);
    rows.into_iter().filter(|row| row.i <= row.j && row.j <= row.k).collect()
}

/// The spectrum that EGSnrc was given for a decay of a nuclide. With the same spectrum, differences are not due to
/// decay data.
pub(super) fn emissions(nuclide: &str) -> EmissionSpectrum {
    let text = match nuclide {
        "Lu-177" => table!("emissions_Lu-177.csv"),
        "Y-90" => table!("emissions_Y-90.csv"),
        "I-131" => table!("emissions_I-131.csv"),
        _ => unreachable!("checks name nuclides that have a table"),
    };
    let rows = csv::ReaderBuilder::new().has_headers(false).comment(Some(b'#')).from_reader(text.as_bytes());
    let emission = |row: Result<(i64, f64, f64, f64), csv::Error>| {
        let (charge, low_mev, high_mev, yield_per_decay) = row.expect("embedded tables are read by a test");
        let particle = Particle::of_charge(charge).expect("a charge that has a name");
        Emission { particle, low_mev, high_mev, yield_per_decay }
    };
    EmissionSpectrum::new(rows.into_deserialize().map(emission).collect()).expect("a good spectrum")
}

/// Dose and 1σ in every voxel of the layered phantom, x fastest [Gy per decay].
pub(super) struct Layered {
    pub(super) dose_gy: Vec<f64>,
    pub(super) sigma_gy: Vec<f64>,
}

pub(super) fn layered(nuclide: &str) -> Layered {
    let packed: &[u8] = match nuclide {
        "Lu-177" => include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/validation/layered_Lu-177.f32.gz")),
        "Y-90" => include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/validation/layered_Y-90.f32.gz")),
        _ => unreachable!("checks name nuclides that have a table"),
    };
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).expect("the embedded file is read by a test");
    let (words, _) = bytes.as_chunks::<4>();
    let mut dose_gy: Vec<f64> = words.iter().map(|word| f32::from_le_bytes(*word).into()).collect();
    let sigma_gy = dose_gy.split_off(dose_gy.len() / 2);
    Layered { dose_gy, sigma_gy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_read() {
        for (table, shells) in [(ELECTRON_0_5_MEV, 52), (PHOTON_1_MEV, 50)] {
            assert!(commented_csv_rows::<Shell>(table.0).len() > shells);
            assert!(table.sigma_mev(0.0, 0.1) > 0.0);
        }
        for nuclide in ["Lu-177", "Y-90", "I-131"] {
            assert_eq!(s_values(nuclide).len(), 56, "{nuclide}");
            assert!(emissions(nuclide).emissions().len() > 1000, "{nuclide}");
        }
        for nuclide in ["Lu-177", "Y-90"] {
            let Layered { dose_gy, sigma_gy } = layered(nuclide);
            assert_eq!((dose_gy.len(), sigma_gy.len()), (64_000, 64_000));
            let most = dose_gy.iter().copied().fold(0.0, f64::max);
            assert!(most > 0.0 && sigma_gy.iter().all(|&sigma| sigma >= 0.0 && sigma < 0.05 * most), "{nuclide}");
        }
    }

    #[test]
    fn uncertainties_add_in_quadrature() {
        let table = PHOTON_0_364_MEV;
        let (first, both) = (table.sigma_mev(0.0, 0.1), table.sigma_mev(0.0, 0.2));
        assert!((first - 6.07e-6).abs() < 1e-12 && (both - 6.07e-6f64.hypot(6.50e-6)).abs() < 1e-12);
        assert!((table.sigma_mev(0.0, 0.05) - 6.07e-6 / 2f64.sqrt()).abs() < 1e-12);
    }
}
