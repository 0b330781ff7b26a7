//! What other commands found and a report shows too: fits of activity over time, and uncertainty budgets.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::Invalid;

/// What `dosegrid integrate` found, as its `curves.json` says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Curves {
    /// By the name of the region.
    pub(super) regions: BTreeMap<String, Curve>,
}

/// The curve of a region. What is not a fit has no residuals.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Curve {
    pub(super) model: String,
    pub(super) half_lives_h: Option<Vec<f64>>,
    pub(super) chi_square: Option<f64>,
    pub(super) degrees_of_freedom: Option<i64>,
    pub(super) residuals: Option<Vec<Residual>>,
    pub(super) tia_mbq_h: Option<f64>,
    pub(super) tia_sigma_mbq_h: Option<f64>,
    pub(super) fraction_after_last_point: Option<f64>,
    pub(super) flags: Vec<String>,
}

/// A measured point and what the curve makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Residual {
    pub(super) time_h: f64,
    pub(super) activity_mbq: f64,
    pub(super) fitted_mbq: f64,
}

/// What `dosegrid budget --json` found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Budgets {
    pub(super) regions: Vec<Budget>,
}

/// The budget of a region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Budget {
    pub(super) region: String,
    pub(super) parts: Vec<Part>,
    pub(super) dose_relative_sigma: f64,
    pub(super) is_lower_bound: bool,
}

/// A line of a budget.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) relative_sigma: Option<f64>,
    /// `given`, `computed` or `not_given`.
    pub(super) source: String,
}

/// What `dosegrid integrate --voxelwise` found, of which a report shows nothing.
#[derive(Deserialize)]
struct VoxelCurves {
    #[serde(rename = "voxel_kinds")]
    _kinds: Vec<serde::de::IgnoredAny>,
}

impl Curves {
    /// # Errors
    /// If the text is not what `dosegrid integrate` writes.
    pub fn from_json(text: &str) -> Result<Self, Invalid> {
        let of_regions = read(text, "`curves.json` of `dosegrid integrate`");
        // Fitted voxel by voxel, no region has a curve.
        let of_voxels = || serde_json::from_str::<VoxelCurves>(text).map(|_| Self::default());
        of_regions.or_else(|fault| of_voxels().map_err(|_| fault))
    }
}

impl Budgets {
    /// # Errors
    /// If the text is not what `dosegrid budget` writes.
    pub fn from_json(text: &str) -> Result<Self, Invalid> {
        read(text, "the JSON of `dosegrid budget`")
    }
}

fn read<T: for<'de> Deserialize<'de>>(text: &str, what: &str) -> Result<T, Invalid> {
    serde_json::from_str(text).map_err(|error| Invalid::new(format!("is not {what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_commands_are_told_from_what_they_are_not() {
        let curves = r#"{"nuclide": "Lu-177", "regions": {"liver": {"model": "mono", "half_lives_h": [50.0],
            "residuals": [{"time_h": 24, "activity_mbq": 3.5, "fitted_mbq": 3.4, "in_sigma": 0.2}], "tia_mbq_h": 250.0,
            "flags": ["large_tail"], "covariance": null}}, "warnings": []}"#;
        let curves = Curves::from_json(curves).expect("as it is written");
        assert_eq!(curves.regions["liver"].residuals.as_ref().expect("one")[0].fitted_mbq, 3.4);
        let voxelwise =
            r#"{"nuclide": "Lu-177", "map_tia_mbq_h": 1.5, "voxel_kinds": [{"kind": "mono", "voxels": 4}]}"#;
        assert_eq!(Curves::from_json(voxelwise), Ok(Curves::default()));
        assert!(Budgets::from_json("{}").is_err_and(|Invalid(reason)| reason.contains("dosegrid budget")));
        assert!(Curves::from_json("[1]").is_err_and(|Invalid(reason)| reason.contains("dosegrid integrate")));
    }
}
