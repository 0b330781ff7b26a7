//! A radionuclide: its decay and its emissions.

mod mean_energy;
mod transition;

pub use mean_energy::{MeanEnergy, RadiationEnergy};
pub use transition::Transition;

/// A radionuclide without its daughters, which are nuclides of their own.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(Default))]
pub struct Nuclide {
    /// Name in the form `Lu-177` or `Tc-99m`.
    pub name: String,
    /// Physical half-life [s].
    pub half_life_s: f64,
    /// Standard uncertainty of the half-life [s], if it is known.
    pub half_life_uncertainty_s: Option<f64>,
    /// Decay modes.
    pub decays: Vec<DecayMode>,
    /// Branches of beta decay, positron emission included.
    pub betas: Vec<BetaBranch>,
    /// Levels fed by electron capture.
    pub captures: Vec<Capture>,
    /// Particles of one energy.
    pub lines: EmissionLines,
    /// Mean energy per decay, by the groups of radiation that methods distinguish.
    pub mean_energy_mev: MeanEnergy,
    /// Mean energy per decay, by type of radiation.
    pub radiation_mev: RadiationEnergy,
    /// Source of the data.
    pub source: String,
    /// What was replaced in them, by what, and from which source; one sentence each.
    pub corrections: Vec<String>,
}

/// A decay mode.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DecayMode {
    /// Kind of decay.
    pub kind: DecayKind,
    /// Daughter nuclide, in the form `Hf-177`.
    pub daughter: String,
    /// Fraction of the decays, up to 1.
    pub branching: f64,
    /// Energy released, from the ground state, or from the level of an isomer, to the ground state of the daughter
    /// [MeV].
    pub q_mev: f64,
    /// Half-life of a radioactive daughter whose emissions are not known here [s].
    pub daughter_half_life_s: Option<f64>,
}

/// Kind of decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum DecayKind {
    /// An electron and an antineutrino leave.
    #[serde(rename = "beta-")]
    BetaMinus,
    /// A positron and a neutrino leave, or an electron is captured and a neutrino leaves.
    #[serde(rename = "beta+/ec")]
    BetaPlusOrCapture,
    /// An alpha particle leaves.
    #[serde(rename = "alpha")]
    Alpha,
    /// An isomer goes to a lower level.
    #[serde(rename = "it")]
    IsomericTransition,
}

impl DecayKind {
    /// Name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::BetaMinus => "beta-",
            Self::BetaPlusOrCapture => "beta+/ec",
            Self::Alpha => "alpha",
            Self::IsomericTransition => "it",
        }
    }
}

/// Charge of a beta particle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum BetaSign {
    /// Electrons.
    #[serde(rename = "beta-")]
    Minus,
    /// Positrons.
    #[serde(rename = "beta+")]
    Plus,
}

impl BetaSign {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minus, Self::Plus];

    /// Name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minus => "beta-",
            Self::Plus => "beta+",
        }
    }
}

/// One branch of beta decay.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct BetaBranch {
    /// Electrons or positrons.
    pub sign: BetaSign,
    /// Highest kinetic energy [MeV].
    pub endpoint_mev: f64,
    /// Mean kinetic energy of the computed spectrum [MeV].
    pub mean_mev: f64,
    /// The same as stated by the evaluation, if it is [MeV].
    pub evaluated_mean_mev: Option<f64>,
    /// Particles per decay.
    pub intensity: f64,
    /// Change of spin and parity.
    pub transition: Transition,
    /// Level of the daughter that is fed [MeV].
    pub level_mev: f64,
}

/// Electron capture to one level.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Level of the daughter that is fed [MeV].
    pub level_mev: f64,
    /// Energy of the transition [MeV].
    pub q_mev: f64,
    /// Captures per decay.
    pub intensity: f64,
    /// Fraction from the K shell.
    #[serde(default)]
    pub k: f64,
    /// Fraction from the L shells.
    #[serde(default)]
    pub l: f64,
}

/// Particles of one energy.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct EmissionLine {
    /// Energy of each [MeV].
    pub energy_mev: f64,
    /// Particles per decay.
    pub intensity: f64,
}

impl From<(f64, f64)> for EmissionLine {
    fn from((energy_mev, intensity): (f64, f64)) -> Self {
        Self { energy_mev, intensity }
    }
}

impl From<EmissionLine> for (f64, f64) {
    fn from(EmissionLine { energy_mev, intensity }: EmissionLine) -> Self {
        (energy_mev, intensity)
    }
}

/// All lines, by kind.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmissionLines {
    /// Gamma rays.
    pub gamma: Vec<EmissionLine>,
    /// X rays.
    pub x_ray: Vec<EmissionLine>,
    /// Conversion electrons.
    pub conversion: Vec<EmissionLine>,
    /// Auger and Coster-Kronig electrons.
    pub auger: Vec<EmissionLine>,
    /// Alpha particles.
    pub alpha: Vec<EmissionLine>,
}

impl EmissionLines {
    /// Each kind by its name in files.
    pub fn by_kind(&self) -> [(&'static str, &[EmissionLine]); 5] {
        [
            ("gamma", &self.gamma),
            ("x_ray", &self.x_ray),
            ("conversion", &self.conversion),
            ("auger", &self.auger),
            ("alpha", &self.alpha),
        ]
    }
}
