//! One nuclide in detail, as text and as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::domain::Nuclide;
use crate::domain::nuclide::{DecayMode, EmissionLine, RadiationEnergy};
use crate::physics::chain::{Descendant, descendants};
use crate::physics::nuclide::{BetaRange, beta_ranges, data_sha256};

/// Most lines of a kind that are shown as text; JSON has all.
const MOST_LINES: usize = 12;
/// Most beta branches that are shown as text.
const MOST_BRANCHES: usize = 12;

/// Units of time, the longest first: seconds and name.
const TIMES: [(f64, &str); 7] =
    [(365.25 * 86_400.0, "a"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];

/// A nuclide with its decay chain and ranges.
#[derive(Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    nuclide: &'static Nuclide,
    /// Its decay chain.
    chain: Vec<Descendant>,
    /// CSDA ranges of its beta particles in water.
    beta_csda_ranges: Vec<BetaRange>,
    data_sha256: &'static str,
}

impl Detail {
    pub(super) fn new(nuclide: &'static Nuclide) -> Self {
        let (chain, beta_csda_ranges) = (descendants(nuclide), beta_ranges(nuclide));
        Self { nuclide, chain, beta_csda_ranges, data_sha256: data_sha256(nuclide) }
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let nuclide = self.nuclide;
        let sections = [
            head(nuclide),
            chain(&self.chain),
            betas(nuclide),
            ranges(&self.beta_csda_ranges),
            lines(nuclide),
            means(nuclide),
            origin(nuclide, self.data_sha256),
        ];
        let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
        sections.join("\n")
    }
}

/// A decay mode in a few words.
pub(super) fn decay(decay: &DecayMode) -> String {
    format!("{} {} → {}", decay.kind.name(), percent(decay.branching), decay.daughter)
}

/// A time in the unit that suits it.
pub(super) fn duration(seconds: f64) -> String {
    let (unit_s, unit) = unit_of(seconds);
    format!("{} {unit}", digits(seconds / unit_s))
}

fn unit_of(seconds: f64) -> (f64, &'static str) {
    // Days and years are used from three up: 64 h reads better than 2.67 d.
    let least = |unit: &str| if matches!(unit, "d" | "a") { 3.0 } else { 1.0 };
    TIMES.into_iter().find(|(unit_s, unit)| seconds >= least(unit) * unit_s).unwrap_or((1e-9, "ns"))
}

/// Five significant digits.
fn digits(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
    let places = (4.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn percent(part: f64) -> String {
    format!("{} %", digits(part * 100.0))
}

/// Rows under a title.
fn section(title: &str, rows: impl IntoIterator<Item = String>) -> String {
    let rows: String = rows.into_iter().map(|row| format!("  {row}\n")).collect();
    if rows.is_empty() { rows } else { format!("{title}\n{rows}") }
}

fn head(nuclide: &Nuclide) -> String {
    let (unit_s, unit) = unit_of(nuclide.half_life_s);
    let uncertainty = nuclide.half_life_uncertainty_s.map(|s| format!(" ± {:.1e}", s / unit_s)).unwrap_or_default();
    let half_life = format!("{}{uncertainty} {unit} ({} s)", digits(nuclide.half_life_s / unit_s), nuclide.half_life_s);
    let mut text = format!("{}\nhalf-life  {half_life}\n", nuclide.name);
    for mode in &nuclide.decays {
        let q_mev = mode.q_mev;
        writeln!(text, "decay      {}, Q {q_mev:.4} MeV", decay(mode)).expect("a string takes all text");
    }
    text
}

fn chain(chain: &[Descendant]) -> String {
    let row = |Descendant { name, per_decay, half_life_s, is_known }: &Descendant| {
        let half_life = half_life_s.map_or("stable".to_owned(), duration);
        let unknown = if *is_known || half_life_s.is_none() { "" } else { "  emissions not known here" };
        format!("{name:<8} {:>12}  {half_life}{unknown}", digits(*per_decay))
    };
    section("decay chain, per decay", chain.iter().map(row))
}

fn betas(nuclide: &Nuclide) -> String {
    let mut betas = nuclide.betas.clone();
    betas.sort_by(|a, b| b.intensity.total_cmp(&a.intensity));
    let row = |beta: &crate::domain::nuclide::BetaBranch| {
        let evaluated = beta.evaluated_mean_mev.map_or("-".to_owned(), |mev| format!("{mev:.5}"));
        format!(
            "{:<6} {:>9.5} {:>9.5} {evaluated:>10} {:>12}  {:<8} {:.5}",
            beta.sign.name(),
            beta.endpoint_mev,
            beta.mean_mev,
            percent(beta.intensity),
            beta.transition.to_string(),
            beta.level_mev
        )
    };
    let title = format!(
        "beta branches\n  {:<6} {:>9} {:>9} {:>10} {:>12}  {:<8} level MeV",
        "", "end MeV", "mean MeV", "evaluated", "intensity", "kind"
    );
    section(&title, betas.iter().take(MOST_BRANCHES).map(row).chain(more(betas.len(), MOST_BRANCHES)))
}

fn more(count: usize, shown: usize) -> Option<String> {
    (count > shown).then(|| format!("and {} weaker ones; --json has all", count - shown))
}

fn ranges(ranges: &[BetaRange]) -> String {
    let row = |range: &BetaRange| {
        let BetaRange { sign, mean_mev, mean_range_mm, max_mev, max_range_mm } = range;
        format!(
            "{:<6} {mean_range_mm:.3} mm at the mean energy, {mean_mev:.5} MeV; {max_range_mm:.3} mm at the highest, \
             {max_mev:.5} MeV",
            sign.name()
        )
    };
    section("CSDA ranges in water", ranges.iter().map(row))
}

fn lines(nuclide: &Nuclide) -> String {
    let names = ["gamma rays", "X rays", "conversion electrons", "Auger electrons", "alpha particles"];
    let sections = names.iter().zip(nuclide.lines.by_kind()).map(|(name, (_, lines))| {
        let mut lines = lines.to_vec();
        lines.sort_by(|a, b| b.intensity.total_cmp(&a.intensity));
        let row = |EmissionLine { energy_mev, intensity }: &EmissionLine| {
            format!("{energy_mev:>9.6} MeV {:>12}", percent(*intensity))
        };
        section(name, lines.iter().take(MOST_LINES).map(row).chain(more(lines.len(), MOST_LINES)))
    });
    sections.filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

fn means(nuclide: &Nuclide) -> String {
    let RadiationEnergy { beta, positron, conversion, auger, relaxation, gamma, x_ray, annihilation, alpha, recoil } =
        nuclide.radiation_mev;
    let rows = [
        ("beta particles", beta),
        ("positrons", positron),
        ("conversion electrons", conversion),
        ("Auger electrons", auger),
        ("relaxation below 1 keV", relaxation),
        ("gamma rays", gamma),
        ("X rays", x_ray),
        ("annihilation photons", annihilation),
        ("alpha particles", alpha),
        ("recoils", recoil),
        ("all", nuclide.mean_energy_mev.total()),
    ];
    let row = |(name, mev): &(&str, f64)| format!("{name:<22} {mev:>10.6}");
    section("mean energy per decay, MeV", rows.iter().filter(|(_, mev)| *mev > 0.0).map(row))
}

fn origin(nuclide: &Nuclide, sha256: &str) -> String {
    let corrections: String = nuclide.corrections.iter().map(|sentence| format!("corrected  {sentence}\n")).collect();
    format!("source     {}\n{corrections}data       SHA-256 {sha256}\n", nuclide.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_suits_them() {
        for (seconds, text) in [
            (574_067.52, "6.6443 d"),
            (230_580.0, "64.05 h"),
            (3.7e-6, "3.7 µs"),
            (2.99e-7, "299 ns"),
            (0.145, "145 ms"),
            (60.0, "1 min"),
            (9.1e8, "28.836 a"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
