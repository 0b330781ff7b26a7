//! What decays, and in which map: the nuclide, its daughters, or a spectrum of the caller's own.

use super::unit::{OfMap, RawTimes, RawUnit, resolve_unit};
use super::{RawVolume, missing, needed};
use crate::domain::header::MAX_DAUGHTER_MAPS;
use crate::domain::{
    ActivityTimes, ActivityUnit, BiologicalWeighting, Checks, DaughterHeader, Daughters, Emission, EmissionSpectrum,
    InGrowth, Invalid, Nuclide, Part, Particle, Source,
};
use crate::physics::{chain, nuclide};

/// Published half-lives differ a little: the effective one may exceed the physical one by this factor.
const PUBLISHED_APART: f64 = 1.02;
/// Part of the decays that an activity at one moment may count after the time of in-growth.
const MOST_LATER: f64 = 0.01;

/// What decays in a map, not yet looked up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSource {
    /// Name of the nuclide.
    pub nuclide: Option<String>,
    /// What a decay emits in place of what the nuclide does; empty: what the nuclide does.
    pub emissions: Part<Vec<RawEmission>>,
    /// Which daughters decay with the nuclide. Not given: those in equilibrium with it.
    pub daughters: Part<RawDaughters>,
}

/// Particles that a decay emits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawEmission {
    /// -1 electron, 0 photon, 1 positron.
    pub charge: i32,
    /// Lowest kinetic or photon energy [MeV].
    pub low_mev: f64,
    /// Highest kinetic or photon energy [MeV].
    pub high_mev: f64,
    /// Mean number per decay.
    pub yield_per_decay: f64,
}

impl From<&Emission> for RawEmission {
    fn from(emission: &Emission) -> Self {
        let &Emission { particle, low_mev, high_mev, yield_per_decay } = emission;
        Self { charge: particle.charge().into(), low_mev, high_mev, yield_per_decay }
    }
}

/// Which daughters decay with a nuclide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawDaughters {
    /// Given, but not which.
    Unspecified,
    /// None.
    ParentOnly,
    /// Those in equilibrium with the nuclide, without gases that leave.
    Equilibrium,
    /// Those in equilibrium with the nuclide, gases too.
    EquilibriumWithGases,
    /// All, as often as they decay within a time.
    InGrowth {
        /// Decays are counted up to this time [s].
        integration_time_s: f64,
        /// Half-life with which the nuclide disappears [s]. Not given: that of the activity unit if it has one, else
        /// the physical one.
        effective_half_life_s: Option<f64>,
    },
}

/// A daughter with a map of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawDaughterMap {
    /// Name of the daughter.
    pub nuclide: Part<String>,
    /// Its activity map.
    pub activity: Part<RawVolume>,
    /// What the numbers of that map mean.
    pub activity_unit: Part<RawUnit>,
}

/// Weights of a biologically weighted dose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawWeighting {
    /// Of alpha particles. Not given: that of the default.
    pub alpha: Option<f64>,
    /// Of recoils. Not given: that of alpha particles.
    pub recoil: Option<f64>,
}

impl RawWeighting {
    pub(super) fn resolve(self) -> BiologicalWeighting {
        let alpha = self.alpha.unwrap_or(BiologicalWeighting::default().alpha);
        BiologicalWeighting { alpha, recoil: self.recoil.unwrap_or(alpha) }
    }
}

/// What decays in all maps.
pub(super) struct Sources {
    pub(super) unit: Part<ActivityUnit>,
    pub(super) integrated_from: Option<ActivityTimes>,
    pub(super) source: Part<Source>,
    pub(super) daughters: Vec<Part<DaughterHeader>>,
}

/// The path of the emissions.
const EMISSIONS: &str = "emissions";
/// Most emissions of an unknown charge that are named one by one.
const MOST_LISTED: usize = 10;
/// Reason of daughters beside a spectrum, which replaces all that is emitted.
const WITH_SPECTRUM: &str = "have no meaning with a spectrum of the caller's own";

impl RawSource {
    /// What decays where there is no map; none if a fault was recorded.
    pub fn resolve(self, checks: &mut Checks) -> Option<Source> {
        let nuclide = self.nuclide(checks);
        if self.is_custom() {
            if self.daughters.is_given() {
                checks.fail("daughters", WITH_SPECTRUM);
            }
            return self.custom(nuclide, checks);
        }
        let mode = self.mode(None, nuclide.map(|nuclide| nuclide.half_life_s), checks)?;
        checks.at("daughters", chain::source(nuclide?, mode, &[]))
    }

    fn is_custom(&self) -> bool {
        self.emissions.is_given()
    }

    /// The nuclide; none if a fault was recorded, or if a spectrum needs none.
    fn nuclide(&self, checks: &mut Checks) -> Option<&'static Nuclide> {
        match &self.nuclide {
            None if self.is_custom() => None,
            None => missing("nuclide", checks),
            Some(name) => checks.at("nuclide", nuclide::find(name)),
        }
    }

    /// Which daughters are meant; none if a fault was recorded.
    ///
    /// * `unit` – of the map of the nuclide: if it has a half-life, the nuclide disappears with that
    /// * `physical_s` – the nuclide's own half-life, if it is known [s]
    fn mode(&self, unit: Option<ActivityUnit>, physical_s: Option<f64>, checks: &mut Checks) -> Option<Daughters> {
        match self.daughters {
            Part::Absent => Some(Daughters::default()),
            Part::Faulty => None,
            Part::Good(RawDaughters::Unspecified) => missing("daughters", checks),
            Part::Good(RawDaughters::ParentOnly) => Some(Daughters::ParentOnly),
            Part::Good(RawDaughters::Equilibrium) => Some(Daughters::Equilibrium),
            Part::Good(RawDaughters::EquilibriumWithGases) => Some(Daughters::EquilibriumWithGases),
            Part::Good(RawDaughters::InGrowth { integration_time_s, effective_half_life_s }) => {
                let by_unit = InGrowth::new(integration_time_s, unit);
                let is_above = |own_s: f64| physical_s.is_some_and(|physical_s| own_s > physical_s * PUBLISHED_APART);
                if effective_half_life_s.is_some_and(is_above) {
                    let reason = "has an effective half-life above the physical one of the nuclide";
                    checks.fail("daughters.in_growth", reason);
                    return None;
                }
                let effective_half_life_s = effective_half_life_s.or(by_unit.effective_half_life_s);
                let daughters = Daughters::InGrowth(InGrowth { effective_half_life_s, ..by_unit });
                let checked = daughters.check().and_then(|()| check_counted_until(integration_time_s, unit));
                checks.at("daughters.in_growth", checked).map(|()| daughters)
            }
        }
    }

    /// A source with the caller's own emissions; none if a fault was recorded.
    fn custom(&self, nuclide: Option<&'static Nuclide>, checks: &mut Checks) -> Option<Source> {
        let spectrum = spectrum(self.emissions.good()?, checks)?;
        let replaced = nuclide.map_or(Ok(()), check_replaced);
        checks.at("emissions", replaced.and_then(|()| Source::with_emissions(nuclide, spectrum)))
    }
}

/// # Errors
/// If an activity at one moment counts decays of the nuclide that come after the time up to which those of its
/// daughters are counted: the ratios would be of the decays until then, the decays those to the end.
fn check_counted_until(integration_time_s: f64, unit: Option<ActivityUnit>) -> Result<(), Invalid> {
    let Some(moment) = unit.and_then(ActivityUnit::at_moment) else { return Ok(()) };
    let later = (-integration_time_s / moment.times.half_life_s).exp2();
    if later <= MOST_LATER {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "counts decays within {:.4} h, and an activity at one moment counts all: {:.1} % of them come later; give the \
         decays until then, in a time-integrated unit such as bq-s, or a longer time",
        integration_time_s / 3600.0,
        100.0 * later
    )))
}

/// Which daughters decay in the map of a daughter: it disappears with the half-life of its own map, not with that of
/// the first nuclide.
fn mode_of_daughter(mode: Daughters, unit: Option<ActivityUnit>) -> Result<Daughters, Invalid> {
    match mode {
        Daughters::InGrowth(growth) => {
            check_counted_until(growth.integration_time_s, unit)?;
            Ok(Daughters::InGrowth(InGrowth::new(growth.integration_time_s, unit)))
        }
        Daughters::ParentOnly | Daughters::Equilibrium | Daughters::EquilibriumWithGases => Ok(mode),
    }
}

/// # Errors
/// If daughters that decay with a nuclide emit alpha particles: a spectrum has none, so they would be lost.
fn check_replaced(nuclide: &'static Nuclide) -> Result<(), Invalid> {
    let source = chain::source(nuclide, Daughters::EquilibriumWithGases, &[])?;
    if nuclide.mean_energy_mev.alpha > 0.0 || source.local().alpha_mev <= 0.0 {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "cannot replace those of {} and its daughters: their alpha particles, of which a spectrum has none, would be \
         lost; for the spectrum alone leave the nuclide out",
        nuclide.name
    )))
}

fn spectrum(emissions: &[RawEmission], checks: &mut Checks) -> Option<EmissionSpectrum> {
    let mut known = Vec::with_capacity(emissions.len());
    let mut unknown = 0usize;
    for (number, &RawEmission { charge, low_mev, high_mev, yield_per_decay }) in emissions.iter().enumerate() {
        // The other figures of one that is not known are checked as those of a photon.
        let particle = Particle::of_charge(charge.into()).unwrap_or_else(|| {
            unknown += 1;
            if unknown <= MOST_LISTED {
                checks.fail(format!("emissions[{number}].charge"), format!("is not -1, 0 or 1: {charge}"));
            }
            Particle::Photon
        });
        known.push(Emission { particle, low_mev, high_mev, yield_per_decay });
    }
    if unknown > MOST_LISTED {
        checks.fail(EMISSIONS, format!("has {} more entries of an unknown charge", unknown - MOST_LISTED));
    }
    match EmissionSpectrum::new(known) {
        Ok(spectrum) => (unknown == 0).then_some(spectrum),
        Err(faults) => {
            // What the list emits in all is not known then.
            let is_told = |field: &str| unknown == 0 || field != EMISSIONS;
            let told = faults.into_iter().filter(|fault| is_told(&fault.field));
            told.for_each(|fault| checks.fail(fault.field, fault.reason));
            None
        }
    }
}

/// A daughter's map, as far as it could be looked up.
struct Map {
    nuclide: Option<&'static Nuclide>,
    activity: Part<crate::domain::VolumeHeader>,
    unit: Part<ActivityUnit>,
}

/// What decays in the first map and in those of daughters. A spectrum of the caller's own needs no nuclide.
pub(super) fn sources(
    source: RawSource,
    unit: Part<RawUnit>,
    integrated_from: Option<RawTimes>,
    maps: Vec<RawDaughterMap>,
    checks: &mut Checks,
) -> Sources {
    let nuclide = source.nuclide(checks);
    let has_name = source.nuclide.is_some();
    let of = OfMap { nuclide, has_name };
    let unit = resolve_unit(unit, "activity_unit", of, checks);
    let integrated_from = integrated_from.and_then(|times| times.resolve("integrated_from", of, checks));
    let mode = source.mode(unit.good().copied(), nuclide.map(|nuclide| nuclide.half_life_s), checks);
    if maps.len() > MAX_DAUGHTER_MAPS {
        checks.fail("daughter_maps", format!("are {}, at most {MAX_DAUGHTER_MAPS} are taken", maps.len()));
    }
    // Of more than are taken the rest is not looked at: what each of them does not have in common with all others takes
    // time that grows with the square of their number.
    let taken = maps.into_iter().take(MAX_DAUGHTER_MAPS).enumerate();
    let maps: Vec<Map> = taken.map(|(number, map)| resolve_map(number, map, checks)).collect();
    let faulty = vec![Part::Faulty; maps.len()];
    if source.is_custom() {
        for (field, given) in [("daughters", source.daughters.is_given()), ("daughter_maps", !maps.is_empty())] {
            if given {
                checks.fail(field, WITH_SPECTRUM);
            }
        }
        let source = Part::given(source.custom(nuclide, checks));
        return Sources { unit, integrated_from, source, daughters: faulty };
    }
    let (Some(nuclide), Some(mode)) = (nuclide, mode) else {
        return Sources { unit, integrated_from, source: Part::Faulty, daughters: faulty };
    };
    let apart: Vec<&'static Nuclide> = maps.iter().filter_map(|map| map.nuclide).collect();
    let source = Part::given(checks.at("daughter_maps", chain::source(nuclide, mode, &apart)));
    let mut daughter = |(number, map): (usize, &Map)| {
        let (nuclide, unit) = (map.nuclide?, *map.unit.good()?);
        let field = format!("daughter_maps[{number}].activity_unit");
        let mode = checks.at(field, mode_of_daughter(mode, Some(unit)))?;
        let source = chain::source(nuclide, mode, &chain::among_descendants(nuclide, &apart)).ok()?;
        Some(DaughterHeader { source, activity: map.activity.good()?.clone(), activity_unit: unit })
    };
    let daughters = maps.iter().enumerate().map(|map| Part::given(daughter(map))).collect();
    Sources { unit, integrated_from, source, daughters }
}

fn resolve_map(number: usize, map: RawDaughterMap, checks: &mut Checks) -> Map {
    let field = format!("daughter_maps[{number}]");
    let nuclide_field = format!("{field}.nuclide");
    let has_name = map.nuclide.is_given();
    let nuclide =
        map.nuclide.resolve(&nuclide_field, checks, |name, field, checks| checks.at(field, nuclide::find(&name)));
    let nuclide = needed(nuclide, &nuclide_field, checks).into_good();
    let activity_field = format!("{field}.activity");
    let activity = map.activity.resolve(&activity_field, checks, RawVolume::resolve);
    let activity = needed(activity, &activity_field, checks);
    let unit_field = format!("{field}.activity_unit");
    let unit = resolve_unit(map.activity_unit, &unit_field, OfMap { nuclide, has_name }, checks);
    Map { nuclide, activity, unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_growth_counts_as_long_as_the_map() {
        let unit = |hours: f64| {
            let times = ActivityTimes::effective(hours * 3600.0);
            ActivityUnit::AtMoment(crate::domain::ActivityAtMoment { unit: crate::domain::MomentUnit::Bq, times })
        };
        // 2^-8 and 2^-6 are 0.4 and 1.6 %.
        assert_eq!(check_counted_until(400.0 * 3600.0, Some(unit(50.0))), Ok(()));
        assert_eq!(check_counted_until(3600.0, Some(ActivityUnit::BqS)), Ok(()));
        let Invalid(reason) = check_counted_until(300.0 * 3600.0, Some(unit(50.0))).expect_err("1.6 % are left");
        assert!(reason.contains("within 300.0000 h") && reason.contains(": 1.6 % of them"), "{reason}");
        let growth = InGrowth { integration_time_s: 400.0 * 3600.0, effective_half_life_s: Some(1.0) };
        let of_own = |unit| match mode_of_daughter(Daughters::InGrowth(growth), unit) {
            Ok(Daughters::InGrowth(own)) => own.effective_half_life_s,
            other => panic!("{other:?}"),
        };
        assert_eq!((of_own(Some(unit(40.0))), of_own(Some(ActivityUnit::BqS))), (Some(144_000.0), None));
        assert!(mode_of_daughter(Daughters::InGrowth(growth), Some(unit(90.0))).is_err());
    }

    #[test]
    fn alpha_particles_of_daughters_are_not_lost_in_silence() {
        let electron = RawEmission { charge: -1, low_mev: 0.1, high_mev: 0.1, yield_per_decay: 1.0 };
        let faults = |name: &str| {
            let mut checks = Checks::new();
            let emissions = Part::Good(vec![electron]);
            let raw = RawSource { nuclide: Some(name.to_owned()), emissions, ..RawSource::default() };
            let source = raw.resolve(&mut checks);
            let faults: Vec<_> = checks.into_violations().into_iter().map(|fault| fault.field).collect();
            assert_eq!(source.is_none(), !faults.is_empty(), "{name}");
            faults
        };
        // Pb-212 emits none, its daughters Bi-212 and Po-212 do.
        for (name, expected) in [("Lu-177", &[][..]), ("Pb-212", &["emissions"]), ("Ac-225", &["emissions"])] {
            assert_eq!(faults(name), expected, "{name}");
        }
    }
}
