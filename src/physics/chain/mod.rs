//! Decay chains: which daughters decay where their parent did, how often, and what all of them emit.

mod bateman;

use std::f64::consts::LN_2;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::daughters::{Daughters, InGrowth, LONGEST_IN_EQUILIBRIUM};
use crate::domain::source::{LeftOut, LocalEnergy, Member};
use crate::domain::{Emission, EmissionSpectrum, Invalid, Nuclide, Source};
use crate::physics::nuclide::{self, data_sha256, emissions};
use bateman::{Stage, decays_within};

impl From<&'static Nuclide> for Source {
    fn from(nuclide: &'static Nuclide) -> Self {
        source(nuclide, Daughters::default(), &[]).expect("the default needs nothing that could be at fault")
    }
}

/// What decays in the map of a nuclide.
///
/// * `apart` – daughters that have a map of their own: they and all that comes after them decay there
///
/// # Errors
/// If a nuclide of `apart` is none of the daughters, or comes twice; if the time of integration is none.
pub fn source(nuclide: &'static Nuclide, daughters: Daughters, apart: &[&'static Nuclide]) -> Result<Source, Invalid> {
    daughters.check()?;
    check_apart(nuclide, apart)?;
    let chain = Chain::new(nuclide, daughters, apart);
    let members = chain.members(daughters);
    let spectrum = Arc::new(spectrum(&members));
    let local = members.iter().fold(LocalEnergy::default(), |sum, member| {
        let (mean, decays) = (member.nuclide.mean_energy_mev, member.decays_per_decay);
        LocalEnergy {
            alpha_mev: sum.alpha_mev + decays * mean.alpha,
            recoil_mev: sum.recoil_mev + decays * mean.recoil,
        }
    });
    let sha256 = sha256(&members);
    Ok(Source::of_members(members, daughters, spectrum, local, sha256).without(chain.left_out))
}

/// All that can come of a nuclide, itself first, each after all that it comes from.
pub fn descendants(nuclide: &'static Nuclide) -> Vec<&'static Nuclide> {
    let mut found = Vec::new();
    visit(nuclide, &|_| true, &mut found);
    found.reverse();
    found
}

/// Those nuclides that can come of another.
pub fn among_descendants(nuclide: &'static Nuclide, others: &[&'static Nuclide]) -> Vec<&'static Nuclide> {
    let after = &descendants(nuclide)[1..];
    others.iter().copied().filter(|other| after.iter().any(|known| std::ptr::eq(*known, *other))).collect()
}

/// Appends a nuclide after all that comes of it.
fn visit(nuclide: &'static Nuclide, follow: &dyn Fn(&'static Nuclide) -> bool, found: &mut Vec<&'static Nuclide>) {
    for daughter in known_daughters(nuclide).filter(|daughter| follow(daughter)) {
        if !found.iter().any(|known| std::ptr::eq(*known, daughter)) {
            visit(daughter, follow, found);
        }
    }
    found.push(nuclide);
}

fn known_daughters(nuclide: &'static Nuclide) -> impl Iterator<Item = &'static Nuclide> {
    nuclide.decays.iter().filter_map(|decay| nuclide::named(&decay.daughter))
}

fn check_apart(nuclide: &'static Nuclide, apart: &[&'static Nuclide]) -> Result<(), Invalid> {
    let descendants = descendants(nuclide);
    for (number, daughter) in apart.iter().enumerate() {
        let name = &daughter.name;
        if !descendants[1..].iter().any(|known| std::ptr::eq(*known, *daughter)) {
            return Err(Invalid::new(format!("{name} is not a daughter of {}", nuclide.name)));
        }
        if apart[..number].iter().any(|other| std::ptr::eq(*other, *daughter)) {
            return Err(Invalid::new(format!("{name} has more than one map")));
        }
    }
    Ok(())
}

/// The nuclides that decay in one map, each after all that it comes from.
struct Chain {
    nuclides: Vec<&'static Nuclide>,
    left_out: Vec<LeftOut>,
}

impl Chain {
    fn new(nuclide: &'static Nuclide, daughters: Daughters, apart: &[&'static Nuclide]) -> Self {
        let is_apart = |daughter: &Nuclide| apart.iter().any(|other| std::ptr::eq(*other, daughter));
        let longest_s = match daughters {
            Daughters::ParentOnly => return Self { nuclides: vec![nuclide], left_out: Vec::new() },
            Daughters::Equilibrium => LONGEST_IN_EQUILIBRIUM * nuclide.half_life_s,
            Daughters::InGrowth(_) => f64::INFINITY,
        };
        let follow = |daughter: &'static Nuclide| daughter.half_life_s <= longest_s && !is_apart(daughter);
        let mut nuclides = Vec::new();
        visit(nuclide, &follow, &mut nuclides);
        nuclides.reverse();
        let mut left_out: Vec<LeftOut> = Vec::new();
        for decay in nuclides.iter().flat_map(|member| &member.decays) {
            let half_life_s = match nuclide::named(&decay.daughter) {
                Some(daughter) if follow(daughter) || is_apart(daughter) => continue,
                Some(daughter) => daughter.half_life_s,
                None => match decay.daughter_half_life_s {
                    Some(half_life_s) => half_life_s,
                    None => continue,
                },
            };
            if !left_out.iter().any(|known| known.name == decay.daughter) {
                left_out.push(LeftOut { name: decay.daughter.clone(), half_life_s });
            }
        }
        Self { nuclides, left_out }
    }

    /// How often each decays per decay of the first.
    fn members(&self, daughters: Daughters) -> Vec<Member> {
        let parents: Vec<Vec<(usize, f64)>> = self.nuclides.iter().map(|nuclide| self.parents(nuclide)).collect();
        let decays = match daughters {
            Daughters::ParentOnly | Daughters::Equilibrium => in_the_end(&parents),
            Daughters::InGrowth(growth) => self.within(&growth, parents),
        };
        let member = |(&nuclide, decays): (&&'static Nuclide, f64)| Member { nuclide, decays_per_decay: decays };
        self.nuclides.iter().zip(decays).map(member).collect()
    }

    /// Members by whose decays a nuclide comes about, and their branching ratios.
    fn parents(&self, nuclide: &Nuclide) -> Vec<(usize, f64)> {
        let branching = |parent: &Nuclide| -> f64 {
            parent.decays.iter().filter(|decay| decay.daughter == nuclide.name).map(|decay| decay.branching).sum()
        };
        let ratios = self.nuclides.iter().enumerate().map(|(number, parent)| (number, branching(parent)));
        ratios.filter(|(_, branching)| *branching > 0.0).collect()
    }

    fn within(&self, growth: &InGrowth, parents: Vec<Vec<(usize, f64)>>) -> Vec<f64> {
        let stages: Vec<Stage> = self
            .nuclides
            .iter()
            .zip(parents)
            .enumerate()
            .map(|(number, (nuclide, parents))| {
                let decay_per_s = LN_2 / nuclide.half_life_s;
                let effective = growth.effective_half_life_s.filter(|_| number == 0);
                let loss_per_s = effective.map_or(decay_per_s, |half_life_s| decay_per_s.max(LN_2 / half_life_s));
                Stage { decay_per_s, loss_per_s, parents }
            })
            .collect();
        let decays = decays_within(&stages, growth.integration_time_s);
        decays.iter().map(|member| member / decays[0]).collect()
    }
}

/// How often each decays per decay of the first, once all has decayed.
fn in_the_end(parents: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let mut decays: Vec<f64> = Vec::with_capacity(parents.len());
    for feeding in parents {
        let fed = feeding.iter().map(|&(parent, branching)| decays[parent] * branching).sum();
        decays.push(if decays.is_empty() { 1.0 } else { fed });
    }
    decays
}

/// What all members emit per decay of the first.
fn spectrum(members: &[Member]) -> EmissionSpectrum {
    let scaled = |member: &Member| {
        let decays = member.decays_per_decay;
        let emissions = emissions(member.nuclide).emissions().iter();
        emissions.map(move |emission| Emission { yield_per_decay: emission.yield_per_decay * decays, ..*emission })
    };
    EmissionSpectrum::of_nuclides(members.iter().flat_map(scaled).collect())
}

/// Of the data of all members and of how often they decay.
fn sha256(members: &[Member]) -> String {
    if let [Member { nuclide, .. }] = members {
        return data_sha256(nuclide).to_owned();
    }
    let mut digest = Sha256::new();
    for Member { nuclide, decays_per_decay } in members {
        digest.update(data_sha256(nuclide));
        digest.update(decays_per_decay.to_le_bytes());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
