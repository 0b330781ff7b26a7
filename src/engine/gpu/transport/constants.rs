//! The constants that the stages of transport take when they are compiled: each is written once, here or where the CPU
//! engine reads it.

use crate::constants::H_C_MEV_ANGSTROM;
use crate::domain::UNITS_PER_MEV;
use crate::domain::emission::Particle;
use crate::prepare::transport::emissions::GUIDE_BITS;
use crate::prepare::transport::nodes::{FIRST, NODES, OCTAVE_BITS};
use crate::prepare::transport::scene::ELECTRON_REST_MEV;
use crate::prepare::transport::tables::{
    FORM_FACTOR_BINS, PHOTON_STEPS, SPECTRUM_ROWS, SPECTRUM_ROWS_PER_OCTAVE, TRANSFER_BINS, TRANSFER_MIN,
};

/// Most groups of a launch, as a power of two.
pub(super) const MAX_LAUNCH_BITS: u32 = 5;
/// The work of an emission, in steps of a charged particle.
pub(super) const EMISSION_WORK: u32 = 4;

/// The number of a kind of particle on the device.
pub(super) fn kind_word(particle: Particle) -> u32 {
    match particle {
        Particle::Electron => 0,
        Particle::Positron => 1,
        Particle::Photon => 2,
    }
}

/// All override constants of `shaders/transport_*.wgsl`, by name.
pub(in crate::engine::gpu) fn constants() -> Vec<(String, f64)> {
    let word = |number: usize| number as f64;
    let single = |number: f32| f64::from(number);
    #[expect(clippy::cast_possible_truncation, reason = "single precision is what the engines use")]
    let transfer_per_mev = (1.0 / H_C_MEV_ANGSTROM) as f32;
    let constants = [
        ("ELECTRON_REST_MEV", single(ELECTRON_REST_MEV)),
        ("UNITS_PER_MEV", UNITS_PER_MEV),
        ("NODES", word(NODES)),
        ("OCTAVE_BITS", f64::from(OCTAVE_BITS)),
        ("FIRST_NODE", single(FIRST)),
        ("FIRST_NODE_BITS", f64::from(FIRST.to_bits())),
        ("PHOTON_STEPS", word(PHOTON_STEPS)),
        ("SPECTRUM_ROWS", word(SPECTRUM_ROWS)),
        ("SPECTRUM_ROWS_PER_OCTAVE", word(SPECTRUM_ROWS_PER_OCTAVE)),
        ("TRANSFER_BINS", word(TRANSFER_BINS)),
        ("FORM_FACTOR_BINS", word(FORM_FACTOR_BINS)),
        ("TRANSFER_MIN", single(TRANSFER_MIN)),
        ("TRANSFER_PER_MEV", single(transfer_per_mev)),
        ("ELECTRON", f64::from(kind_word(Particle::Electron))),
        ("POSITRON", f64::from(kind_word(Particle::Positron))),
        ("PHOTON", f64::from(kind_word(Particle::Photon))),
        ("MAX_LAUNCH_GROUPS", f64::from(1 << MAX_LAUNCH_BITS)),
        ("EMISSION_WORK", f64::from(EMISSION_WORK)),
        ("GUIDE_BITS", f64::from(GUIDE_BITS)),
    ];
    // Constants that follow from others are computed in WGSL.
    constants.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// The low word of two.
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
pub(super) fn low(number: u64) -> u32 {
    number as u32
}

/// The high word of two.
pub(super) fn high(number: u64) -> u32 {
    low(number >> 32)
}
