//! The nuclides that decay in a map, and how often they do.

use std::f64::consts::LN_2;

use super::bateman::{Link, decays_within};
use super::descendants::nuclides;
use crate::domain::Nuclide;
use crate::domain::daughters::{Daughters, InGrowth, LONGEST_IN_EQUILIBRIUM, leaves_as_gas};
use crate::domain::source::{LeftOut, LeftOutReason};
use crate::physics::nuclide;

/// The nuclides that decay in one map, each after its parents.
pub(super) struct Chain {
    nuclides: Vec<&'static Nuclide>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Chain {
    pub(super) fn new(nuclide: &'static Nuclide, daughters: Daughters, apart: &[&'static Nuclide]) -> Self {
        let is_apart = |daughter: &Nuclide| apart.iter().any(|other| std::ptr::eq(*other, daughter));
        let longest_s = match daughters {
            Daughters::ParentOnly => return Self { nuclides: vec![nuclide], left_out: Vec::new() },
            Daughters::Equilibrium | Daughters::EquilibriumWithGases => LONGEST_IN_EQUILIBRIUM * nuclide.half_life_s,
            Daughters::InGrowth(_) => f64::INFINITY,
        };
        let why_not = |name: &str, half_life_s: f64| {
            if half_life_s > longest_s {
                Some(LeftOutReason::LongLived)
            } else {
                let leaves = daughters == Daughters::Equilibrium && leaves_as_gas(name, half_life_s);
                leaves.then_some(LeftOutReason::NobleGas)
            }
        };
        let follow =
            |daughter: &Nuclide| why_not(&daughter.name, daughter.half_life_s).is_none() && !is_apart(daughter);
        let nuclides = nuclides(nuclide, follow);
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
                let reason = why_not(&decay.daughter, half_life_s).unwrap_or(LeftOutReason::LongLived);
                left_out.push(LeftOut { name: decay.daughter.clone(), half_life_s, reason });
            }
        }
        Self { nuclides, left_out }
    }

    /// Decays of each nuclide per decay of the first.
    pub(super) fn members(&self, daughters: Daughters) -> Vec<(&'static Nuclide, f64)> {
        let parents: Vec<Vec<(usize, f64)>> = self.nuclides.iter().map(|nuclide| self.parents(nuclide)).collect();
        let decays = match daughters {
            Daughters::ParentOnly | Daughters::Equilibrium | Daughters::EquilibriumWithGases => {
                once_all_has_decayed(&parents)
            }
            Daughters::InGrowth(growth) => self.within(&growth, parents),
        };
        self.nuclides.iter().copied().zip(decays).collect()
    }

    /// Numbers of the parents of a nuclide, and their branching ratios to it.
    fn parents(&self, nuclide: &Nuclide) -> Vec<(usize, f64)> {
        let branching = |parent: &Nuclide| -> f64 {
            parent.decays.iter().filter(|decay| decay.daughter == nuclide.name).map(|decay| decay.branching).sum()
        };
        let ratios = self.nuclides.iter().enumerate().map(|(number, parent)| (number, branching(parent)));
        ratios.filter(|(_, branching)| *branching > 0.0).collect()
    }

    fn within(&self, growth: &InGrowth, parents: Vec<Vec<(usize, f64)>>) -> Vec<f64> {
        let links: Vec<Link> = self
            .nuclides
            .iter()
            .zip(parents)
            .enumerate()
            .map(|(number, (nuclide, parents))| {
                let decay_per_s = LN_2 / nuclide.half_life_s;
                let effective = growth.effective_half_life_s.filter(|_| number == 0);
                let loss_per_s = effective.map_or(decay_per_s, |half_life_s| decay_per_s.max(LN_2 / half_life_s));
                Link { decay_per_s, loss_per_s, parents }
            })
            .collect();
        let decays = decays_within(&links, growth.integration_time_s);
        decays.iter().map(|member| member / decays[0]).collect()
    }
}

/// Decays of each nuclide per decay of the first, once everything has decayed.
fn once_all_has_decayed(parents: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let mut decays: Vec<f64> = Vec::with_capacity(parents.len());
    for feeding in parents {
        let fed = feeding.iter().map(|&(parent, branching)| decays[parent] * branching).sum();
        decays.push(if decays.is_empty() { 1.0 } else { fed });
    }
    decays
}
