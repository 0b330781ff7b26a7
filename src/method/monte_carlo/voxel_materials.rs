//! The material of each voxel.

use crate::domain::{Control, DoseError, DoseRequest, Material, MaterialAccount, Medium, Stage};
use crate::physics::material;

/// Voxels between two looks at whether to go on: some milliseconds.
pub(super) const VOXELS_AT_ONCE: usize = 1 << 18;

/// The materials that occur, and the index of the material of each voxel.
pub(super) struct VoxelMaterials {
    pub(super) materials: Vec<Material>,
    pub(super) of_voxel: Vec<u8>,
}

impl VoxelMaterials {
    /// * `density_g_cm3` – density of each voxel of the request
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn new(
        request: &DoseRequest,
        medium: &Medium,
        density_g_cm3: &[f32],
        control: &Control,
    ) -> Result<Self, DoseError> {
        let all = match medium {
            Medium::ByDensity => {
                Self { materials: material::all().to_vec(), of_voxel: by_density(density_g_cm3, control)? }
            }
            Medium::Uniform(material) => {
                Self { materials: vec![material.clone()], of_voxel: vec![0; density_g_cm3.len()] }
            }
            Medium::Map(table) => {
                let map = request.labels().materials.as_ref().expect("a request with a table of materials has a map");
                let of_voxel = table.indices(map).expect("the labels of a request are in its table");
                Self { materials: table.materials().to_vec(), of_voxel }
            }
        };
        control.checkpoint(Stage::Tables, 0.0)?;
        Ok(all.compact())
    }

    /// Removes materials that do not occur.
    fn compact(mut self) -> Self {
        let mut used = vec![false; self.materials.len()];
        self.of_voxel.iter().for_each(|&index| used[usize::from(index)] = true);
        let mut position = 0;
        let new_index: Vec<u8> = used
            .iter()
            .map(|&used| {
                let index = position;
                position += u8::from(used);
                index
            })
            .collect();
        self.of_voxel.iter_mut().for_each(|index| *index = new_index[usize::from(*index)]);
        let materials = self.materials.into_iter().zip(used).filter_map(|(material, used)| used.then_some(material));
        Self { materials: materials.collect(), of_voxel: self.of_voxel }
    }

    pub(super) fn account(&self) -> Vec<MaterialAccount> {
        let mut voxels = vec![0u64; self.materials.len()];
        self.of_voxel.iter().for_each(|&index| voxels[usize::from(index)] += 1);
        let account = |(material, voxels): (&Material, u64)| MaterialAccount {
            name: material.name().to_owned(),
            source: material.source().to_owned(),
            voxels,
        };
        self.materials.iter().zip(voxels).map(account).collect()
    }
}

/// Index, among all known materials, of the tissue of each density.
fn by_density(density_g_cm3: &[f32], control: &Control) -> Result<Vec<u8>, DoseError> {
    let index = |&density: &f32| {
        let tissue = material::of_density(f64::from(density)).expect("a density map holds densities");
        let index = material::all().iter().position(|known| std::ptr::eq(known, tissue));
        u8::try_from(index.expect("a tissue is a known material")).expect("there are few materials")
    };
    let mut of_voxel = Vec::with_capacity(density_g_cm3.len());
    for some in density_g_cm3.chunks(VOXELS_AT_ONCE) {
        control.checkpoint(Stage::Tables, 0.0)?;
        of_voxel.extend(some.iter().map(index));
    }
    Ok(of_voxel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_materials_that_occur_are_kept() {
        let densities = [1.2, 0.0, 0.3, 1.9, 0.0012, 1.45];
        let of_voxel = by_density(&densities, &Control::detached()).expect("nobody cancels");
        let voxel_materials = VoxelMaterials { materials: material::all().to_vec(), of_voxel }.compact();
        let names: Vec<&str> = voxel_materials.materials.iter().map(Material::name).collect();
        assert_eq!(names, ["air", "lung", "compact_bone", "cortical_bone"]);
        assert_eq!(voxel_materials.of_voxel, [2, 0, 1, 3, 0, 3]);
        let voxels: Vec<u64> = voxel_materials.account().iter().map(|material| material.voxels).collect();
        assert_eq!(voxels, [2, 1, 1, 2]);
    }
}
