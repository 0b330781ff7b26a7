//! The file of a nuclide: its content and its checks.

use serde::Deserialize;

use super::names::Name;
use crate::domain::emission::MAX_EMISSION_MEV;
use crate::domain::nuclide::{BetaSign, Capture, DecayKind, DecayMode, EmissionLine, EmissionLines, Transition};
use crate::domain::{Checks, Invalid, Violation};

/// Tolerance for rounding in evaluations: how far the sum of the branchings may be from 1, and the beta particles of
/// one sign above their branching.
const ROUNDING: f64 = 0.01;
/// Largest number of particles of one line per decay: Auger electrons of the outer shells are emitted in cascades.
const MAX_INTENSITY: f64 = 20.0;

/// The file. Energies in MeV, intensities per decay of this nuclide.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) half_life_s: f64,
    pub(super) half_life_uncertainty_s: Option<f64>,
    pub(super) source: String,
    pub(super) corrections: Vec<String>,
    pub(super) relaxation_mev: f64,
    #[serde(rename = "decay", default)]
    pub(super) decays: Vec<Decay>,
    #[serde(rename = "beta", default)]
    pub(super) betas: Vec<Beta>,
    #[serde(rename = "capture", default)]
    pub(super) captures: Vec<Capture>,
    #[serde(default)]
    pub(super) lines: EmissionLines,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decay {
    mode: DecayKind,
    daughter: String,
    branching: f64,
    q_mev: f64,
    daughter_half_life_s: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Beta {
    pub(super) mode: BetaSign,
    pub(super) daughter_atomic_number: u32,
    pub(super) mass_number: u32,
    pub(super) endpoint_mev: f64,
    pub(super) intensity: f64,
    #[serde(deserialize_with = "transition")]
    pub(super) transition: Transition,
    pub(super) level_mev: f64,
    /// As the evaluation states it; 0 if it does not.
    pub(super) mean_mev: f64,
}

fn transition<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Transition, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl From<Decay> for DecayMode {
    fn from(decay: Decay) -> Self {
        let Decay { mode, daughter, branching, q_mev, daughter_half_life_s } = decay;
        Self { kind: mode, daughter, branching, q_mev, daughter_half_life_s }
    }
}

impl File {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If the file does not have this form; otherwise every fault in its figures.
    pub(super) fn read(text: &str) -> Result<Self, Vec<Violation>> {
        let unreadable = |error: toml::de::Error| Violation { field: "file".into(), reason: error.to_string() };
        let file: Self = toml::from_str(text).map_err(|error| vec![unreadable(error)])?;
        let mut checks = Checks::new();
        file.check_head(&mut checks);
        file.check_decays(&mut checks);
        file.check_betas(&mut checks);
        file.check_lines(&mut checks);
        if checks.is_empty() { Ok(file) } else { Err(checks.into_violations()) }
    }

    fn check_head(&self, checks: &mut Checks) {
        checks.at("name", canonical(&self.name));
        let above_0 = |value: f64| value > 0.0 && value.is_finite();
        if !above_0(self.half_life_s) {
            checks.fail("half_life_s", "must be above 0");
        }
        if self.half_life_uncertainty_s.is_some_and(|value| !above_0(value)) {
            checks.fail("half_life_uncertainty_s", "must be above 0");
        }
        if self.source.trim().is_empty() {
            checks.fail("source", "is missing");
        }
        if self.corrections.iter().any(|sentence| sentence.trim().is_empty()) {
            checks.fail("corrections", "has an empty one");
        }
        if !(0.0..=MAX_EMISSION_MEV).contains(&self.relaxation_mev) {
            checks.fail("relaxation_mev", "must be an energy from 0");
        }
    }

    fn check_decays(&self, checks: &mut Checks) {
        for (i, decay) in self.decays.iter().enumerate() {
            let field = |name: &str| format!("decay[{i}].{name}");
            checks.at(field("daughter"), canonical(&decay.daughter));
            if !is_part(decay.branching) {
                checks.fail(field("branching"), "must be above 0, at most 1");
            }
            if !is_energy(decay.q_mev) {
                checks.fail(field("q_mev"), format!("must be above 0, at most {MAX_EMISSION_MEV} MeV"));
            }
            if decay.daughter_half_life_s.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
                checks.fail(field("daughter_half_life_s"), "must be above 0");
            }
        }
        let sum: f64 = self.decays.iter().map(|decay| decay.branching).sum();
        if (sum - 1.0).abs() > ROUNDING {
            checks.fail("decay", format!("has branchings that sum to {sum}, not 1"));
        }
        for (i, capture) in self.captures.iter().enumerate() {
            let parts = [capture.k, capture.l, capture.k + capture.l];
            let is_good = is_part(capture.intensity) && capture.q_mev > 0.0 && capture.level_mev >= 0.0;
            if !(is_good && parts.iter().all(|part| (0.0..=1.0 + ROUNDING).contains(part))) {
                checks.fail(format!("capture[{i}]"), "needs an intensity and an energy above 0, and parts from 0 to 1");
            }
        }
    }

    fn check_betas(&self, checks: &mut Checks) {
        let mass_number = canonical(&self.name).ok().map(|name| name.mass_number);
        for (i, beta) in self.betas.iter().enumerate() {
            let field = |name: &str| format!("beta[{i}].{name}");
            if !is_energy(beta.endpoint_mev) {
                checks.fail(field("endpoint_mev"), format!("must be above 0, at most {MAX_EMISSION_MEV} MeV"));
            }
            if !(0.0..=beta.endpoint_mev).contains(&beta.mean_mev) {
                checks.fail(field("mean_mev"), "must lie between 0 and the endpoint");
            }
            if !is_part(beta.intensity) {
                checks.fail(field("intensity"), "must be above 0, at most 1");
            }
            if !(0.0..=MAX_EMISSION_MEV).contains(&beta.level_mev) {
                checks.fail(field("level_mev"), "must be an energy from 0");
            }
            if mass_number.is_some_and(|of_name| of_name != beta.mass_number) {
                checks.fail(field("mass_number"), "is not that of the nuclide");
            }
            if !(1..=beta.mass_number).contains(&beta.daughter_atomic_number) {
                checks.fail(field("daughter_atomic_number"), "must be from 1 to the mass number");
            }
            if self.betas.iter().any(|b| b.mode == beta.mode && b.daughter_atomic_number != beta.daughter_atomic_number)
            {
                checks.fail(field("daughter_atomic_number"), "differs from that of another branch of the same mode");
            }
        }
        for (sign, kind) in [(BetaSign::Minus, DecayKind::BetaMinus), (BetaSign::Plus, DecayKind::BetaPlusOrCapture)] {
            let betas: f64 = self.betas.iter().filter(|beta| beta.mode == sign).map(|beta| beta.intensity).sum();
            let decays: f64 = self.decays.iter().filter(|decay| decay.mode == kind).map(|decay| decay.branching).sum();
            if betas > decays + ROUNDING {
                checks.fail("beta", format!("has {betas} {} particles in {decays} such decays", sign.name()));
            }
        }
    }

    fn check_lines(&self, checks: &mut Checks) {
        for (kind, lines) in self.lines.by_kind() {
            for (i, EmissionLine { energy_mev, intensity }) in lines.iter().enumerate() {
                if !(is_energy(*energy_mev) && *intensity > 0.0 && *intensity <= MAX_INTENSITY) {
                    let reason = "must be an energy and an intensity above 0";
                    checks.fail(format!("lines.{kind}[{i}]"), format!("{reason}, got {energy_mev} and {intensity}"));
                }
            }
        }
    }
}

/// A name in the form used in files: `Lu-177`, `Tc-99m`.
fn canonical(text: &str) -> Result<Name, Invalid> {
    let name = Name::parse(text).filter(|name| name.to_string() == text);
    name.ok_or_else(|| Invalid::new(format!("`{text}` is not a name like Lu-177 or Tc-99m")))
}

fn is_part(value: f64) -> bool {
    value > 0.0 && value <= 1.0 + ROUNDING
}

fn is_energy(value: f64) -> bool {
    value > 0.0 && value <= MAX_EMISSION_MEV
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "Lu-177"
        half_life_s = 5.7e5
        source = "a test"
        corrections = []
        relaxation_mev = 0.0
        [[decay]]
        mode = "beta-"
        daughter = "Hf-177"
        branching = 1.0
        q_mev = 0.4968
        [[beta]]
        mode = "beta-"
        daughter_atomic_number = 72
        mass_number = 177
        endpoint_mev = 0.4968
        intensity = 1.0
        transition = "1NU"
        level_mev = 0.0
        mean_mev = 0.149
        [lines]
        gamma = [[0.113, 0.06]]
    "#;

    #[test]
    fn a_good_file_is_read() {
        let file = File::read(GOOD).expect("a good file");
        assert_eq!(file.lines.gamma, [EmissionLine { energy_mev: 0.113, intensity: 0.06 }]);
        assert_eq!(file.betas[0].transition.to_string(), "1NU");
    }

    #[test]
    fn every_fault_is_named() {
        let bad = GOOD
            .replace("5.7e5", "nan")
            .replace("\"Hf-177\"", "\"Hf177\"")
            .replace("branching = 1.0", "branching = 1.5")
            .replace("q_mev = 0.4968", "q_mev = -1.0")
            .replace("endpoint_mev = 0.4968", "endpoint_mev = 0.1")
            .replace("mass_number = 177", "mass_number = 90")
            .replace("[[0.113, 0.06]]", "[[0.113, 0.06], [-1.0, 0.1]]");
        let faults = File::read(&bad).expect_err("a bad file");
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        let expected = [
            "half_life_s",
            "decay[0].daughter",
            "decay[0].branching",
            "decay[0].q_mev",
            "decay",
            "beta[0].mean_mev",
            "beta[0].mass_number",
            "lines.gamma[1]",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (from, to) in [
            ("corrections = []", "corrections = []\ncolour = 1"),
            ("\"1NU\"", "\"1nu\""),
            ("mode = \"beta-\"", "mode = \"gamma\""),
            ("source = \"a test\"", ""),
            ("gamma =", "grama ="),
        ] {
            let faults = File::read(&GOOD.replacen(from, to, 1)).expect_err(to);
            assert!(faults.len() == 1, "{to}: {faults:?}");
        }
    }
}
