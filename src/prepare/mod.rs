//! What a device is given: the scene and tables of Monte Carlo transport, kernels and their spectra. Made on the host, the same for every engine.

pub mod kernel_scatter;
pub mod kernel_spectrum;
pub mod kernel_split;
pub mod transport;
