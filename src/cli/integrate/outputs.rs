//! What `dosegrid integrate` prints and writes.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::held::{Held, KINDS, TIA_SIGMA};
use super::maps::Maps;
use super::options::CurveArgs;
use crate::clinic::plausible::{OfRegion, of_regions};
use crate::clinic::shared::RegionIntegral;
use crate::clinic::single_time_point::SinglePointIntegral;
use crate::clinic::voxels::KindCount;
use crate::clinic::{Flag, Frames, Integration, OneMapRegion, Removals, Series};
use crate::domain::{DoseError, Nuclide, Volume, VoxelGrid, Warning};
use crate::formats::atomic::{remove_if_there, write_bytes};
use crate::formats::volume_file::{Origin, write_volume};
use crate::formats::{curves_csv, json};
use crate::intake::IntegratedMaps;
use crate::report::{Figure, Sheet, time_activity};

/// Every file that may be written.
pub(super) const FILES: [&str; 8] =
    ["curves.json", "curves.csv", "curves.png", "tia.nii.gz", TIA_SIGMA, "dose.nii.gz", "dose_sigma.nii.gz", KINDS];
/// Width of the picture, and height of the curve of a region [pixels].
const PICTURE_SIZE: [u32; 2] = [900, 320];
/// Least width of the names of regions in a printed table.
const NAME_WIDTH: usize = 20;
/// Most curves in the picture.
const MOST_CURVES: usize = 24;

/// What is said of one region.
pub(super) struct Row {
    name: String,
    said: Value,
    figure: Option<Figure>,
    is_at_physical_limit: bool,
    warnings: Vec<Warning>,
}

impl Row {
    /// A region of a table.
    ///
    /// * `removals` – what was taken away on the way
    pub(super) fn of_series(name: &str, series: &Series, found: Integration, removals: &Removals) -> Self {
        let said = found.to_json();
        let removals = found.clearance.map_or_else(|| removals.clone(), |one| removals.with_clearance(one.half_time_h));
        let figure = time_activity(name, series.points(), &found, series.infusion_h(), &removals);
        Self::new(name, said, figure, found)
    }

    /// A region of maps.
    pub(super) fn of_region(region: RegionIntegral, frames: &Frames) -> Self {
        let said = region.to_json();
        let points = frames.points(&region.activity_mbq);
        let nothing = Removals::default();
        let figure = time_activity(&region.name, &points, &region.integration, frames.infusion_h(), &nothing);
        Self::new(&region.name, said, figure, region.integration)
    }

    fn new(name: &str, said: Value, figure: Figure, found: Integration) -> Self {
        Self {
            name: name.to_owned(),
            said,
            figure: Some(figure),
            is_at_physical_limit: found.flags.contains(&Flag::RateAtPhysicalLimit),
            warnings: found.warnings,
        }
    }

    /// A region with one scan.
    pub(super) fn of_one(name: &str, series: &Series, found: &SinglePointIntegral) -> Self {
        let administered = series.administered_activity_mbq();
        let mut said = json!(found);
        said["model"] = json!(found.method);
        said["tia_coefficient_h"] = json!(administered.map(|administered| found.tia_mbq_h / administered));
        said["flags"] = json!(found.flags().into_iter().map(Flag::name).collect::<Vec<_>>());
        said["warnings"] = json!(found.warnings);
        let warnings = series.warnings().iter().chain(&found.warnings).cloned().collect();
        Self { name: name.to_owned(), said, figure: None, is_at_physical_limit: false, warnings }
    }

    /// A region of one map.
    pub(super) fn of_one_map(region: &OneMapRegion) -> Self {
        let mut row = Self::of_one(&region.name, &region.series, &region.found);
        let point = region.series.points()[0];
        row.said["voxels"] = json!(region.voxels);
        row.said["times_h"] = json!([point.time_h]);
        row.said["activity_mbq"] = json!([point.activity_mbq]);
        row.said["negative_voxels"] = json!(region.negative_voxels);
        row
    }
}

/// A map of integrals.
pub(super) struct MapOutput {
    held: Held,
    /// Time-integrated activity [Bq·s a voxel], or absorbed dose [Gy].
    integral: Volume<f32>,
    /// One standard deviation of it, where it exists.
    sigma: Option<Volume<f32>>,
    kinds: Option<Volume<u8>>,
    origin: Origin,
}

impl MapOutput {
    /// * `maps` – what was integrated
    /// * `whole`, `sigma` – integral by voxel and its standard deviation [MBq·h, or Gy]
    pub(super) fn new(
        maps: &Maps,
        whole: &[f64],
        sigma: Option<&[f64]>,
        kinds: Option<Vec<u8>>,
    ) -> Result<Self, DoseError> {
        let (held, origin) = (maps.held, maps.origin.clone());
        let grid: &Arc<VoxelGrid> = maps.volumes[0].grid();
        let failed = |error| DoseError::Internal(format!("a map lost its grid: {error}"));
        #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
        let map = |integrals: &[f64]| {
            let values = integrals.iter().map(|integral| (integral * held.in_a_map()) as f32).collect();
            Volume::from_vec(grid.clone(), values).map_err(failed)
        };
        let (integral, sigma) = (map(whole)?, sigma.map(map).transpose()?);
        let kinds = kinds.map(|kinds| Volume::from_vec(grid.clone(), kinds)).transpose().map_err(failed)?;
        Ok(Self { held, integral, sigma, kinds, origin })
    }

    /// As a server made it.
    pub(super) fn of(made: IntegratedMaps, origin: Origin) -> Self {
        let IntegratedMaps { tia_bq_s: integral, sigma_bq_s: sigma, kinds, .. } = made;
        Self { held: Held::Activity, integral, sigma, kinds, origin }
    }
}

/// All that is said.
pub(in crate::cli) struct Report {
    about: Map<String, Value>,
    pub(super) rows: Vec<Row>,
    pub(super) voxels: Vec<KindCount>,
    pub(super) map: Option<MapOutput>,
    pub(in crate::cli) warnings: Vec<Warning>,
}

impl Report {
    pub(super) fn new(nuclide: &Nuclide, curve: &CurveArgs) -> Self {
        let about = json!({
            "nuclide": nuclide.name,
            "physical_half_life_h": nuclide.half_life_s / 3600.0,
            "model_asked_for": curve.model.as_deref().unwrap_or("auto"),
            "weighting_asked_for": curve.weighting,
        });
        let Value::Object(about) = about else { unreachable!("the line above makes an object") };
        let (name, physical_s) = (&nuclide.name, nuclide.half_life_s);
        let half_life_s = curve.half_life.map(|hours| 3600.0 * hours);
        let slow = half_life_s.and_then(|s| Warning::of_effective_half_life(s, name, physical_s, "half-life"));
        Self { about, rows: Vec::new(), voxels: Vec::new(), map: None, warnings: Vec::from_iter(slow) }
    }

    /// Adds what is said of all regions.
    pub(super) fn say(&mut self, name: &str, value: Value) {
        self.about.insert(name.into(), value);
    }

    /// Warns of what is implausible.
    pub(super) fn look_over(&mut self, nuclide: &Nuclide) {
        let of_row = |row: &Row| OfRegion {
            name: row.name.clone(),
            coefficient_h: row.said["tia_coefficient_h"].as_f64(),
            is_at_physical_limit: row.is_at_physical_limit,
        };
        let regions: Vec<OfRegion> = self.rows.iter().map(of_row).collect();
        self.warnings.extend(of_regions(&regions, nuclide, ["--value-refers-to", "--administered-activity"]));
    }

    pub(in crate::cli) fn json(&self) -> Value {
        let mut all = self.about.clone();
        if !self.rows.is_empty() {
            let regions = self.rows.iter().map(|row| (row.name.clone(), row.said.clone()));
            all.insert("regions".into(), Value::Object(regions.collect()));
        }
        if let Some((name, sum)) = self.map.as_ref().and_then(|map| map.held.total(map.integral.as_slice())) {
            all.insert(name.into(), json!(sum));
        }
        if !self.voxels.is_empty() {
            let counts = self.voxels.iter().map(|count| self.held().count(count)).collect();
            all.insert("voxel_kinds".into(), Value::Array(counts));
        }
        all.insert("warnings".into(), json!(self.warnings));
        Value::Object(all)
    }

    /// Every warning in words: those of the whole, and each of regions once, after their names.
    pub(in crate::cli) fn told(&self) -> Vec<String> {
        let mut of_regions: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            for warning in &row.warnings {
                match of_regions.iter_mut().find(|(message, _)| *message == warning.message) {
                    Some((_, names)) => names.push(&row.name),
                    None => of_regions.push((&warning.message, vec![&row.name])),
                }
            }
        }
        let all = |(message, names): (&str, Vec<&str>)| match names.len() > 1 && names.len() == self.rows.len() {
            true => format!("all regions: {message}"),
            false => format!("{}: {message}", names.join(", ")),
        };
        let whole = self.warnings.iter().map(|warning| warning.message.clone());
        whole.chain(of_regions.into_iter().map(all)).collect()
    }

    pub(in crate::cli) fn text(&self) -> String {
        let mut text = String::new();
        let figure = |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.5}"));
        let width = self.rows.iter().map(|row| row.name.chars().count() + 2).fold(NAME_WIDTH, usize::max);
        if !self.rows.is_empty() {
            let head = ["region", "model", "Ã (MBq·h)", "1σ", "ã (h)", "flags"];
            writeln!(
                text,
                "{:<width$}{:<22}{:>14}{:>12}{:>12}  {}",
                head[0], head[1], head[2], head[3], head[4], head[5]
            )
            .expect("a string takes all text");
        }
        for row in &self.rows {
            let said = &row.said;
            let flags = said["flags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let [tia, sigma, coefficient] =
                ["tia_mbq_h", "tia_sigma_mbq_h", "tia_coefficient_h"].map(|name| figure(&said[name]));
            let model = said["model"].as_str().unwrap_or_default();
            let flags = flags.collect::<Vec<_>>().join(" ");
            writeln!(text, "{:<width$}{model:<22}{tia:>14}{sigma:>12}{coefficient:>12}  {flags}", row.name)
                .expect("a string takes all text");
        }
        for kind in &self.voxels {
            writeln!(text, "{}", self.held().count_in_words(kind)).expect("a string takes all text");
        }
        let of_rows = self.rows.iter().flat_map(|row| row.warnings.iter().map(|warning| (row.name.as_str(), warning)));
        for (name, warning) in of_rows.chain(self.warnings.iter().map(|warning| ("", warning))) {
            let place = if name.is_empty() { String::new() } else { format!("{name}: ") };
            writeln!(text, "warning: {place}{} ({})", warning.message, warning.reason)
                .expect("a string takes all text");
        }
        text
    }

    /// What the maps held.
    fn held(&self) -> Held {
        self.map.as_ref().map(|map| map.held).unwrap_or_default()
    }

    /// Writes all files into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If one cannot be written.
    pub(in crate::cli) fn write(&self, folder: &Path) -> Result<(), DoseError> {
        let failed = |name: &str| {
            let path = folder.join(name);
            move |error: std::io::Error| DoseError::Io(format!("{} cannot be written: {error}", path.display()))
        };
        std::fs::create_dir_all(folder).map_err(failed(""))?;
        json::write(&folder.join("curves.json"), &self.json()).map_err(failed("curves.json"))?;
        // What an earlier series left would look like a part of this one.
        let path = folder.join("curves.csv");
        let rows = self.rows.iter().map(|row| (row.name.as_str(), &row.said));
        let written = if self.rows.is_empty() { remove_if_there(&path) } else { curves_csv::write(&path, rows) };
        written.map_err(failed("curves.csv"))?;
        let path = folder.join("curves.png");
        let written = self.picture()?.map_or_else(|| remove_if_there(&path), |picture| write_bytes(&path, &picture));
        written.map_err(failed("curves.png"))?;
        if let Some(MapOutput { held, integral, sigma, kinds, origin }) = &self.map {
            for (map, (name, text)) in [Some(integral), sigma.as_ref()].into_iter().zip(held.files()) {
                let path = folder.join(name);
                let written = match map {
                    Some(map) => write_volume(&path, map, text, origin),
                    None => remove_if_there(&path),
                };
                written.map_err(failed(name))?;
            }
            let path = folder.join(KINDS);
            let written = match kinds {
                Some(kinds) => write_volume(&path, kinds, "dosegrid integrate: kinds", origin),
                None => remove_if_there(&path),
            };
            written.map_err(failed(KINDS))?;
        }
        Ok(())
    }

    /// The curves, one below the other; none if no region has one.
    fn picture(&self) -> Result<Option<Vec<u8>>, DoseError> {
        let figures: Vec<Figure> = self.rows.iter().filter_map(|row| row.figure.clone()).take(MOST_CURVES).collect();
        let Ok(count @ 1..) = u32::try_from(figures.len()) else { return Ok(None) };
        let nuclide = self.about["nuclide"].as_str().unwrap_or_default();
        let size = [PICTURE_SIZE[0], 60 + PICTURE_SIZE[1] * count];
        let title = format!("{nuclide}: activity over time and its integral");
        Sheet { title, figures, size }.png().map(Some)
    }
}
