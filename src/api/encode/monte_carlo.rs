//! Options of Monte Carlo transport, materials and emissions.

use super::pb;
use crate::domain::Material;
use crate::domain::{Emission, MaterialTable, Medium, MonteCarloOptions, Region, TargetUncertainty};
use crate::physics::material::{self};

pub(super) fn options(options: &MonteCarloOptions) -> pb::MonteCarloMethod {
    pb::MonteCarloMethod {
        histories: options.stop.histories,
        target_uncertainty: options.stop.target.map(target),
        time_limit_s: options.stop.time_limit_s,
        seed: Some(options.seed),
        first_history: options.first_history,
        minimum_density_g_cm3: Some(options.minimum_density_g_cm3),
        cuts: Some(pb::TransportCuts {
            absorption_mev: options.cuts.absorption_mev,
            collision_mev: options.cuts.collision_mev,
            photon_mev: options.cuts.photon_mev,
            track_length_mev: options.cuts.track_length_mev,
        }),
        medium: Some(pb::Medium { medium: Some(medium(&options.medium)) }),
        return_uncertainty: options.extras.uncertainty,
        return_tally: options.extras.tally,
    }
}

fn target(target: TargetUncertainty) -> pb::TargetUncertainty {
    use pb::target_uncertainty::Region as Arm;
    let region = match target.region {
        Region::AboveDoseFraction(part) => Arm::DoseFraction(part),
        Region::Label(label) => Arm::Label(label.into()),
    };
    pb::TargetUncertainty { relative: target.relative, region: Some(region) }
}

fn medium(medium: &Medium) -> pb::medium::Medium {
    use pb::medium::Medium as Arm;
    match medium {
        Medium::ByDensity => Arm::ByDensity(pb::MediumByDensity {}),
        Medium::Uniform(one) => Arm::Uniform(material(one)),
        Medium::Map(of_labels) => Arm::Table(table(of_labels)),
    }
}

fn table(table: &MaterialTable) -> pb::MaterialTable {
    let entry = |(label, of_label): (u16, &Material)| pb::LabelledMaterial {
        label: label.into(),
        material: Some(material(of_label)),
    };
    pb::MaterialTable { entries: table.entries().map(entry).collect() }
}

/// A material that is known needs no definition.
fn material(material: &Material) -> pb::Material {
    let known = material::find(material.name()).is_ok_and(|known| known == material);
    let stated = material.definition();
    let definition = (!known).then(|| pb::MaterialDefinition {
        nominal_density_g_cm3: stated.nominal_density_g_cm3,
        mean_excitation_energy_ev: stated.mean_excitation_energy_ev,
        mass_fractions: stated.mass_fractions.clone(),
        source: stated.source.clone(),
    });
    pb::Material { name: stated.name.clone(), definition }
}

pub(super) fn emission(emission: &Emission) -> pb::Emission {
    let &Emission { particle, low_mev, high_mev, yield_per_decay } = emission;
    pb::Emission { charge: particle.charge().into(), low_mev, high_mev, yield_per_decay }
}
