//! The descendants of a nuclide, and how many atoms of each are formed per decay.

use crate::domain::Nuclide;
use crate::physics::nuclide::named;

/// A nuclide further down a decay chain.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Descendant {
    /// Name in the form `Hf-177`.
    pub name: String,
    /// Atoms of it formed per decay of the first nuclide.
    pub per_decay: f64,
    /// Its half-life [s]; none if it is stable.
    pub half_life_s: Option<f64>,
    /// Whether its emissions are known.
    pub is_known: bool,
}

/// All descendants of a nuclide, however long they take to form, each after its parents. The chain ends at daughters
/// that are not known here.
pub fn descendants(nuclide: &'static Nuclide) -> Vec<Descendant> {
    let mut found: Vec<Descendant> = Vec::new();
    for parent in nuclides(nuclide, |_| true) {
        let known_parent = found.iter().find(|descendant| descendant.name == parent.name);
        let per_decay = known_parent.map_or(1.0, |descendant| descendant.per_decay);
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

/// The known nuclides of a decay chain: the first one, then its descendants, each after its parents.
///
/// * `follow` – whether to include a daughter and what follows it
pub fn nuclides(nuclide: &'static Nuclide, follow: impl Fn(&Nuclide) -> bool) -> Vec<&'static Nuclide> {
    let mut found = Vec::new();
    visit(nuclide, &follow, &mut found);
    found.reverse();
    found
}

/// Appends a nuclide after all its descendants.
fn visit(nuclide: &'static Nuclide, follow: &impl Fn(&Nuclide) -> bool, found: &mut Vec<&'static Nuclide>) {
    for daughter in nuclide.decays.iter().filter_map(|decay| named(&decay.daughter)).filter(|daughter| follow(daughter))
    {
        if !found.iter().any(|known| std::ptr::eq(*known, daughter)) {
            visit(daughter, follow, found);
        }
    }
    found.push(nuclide);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descendant_is_counted_once_per_decay() {
        let descendants = descendants(named("Ac-225").expect("known"));
        let per_decay = |name: &str| descendants.iter().find(|found| found.name == name).expect(name).per_decay;
        assert!((per_decay("Fr-221") - 1.0).abs() < 1e-9);
        // Bi-213 goes to Po-213 or Tl-209, Rn-217 to Po-213, and both of those to Pb-209. Branchings have six digits.
        let polonium_and_thallium = per_decay("Po-213") + per_decay("Tl-209");
        assert!((polonium_and_thallium - per_decay("Bi-213") - per_decay("Rn-217")).abs() < 1e-5);
        assert!((per_decay("Pb-209") - polonium_and_thallium).abs() < 1e-5);
        assert!(per_decay("Tl-209") > 0.015 && per_decay("Tl-209") < 0.03);
        for (i, descendant) in descendants.iter().enumerate() {
            assert!(descendants[..i].iter().all(|earlier| earlier.name != descendant.name));
        }
    }
}
