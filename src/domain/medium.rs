//! The materials of the voxels. Every voxel keeps its own density.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Checks, DoseError, LabelMap, Violation};
use crate::domain::Material;

/// Largest number of materials in one phantom.
pub const MAX_MATERIALS: usize = 16;
/// Largest number of labels without a material that are listed.
const MAX_LISTED: usize = 10;

/// The materials of the voxels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// The tissue that matches each voxel's density.
    #[default]
    ByDensity,
    /// One material everywhere.
    Uniform(Material),
    /// The material of each voxel's label in a map.
    Map(MaterialTable),
}

impl Medium {
    /// Name in results.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ByDensity => "by-density",
            Self::Uniform(_) => "uniform",
            Self::Map(_) => "map",
        }
    }
}

/// The material of each label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u16, Material)>", into = "Vec<(u16, Material)>")]
pub struct MaterialTable {
    materials: Vec<Material>,
    of_label: BTreeMap<u16, u8>,
}

impl TryFrom<Vec<(u16, Material)>> for MaterialTable {
    type Error = DoseError;

    fn try_from(entries: Vec<(u16, Material)>) -> Result<Self, DoseError> {
        Self::new(entries).map_err(DoseError::Invalid)
    }
}

impl From<MaterialTable> for Vec<(u16, Material)> {
    /// In an order that gives the materials back in theirs.
    fn from(table: MaterialTable) -> Self {
        let mut entries: Vec<_> = table.of_label.iter().map(|(&label, &index)| (index, label)).collect();
        entries.sort_unstable();
        entries.into_iter().map(|(index, label)| (label, table.materials[usize::from(index)].clone())).collect()
    }
}

impl MaterialTable {
    /// * `entries` – label and material; several labels may share a material
    ///
    /// # Errors
    /// Every fault, by the index of its entry (`[2].label`): a label that occurs twice, a different material with the
    /// same name, too many materials, or no material at all.
    pub fn new(entries: Vec<(u16, Material)>) -> Result<Self, Vec<Violation>> {
        let mut checks = Checks::new();
        let (mut materials, mut of_label) = (Vec::<Material>::new(), BTreeMap::new());
        if entries.is_empty() {
            checks.fail("", "needs at least one material");
        }
        for (number, (label, material)) in entries.into_iter().enumerate() {
            let known = materials.iter().position(|known| known.name() == material.name());
            if known.is_some_and(|known| materials[known] != material) {
                checks.fail(format!("[{number}].name"), "is the name of another material of the table");
            }
            let index = known.unwrap_or(materials.len());
            if known.is_none() {
                materials.push(material);
            }
            if of_label.insert(label, u8::try_from(index).unwrap_or(u8::MAX)).is_some() {
                checks.fail(format!("[{number}].label"), format!("names the label {label} twice"));
            }
        }
        if materials.len() > MAX_MATERIALS {
            checks.fail("", format!("has {} materials, at most {MAX_MATERIALS} are allowed", materials.len()));
        }
        if checks.is_empty() { Ok(Self { materials, of_label }) } else { Err(checks.into_violations()) }
    }

    /// The materials, in the order of their first labels in the table.
    pub fn materials(&self) -> &[Material] {
        &self.materials
    }

    /// Label and material, by ascending label.
    pub fn entries(&self) -> impl Iterator<Item = (u16, &Material)> {
        self.of_label.iter().map(|(&label, &index)| (label, &self.materials[usize::from(index)]))
    }

    /// Index of the material of each voxel.
    ///
    /// # Errors
    /// The labels of the map that are not in the table.
    pub fn indices(&self, map: &LabelMap) -> Result<Vec<u8>, super::Invalid> {
        let labels = map.labels().as_slice();
        let mut index_of: Vec<Option<u8>> = vec![None; usize::from(u16::MAX) + 1];
        self.of_label.iter().for_each(|(&label, &index)| index_of[usize::from(label)] = Some(index));
        let indices: Option<Vec<u8>> = labels.iter().map(|&label| index_of[usize::from(label)]).collect();
        indices.ok_or_else(|| {
            let mut missing: Vec<u16> = labels.to_vec();
            missing.sort_unstable();
            missing.dedup();
            missing.retain(|&label| index_of[usize::from(label)].is_none());
            let more = if missing.len() > MAX_LISTED { ", …" } else { "" };
            let listed: Vec<String> = missing.iter().take(MAX_LISTED).map(u16::to_string).collect();
            super::Invalid::new(format!(
                "has labels for which the table has no material: {}{more} ({} in all)",
                listed.join(", "),
                missing.len()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::MaterialDefinition;
    use crate::domain::{Volume, VoxelGrid};
    use crate::physics::material::find;

    fn known(name: &str) -> Material {
        find(name).expect("a known material").clone()
    }

    fn map(values: Vec<f32>) -> LabelMap {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [1.0; 3]).expect("a good grid");
        LabelMap::new(&Volume::from_vec(Arc::new(grid), values).expect("a value for each voxel")).expect("labels")
    }

    #[test]
    fn labels_share_materials() {
        let table = MaterialTable::new(vec![(0, known("air")), (7, known("water")), (9, known("air"))]).expect("good");
        assert_eq!(table.materials().len(), 2);
        assert_eq!(table.indices(&map(vec![9.0, 7.0, 0.0])), Ok(vec![0, 1, 0]));
        let missing = table.indices(&map(vec![9.0, 8.0, 1.0, 8.0])).expect_err("two labels are unknown").0;
        assert!(missing.contains("1, 8 (2 in all)"), "{missing}");
    }

    #[test]
    fn every_fault_of_a_table_is_named() {
        let mut other: MaterialDefinition = known("water").definition().clone();
        other.mean_excitation_energy_ev = 78.0;
        let other = Material::new(other).expect("a good material");
        let faults = MaterialTable::new(vec![(1, known("water")), (2, other), (1, known("air"))]);
        let faults = faults.expect_err("two faults");
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["[1].name", "[2].label"]);
        assert!(MaterialTable::new(vec![]).expect_err("none")[0].reason.contains("at least one"));
        let many = (0..17u16).map(|label| {
            let mut definition = known("water").definition().clone();
            definition.name = format!("water_{label}");
            (label, Material::new(definition).expect("a good material"))
        });
        assert!(MaterialTable::new(many.collect()).expect_err("17")[0].reason.contains("17 materials"));
    }
}
