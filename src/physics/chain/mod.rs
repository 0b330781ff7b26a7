//! Decay chains: which daughters decay where their parent decayed, how often, and what they emit together.
//!
//! * `descendants`: everything that a nuclide decays to.
//! * `members`: the nuclides that decay in one map.
//! * `bateman`: their decays within a given time.

mod bateman;
mod descendants;
mod members;

use std::sync::Arc;

use crate::digest::Digest;
use crate::domain::source::{LocalEnergy, Member};
use crate::domain::{Daughters, Emission, EmissionSpectrum, Invalid, Nuclide, Source};
use crate::physics::nuclide::{data_sha256, emissions};
use members::Chain;

pub use descendants::{Descendant, descendants, nuclides};

impl From<&'static Nuclide> for Source {
    fn from(nuclide: &'static Nuclide) -> Self {
        source(nuclide, Daughters::default(), &[]).expect("the default needs nothing that could be at fault")
    }
}

/// The source in the map of a nuclide: the nuclide and the daughters that decay with it.
///
/// * `apart` – daughters that have maps of their own; they and their descendants decay there
///
/// # Errors
/// If a nuclide of `apart` is not a daughter or is named twice, or if the integration time is invalid.
pub fn source(nuclide: &'static Nuclide, daughters: Daughters, apart: &[&'static Nuclide]) -> Result<Source, Invalid> {
    daughters.check()?;
    check_apart(nuclide, apart)?;
    let chain = Chain::new(nuclide, daughters, apart);
    let members = chain.members(daughters);
    let spectrum = Arc::new(spectrum(&members));
    let local = members.iter().fold(LocalEnergy::default(), |sum, (nuclide, decays)| {
        let mean = nuclide.mean_energy_mev;
        LocalEnergy {
            alpha_mev: sum.alpha_mev + decays * mean.alpha,
            recoil_mev: sum.recoil_mev + decays * mean.recoil,
        }
    });
    let sha256 = sha256(&members);
    let members = members.into_iter().map(|(nuclide, decays)| Member::of(nuclide, decays)).collect();
    Ok(Source::of_members(members, daughters, spectrum, local, sha256).without(chain.left_out))
}

/// Those of some nuclides that are descendants of another.
pub fn among_descendants(nuclide: &'static Nuclide, others: &[&'static Nuclide]) -> Vec<&'static Nuclide> {
    let after = &nuclides(nuclide, |_| true)[1..];
    others.iter().copied().filter(|other| after.iter().any(|known| std::ptr::eq(*known, *other))).collect()
}

fn check_apart(nuclide: &'static Nuclide, apart: &[&'static Nuclide]) -> Result<(), Invalid> {
    let chain = nuclides(nuclide, |_| true);
    for (number, daughter) in apart.iter().enumerate() {
        let name = &daughter.name;
        if !chain[1..].iter().any(|known| std::ptr::eq(*known, *daughter)) {
            return Err(Invalid::new(format!("{name} is not a daughter of {}", nuclide.name)));
        }
        if apart[..number].iter().any(|other| std::ptr::eq(*other, *daughter)) {
            return Err(Invalid::new(format!("{name} has more than one map")));
        }
    }
    Ok(())
}

/// Emissions of all members per decay of the first.
fn spectrum(members: &[(&'static Nuclide, f64)]) -> EmissionSpectrum {
    let scaled = |&(nuclide, decays): &(&'static Nuclide, f64)| {
        let emissions = emissions(nuclide).emissions().iter();
        emissions.map(move |emission| Emission { yield_per_decay: emission.yield_per_decay * decays, ..*emission })
    };
    let emissions = members.iter().flat_map(scaled).collect();
    EmissionSpectrum::or_nothing(emissions).expect("parts of good spectra, few enough")
}

/// Digest of the data of all members and of how often they decay.
fn sha256(members: &[(&'static Nuclide, f64)]) -> String {
    if let [(nuclide, _)] = members {
        return data_sha256(nuclide).to_owned();
    }
    let mut digest = Digest::new();
    for (nuclide, decays_per_decay) in members {
        digest.update(data_sha256(nuclide));
        digest.update(decays_per_decay.to_le_bytes());
    }
    digest.hex()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::domain::{InGrowth, LeftOutReason};
    use crate::physics::nuclide::{self, find};

    fn named(name: &str) -> &'static Nuclide {
        find(name).expect("a known nuclide")
    }

    fn decays(source: &Source) -> Vec<(&str, f64)> {
        source.members().iter().map(|member| (member.name.as_str(), member.decays_per_decay)).collect()
    }

    fn of(decays: &[(&str, f64)], name: &str) -> f64 {
        decays.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, decays)| *decays)
    }

    #[test]
    fn actinium_ends_in_bismuth_209() {
        let source = Source::from(named("Ac-225"));
        let found = decays(&source);
        assert_eq!(found[0], ("Ac-225", 1.0));
        for name in ["Fr-221", "At-217", "Bi-213", "Pb-209"] {
            assert!((of(&found, name) - 1.0).abs() < 1e-3, "{name}: {found:?}");
        }
        let (polonium, thallium) = (of(&found, "Po-213"), of(&found, "Tl-209"));
        assert!((0.975..0.982).contains(&polonium) && (0.019..0.023).contains(&thallium), "{found:?}");
        assert!((polonium + thallium - of(&found, "Bi-213")).abs() < 1e-3, "{found:?}");
        // Four alpha particles of 5.8 to 8.4 MeV.
        assert!((27.0..28.5).contains(&source.local().alpha_mev), "{:?}", source.local());
        assert!((0.45..0.60).contains(&source.local().recoil_mev), "{:?}", source.local());
        assert!(source.left_out().is_empty(), "{:?}", source.left_out());
    }

    #[test]
    fn what_lives_much_longer_is_left_out_and_named() {
        let source = Source::from(named("At-211"));
        assert_eq!(source.members().len(), 2);
        assert!((of(&decays(&source), "Po-211") - 0.582).abs() < 2e-3);
        assert!(source.left_out().iter().any(|left| left.name == "Bi-207" && left.half_life_s > 9e8));
        let technetium = Source::from(named("Tc-99m"));
        assert!(technetium.left_out().iter().any(|left| left.name == "Tc-99"), "{:?}", technetium.left_out());
    }

    #[test]
    fn a_noble_gas_that_lives_long_leaves_unless_it_is_to_stay() {
        let default = Source::from(named("I-131"));
        assert_eq!(decays(&default), [("I-131", 1.0)]);
        let left = &default.left_out()[0];
        assert_eq!((left.name.as_str(), left.reason), ("Xe-131m", LeftOutReason::NobleGas));
        let stays = source(named("I-131"), Daughters::EquilibriumWithGases, &[]).expect("a source");
        assert!((0.010..0.013).contains(&of(&decays(&stays), "Xe-131m")), "{:?}", decays(&stays));
        assert!(stays.left_out().is_empty(), "{:?}", stays.left_out());
        // The electrons of xenon, 0.0109 × 143.8 keV, are 0.8 % of those of iodine.
        let charged = stays.charged_mev() / default.charged_mev();
        assert!((1.007..1.009).contains(&charged), "{charged}");
    }

    #[test]
    fn radon_stays_in_the_chains_of_alpha_emitters() {
        for nuclide in nuclide::all() {
            let source = Source::from(nuclide);
            let gone = source.left_out().iter().filter(|left| left.reason == LeftOutReason::NobleGas);
            assert!(gone.clone().all(|left| left.name.starts_with("Xe-")), "{}", nuclide.name);
        }
        for (parent, radon) in [("Ra-223", "Rn-219"), ("Ra-224", "Rn-220"), ("Th-227", "Rn-219")] {
            assert!((of(&decays(&Source::from(named(parent))), radon) - 1.0).abs() < 1e-3, "{radon}");
        }
    }

    #[test]
    fn a_daughter_with_a_map_of_its_own_takes_all_that_follow_it() {
        let (actinium, bismuth) = (named("Ac-225"), named("Bi-213"));
        let stays = source(actinium, Daughters::Equilibrium, &[bismuth]).expect("a daughter");
        let moved = source(bismuth, Daughters::Equilibrium, &[]).expect("a source");
        let whole = Source::from(actinium);
        let names: Vec<&str> = decays(&stays).iter().map(|(name, _)| *name).collect();
        assert!(names.contains(&"At-217") && !names.contains(&"Bi-213") && !names.contains(&"Tl-209"), "{names:?}");
        // Some polonium-213 forms without bismuth-213: from the beta decay of astatine-217.
        assert!((1e-5..1e-3).contains(&of(&decays(&stays), "Po-213")), "{:?}", decays(&stays));
        let bismuth_decays = of(&decays(&whole), "Bi-213");
        let sum = stays.released_mev() + bismuth_decays * moved.released_mev();
        assert!((sum / whole.released_mev() - 1.0).abs() < 1e-3, "{sum} {}", whole.released_mev());
        for (apart, fault) in [
            (vec![named("Lu-177")], "not a daughter"),
            (vec![bismuth, bismuth], "more than one"),
            (vec![actinium], "not a"),
        ] {
            let Invalid(reason) = source(actinium, Daughters::Equilibrium, &apart).expect_err("a bad list");
            assert!(reason.contains(fault), "{reason}");
        }
    }

    #[test]
    fn a_parent_alone_emits_what_its_data_say() {
        let actinium = named("Ac-225");
        let alone = source(actinium, Daughters::ParentOnly, &[]).expect("a source");
        assert_eq!(decays(&alone), [("Ac-225", 1.0)]);
        assert!((alone.released_mev() / actinium.mean_energy_mev.total() - 1.0).abs() < 1e-9);
        assert_eq!(alone.data_sha256(), data_sha256(actinium));
        assert_ne!(alone.data_sha256(), Source::from(actinium).data_sha256());
    }

    #[test]
    fn daughters_grow_in() {
        let growth = |name, time_s: f64, effective_half_life_s| {
            let growth = InGrowth { integration_time_s: time_s, effective_half_life_s };
            source(named(name), Daughters::InGrowth(growth), &[]).expect("a source")
        };
        // Thorium-227 decays to radium-223, whose half-life is not much shorter.
        let thorium = named("Th-227");
        let day = 86_400.0;
        let (a, b) = (LN_2 / thorium.half_life_s, LN_2 / named("Ra-223").half_life_s);
        let t = 20.0 * day;
        let parent = -f64::exp_m1(-a * t);
        let daughter = 1.0 - (b * f64::exp(-a * t) - a * f64::exp(-b * t)) / (b - a);
        let found = of(&decays(&growth("Th-227", t, None)), "Ra-223");
        assert!((found / (daughter / parent) - 1.0).abs() < 1e-9, "{found} {}", daughter / parent);
        // In the end as in equilibrium, including what lives longest.
        let late = growth("Ac-225", 400.0 * day, None);
        for (found, expected) in decays(&late).iter().zip(decays(&Source::from(named("Ac-225")))) {
            assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-9, "{found:?} {expected:?}");
        }
        // Little of bismuth-207, with a half-life of 31 years, decays within a year, and nothing is left out.
        let astatine = growth("At-211", 365.0 * day, None);
        let bismuth = of(&decays(&astatine), "Bi-207");
        let constant = LN_2 / named("Bi-207").half_life_s;
        let expected = 0.418 * -f64::exp_m1(-constant * 365.0 * day);
        assert!((bismuth / expected - 1.0).abs() < 5e-3, "{bismuth} {expected}");
        assert!(astatine.left_out().is_empty(), "{:?}", astatine.left_out());
        // A parent that is washed out before it decays leaves no daughters behind: the ratio of their decays stays the
        // same.
        let washed = of(&decays(&growth("Th-227", 4000.0 * day, Some(2.0 * day))), "Ra-223");
        assert!((washed - 1.0).abs() < 1e-9, "{washed}");
        let bad = Daughters::InGrowth(InGrowth { integration_time_s: f64::NAN, effective_half_life_s: None });
        assert!(source(thorium, bad, &[]).is_err());
    }

    #[test]
    fn every_nuclide_has_a_chain_that_ends() {
        for nuclide in nuclide::all() {
            let chain = nuclides(nuclide, |_| true);
            assert!(std::ptr::eq(chain[0], nuclide));
            for (number, member) in chain.iter().enumerate().skip(1) {
                let feeds = |parent: &&&Nuclide| parent.decays.iter().any(|decay| decay.daughter == member.name);
                assert!(chain[..number].iter().any(|parent| feeds(&parent)), "{} in {}", member.name, nuclide.name);
            }
            let source = Source::from(nuclide);
            assert!(source.released_mev() > 0.0, "{}", nuclide.name);
        }
    }
}
