//! A radionuclide: how it decays, and what it emits.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A radionuclide alone: its daughters are nuclides of their own.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(Default))]
pub struct Nuclide {
    /// Name in the form `Lu-177` or `Tc-99m`.
    pub name: String,
    /// Physical half-life [s].
    pub half_life_s: f64,
    /// Standard uncertainty of the half-life [s], where it is known.
    pub half_life_uncertainty_s: Option<f64>,
    /// Ways to decay.
    pub decays: Vec<DecayMode>,
    /// Branches of beta decay, positrons as well.
    pub betas: Vec<BetaBranch>,
    /// Levels that electron capture feeds.
    pub captures: Vec<Capture>,
    /// Particles of one energy.
    pub lines: Lines,
    /// Mean energy per decay, by what methods tell apart.
    pub mean_energy_mev: MeanEnergy,
    /// Mean energy per decay, by type of radiation.
    pub radiation_mev: RadiationEnergy,
    /// Where the figures come from.
    pub source: String,
    /// What was replaced in them, by what, and whence; a sentence each.
    pub corrections: Vec<String>,
}

/// A way to decay.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DecayMode {
    /// How.
    pub kind: DecayKind,
    /// What is left, in the form `Hf-177`.
    pub daughter: String,
    /// Part of the decays, up to 1.
    pub branching: f64,
    /// Energy released between ground states; of an isomer from its level [MeV].
    pub q_mev: f64,
    /// Half-life of a daughter that decays but is not known as a nuclide [s].
    pub daughter_half_life_s: Option<f64>,
}

/// How a nuclide decays.
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
    /// The same as the evaluation has it, where it does [MeV].
    pub evaluated_mean_mev: Option<f64>,
    /// Particles per decay.
    pub intensity: f64,
    /// Change of spin and parity.
    pub transition: Transition,
    /// Level of the daughter that is fed [MeV].
    pub level_mev: f64,
}

/// How far spin and parity forbid a beta transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(into = "String")]
pub struct Transition {
    /// 0 for an allowed transition.
    pub order: u32,
    /// Whether a single nuclear matrix element decides, so that the shape of the spectrum is known.
    pub is_unique: bool,
}

impl Transition {
    /// Highest order that is known in nature.
    const MAX_ORDER: u32 = 4;
}

impl FromStr for Transition {
    type Err = Invalid;

    /// `allowed`, `1NU`, `1U`, `2NU` and so on.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let forbidden = |order: &str, is_unique| Some(Self { order: order.parse().ok()?, is_unique });
        let transition = match (text, text.strip_suffix("NU"), text.strip_suffix('U')) {
            ("allowed", ..) => Some(Self { order: 0, is_unique: false }),
            (_, Some(order), _) => forbidden(order, false),
            (_, None, Some(order)) => forbidden(order, true),
            _ => None,
        };
        let is_forbidden = |t: &Self| text == "allowed" || (1..=Self::MAX_ORDER).contains(&t.order);
        let known = "`allowed`, `1NU`, `1U` or of a higher order";
        transition.filter(is_forbidden).ok_or_else(|| Invalid::new(format!("`{text}` is not {known}")))
    }
}

impl From<Transition> for String {
    fn from(transition: Transition) -> Self {
        transition.to_string()
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { order: 0, .. } => f.write_str("allowed"),
            Self { order, is_unique: true } => write!(f, "{order}U"),
            Self { order, is_unique: false } => write!(f, "{order}NU"),
        }
    }
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
    /// Part from the K shell.
    #[serde(default)]
    pub k: f64,
    /// Part from the L shells.
    #[serde(default)]
    pub l: f64,
}

/// Particles of one energy.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct Line {
    /// Energy of each [MeV].
    pub energy_mev: f64,
    /// Particles per decay.
    pub intensity: f64,
}

impl From<(f64, f64)> for Line {
    fn from((energy_mev, intensity): (f64, f64)) -> Self {
        Self { energy_mev, intensity }
    }
}

impl From<Line> for (f64, f64) {
    fn from(Line { energy_mev, intensity }: Line) -> Self {
        (energy_mev, intensity)
    }
}

/// All lines, by kind.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lines {
    /// Gamma rays.
    pub gamma: Vec<Line>,
    /// X rays.
    pub x_ray: Vec<Line>,
    /// Conversion electrons.
    pub conversion: Vec<Line>,
    /// Auger and Coster-Kronig electrons.
    pub auger: Vec<Line>,
    /// Alpha particles.
    pub alpha: Vec<Line>,
}

impl Lines {
    /// Each kind by its name in files.
    pub fn by_kind(&self) -> [(&'static str, &[Line]); 5] {
        [
            ("gamma", &self.gamma),
            ("x_ray", &self.x_ray),
            ("conversion", &self.conversion),
            ("auger", &self.auger),
            ("alpha", &self.alpha),
        ]
    }
}

/// Mean energy per decay, by what methods tell apart [MeV].
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct MeanEnergy {
    /// Beta particles and positrons (kinetic), conversion and Auger electrons, relaxation.
    pub electron: f64,
    /// Gamma and X rays, and the photons of positrons that annihilate.
    pub photon: f64,
    /// Alpha particles.
    pub alpha: f64,
    /// Nuclei that an alpha particle left.
    pub recoil: f64,
}

impl MeanEnergy {
    /// All that is emitted [MeV per decay].
    pub fn total(&self) -> f64 {
        self.charged() + self.photon
    }

    /// What charged particles carry [MeV per decay].
    pub fn charged(&self) -> f64 {
        self.electron + self.alpha + self.recoil
    }
}

/// Mean energy per decay, by type of radiation [MeV].
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct RadiationEnergy {
    /// Beta particles.
    pub beta: f64,
    /// Kinetic energy of positrons.
    pub positron: f64,
    /// Conversion electrons.
    pub conversion: f64,
    /// Auger and Coster-Kronig electrons.
    pub auger: f64,
    /// What atoms give off below 1 keV and is not listed otherwise.
    pub relaxation: f64,
    /// Gamma rays.
    pub gamma: f64,
    /// X rays.
    pub x_ray: f64,
    /// Photons of positrons that annihilate at rest.
    pub annihilation: f64,
    /// Alpha particles.
    pub alpha: f64,
    /// Nuclei that an alpha particle left.
    pub recoil: f64,
}

impl From<RadiationEnergy> for MeanEnergy {
    fn from(by_type: RadiationEnergy) -> Self {
        let RadiationEnergy {
            beta,
            positron,
            conversion,
            auger,
            relaxation,
            gamma,
            x_ray,
            annihilation,
            alpha,
            recoil,
        } = by_type;
        Self {
            electron: beta + positron + conversion + auger + relaxation,
            photon: gamma + x_ray + annihilation,
            alpha,
            recoil,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_written_as_they_are_read() {
        for text in ["allowed", "1NU", "1U", "2NU", "4U"] {
            assert_eq!(text.parse::<Transition>().expect("a transition").to_string(), text);
        }
        for text in ["", "0U", "U", "NU", "1nu", "allowed?", "9U", "-1U", "1NUU"] {
            assert!(text.parse::<Transition>().is_err(), "{text}");
        }
    }

    #[test]
    fn means_add_up() {
        let by_type = RadiationEnergy {
            beta: 1.0,
            positron: 2.0,
            gamma: 4.0,
            annihilation: 8.0,
            recoil: 16.0,
            ..Default::default()
        };
        let mean = MeanEnergy::from(by_type);
        assert_eq!((mean.electron, mean.photon, mean.charged(), mean.total()), (3.0, 12.0, 19.0, 31.0));
    }
}
