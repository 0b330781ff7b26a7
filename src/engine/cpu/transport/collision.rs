//! Hard collisions, bremsstrahlung photons, annihilation in flight: what each takes and where it sends it. Twin: `shaders/shared/collision.wgsl`.

use super::lookup::between;
use super::random::Stream;
use crate::engine::transport::scene::{ELECTRON_REST_MEV, Spectra};
use crate::engine::transport::tables::{PHOTON_STEPS, SPECTRUM_ROWS_PER_OCTAVE};

/// Energy and direction of what leaves an interaction, the latter as cosines to the direction of what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Emerging {
    /// Energy transferred to the new particle [MeV].
    pub(crate) energy_mev: f32,
    /// Cosine of the angle at which the new particle leaves.
    pub(crate) cosine: f32,
    /// Cosine of the deflection of the old one.
    pub(crate) deflection_cosine: f32,
}

/// A collision of an electron with one at rest, that loses more than `cut_mev` and at most half of the energy.
///
/// Source: Møller, Ann. Phys. 14 (1932) 531.
pub(crate) fn moller(kinetic_mev: f32, cut_mev: f32, stream: &mut Stream) -> Emerging {
    let tau = kinetic_mev / ELECTRON_REST_MEV;
    let a = (tau / (tau + 1.0)) * (tau / (tau + 1.0));
    let least = cut_mev / kinetic_mev;
    loop {
        // κ with the density 1/κ² from the cut to one half.
        let kappa = least / (1.0 - stream.uniform() * (1.0 - 2.0 * least));
        let ratio = kappa / (1.0 - kappa);
        let form = 1.0 + ratio * ratio - (1.0 - a) * ratio + a * kappa * kappa;
        if stream.uniform() * (1.0 + 1.25 * a) < form {
            return binary(kinetic_mev, kappa.min(0.5) * kinetic_mev);
        }
    }
}

/// A collision of a positron with an electron at rest, that loses more than `cut_mev`.
///
/// Source: Bhabha, Proc. R. Soc. A 154 (1936) 195, as in ICRU 37 (1984), section 2.
pub(crate) fn bhabha(kinetic_mev: f32, cut_mev: f32, stream: &mut Stream) -> Emerging {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let tau = gamma - 1.0;
    let scale = (tau / gamma) * (tau / gamma);
    let g2 = (gamma + 1.0) * (gamma + 1.0);
    let b1 = scale * (2.0 * g2 - 1.0) / (gamma * gamma - 1.0);
    let b2 = scale * (3.0 * g2 + 1.0) / g2;
    let b3 = scale * 2.0 * gamma * tau / g2;
    let b4 = scale * tau * tau / g2;
    let least = cut_mev / kinetic_mev;
    loop {
        let kappa = (least / (1.0 - stream.uniform() * (1.0 - least))).min(1.0);
        let form = 1.0 - kappa * (b1 - kappa * (b2 - kappa * (b3 - kappa * b4)));
        if stream.uniform() < form {
            return binary(kinetic_mev, kappa * kinetic_mev);
        }
    }
}

/// Angles of a collision with an electron at rest, from the conservation of energy and momentum.
fn binary(kinetic_mev: f32, loss_mev: f32) -> Emerging {
    let rest = 2.0 * ELECTRON_REST_MEV;
    let sine_squared = rest * loss_mev / (kinetic_mev * (kinetic_mev - loss_mev + rest));
    let recoil_squared = loss_mev * (kinetic_mev + rest) / (kinetic_mev * (loss_mev + rest));
    Emerging {
        energy_mev: loss_mev,
        cosine: recoil_squared.min(1.0).sqrt(),
        deflection_cosine: (1.0 - sine_squared).max(0.0).sqrt(),
    }
}

/// A bremsstrahlung photon above `cut_mev`: from the tabulated spectrum, at the angle of a dipole that moves with the electron.
///
/// * `row` – first of the rows of the material and charge in the tables of spectra
///
/// Source of the angles: Acosta, Llovet & Salvat, Appl. Phys. Lett. 80 (2002) 3228, without their fit.
pub(crate) fn bremsstrahlung(kinetic_mev: f32, cut_mev: f32, spectra: Spectra<'_>, stream: &mut Stream) -> Emerging {
    let least = cut_mev / kinetic_mev;
    let kappa = loop {
        let kappa = least.powf(stream.uniform()).min(1.0);
        if stream.uniform() < acceptance(kinetic_mev, kappa, spectra) {
            break kappa;
        }
    };
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = (1.0 - 1.0 / (gamma * gamma)).max(0.0).sqrt();
    let dipole = loop {
        let cosine = 2.0 * stream.uniform() - 1.0;
        if 2.0 * stream.uniform() < 1.0 + cosine * cosine {
            break cosine;
        }
    };
    Emerging { energy_mev: kappa * kinetic_mev, cosine: boosted(dipole, beta), deflection_cosine: 1.0 }
}

/// A cosine in a frame that moves with the speed β, seen at rest.
fn boosted(cosine: f32, beta: f32) -> f32 {
    ((cosine + beta) / (1.0 + beta * cosine)).clamp(-1.0, 1.0)
}

/// Probability of accepting a photon that takes the part κ: linear in the energy and in √(1 − κ) between the nodes.
fn acceptance(kinetic_mev: f32, kappa: f32, spectra: Spectra<'_>) -> f32 {
    let place = super::lookup::place(kinetic_mev);
    // The rows are sparse: every so many nodes of the energy.
    let stride = 64 / SPECTRUM_ROWS_PER_OCTAVE;
    let row = place.node / stride;
    let along_energy = ((place.node % stride) as f32 + place.fraction) / stride as f32;
    let position = (1.0 - kappa).max(0.0).sqrt() * PHOTON_STEPS as f32;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the number of steps")]
    let step = (position as usize).min(PHOTON_STEPS - 1);
    let within = position - step as f32;
    let value = |row: usize| {
        let first = row * (PHOTON_STEPS + 1) + step;
        between(spectra.0[first], spectra.0[first + 1], within)
    };
    between(value(row), value(row + 1), along_energy)
}

/// The two photons of a positron that annihilates in flight: parts of the total energy and cosines to its direction, the azimuths opposite.
///
/// Source: Heitler, The Quantum Theory of Radiation (1954), § 27; Nelson, Hirayama & Rogers, SLAC-265 (1985), eq. 2.12.9.
pub(crate) fn annihilation(kinetic_mev: f32, stream: &mut Stream) -> [(f32, f32); 2] {
    let gamma = (kinetic_mev / ELECTRON_REST_MEV + 1.0).max(1.0 + 1e-5);
    let momentum = ((gamma - 1.0) * (gamma + 1.0)).sqrt();
    let least = 1.0 / (gamma + 1.0 + momentum);
    let linear = gamma * gamma + 4.0 * gamma + 1.0;
    let peak = linear - 2.0 * (gamma + 1.0);
    loop {
        // ζ with the density 1/ζ from the least part to the greatest.
        let part = least * ((1.0 - least) / least).powf(stream.uniform());
        let form = linear - (gamma + 1.0) * (gamma + 1.0) * part - 1.0 / part;
        if stream.uniform() * peak < form {
            let total = kinetic_mev + 2.0 * ELECTRON_REST_MEV;
            let cosine = |part: f32| ((gamma + 1.0 - 1.0 / part) / momentum).clamp(-1.0, 1.0);
            let first = part * total;
            return [(first, cosine(part)), (total - first, cosine(1.0 - part))];
        }
    }
}
