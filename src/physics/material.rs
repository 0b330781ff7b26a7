//! The materials known to this program, and the check of a caller's own.

use std::sync::LazyLock;

use crate::domain::{Invalid, Violation};
use crate::domain::{Material, MaterialDefinition};

/// Where the figures of a material come from, if the caller does not say.
pub const THE_CALLER: &str = "the caller";

include!(concat!(env!("OUT_DIR"), "/material_files.rs"));

static MATERIALS: LazyLock<Vec<Material>> = LazyLock::new(|| {
    let read = |text: &&str| {
        let definition: MaterialDefinition = toml::from_str(text).expect("embedded material files are read by a test");
        Material::new(definition).expect("embedded material files are checked by a test")
    };
    let mut materials: Vec<Material> = FILES.iter().map(read).collect();
    let first_density = |material: &Material| material.density_range_g_cm3().map_or(f64::INFINITY, |[low, _]| low);
    materials.sort_by(|a, b| first_density(a).total_cmp(&first_density(b)));
    materials
});

/// The known materials: tissues by ascending density, then those used only by name.
pub fn all() -> &'static [Material] {
    &MATERIALS
}

/// The material with this name.
///
/// # Errors
/// If there is none; the reason lists the known materials.
pub fn find(name: &str) -> Result<&'static Material, Invalid> {
    all().iter().find(|material| material.name() == name).ok_or_else(|| {
        let known: Vec<&str> = all().iter().map(Material::name).collect();
        Invalid::new(format!("is not a known material: `{name}`; known names: {}", known.join(", ")))
    })
}

/// A material defined by the caller.
///
/// # Errors
/// Every fault of the definition, as [`Material::new`]; or that it has the name of a known but different material, so
/// that results could not distinguish the two.
pub fn own(definition: MaterialDefinition) -> Result<Material, Vec<Violation>> {
    let material = Material::new(definition)?;
    match find(material.name()) {
        Ok(known) if *known != material => {
            let reason = format!("is that of a known material, which differs: `{}`", material.name());
            Err(vec![Violation { field: "name".into(), reason }])
        }
        _ => Ok(material),
    }
}

/// The tissue of voxels of this density.
///
/// * `density_g_cm3` – density of a voxel [g/cm³], 0 or above
///
/// # Errors
/// If the density is negative or not finite.
pub fn of_density(density_g_cm3: f64) -> Result<&'static Material, Invalid> {
    let holds = |material: &&Material| {
        material.density_range_g_cm3().is_some_and(|[low, high]| (low..high).contains(&density_g_cm3))
    };
    all().iter().find(holds).ok_or_else(|| Invalid::new(format!("is not a density: {density_g_cm3} g/cm³")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_density_ranges_tile_all_densities_as_designed() {
        let expected = [
            (0.0, "air"),
            (0.1, "lung"),
            (0.6, "adipose"),
            (0.985, "soft_tissue"),
            (1.1, "compact_bone"),
            (1.45, "cortical_bone"),
        ];
        let mut edge = 0.0;
        for (material, (low, name)) in all().iter().zip(expected) {
            let [from, to] = material.density_range_g_cm3().expect("tissues have a range");
            assert_eq!((material.name(), from, from), (name, low, edge));
            assert_eq!(of_density(from).expect("a density").name(), name);
            edge = to;
        }
        assert_eq!(edge, f64::INFINITY);
        assert_eq!(find("water").expect("water").density_range_g_cm3(), None);
        assert!([-0.1, f64::NAN, f64::INFINITY].iter().all(|&density| of_density(density).is_err()));
    }

    #[test]
    fn every_material_is_checked_and_normalised() {
        assert_eq!(all().len(), FILES.len());
        for material in all() {
            let sum: f64 = material.components().iter().map(|c| c.mass_fraction).sum();
            assert!((sum - 1.0).abs() < 1e-14, "{}", material.name());
        }
        assert!(find("lead").expect_err("no lead").0.contains("cortical_bone"));
    }

    #[test]
    fn a_known_name_stays_what_it_is() {
        let stated = || find("lung").expect("lung").definition().clone();
        let water = MaterialDefinition { name: "water".into(), ..stated() };
        assert_eq!(own(water).expect_err("made of something else")[0].field, "name");
        let water = find("water").expect("water");
        assert_eq!(own(water.definition().clone()).as_ref(), Ok(water));
        let mine = MaterialDefinition { name: "mine".into(), ..stated() };
        assert_eq!(own(mine).expect("a new name").name(), "mine");
    }
}
