//! What the voxels are made of, as a caller wrote it.

use super::missing;
use super::monte_carlo::to_label;
use crate::domain::{Checks, Material, MaterialDefinition, MaterialTable, Medium};
use crate::physics::material;

/// Longest name of a material.
const MAX_NAME_BYTES: usize = 64;

/// What the voxels are made of, not yet looked up.
#[derive(Clone, Debug, PartialEq)]
pub enum RawMedium {
    /// Given, but not which.
    Unspecified,
    /// The tissue that goes with each voxel's density.
    ByDensity,
    /// One material everywhere.
    Uniform(RawMaterial),
    /// The material of each label.
    Table(Vec<RawLabelledMaterial>),
}

/// A label and its material.
#[derive(Clone, Debug, PartialEq)]
pub struct RawLabelledMaterial {
    /// The label, up to 65535.
    pub label: u32,
    /// The material, which has to be given.
    pub material: Option<RawMaterial>,
}

/// A material.
#[derive(Clone, Debug, PartialEq)]
pub enum RawMaterial {
    /// One that this program knows.
    Known(String),
    /// One of the caller's own. Without a source, it is that of [`material::THE_CALLER`].
    Own(MaterialDefinition),
}

impl From<&Material> for RawMaterial {
    fn from(material: &Material) -> Self {
        let is_known = material::find(material.name()).is_ok_and(|known| known == material);
        if is_known { Self::Known(material.name().to_owned()) } else { Self::Own(material.definition().clone()) }
    }
}

impl From<&Medium> for RawMedium {
    fn from(medium: &Medium) -> Self {
        match medium {
            Medium::ByDensity => Self::ByDensity,
            Medium::Uniform(material) => Self::Uniform(material.into()),
            Medium::Map(table) => Self::from(table),
        }
    }
}

impl From<&MaterialTable> for RawMedium {
    fn from(table: &MaterialTable) -> Self {
        // In the order of the materials, which is kept.
        let entries = Vec::<(u16, Material)>::from(table.clone());
        let entry = |(label, material): &(u16, Material)| RawLabelledMaterial {
            label: (*label).into(),
            material: Some(material.into()),
        };
        Self::Table(entries.iter().map(entry).collect())
    }
}

impl RawMedium {
    /// The medium; none if a fault was recorded.
    pub(super) fn resolve(self, field: &str, checks: &mut Checks) -> Option<Medium> {
        match self {
            Self::Unspecified => missing(field, checks),
            Self::ByDensity => Some(Medium::ByDensity),
            Self::Uniform(material) => material.resolve(&format!("{field}.uniform"), checks).map(Medium::Uniform),
            Self::Table(entries) => table(entries, &format!("{field}.table.entries"), checks).map(Medium::Map),
        }
    }
}

fn table(raw: Vec<RawLabelledMaterial>, field: &str, checks: &mut Checks) -> Option<MaterialTable> {
    let count = raw.len();
    if count > usize::from(u16::MAX) + 1 {
        checks.fail(field, format!("has {count} entries, more than there are labels"));
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for (number, RawLabelledMaterial { label, material }) in raw.into_iter().enumerate() {
        let field = format!("{field}[{number}]");
        let label = checks.at(format!("{field}.label"), to_label(label));
        let material_field = format!("{field}.material");
        let material = match material {
            Some(material) => material.resolve(&material_field, checks),
            None => missing(material_field, checks),
        };
        entries.extend(label.zip(material));
    }
    if entries.len() < count {
        return None;
    }
    match MaterialTable::new(entries) {
        Ok(table) => Some(table),
        Err(faults) => {
            faults.into_iter().for_each(|fault| checks.fail(format!("{field}{}", fault.field), fault.reason));
            None
        }
    }
}

impl RawMaterial {
    fn resolve(self, field: &str, checks: &mut Checks) -> Option<Material> {
        let name = match &self {
            Self::Known(name) | Self::Own(MaterialDefinition { name, .. }) => name,
        };
        let name_field = format!("{field}.name");
        if name.len() > MAX_NAME_BYTES {
            checks.fail(name_field, format!("has {} bytes, at most {MAX_NAME_BYTES} are taken", name.len()));
            return None;
        }
        let mut definition = match self {
            Self::Known(name) => return checks.at(name_field, material::find(&name)).cloned(),
            Self::Own(definition) => definition,
        };
        if definition.source.is_empty() {
            material::THE_CALLER.clone_into(&mut definition.source);
        }
        match material::own(definition) {
            Ok(material) => Some(material),
            Err(faults) => {
                for fault in faults {
                    let within = if fault.field == "name" { field.to_owned() } else { format!("{field}.definition") };
                    checks.fail(format!("{within}.{}", fault.field), fault.reason);
                }
                None
            }
        }
    }
}
