//! What resampling did.

use std::fmt::Write;

use serde::Serialize;

use crate::domain::{VoxelGrid, grid::Affine};
use crate::intake::{LabelSize, RegridAccount};

/// What was resampled, from where to where, and what was kept.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) kind: &'static str,
    pub(super) input: Option<Place>,
    pub(super) output: Option<Place>,
    #[serde(flatten)]
    account: RegridAccount,
    pub(super) warnings: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Place {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
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

    /// Notes voxels of NaN that were taken as 0, in a CT as air.
    pub(super) fn nan_voxels(&mut self, count: usize) {
        self.account.nan_voxels = count;
    }

    /// Adds what was done.
    pub(super) fn add(&mut self, account: RegridAccount) {
        let nan_voxels = self.account.nan_voxels + account.nan_voxels;
        if account.overlapping_voxels > 0 {
            self.warnings.push(format!(
                "organs overlap in {} voxels of the input; the output has one label a voxel, that of the smaller organ",
                account.overlapping_voxels
            ));
        }
        self.account = RegridAccount { nan_voxels, ..account };
    }

    /// For a reader.
    pub(super) fn text(&self) -> String {
        let RegridAccount { exact, sums, share_outside, outside_voxels, nan_voxels, labels, .. } = &self.account;
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments| writeln!(text, "{words}").expect("a string takes all text");
        if let (Some(input), Some(output)) = (&self.input, &self.output) {
            line(format_args!("{}: {}  →  {}", self.kind, input.text(), output.text()));
        }
        let how = if *exact { "exact" } else { "sampled, because the grids lie oblique to one another" };
        line(format_args!("  overlaps   {how}"));
        if let Some([before, after]) = sums {
            line(format_args!("  sum        {before:.9e} before, {after:.9e} after"));
        }
        if let Some(share) = share_outside {
            line(format_args!("  outside    {:.4} % of the activity", share * 100.0));
        }
        if *outside_voxels > 0 {
            line(format_args!("  outside    {} voxels of the output, in whole or in part", outside_voxels));
        }
        if *nan_voxels > 0 {
            line(format_args!("  NaN        {} voxels were taken as 0", nan_voxels));
        }
        for LabelSize { label, name, volume_before_cm3, volume_after_cm3, voxels } in labels.iter().flatten() {
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
