//! α/β and repair of organs, by name.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::clinic::Curve;
use crate::domain::{Checks, words};
use crate::formats::toml_file;
use crate::intake::bed::{BedPlan, CyclePlan, RegionPlan, RepairPlan, TermPlan, recorded, tissue};

/// A file of tissues.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tissue: Vec<TissuePlan>,
}

/// The tissue of an organ.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TissuePlan {
    organ: String,
    alpha_beta_gy: Option<f64>,
    repair_half_time_h: Option<f64>,
    repair: Option<Vec<RepairPlan>>,
}

/// Tissues by the name of their organ, of which case and blanks make no other.
#[derive(Clone, Debug, Default)]
pub(super) struct Tissues(BTreeMap<String, TissuePlan>);

/// What a BED is made from.
pub(super) enum Kinetics<'a> {
    /// The curve of the organ.
    Curve(&'a Curve),
    /// One effective half-life [h].
    HalfLife(f64),
}

/// BED of the mean dose of an organ.
pub(super) struct Found {
    pub(super) alpha_beta_gy: f64,
    pub(super) bed_gy: f64,
    pub(super) eqd2_gy: f64,
}

/// Reads tissues. Faults are recorded.
pub(super) fn read(path: &Path, checks: &mut Checks) -> Option<Tissues> {
    let file: File = checks.at("tissues", toml_file::read(path))?;
    let mut all = BTreeMap::new();
    for plan in file.tissue {
        let field = format!("tissues: {}", plan.organ);
        recorded(checks, &field, tissue(plan.alpha_beta_gy, plan.repair_half_time_h, plan.repair.as_deref()));
        if all.insert(words::same_name(&plan.organ), plan).is_some() {
            checks.fail(field, "is there twice");
        }
    }
    Some(Tissues(all))
}

impl Tissues {
    /// BED of an organ's mean dose; none without a tissue of its name, or where the model does not hold: alpha
    /// particles need an RBE, and the dose that is theirs.
    ///
    /// * `dose_gy` – [Gy]
    /// * `infusion_h` – how long the infusion took, 0 of an injection [h]
    pub(super) fn bed(
        &self,
        nuclide: &str,
        organ: &str,
        (dose_gy, infusion_h): (f64, f64),
        kinetics: &Kinetics,
    ) -> Option<Found> {
        let tissue = self.0.get(&words::same_name(organ))?;
        let term = |[amplitude, rate_per_h]: [f64; 2]| TermPlan { amplitude_gy_per_h: amplitude, rate_per_h };
        let cycle = CyclePlan { dose_gy: Some(dose_gy), infusion_h, ..CyclePlan::default() };
        let cycle = match kinetics {
            Kinetics::HalfLife(hours) => CyclePlan { effective_half_life_h: Some(*hours), ..cycle },
            Kinetics::Curve(curve) => {
                CyclePlan { dose_rate_terms: Some(curve.terms().into_iter().map(term).collect()), ..cycle }
            }
        };
        let region = RegionPlan {
            name: organ.to_owned(),
            alpha_beta_gy: tissue.alpha_beta_gy,
            repair_half_time_h: tissue.repair_half_time_h,
            repair: tissue.repair.clone(),
            cycle: vec![cycle],
            ..RegionPlan::default()
        };
        let plan = BedPlan { nuclide: nuclide.to_owned(), region: vec![region], ..BedPlan::default() };
        let found = plan.check(None, &mut Checks::new())?.results();
        let found = found.first()?;
        Some(Found { alpha_beta_gy: found.alpha_beta_gy, bed_gy: found.bed_gy, eqd2_gy: found.eqd2_gy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::Shape;

    #[test]
    fn a_curve_and_its_half_life_give_the_closed_form() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.toml");
        let text = "[[tissue]]\norgan = 'kidneys'\nalpha_beta_gy = 2.6\nrepair_half_time_h = 2.8\n";
        std::fs::write(&path, text).expect("written");
        let tissues = read(&path, &mut Checks::new()).expect("tissues");
        let right = 5.0 + 2.8 / 52.8 * 25.0 / 2.6;
        let curve = Curve::new(Shape::Mono, vec![70.0, std::f64::consts::LN_2 / 50.0]).expect("a curve");
        for kinetics in [Kinetics::HalfLife(50.0), Kinetics::Curve(&curve)] {
            let of = |infusion_h: f64| tissues.bed("Lu-177", "kidneys", (5.0, infusion_h), &kinetics).expect("a BED");
            assert!((of(0.0).bed_gy / right - 1.0).abs() < 1e-12, "{}", of(0.0).bed_gy);
            // More is repaired as it goes in slowly; of a minute nothing is seen.
            let [minute, day] = [1.0 / 60.0, 24.0].map(|hours| of(hours).bed_gy);
            assert!((minute / right - 1.0).abs() < 1e-4 && day < 0.995 * right && day > 5.0, "{minute} {day} {right}");
        }
        assert!(tissues.bed("Lu-177", " Kidneys", (5.0, 0.0), &Kinetics::HalfLife(50.0)).is_some());
        assert!(tissues.bed("Lu-177", "liver", (5.0, 0.0), &Kinetics::HalfLife(50.0)).is_none());
        assert!(tissues.bed("Ac-225", "kidneys", (5.0, 0.0), &Kinetics::HalfLife(50.0)).is_none());
        std::fs::write(&path, format!("{text}{text}[[tissue]]\norgan = 'x'\n")).expect("written");
        let mut checks = Checks::new();
        read(&path, &mut checks);
        let fields: Vec<String> = checks.into_violations().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["tissues: kidneys", "tissues: x.alpha_beta_gy", "tissues: x.repair"]);
    }
}
