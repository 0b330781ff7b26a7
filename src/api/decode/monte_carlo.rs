//! Options of Monte Carlo transport, materials and emissions.

use super::{missing, pb};
use crate::domain::{
    Checks, ChosenCuts, Emission, EmissionSpectrum, Extras, Invalid, MaterialTable, Medium, MonteCarloOptions,
    Particle, Region, StopRule, TargetUncertainty,
};
use crate::domain::{Material, MaterialDefinition};
use crate::physics::material::{self};

/// Path of the options from the header.
const PATH: &str = "method.monte_carlo";
/// Longest name of a material.
const MAX_NAME_BYTES: usize = 64;
/// Where the figures of a material come from, if the caller does not say.
const THE_CALLER: &str = "the caller";

/// The options, and whether all could be read. A part that could not has recorded a fault and is left at its default, so that the others are still
/// checked.
pub(super) fn options(checks: &mut Checks, message: pb::MonteCarloMethod) -> (MonteCarloOptions, bool) {
    let default = MonteCarloOptions::default();
    let target = message.target_uncertainty.map(|target| target_uncertainty(checks, target));
    let medium = medium(checks, message.medium);
    let complete = medium.is_some() && target != Some(None);
    let cuts = message.cuts.unwrap_or_default();
    let options = MonteCarloOptions {
        stop: StopRule { histories: message.histories, target: target.flatten(), time_limit_s: message.time_limit_s },
        medium: medium.unwrap_or_default(),
        seed: message.seed.unwrap_or(default.seed),
        first_history: message.first_history,
        minimum_density_g_cm3: message.minimum_density_g_cm3.unwrap_or(default.minimum_density_g_cm3),
        cuts: ChosenCuts {
            absorption_mev: cuts.absorption_mev,
            collision_mev: cuts.collision_mev,
            photon_mev: cuts.photon_mev,
            track_length_mev: cuts.track_length_mev,
        },
        extras: Extras { uncertainty: message.return_uncertainty, tally: message.return_tally },
    };
    (options, complete)
}

fn target_uncertainty(checks: &mut Checks, message: pb::TargetUncertainty) -> Option<TargetUncertainty> {
    use pb::target_uncertainty::Region as Arm;
    let region = match message.region {
        None => Region::default(),
        Some(Arm::DoseFraction(part)) => Region::AboveDoseFraction(part),
        Some(Arm::Label(label)) => {
            Region::Label(checks.at(format!("{PATH}.target_uncertainty.label"), to_label(label))?)
        }
    };
    Some(TargetUncertainty { relative: message.relative, region })
}

fn to_label(label: u32) -> Result<u16, Invalid> {
    u16::try_from(label).map_err(|_| Invalid::new(format!("is a number up to 65535, got {label}")))
}

fn medium(checks: &mut Checks, message: Option<pb::Medium>) -> Option<Medium> {
    use pb::medium::Medium as Arm;
    let path = format!("{PATH}.medium");
    match message.map(|message| message.medium) {
        None | Some(Some(Arm::ByDensity(_))) => Some(Medium::ByDensity),
        Some(None) => missing(checks, path),
        Some(Some(Arm::Uniform(message))) => material(checks, &format!("{path}.uniform"), message).map(Medium::Uniform),
        Some(Some(Arm::Table(table))) => table_of(checks, &format!("{path}.table.entries"), table).map(Medium::Map),
    }
}

fn table_of(checks: &mut Checks, path: &str, message: pb::MaterialTable) -> Option<MaterialTable> {
    let count = message.entries.len();
    if count > usize::from(u16::MAX) + 1 {
        checks.fail(path, format!("has {count} entries, more than there are labels"));
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for (number, entry) in message.entries.into_iter().enumerate() {
        let path = format!("{path}[{number}]");
        let label = checks.at(format!("{path}.label"), to_label(entry.label));
        let material = match entry.material {
            Some(message) => material(checks, &format!("{path}.material"), message),
            None => missing(checks, format!("{path}.material")),
        };
        entries.extend(label.zip(material));
    }
    if entries.len() < count {
        return None;
    }
    match MaterialTable::new(entries) {
        Ok(table) => Some(table),
        Err(faults) => {
            faults.into_iter().for_each(|fault| checks.fail(format!("{path}{}", fault.field), fault.reason));
            None
        }
    }
}

fn material(checks: &mut Checks, path: &str, message: pb::Material) -> Option<Material> {
    let name = format!("{path}.name");
    if message.name.len() > MAX_NAME_BYTES {
        checks.fail(name, format!("has {} bytes, at most {MAX_NAME_BYTES} are taken", message.name.len()));
        return None;
    }
    let Some(definition) = message.definition else {
        return checks.at(name, material::find(&message.name)).cloned();
    };
    let source = if definition.source.is_empty() { THE_CALLER.to_owned() } else { definition.source };
    let own = material::own(MaterialDefinition {
        name: message.name,
        source,
        nominal_density_g_cm3: definition.nominal_density_g_cm3,
        density_range_g_cm3: None,
        mean_excitation_energy_ev: definition.mean_excitation_energy_ev,
        mass_fractions: definition.mass_fractions,
    });
    match own {
        Ok(material) => Some(material),
        Err(faults) => {
            for fault in faults {
                let within = if fault.field == "name" { path.to_owned() } else { format!("{path}.definition") };
                checks.fail(format!("{within}.{}", fault.field), fault.reason);
            }
            None
        }
    }
}

/// A spectrum of the caller's own.
pub(super) fn emissions(checks: &mut Checks, messages: &[pb::Emission]) -> Option<EmissionSpectrum> {
    let emission = |message: &pb::Emission| {
        let particle = Particle::of_charge(message.charge.into())?;
        let pb::Emission { low_mev, high_mev, yield_per_decay, .. } = *message;
        Some(Emission { particle, low_mev, high_mev, yield_per_decay })
    };
    let known: Option<Vec<Emission>> = messages.iter().map(emission).collect();
    let Some(known) = known else {
        let first = messages.iter().position(|message| emission(message).is_none()).unwrap_or_default();
        checks.fail(format!("emissions[{first}].charge"), format!("is not -1, 0 or 1: {}", messages[first].charge));
        return None;
    };
    match EmissionSpectrum::new(known) {
        Ok(spectrum) => Some(spectrum),
        Err(faults) => {
            faults.into_iter().for_each(|fault| checks.fail(fault.field, fault.reason));
            None
        }
    }
}
