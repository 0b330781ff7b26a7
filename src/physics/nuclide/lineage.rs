//! What comes of a nuclide, and how far its beta particles go: for people to read.

use std::sync::LazyLock;

use super::registry::named;
use crate::domain::Nuclide;
use crate::domain::nuclide::BetaSign;
use crate::math::log_grid::LogTable;
use crate::physics::electron::Charge;
use crate::physics::electron::range::SlowingDown;
use crate::physics::energy_grid::energies;
use crate::physics::material;

/// A nuclide that comes of another.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Descendant {
    /// Name in the form `Hf-177`.
    pub name: String,
    /// How often it comes to be, per decay of the first.
    pub per_decay: f64,
    /// Its half-life; none: it is stable [s].
    pub half_life_s: Option<f64>,
    /// Whether its emissions are known.
    pub is_known: bool,
}

/// All that comes of a nuclide, however long it takes: each after all that it comes from. What comes of daughters that are not known is not known either.
pub fn lineage(nuclide: &'static Nuclide) -> Vec<Descendant> {
    let mut found: Vec<Descendant> = Vec::new();
    for parent in descendants(nuclide, |_| true) {
        let of_parent = found.iter().find(|descendant| descendant.name == parent.name);
        let per_decay = of_parent.map_or(1.0, |descendant| descendant.per_decay);
        for decay in &parent.decays {
            let known = named(&decay.daughter);
            let number = per_decay * decay.branching;
            match found.iter_mut().find(|descendant| descendant.name == decay.daughter) {
                Some(descendant) => descendant.per_decay += number,
                None => found.push(Descendant {
                    name: decay.daughter.clone(),
                    per_decay: number,
                    half_life_s: known.map(|daughter| daughter.half_life_s).or(decay.daughter_half_life_s),
                    is_known: known.is_some(),
                }),
            }
        }
    }
    found
}

/// The known nuclides that come of one, itself first: each after all that it comes from.
///
/// * `follow` – whether a daughter, and all that comes of it, is wanted
pub fn descendants(nuclide: &'static Nuclide, follow: impl Fn(&Nuclide) -> bool) -> Vec<&'static Nuclide> {
    let mut found = Vec::new();
    visit(nuclide, &follow, &mut found);
    found.reverse();
    found
}

/// Appends a nuclide after all that comes of it.
fn visit(nuclide: &'static Nuclide, follow: &impl Fn(&Nuclide) -> bool, found: &mut Vec<&'static Nuclide>) {
    for daughter in nuclide.decays.iter().filter_map(|decay| named(&decay.daughter)).filter(|daughter| follow(daughter))
    {
        if !found.iter().any(|known| std::ptr::eq(*known, daughter)) {
            visit(daughter, follow, found);
        }
    }
    found.push(nuclide);
}

/// How far beta particles go in water, in the continuous-slowing-down approximation.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct BetaRange {
    /// Electrons or positrons.
    pub sign: BetaSign,
    /// Mean kinetic energy of all [MeV].
    pub mean_mev: f64,
    /// Range at that energy [mm].
    pub mean_range_mm: f64,
    /// Highest kinetic energy [MeV].
    pub max_mev: f64,
    /// Range at that energy [mm].
    pub max_range_mm: f64,
}

/// Ranges in water of 1 g/cm³, for each sign that the nuclide emits.
pub fn beta_ranges(nuclide: &Nuclide) -> Vec<BetaRange> {
    static RANGES: LazyLock<[LogTable; 2]> = LazyLock::new(|| {
        let water = material::find("water").expect("water is a known material");
        let range = |charge| SlowingDown::of(water, charge, energies()).csda_range;
        [range(Charge::Electron), range(Charge::Positron)]
    });
    let range = |(sign, range): (BetaSign, &LogTable)| {
        let betas = || nuclide.betas.iter().filter(move |beta| beta.sign == sign);
        let number: f64 = betas().map(|beta| beta.intensity).sum();
        let mean_mev = betas().map(|beta| beta.intensity * beta.mean_mev).sum::<f64>() / number;
        let max_mev = betas().map(|beta| beta.endpoint_mev).fold(0.0, f64::max);
        let [mean_range_mm, max_range_mm] = [mean_mev, max_mev].map(|energy_mev| range.value(energy_mev) * 10.0);
        (number > 0.0).then_some(BetaRange { sign, mean_mev, mean_range_mm, max_mev, max_range_mm })
    };
    BetaSign::ALL.into_iter().zip(RANGES.iter()).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_comes_of_a_nuclide_is_counted_once_per_decay() {
        let lineage = lineage(named("Ac-225").expect("known"));
        let per_decay = |name: &str| lineage.iter().find(|found| found.name == name).expect(name).per_decay;
        assert!((per_decay("Fr-221") - 1.0).abs() < 1e-9);
        // Bi-213 goes to Po-213 or Tl-209, Rn-217 to Po-213, and both of those to Pb-209. Branchings have six digits.
        let polonium_and_thallium = per_decay("Po-213") + per_decay("Tl-209");
        assert!((polonium_and_thallium - per_decay("Bi-213") - per_decay("Rn-217")).abs() < 1e-5);
        assert!((per_decay("Pb-209") - polonium_and_thallium).abs() < 1e-5);
        assert!(per_decay("Tl-209") > 0.015 && per_decay("Tl-209") < 0.03);
        for (i, descendant) in lineage.iter().enumerate() {
            assert!(lineage[..i].iter().all(|earlier| earlier.name != descendant.name));
        }
    }

    /// CSDA ranges of electrons of 0.9326 and 2.2785 MeV in water, interpolated in ESTAR (NIST): 4.02 and 11.2 mm.
    #[test]
    fn betas_go_as_far_as_estar_says() {
        let ranges = beta_ranges(named("Y-90").expect("known"));
        let [range] = ranges[..] else { panic!("{ranges:?}") };
        assert!((range.mean_range_mm / 4.02 - 1.0).abs() < 0.01, "{range:?}");
        assert!((range.max_range_mm / 11.2 - 1.0).abs() < 0.01, "{range:?}");
        assert_eq!(beta_ranges(named("At-211").expect("known")), []);
        assert_eq!(beta_ranges(named("Cu-64").expect("known")).len(), 2);
    }
}
