//! The parts of a spectrum that are drawn: continua of beta particles, and lines.

use crate::domain::nuclide::EmissionLine;
use crate::domain::{Nuclide, Particle};
use crate::physics::nuclide::emissions;

/// Lines below this fraction of the strongest are not drawn.
const WEAKEST: f64 = 1e-7;

/// A continuous spectrum.
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// Energy [MeV] and particles per decay and MeV.
    pub(super) points: Vec<[f64; 2]>,
}

/// Lines of one kind.
pub(super) struct Sticks {
    pub(super) name: &'static str,
    pub(super) lines: Vec<EmissionLine>,
}

/// Everything that is drawn.
pub(super) struct Spectrum {
    pub(super) curves: Vec<Curve>,
    pub(super) sticks: Vec<Sticks>,
}

impl Spectrum {
    pub(super) fn of(nuclide: &Nuclide) -> Self {
        let names = [("beta particles", Particle::Electron), ("positrons", Particle::Positron)];
        let curves = names.map(|(name, particle)| Curve { name, points: points(nuclide, particle) });
        let names = ["gamma rays", "X rays", "conversion electrons", "Auger electrons", "alpha particles"];
        let kinds = nuclide.lines.by_kind();
        let strongest = kinds.iter().flat_map(|(_, lines)| *lines).map(|line| line.intensity).fold(0.0, f64::max);
        let sticks = names.into_iter().zip(kinds).map(|(name, (_, lines))| {
            let is_seen = |line: &&EmissionLine| line.intensity >= WEAKEST * strongest;
            Sticks { name, lines: lines.iter().filter(is_seen).copied().collect() }
        });
        Self {
            curves: curves.into_iter().filter(|curve| !curve.points.is_empty()).collect(),
            sticks: sticks.filter(|sticks| !sticks.lines.is_empty()).collect(),
        }
    }
}

/// The points of a continuum: the middle of each bin, and its end.
fn points(nuclide: &Nuclide, particle: Particle) -> Vec<[f64; 2]> {
    let bins = emissions(nuclide).emissions().iter();
    let bins = bins.filter(|bin| bin.particle == particle && bin.high_mev > bin.low_mev);
    let mut points: Vec<[f64; 2]> =
        bins.clone().map(|bin| [bin.mean_mev(), bin.yield_per_decay / (bin.high_mev - bin.low_mev)]).collect();
    points.extend(bins.clone().next_back().map(|bin| [bin.high_mev, 0.0]));
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::nuclide::named;

    #[test]
    fn a_spectrum_holds_every_kind_that_is_emitted() {
        let kinds = |name: &str| {
            let spectrum = Spectrum::of(named(name).expect("known"));
            let curves: Vec<&str> = spectrum.curves.iter().map(|curve| curve.name).collect();
            (curves, spectrum.sticks.iter().map(|sticks| sticks.name).collect::<Vec<_>>())
        };
        assert_eq!(kinds("Cu-64").0, ["beta particles", "positrons"]);
        assert!(kinds("Lu-177").1.contains(&"conversion electrons") && !kinds("Lu-177").1.contains(&"alpha particles"));
        assert_eq!(kinds("At-211").0, Vec::<&str>::new());
    }

    #[test]
    fn the_area_under_a_curve_is_the_number_of_particles() {
        let [curve] = &Spectrum::of(named("Y-90").expect("known")).curves[..] else { panic!("one kind") };
        let area: f64 = curve.points.windows(2).map(|p| (p[1][0] - p[0][0]) * p[0][1].midpoint(p[1][1])).sum();
        assert!((area - 1.0).abs() < 2e-3, "{area}");
    }
}
