//! Electrons and positrons: stopping powers, elastic scattering, hard and soft collisions, bremsstrahlung,
//! annihilation, ranges.
//!
//! [`ElectronTables`] gathers what transport needs of one material, on a logarithmic grid of kinetic energies from 1
//! keV to 10 MeV. Energies are in MeV, cross sections of a material per gram [cm²/g], stopping powers in MeV·cm²/g:
//! multiply by the density of a voxel.
//!
//! "Soft" collisions lose less than a cut and are treated together; "hard" ones lose more and are simulated one by one.
//!
//! Largest differences from the figures that the tables are tested against:
//!
//! | table | against | |
//! |---|---|---|
//! | collision stopping power, 10 keV to 10 MeV | ESTAR, seven tissues | 0.04 % |
//! | density effect δ | ESTAR | 0.009 |
//! | radiative stopping power | ESTAR | 0.7 %, that of the published spectra |
//! | bremsstrahlung spectrum | Seltzer & Berger 1986 | 0.4 % rms (hydrogen 2 %), 5 % at most (hydrogen 9 %) |
//! | CSDA range, from 0.1 MeV | ESTAR | 0.04 % |
//! | first transport cross section, elastic, 1 keV to 10 MeV | ELSEPA | 0.6 % |
//! | second transport cross section, elastic, from 10 keV | ELSEPA | 1 % in H to O, 3 % up to Ca (positrons 2, 6 %) |
//! | the same at 1 keV | ELSEPA | 7 to 27 % |
//!
//! Known limits: no shell corrections (as in ESTAR; a few percent at 1 keV), no Doppler broadening or binding in hard
//! collisions, and a total elastic cross section of the screened form: 0.35 to 1.5 times that of ELSEPA for electrons
//! above 5 keV, and less accurate for slow positrons. Transport with the first two moments does not need it.

pub mod annihilation;
pub mod bremsstrahlung;
pub mod collision;
pub mod elastic;
pub mod hard_collision;
pub mod oscillator;
pub mod photon_spectrum;
pub mod range;
pub mod soft_collision;
pub mod tables;

pub use tables::{ElectronTables, TransportCuts};

use crate::constants::{CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_ENERGY_MEV};

/// Charge of the particle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The electron, e⁻.
    Electron,
    /// The positron, e⁺.
    Positron,
}

impl Charge {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Electron, Self::Positron];

    /// Charge in units of the elementary charge.
    pub fn sign(self) -> f64 {
        match self {
            Self::Electron => -1.0,
            Self::Positron => 1.0,
        }
    }
}

/// Kinetic energy in units of the electron rest energy.
fn tau(kinetic_mev: f64) -> f64 {
    kinetic_mev / ELECTRON_REST_ENERGY_MEV
}

/// Square of the speed, in units of the speed of light.
pub fn speed_squared(kinetic_mev: f64) -> f64 {
    let t = tau(kinetic_mev);
    t * (t + 2.0) / (t + 1.0).powi(2)
}

/// Square of the momentum times the speed of light [MeV²].
pub fn momentum_squared_mev2(kinetic_mev: f64) -> f64 {
    kinetic_mev * (kinetic_mev + 2.0 * ELECTRON_REST_ENERGY_MEV)
}

/// 2πr_e²·m_ec²/β², the strength of collisions with one electron [MeV·cm²].
fn collision_strength(kinetic_mev: f64) -> f64 {
    std::f64::consts::TAU * CLASSICAL_ELECTRON_RADIUS_CM.powi(2) * ELECTRON_REST_ENERGY_MEV / speed_squared(kinetic_mev)
}
