//! Decay chains: which daughters decay where their parent did, how often, and what all of them emit.

use std::sync::Arc;

use crate::domain::source::{LocalEnergy, Member};
use crate::domain::{Nuclide, Source};
use crate::physics::nuclide::{data_sha256, emissions};

impl From<&'static Nuclide> for Source {
    fn from(nuclide: &'static Nuclide) -> Self {
        let member = Member { nuclide, decays_per_decay: 1.0 };
        let local = LocalEnergy { alpha_mev: nuclide.mean_energy_mev.alpha, recoil_mev: 0.0 };
        let spectrum = Arc::new(emissions(nuclide).clone());
        Self::of_members(vec![member], spectrum, local, data_sha256(nuclide).to_owned())
    }
}
