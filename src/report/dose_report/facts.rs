//! Lines of a name and a value.

use super::{Fact, Identification, Language};
use crate::domain::activity_account::activity_words;
use crate::domain::{ActivityAccount, DoseResult, HalfLifeKind, Provenance, SourceAccount};
use crate::report::numbers::{DIGITS, DoseUnit, significant};

/// Seconds in an hour.
const S_PER_H: f64 = 3600.0;
/// Bq·s in a MBq·h.
const BQ_S_PER_MBQ_H: f64 = 3.6e9;

/// Lines, of which some may be absent.
struct Facts(Language, Vec<Fact>);

impl Facts {
    fn add(&mut self, name: &'static str, value: impl Into<Option<String>>) {
        self.1.extend(value.into().filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)));
    }

    fn word(&self, key: &str) -> &'static str {
        self.0.word(key)
    }
}

/// Who it is of; nothing if nobody is named.
pub(super) fn patient(language: Language, who: &Identification) -> Vec<Fact> {
    let mut facts = Facts(language, Vec::new());
    facts.add(language.word("patient_name"), who.name.clone());
    facts.add(language.word("patient_id"), who.id.clone());
    facts.add(language.word("birth_date"), who.birth_date.clone());
    facts.add(language.word("study_date"), who.study_date.clone());
    facts.1
}

/// The activity, as a person recognises it.
pub(super) fn activity(language: Language, account: &ActivityAccount) -> Vec<Fact> {
    let mut facts = Facts(language, Vec::new());
    let hours = |seconds: f64| format!("{} h", significant(seconds / S_PER_H, DIGITS));
    facts.add(language.word("in_map"), account.at_imaging_bq.or(account.equivalent_bq).map(activity_words));
    facts.add(language.word("at_injection"), account.at_injection_bq.map(activity_words));
    facts.add(language.word("injected"), account.injected_bq.map(activity_words));
    facts.add(language.word("imaged_after"), account.imaged_after_s.map(hours));
    let kind = match account.half_life {
        Some(HalfLifeKind::Effective) => facts.word("half_life_effective"),
        Some(HalfLifeKind::Physical) => facts.word("half_life_physical"),
        None => "",
    };
    let half_life = account.half_life_s.map(|seconds| format!("{} ({kind})", hours(seconds)));
    facts.add(language.word("half_life"), half_life);
    let decays = account.decays_bq_s;
    facts.add(language.word("decays"), format!("{decays:.4e} ({:.4e} MBq·h)", decays / BQ_S_PER_MBQ_H));
    let coefficient = account.time_integrated_activity_coefficient_h;
    facts.add(language.word("coefficient"), coefficient.map(|hours| format!("{} h", significant(hours, DIGITS))));
    facts.1
}

/// How the dose was computed, and what came of it.
pub(super) fn method(language: Language, result: &DoseResult) -> Vec<Fact> {
    let Provenance { nuclide, method, density_correction, source, energy, monte_carlo, biological_weighting, .. } =
        &result.provenance;
    let mut facts = Facts(language, Vec::new());
    facts.add(language.word("nuclide"), nuclide.clone());
    facts.add(language.word("daughters"), daughters(source));
    let left_out: Vec<&str> = source.left_out.iter().map(|left| left.name.as_str()).collect();
    facts.add(language.word("left_out"), left_out.join(", "));
    facts.add(language.word("method_name"), method.clone());
    facts.add(language.word("correction"), density_correction.clone());
    if let Some(account) = monte_carlo {
        let stopped = format!("{} {}", facts.word("stopped_by"), account.stopped_by.name());
        facts.add(language.word("histories"), format!("{}, {stopped}", account.histories));
        let percent = |sigma: f64| format!("{} % ({})", significant(100.0 * sigma, DIGITS), account.sigma_region);
        facts.add(language.word("mean_sigma"), account.relative_sigma.map(percent));
    }
    let percent = |mev: f64| if energy.emitted_mev > 0.0 { 100.0 * mev / energy.emitted_mev } else { 0.0 };
    let (deposited, escaped) = (percent(energy.deposited_mev), percent(energy.escaped_mev));
    let (in_grid, outside) = (facts.word("deposited"), facts.word("escaped"));
    let balance = format!("{:.4e} MeV; {deposited:.2} % {in_grid}, {escaped:.2} % {outside}", energy.emitted_mev);
    facts.add(language.word("energy"), balance);
    let grid = result.dose.grid();
    let ([nx, ny, nz], [dx, dy, dz]) = (grid.shape(), grid.spacing_mm().map(|mm| significant(mm, DIGITS)));
    facts.add(language.word("grid"), format!("{nx} × {ny} × {nz}, {dx} × {dy} × {dz} mm"));
    let doses = result.dose.as_slice();
    let mean = doses.iter().map(|&gy| f64::from(gy)).sum::<f64>() / doses.len() as f64;
    let most = f64::from(doses.iter().copied().fold(0.0, f32::max));
    let [mean, most] = [mean, most].map(|gy| DoseUnit::fitting(gy).with_unit(gy));
    let whole = format!("{} {mean}, {} {most}", facts.word("mean"), facts.word("maximum"));
    facts.add(language.word("whole_grid"), whole);
    let weights = biological_weighting.map(|weights| format!("α × {}, recoil × {}", weights.alpha, weights.recoil));
    facts.add(language.word("weighting"), weights);
    facts.1
}

fn daughters(source: &SourceAccount) -> Option<String> {
    let (parent, daughters) = source.members.split_first()?;
    let each = daughters.iter().map(|member| format!("{} {:.4}", member.nuclide, member.decays_per_decay));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("{} / {}", each.join(", "), parent.nuclide))
}

/// What it takes to compute the dose again.
pub(super) fn provenance(language: Language, provenance: &Provenance) -> Vec<Fact> {
    let Provenance { version, commit, device, nuclide_data_sha256, kernel, monte_carlo, wall_time, .. } = provenance;
    let mut facts = Facts(language, Vec::new());
    let on = format!("{}: {} ({}, {})", device.id, device.name, device.backend, device.driver);
    facts.add(language.word("device"), on);
    facts.add(language.word("program"), format!("dosegrid {version}, {} {commit}", facts.word("commit")));
    facts.add(language.word("nuclide_data"), nuclide_data_sha256.clone());
    facts.add(language.word("kernel_data"), kernel.as_ref().map(|kernel| kernel.library_sha256.clone()));
    facts.add(language.word("scene"), monte_carlo.as_ref().map(|account| account.scene_sha256.clone()));
    let stages: Vec<String> = wall_time.iter().map(|time| format!("{} {:.2} s", time.stage, time.seconds)).collect();
    facts.add(language.word("wall_time"), stages.join(", "));
    facts.1
}
