//! Photons: cross sections, angles, fluorescence, and the energy transferred to electrons.
//!
//! [`PhotonTables`] gathers what transport needs of one material, on a logarithmic grid of energies from 1 keV to 10
//! MeV. Cross sections of a material are per gram [cm²/g]: multiply by the density of a voxel.
//!
//! Largest differences from the figures that the tables are tested against, from 1 keV to 10 MeV:
//!
//! | table | against | |
//! |---|---|---|
//! | mass attenuation coefficient | NIST, 18 elements | 0.07 % |
//! | mass energy-absorption coefficient | NIST, H to Ca | 0.7 %; H, C, N, O: 0.3 % |
//! | the same, Fe and Zn, I | NIST | 2.4 %, 6 %: NIST lets the fluorescence of L shells escape |
//! | coherent cross section, from the form factors | XCOM | 1.5 % (iodine 5.5 %) |
//! | incoherent cross section, from the incoherent functions | XCOM | 1 % |
//!
//! Known limits: no Doppler broadening of Compton scattering, no fluorescence except from K shells, no photonuclear
//! absorption.

pub mod attenuation;
pub mod energy_absorption;
pub mod fluorescence;
pub mod klein_nishina;
pub mod scattering;
pub mod tables;

pub use tables::{PhotonTables, photon_tables};
