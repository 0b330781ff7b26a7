//! What the voxels are made of.

use super::pb;
use crate::domain::{Material, MaterialDefinition, MaterialTable, Medium};
use crate::physics::material;
use crate::request::{RawLabelledMaterial, RawMaterial, RawMedium};

pub(super) fn encode(medium: &Medium) -> pb::Medium {
    use pb::medium::Medium as Arm;
    let arm = match medium {
        Medium::ByDensity => Arm::ByDensity(pb::MediumByDensity {}),
        Medium::Uniform(material) => Arm::Uniform(encode_material(material)),
        Medium::Map(table) => Arm::Table(encode_table(table)),
    };
    pb::Medium { medium: Some(arm) }
}

pub(super) fn decode(message: pb::Medium) -> RawMedium {
    use pb::medium::Medium as Arm;
    match message.medium {
        None => RawMedium::Unspecified,
        Some(Arm::ByDensity(pb::MediumByDensity {})) => RawMedium::ByDensity,
        Some(Arm::Uniform(material)) => RawMedium::Uniform(decode_material(material)),
        Some(Arm::Table(pb::MaterialTable { entries })) => {
            let entry = |pb::LabelledMaterial { label, material }| RawLabelledMaterial {
                label,
                material: material.map(decode_material),
            };
            RawMedium::Table(entries.into_iter().map(entry).collect())
        }
    }
}

fn encode_table(table: &MaterialTable) -> pb::MaterialTable {
    let entry = |(label, material): (u16, &Material)| pb::LabelledMaterial {
        label: label.into(),
        material: Some(encode_material(material)),
    };
    pb::MaterialTable { entries: table.entries().map(entry).collect() }
}

/// A material that is known needs no definition.
fn encode_material(material: &Material) -> pb::Material {
    let is_known = material::find(material.name()).is_ok_and(|known| known == material);
    let stated = material.definition();
    let definition = (!is_known).then(|| pb::MaterialDefinition {
        nominal_density_g_cm3: stated.nominal_density_g_cm3,
        mean_excitation_energy_ev: stated.mean_excitation_energy_ev,
        mass_fractions: stated.mass_fractions.clone(),
        source: stated.source.clone(),
    });
    pb::Material { name: stated.name.clone(), definition }
}

fn decode_material(message: pb::Material) -> RawMaterial {
    let pb::Material { name, definition } = message;
    match definition {
        None => RawMaterial::Known(name),
        Some(definition) => RawMaterial::Own(MaterialDefinition {
            name,
            source: definition.source,
            nominal_density_g_cm3: definition.nominal_density_g_cm3,
            density_range_g_cm3: None,
            mean_excitation_energy_ev: definition.mean_excitation_energy_ev,
            mass_fractions: definition.mass_fractions,
        }),
    }
}
