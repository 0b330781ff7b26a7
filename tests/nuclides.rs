//! The nuclides: their spectra against theory's limits and other calculations, their energy against what their decays
//! set free.

mod energy;
mod means;
mod spectra;
