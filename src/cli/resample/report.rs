//! What resampling did.

use std::fmt::Write;

use serde::Serialize;

use crate::domain::{VoxelGrid, grid::Affine};

/// What was resampled, from where to where, and what was kept.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) kind: &'static str,
    pub(super) input: Option<Place>,
    pub(super) output: Option<Place>,
    /// Whether overlaps are exact; for oblique grids they are sampled.
    pub(super) exact: bool,
    /// Before and after: total of an activity, integral of a density [g] or a concentration.
    pub(super) sums: Option<[f64; 2]>,
    /// Part of the activity that lies outside the output.
    pub(super) share_outside: Option<f64>,
    /// Voxels of the output that do not lie within the input, or not all of them.
    pub(super) outside_voxels: usize,
    /// Voxels of NaN that were taken as 0.
    pub(super) nan_voxels: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<Vec<LabelSize>>,
    pub(super) warnings: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Place {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
}

/// The size of an organ before and after, by shares of voxels, and the voxels that have its label.
#[derive(Serialize)]
pub(super) struct LabelSize {
    pub(super) label: u16,
    pub(super) name: Option<String>,
    pub(super) volume_before_cm3: f64,
    pub(super) volume_after_cm3: f64,
    pub(super) voxels: usize,
}

impl Place {
    pub(super) fn of(grid: &VoxelGrid) -> Self {
        Self { shape: grid.shape(), spacing_mm: grid.spacing_mm(), affine: *grid.affine() }
    }

    fn text(&self) -> String {
        let ([nx, ny, nz], [dx, dy, dz]) = (self.shape, self.spacing_mm);
        format!("{nx} × {ny} × {nz}, {dx:.4} × {dy:.4} × {dz:.4} mm")
    }
}

impl Report {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// For a reader.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments| writeln!(text, "{words}").expect("a string takes all text");
        if let (Some(input), Some(output)) = (&self.input, &self.output) {
            line(format_args!("{}: {}  →  {}", self.kind, input.text(), output.text()));
        }
        let how = if self.exact { "exact" } else { "sampled, because the grids lie oblique to one another" };
        line(format_args!("  overlaps   {how}"));
        if let Some([before, after]) = self.sums {
            line(format_args!("  sum        {before:.9e} before, {after:.9e} after"));
        }
        if let Some(share) = self.share_outside {
            line(format_args!("  outside    {:.4} % of the activity", share * 100.0));
        }
        if self.outside_voxels > 0 {
            line(format_args!("  outside    {} voxels of the output, in whole or in part", self.outside_voxels));
        }
        if self.nan_voxels > 0 {
            line(format_args!("  NaN        {} voxels were taken as 0", self.nan_voxels));
        }
        for LabelSize { label, name, volume_before_cm3, volume_after_cm3, voxels } in self.labels.iter().flatten() {
            let name = name.as_deref().unwrap_or("");
            line(format_args!(
                "  label {label:<5} {volume_before_cm3:.3} cm³ before, {volume_after_cm3:.3} after, {voxels} voxels \
                 {name}"
            ));
        }
        self.warnings.iter().for_each(|warning| line(format_args!("  warning    {warning}")));
        text
    }
}
