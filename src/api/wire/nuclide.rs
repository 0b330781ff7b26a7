//! Nuclide data, which only the server sends.

use super::pb;
use crate::domain::Nuclide;
use crate::domain::nuclide::{BetaBranch, Capture, DecayMode, EmissionLine, RadiationEnergy};
use crate::physics::chain::{Descendant, descendants};
use crate::physics::nuclide::{BetaRange, beta_ranges, data_sha256};

/// As in the list of all.
pub(in crate::api) fn brief(nuclide: &Nuclide) -> pb::Nuclide {
    pb::Nuclide {
        name: nuclide.name.clone(),
        half_life_s: nuclide.half_life_s,
        electron_mev: nuclide.mean_energy_mev.electron,
        photon_mev: nuclide.mean_energy_mev.photon,
        alpha_mev: nuclide.mean_energy_mev.alpha,
        recoil_mev: nuclide.mean_energy_mev.recoil,
        source: nuclide.source.clone(),
        data_sha256: data_sha256(nuclide).to_owned(),
    }
}

/// All of it.
pub(in crate::api) fn detail(nuclide: &'static Nuclide) -> pb::GetNuclideResponse {
    pb::GetNuclideResponse {
        nuclide: Some(brief(nuclide)),
        half_life_uncertainty_s: nuclide.half_life_uncertainty_s,
        decay_modes: nuclide.decays.iter().map(decay_mode).collect(),
        descendants: descendants(nuclide).into_iter().map(descendant).collect(),
        beta_branches: nuclide.betas.iter().map(beta_branch).collect(),
        electron_captures: nuclide.captures.iter().map(capture).collect(),
        gamma_lines: lines(&nuclide.lines.gamma),
        x_ray_lines: lines(&nuclide.lines.x_ray),
        conversion_lines: lines(&nuclide.lines.conversion),
        auger_lines: lines(&nuclide.lines.auger),
        alpha_lines: lines(&nuclide.lines.alpha),
        mean_energy: Some(radiation_energy(nuclide.radiation_mev)),
        beta_ranges: beta_ranges(nuclide).into_iter().map(beta_range).collect(),
        corrections: nuclide.corrections.clone(),
    }
}

fn decay_mode(decay: &DecayMode) -> pb::DecayMode {
    pb::DecayMode {
        mode: decay.kind.name().to_owned(),
        daughter: decay.daughter.clone(),
        branching: decay.branching,
        q_mev: decay.q_mev,
    }
}

fn descendant(Descendant { name, per_decay, half_life_s, is_known }: Descendant) -> pb::Descendant {
    pb::Descendant { name, per_decay, half_life_s, is_known }
}

fn beta_branch(beta: &BetaBranch) -> pb::BetaBranch {
    pb::BetaBranch {
        mode: beta.sign.name().to_owned(),
        endpoint_mev: beta.endpoint_mev,
        mean_mev: beta.mean_mev,
        evaluated_mean_mev: beta.evaluated_mean_mev,
        intensity: beta.intensity,
        transition: beta.transition.to_string(),
        level_mev: beta.level_mev,
    }
}

fn capture(&Capture { level_mev, q_mev, intensity, k, l }: &Capture) -> pb::ElectronCapture {
    pb::ElectronCapture { level_mev, q_mev, intensity, k_part: k, l_part: l }
}

fn lines(lines: &[EmissionLine]) -> Vec<pb::EmissionLine> {
    lines.iter().map(|&EmissionLine { energy_mev, intensity }| pb::EmissionLine { energy_mev, intensity }).collect()
}

fn radiation_energy(mean: RadiationEnergy) -> pb::RadiationEnergy {
    pb::RadiationEnergy {
        beta_mev: mean.beta,
        positron_mev: mean.positron,
        conversion_mev: mean.conversion,
        auger_mev: mean.auger,
        relaxation_mev: mean.relaxation,
        gamma_mev: mean.gamma,
        x_ray_mev: mean.x_ray,
        annihilation_mev: mean.annihilation,
        alpha_mev: mean.alpha,
        recoil_mev: mean.recoil,
    }
}

fn beta_range(range: BetaRange) -> pb::BetaRange {
    let BetaRange { sign, mean_mev, mean_range_mm, max_mev, max_range_mm } = range;
    pb::BetaRange { mode: sign.name().to_owned(), mean_mev, mean_range_mm, max_mev, max_range_mm }
}
