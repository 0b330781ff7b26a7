//! The continuum of all branches of a nuclide, in bins.

use super::fermi::{FermiFunctions, terms};
use crate::domain::nuclide::{BetaSign, Transition};
use crate::math::quadrature;

/// Bins from 0 to the highest endpoint.
const BINS: u32 = 240;
/// Bin edges are at the endpoint times (i / bins) to this power: finer at the low end.
const EDGE_POWER: f64 = 1.5;

/// The continuum of one kind of beta particle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Continuum {
    /// Edges of the bins, ascending from 0 [MeV]; one more than there are bins, or empty.
    pub edges_mev: Vec<f64>,
    /// Particles per decay in each bin, spread evenly over it. Where the true density is not even, some are counted in
    /// a neighbouring bin so that the energy is right.
    pub yields: Vec<f64>,
    /// Mean energy of each branch [MeV], in the order given.
    pub branch_means_mev: Vec<f64>,
}

impl Continuum {
    /// Energy of all particles [MeV per decay].
    pub fn energy_mev(&self) -> f64 {
        let middles = self.edges_mev.windows(2).map(|ends| ends[0].midpoint(ends[1]));
        middles.zip(&self.yields).fold(0.0, |sum, (middle_mev, number)| sum + middle_mev * number)
    }
}

/// Content of a bin: particles, and their energy [MeV].
#[derive(Clone, Copy, Default)]
struct Content {
    number: f64,
    energy_mev: f64,
}

/// One branch of a decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Highest kinetic energy [MeV].
    pub endpoint_mev: f64,
    /// Particles per decay.
    pub intensity: f64,
    /// Change of spin and parity.
    pub transition: Transition,
}

/// The continuum of the branches of one sign to one daughter; empty if there are none.
pub fn continuum(sign: BetaSign, atomic_number: u32, mass_number: u32, branches: &[Branch]) -> Continuum {
    let highest_mev = branches.iter().map(|branch| branch.endpoint_mev).fold(0.0, f64::max);
    let Some(most_terms) = branches.iter().map(|branch| terms(branch.transition)).max() else {
        return Continuum::default();
    };
    let functions = FermiFunctions::new(sign, atomic_number, mass_number, highest_mev, most_terms);
    let edge = |i: u32| highest_mev * (f64::from(i) / f64::from(BINS)).powf(EDGE_POWER);
    let edges_mev: Vec<f64> = (0..=BINS).map(edge).collect();
    let mut bins = vec![Content::default(); edges_mev.len() - 1];
    let mut branch_means_mev = Vec::new();
    for branch in branches {
        let contents = contents(&functions, branch, &edges_mev);
        let sum = |part: fn(&Content) -> f64| contents.iter().map(part).sum::<f64>();
        let (number, energy_mev) = (sum(|c| c.number), sum(|c| c.energy_mev));
        branch_means_mev.push(energy_mev / number);
        for (bin, content) in bins.iter_mut().zip(&contents) {
            bin.number += branch.intensity * content.number / number;
            bin.energy_mev += branch.intensity * content.energy_mev / number;
        }
    }
    Continuum { yields: with_energy(&bins, &edges_mev), edges_mev, branch_means_mev }
}

/// What a branch adds to each bin, up to a factor.
fn contents(functions: &FermiFunctions, branch: &Branch, edges_mev: &[f64]) -> Vec<Content> {
    let (end_mev, terms) = (branch.endpoint_mev, terms(branch.transition));
    let content = |ends: &[f64]| {
        let mut content = Content::default();
        if ends[0] < end_mev {
            for (energy_mev, weight) in quadrature::nodes(ends[0], ends[1].min(end_mev)) {
                let number = weight * functions.spectrum(energy_mev, end_mev, terms);
                content.number += number;
                content.energy_mev += number * energy_mev;
            }
        }
        content
    };
    edges_mev.windows(2).map(content).collect()
}

/// Yields of evenly filled bins that carry the energy of the true ones: a bin whose mean energy is off its middle
/// shares particles with its neighbour on that side.
fn with_energy(bins: &[Content], edges_mev: &[f64]) -> Vec<f64> {
    let middle = |i: usize| edges_mev[i].midpoint(edges_mev[i + 1]);
    let mut yields: Vec<f64> = bins.iter().map(|bin| bin.number).collect();
    for (i, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.number > 0.0) {
        let off_mev = bin.energy_mev - bin.number * middle(i);
        let neighbour = if off_mev > 0.0 { (i + 1).min(bins.len() - 1) } else { i.saturating_sub(1) };
        if neighbour != i {
            let moved = off_mev / (middle(neighbour) - middle(i));
            yields[i] -= moved;
            yields[neighbour] += moved;
        }
    }
    yields
}
