//! The input of the devices: the scene and tables of Monte Carlo transport, kernels and their spectra. It is made on
//! the host, and is the same for every engine.

pub mod kernel_scatter;
pub mod kernel_spectrum;
pub mod kernel_split;
pub mod transport;
