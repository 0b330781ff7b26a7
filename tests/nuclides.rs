//! The nuclides: spectra against theoretical limits and other calculations, and emitted energy against the energy
//! released.

mod energy;
mod means;
mod spectra;
