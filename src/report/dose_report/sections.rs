//! Tables and figures.

use super::inputs::{Budget, Curve, Part, Residual};
use super::{Budgets, Curves, Fact, Language, ReportOrgans};
use crate::domain::DoseError;
use crate::dosimetry::OrganDose;
use crate::report::dose_volume::of_histograms;
use crate::report::numbers::{DIGITS, DoseUnit, significant};
use crate::report::palette::SERIES;
use crate::report::{Axis, Figure, Mark, Series};

/// Width and height of a figure [pixels].
const FIGURE_SIZE: [u32; 2] = [620, 320];
/// Marks a figure that noise has moved.
const MOVED: &str = "*";
/// What stands for a figure that there is none of.
const NONE: &str = "–";

/// The table of organs.
pub(super) struct OrganTable {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Volumes without a dose, in words; empty: there are none.
    pub(super) not_counted: String,
}

impl OrganTable {
    pub(super) fn new(language: Language, organs: &[OrganDose]) -> Self {
        let largest = organs.iter().filter_map(|organ| organ.max_gy).fold(0.0, f64::max);
        let unit = DoseUnit::fitting(largest);
        let in_unit = |word: &str| format!("{word} ({unit})");
        let mut head = vec![
            language.word("organ").to_owned(),
            format!("{} (cm³)", language.word("volume")),
            format!("{} (g)", language.word("mass")),
            in_unit(language.word("mean_dose")),
            format!("{} (%)", language.word("sigma")),
        ];
        head.extend(["D98", "D95", "D50", "D2"].map(in_unit));
        head.push(in_unit(language.word("largest")));
        head.push(format!("{} (MBq·h)", language.word("tia")));
        let has_injected = organs.iter().any(|organ| organ.mean_by_mass_gy_per_injected_gbq.is_some());
        if has_injected {
            head.extend(["ã (h)".to_owned(), language.word("per_gbq").to_owned()]);
        }
        let rows = organs.iter().map(|organ| row(organ, unit, has_injected)).collect();
        let excluded = organs.iter().filter(|organ| organ.voxels_without_dose > 0);
        let excluded: Vec<String> = excluded
            .map(|organ| format!("{} {} cm³", organ.name, significant(organ.excluded_volume_cm3, DIGITS)))
            .collect();
        let not_counted = if excluded.is_empty() {
            String::new()
        } else {
            format!("{}: {}", language.word("not_counted"), excluded.join(", "))
        };
        Self { head, rows, not_counted }
    }
}

fn row(organ: &OrganDose, unit: DoseUnit, has_injected: bool) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), |value| significant(value, DIGITS));
    let dose = |name: &str, gy: Option<f64>| {
        let mark = if organ.is_moved(name) { MOVED } else { "" };
        gy.map_or_else(|| NONE.to_owned(), |gy| format!("{}{mark}", unit.figure(gy)))
    };
    let sigma = organ.mean_by_mass_sigma_gy.zip(organ.mean_by_mass_gy).map(|(sigma, mean)| 100.0 * sigma / mean);
    let mut cells = vec![
        organ.name.clone(),
        number(Some(organ.volume_cm3)),
        number(Some(organ.mass_g)),
        dose("mean_by_mass_gy", organ.mean_by_mass_gy),
        number(sigma.filter(|percent| percent.is_finite())),
        dose("d98_gy", organ.d98_gy),
        dose("d95_gy", organ.d95_gy),
        dose("d50_gy", organ.d50_gy),
        dose("d2_gy", organ.d2_gy),
        dose("max_gy", organ.max_gy),
        number(Some(organ.time_integrated_activity_mbq_h)),
    ];
    if has_injected {
        let per_injected = [organ.time_integrated_activity_coefficient_h, organ.mean_by_mass_gy_per_injected_gbq];
        cells.extend(per_injected.map(number));
    }
    cells
}

/// The histograms, no more in a figure than there are colours.
pub(super) fn histogram_figures(language: Language, organs: &ReportOrgans) -> Vec<Result<String, DoseError>> {
    let both = organs.doses.iter().zip(organs.histograms);
    let known: Vec<_> = both.filter_map(|(organ, histogram)| Some((organ.name.clone(), histogram.clone()?))).collect();
    let labels = [language.word("axis_dose"), language.word("axis_volume")];
    known.chunks(SERIES.len()).map(|curves| of_histograms(curves, labels).svg(FIGURE_SIZE)).collect()
}

/// The curve of one region.
pub(super) struct CurveSection {
    pub(super) name: String,
    pub(super) facts: Vec<Fact>,
    pub(super) figure: Option<String>,
    /// Time, measured, fitted and residual.
    pub(super) rows: Vec<[String; 4]>,
}

pub(super) fn curves(language: Language, curves: Option<&Curves>) -> Result<Vec<CurveSection>, DoseError> {
    let regions = curves.iter().flat_map(|curves| &curves.regions);
    regions.map(|(name, curve)| curve_section(language, name, curve)).collect()
}

fn curve_section(language: Language, name: &str, curve: &Curve) -> Result<CurveSection, DoseError> {
    let number = |value: f64| significant(value, DIGITS);
    let sigma = curve.tia_sigma_mbq_h.map(|sigma| format!(" ± {}", number(sigma))).unwrap_or_default();
    let all = |hours: &Vec<f64>| hours.iter().map(|&hours| number(hours)).collect::<Vec<_>>().join(", ");
    let chi_square = curve.chi_square.zip(curve.degrees_of_freedom);
    let lines = [
        (language.word("model"), Some(curve.model.clone())),
        (language.word("integral"), curve.tia_mbq_h.map(|tia| format!("{}{sigma} MBq·h", number(tia)))),
        (language.word("half_lives"), curve.half_lives_h.as_ref().map(|hours| format!("{} h", all(hours)))),
        (language.word("chi_square"), chi_square.map(|(chi, freedom)| format!("{} ({freedom})", number(chi)))),
        (language.word("tail"), curve.fraction_after_last_point.map(|part| format!("{} %", number(100.0 * part)))),
        (language.word("flags"), (!curve.flags.is_empty()).then(|| curve.flags.join(", "))),
    ];
    let residuals = curve.residuals.as_deref().unwrap_or_default();
    let row = |point: &Residual| {
        let percent = 100.0 * (point.activity_mbq / point.fitted_mbq - 1.0);
        let residual = if percent.is_finite() { format!("{percent:+.2} %") } else { NONE.to_owned() };
        let [time, measured, fitted] = [point.time_h, point.activity_mbq, point.fitted_mbq].map(number);
        [time, measured, fitted, residual]
    };
    let figure = (!residuals.is_empty()).then(|| fit_figure(language, residuals).svg(FIGURE_SIZE));
    Ok(CurveSection {
        name: name.to_owned(),
        facts: lines.into_iter().filter_map(|(word, value)| Some((word.to_owned(), value?))).collect(),
        figure: figure.transpose()?,
        rows: residuals.iter().map(row).collect(),
    })
}

fn fit_figure(language: Language, residuals: &[Residual]) -> Figure {
    let axes = [Axis::linear(language.word("axis_time")), Axis::linear(language.word("axis_activity"))];
    let mut figure = Figure::new("", axes);
    let measured = residuals.iter().map(|point| [point.time_h, point.activity_mbq, 0.0]);
    let fitted = residuals.iter().map(|point| [point.time_h, point.fitted_mbq]);
    figure.series = vec![
        Series::points(language.word("measured"), measured),
        Series::exact(language.word("fitted"), Mark::Dashes, fitted),
    ];
    figure
}

/// The budget of one region.
pub(super) struct BudgetSection {
    pub(super) name: String,
    /// Part, σ and source.
    pub(super) rows: Vec<[String; 3]>,
    pub(super) total: String,
    pub(super) bound: &'static str,
}

pub(super) fn budgets(language: Language, budgets: Option<&Budgets>) -> Vec<BudgetSection> {
    let percent = |part: f64| format!("{} %", significant(100.0 * part, DIGITS));
    let source = |name: &str| match name {
        "given" => language.word("given"),
        "computed" => language.word("computed"),
        _ => language.word("not_given"),
    };
    let line = |part: &Part| {
        let sigma = part.relative_sigma.map_or_else(|| NONE.to_owned(), percent);
        [part.name.clone(), sigma, source(&part.source).to_owned()]
    };
    let section = |budget: &Budget| BudgetSection {
        name: budget.region.clone(),
        rows: budget.parts.iter().map(line).collect(),
        total: percent(budget.dose_relative_sigma),
        bound: if budget.is_lower_bound { language.word("lower_bound") } else { "" },
    };
    budgets.iter().flat_map(|budgets| &budgets.regions).map(section).collect()
}
