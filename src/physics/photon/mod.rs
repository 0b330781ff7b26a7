//! Photons: cross sections, angles, fluorescence, and the energy they leave to electrons.
//!
//! [`PhotonTables`] gathers what transport needs of one material, on a logarithmic grid of energies from 1 keV to 10 MeV. Cross sections of a
//! material are per gram [cm²/g]: multiply by the density of a voxel.

pub mod attenuation;
pub mod energy_absorption;
pub mod fluorescence;
pub mod klein_nishina;
pub mod scattering;
pub mod tables;

pub use tables::PhotonTables;
