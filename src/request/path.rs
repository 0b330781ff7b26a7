//! The paths by which a header can be at fault, for those who name its fields otherwise, as flags do.

use crate::domain::MomentUnit;

/// The units of activity maps.
const UNITS: &[&str] = &["activity_unit", "daughter_maps[].activity_unit"];

/// Parts of a volume that can be at fault, after its own path.
const OF_VOLUME: &[&str] = &[
    "",
    ".grid",
    ".grid.shape",
    ".grid.spacing_mm",
    ".grid.affine_mm",
    ".element_type",
    ".slope",
    ".intercept",
    ".size_bytes",
];

/// Parts of the unit of an activity at one moment that can be at fault, after the path of its arm.
const OF_MOMENT: &[&str] =
    &[".half_life", ".physical", ".effective_half_life_s", ".imaged_after_s", ".decay_corrected_to"];

/// Parts of a material that can be at fault, after its own path.
const OF_MATERIAL: &[&str] = &[
    ".name",
    ".definition.nominal_density_g_cm3",
    ".definition.density_range_g_cm3",
    ".definition.mean_excitation_energy_ev",
    ".definition.mass_fractions",
    ".definition.mass_fractions.*",
];

/// All others.
const SINGLE: &[&str] = &[
    "nuclide",
    "daughters",
    "daughters.in_growth",
    "daughter_maps",
    "daughter_maps[].nuclide",
    "emissions",
    "emissions[]",
    "emissions[].charge",
    "biological_weighting.alpha",
    "biological_weighting.recoil",
    "injected_activity_bq",
    "integrated_from",
    "method",
    "method.local.minimum_density_g_cm3",
    "method.kernel.density_correction",
    "method.kernel.medium",
    "method.kernel.minimum_density_g_cm3",
    "method.kernel.truncation_radius_mm",
    "method.monte_carlo.histories",
    "method.monte_carlo.target_uncertainty.relative",
    "method.monte_carlo.target_uncertainty.dose_fraction",
    "method.monte_carlo.target_uncertainty.label",
    "method.monte_carlo.time_limit_s",
    "method.monte_carlo.minimum_density_g_cm3",
    "method.monte_carlo.cuts.absorption_mev",
    "method.monte_carlo.cuts.collision_mev",
    "method.monte_carlo.cuts.photon_mev",
    "method.monte_carlo.cuts.track_length_mev",
    "method.monte_carlo.return_tally",
    "method.monte_carlo.medium",
    "method.monte_carlo.medium.table.entries",
    "method.monte_carlo.medium.table.entries[].label",
    "method.monte_carlo.medium.table.entries[].name",
    "method.monte_carlo.medium.table.entries[].material",
];

/// Paths that only the plan of a checked header can be at fault by.
pub const OF_PLAN: &[&str] = &["method.monte_carlo.first_history"];

/// Every path by which [`super::RawHeader::check`] can name a fault, as [`pattern`] writes it.
pub fn paths() -> Vec<String> {
    let groups: [(&[&str], &[&str]); 4] = [
        (&["activity", "density", "labels", "materials", "daughter_maps[].activity"], OF_VOLUME),
        (UNITS, &[""]),
        (&["method.monte_carlo.medium.uniform", "method.monte_carlo.medium.table.entries[].material"], OF_MATERIAL),
        (SINGLE, &[""]),
    ];
    let joined = |(owners, parts): (&[&str], &[&str])| -> Vec<String> {
        owners.iter().flat_map(|owner| parts.iter().map(move |part| format!("{owner}{part}"))).collect()
    };
    let moments = UNITS.iter().flat_map(|unit| {
        MomentUnit::ALL
            .iter()
            .flat_map(move |arm| OF_MOMENT.iter().map(move |part| format!("{unit}.{}{part}", arm.field())))
    });
    let integrated = OF_MOMENT.iter().map(|part| format!("integrated_from{part}"));
    groups.into_iter().flat_map(joined).chain(moments).chain(integrated).collect()
}

/// A path without the numbers in its brackets, and `*` in place of the symbol of an element.
pub fn pattern(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    let mut within = false;
    for character in path.chars() {
        within = (within || character == '[') && character != ']';
        if !within || character == '[' {
            pattern.push(character);
        }
    }
    match pattern.split_once(".mass_fractions.") {
        Some((owner, _)) => format!("{owner}.mass_fractions.*"),
        None => pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn numbers_and_symbols_are_left_out() {
        let path = "method.monte_carlo.medium.table.entries[12].material.definition.mass_fractions.Xx";
        let expected = "method.monte_carlo.medium.table.entries[].material.definition.mass_fractions.*";
        assert_eq!(pattern(path), expected);
        assert_eq!(pattern("daughter_maps[0].activity.grid"), "daughter_maps[].activity.grid");
        assert_eq!(pattern("nuclide"), "nuclide");
    }
}
