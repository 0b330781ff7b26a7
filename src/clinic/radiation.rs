//! Which radiation a BED is of. The linear-quadratic model with its Lea-Catcheside factor is one of sparsely ionising
//! radiation. Damage by alpha particles is not repaired in that way: no such factor is invented for them.

use super::dose_rate::above_0;
use crate::domain::daughters::LONGEST_IN_EQUILIBRIUM;
use crate::domain::nuclide::DecayKind;
use crate::domain::{Invalid, Nuclide};
use crate::physics::chain;

/// What made the dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radiation {
    /// Electrons and photons.
    LowLet,
    /// Alpha particles alone; each gray counts so many times. Their BED is that product: no part of it is repaired.
    Alpha {
        /// Relative biological effectiveness, the caller's; above 0.
        rbe: f64,
    },
    /// Both, which the caller asked for by name: the BED of the electrons and photons, and that of the alpha particles,
    /// added as if they did not act on each other.
    Mixed {
        /// Relative biological effectiveness of the alpha particles, the caller's; above 0.
        rbe: f64,
    },
}

impl Radiation {
    /// The radiation of what a caller says.
    ///
    /// * `nuclide` – that decays
    /// * `rbe` – of alpha particles; none if it was not given
    /// * `mixed` – whether a BED of mixed fields was asked for by name
    ///
    /// # Errors
    /// If alpha particles are emitted, by the nuclide or by what forms of it, and there is no RBE.
    pub fn of(nuclide: &'static Nuclide, rbe: Option<f64>, mixed: bool) -> Result<Self, Invalid> {
        let rbe = rbe.map(above_0).transpose().map_err(|Invalid(reason)| Invalid::new(format!("RBE {reason}")))?;
        match (emits_alphas(nuclide), rbe, mixed) {
            (None, None, false) => Ok(Self::LowLet),
            (None, _, _) => Err(Invalid::new(format!(
                "{} emits no alpha particles: leave out the RBE, and do not ask for a mixed field",
                nuclide.name
            ))),
            (Some(emitter), None, _) => Err(Invalid::new(format!(
                "{emitter} emits alpha particles, whose dose has no BED without an RBE: give the RBE of this tissue, \
                 and the dose of the alpha particles by itself"
            ))),
            (Some(_), Some(rbe), false) => Ok(Self::Alpha { rbe }),
            (Some(_), Some(rbe), true) => Ok(Self::Mixed { rbe }),
        }
    }

    /// BED of a dose of alpha particles, RBE times the dose [Gy]; none where there are none.
    ///
    /// * `dose_gy` – absorbed dose of the alpha particles [Gy]
    pub fn alpha_bed_gy(self, dose_gy: f64) -> Option<f64> {
        match self {
            Self::LowLet => None,
            Self::Alpha { rbe } | Self::Mixed { rbe } => Some(rbe * dose_gy),
        }
    }
}

/// The first nuclide that emits alpha particles, among a nuclide and what is in equilibrium with it.
pub fn emits_alphas(nuclide: &'static Nuclide) -> Option<&'static str> {
    let longest_s = LONGEST_IN_EQUILIBRIUM * nuclide.half_life_s;
    let members = chain::nuclides(nuclide, |daughter| daughter.half_life_s <= longest_s);
    let emits = |member: &&'static Nuclide| member.decays.iter().any(|decay| decay.kind == DecayKind::Alpha);
    members.into_iter().find(emits).map(|member| member.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::nuclide::find;

    #[test]
    fn alphas_need_an_rbe_and_mixed_fields_their_name() {
        let [lutetium, actinium, lead] = ["Lu-177", "Ac-225", "Pb-212"].map(|name| find(name).expect("known"));
        assert_eq!(Radiation::of(lutetium, None, false), Ok(Radiation::LowLet));
        assert!(Radiation::of(lutetium, Some(5.0), false).is_err() && Radiation::of(lutetium, None, true).is_err());
        for emitter in [actinium, lead] {
            assert!(Radiation::of(emitter, None, false).is_err() && Radiation::of(emitter, None, true).is_err());
            assert!(Radiation::of(emitter, Some(0.0), false).is_err());
            assert_eq!(Radiation::of(emitter, Some(5.0), false), Ok(Radiation::Alpha { rbe: 5.0 }));
            assert_eq!(Radiation::of(emitter, Some(5.0), true), Ok(Radiation::Mixed { rbe: 5.0 }));
        }
        // Lead-212 emits electrons only; what forms of it emits the alpha particles.
        assert_eq!(emits_alphas(lead), Some("Bi-212"));
        assert_eq!(Radiation::Alpha { rbe: 5.0 }.alpha_bed_gy(0.4), Some(2.0));
        assert_eq!(Radiation::LowLet.alpha_bed_gy(0.4), None);
    }
}
