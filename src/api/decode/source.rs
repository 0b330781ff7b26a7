//! What decays, and in which map: the nuclide, its daughters, or a spectrum of the caller's own.

use super::{activity_unit, announced, find_nuclide, missing, monte_carlo, pb};
use crate::domain::{
    ActivityUnit, BiologicalWeighting, Checks, DaughterHeader, Daughters, InGrowth, Nuclide, Part, Source, VolumeHeader,
};
use crate::physics::chain;

/// What decays in all maps.
pub(super) struct Sources {
    pub(super) unit: Option<ActivityUnit>,
    pub(super) source: Option<Source>,
    pub(super) daughters: Vec<Part<DaughterHeader>>,
}

/// A spectrum of the caller's own needs no nuclide.
pub(super) fn sources(
    checks: &mut Checks,
    name: &str,
    emissions: &[pb::Emission],
    unit: Option<pb::ActivityUnit>,
    daughters: Option<pb::Daughters>,
    maps: Vec<pb::DaughterMap>,
) -> Sources {
    let is_custom = !emissions.is_empty();
    let nuclide = if is_custom && name.is_empty() { None } else { checks.at("nuclide", find_nuclide(name)) };
    let unit = activity_unit(checks, "activity_unit", unit, nuclide, name);
    let mode = self::daughters(checks, daughters, unit);
    let maps = decode_maps(checks, maps);
    let count = maps.len();
    if is_custom {
        for (field, given) in [("daughters", daughters.is_some()), ("daughter_maps", !maps.is_empty())] {
            if given {
                checks.fail(field, "have no meaning with a spectrum of the caller's own");
            }
        }
        return Sources { unit, source: custom(checks, nuclide, emissions), daughters: vec![Part::Faulty; count] };
    }
    let (Some(nuclide), Some(mode)) = (nuclide, mode) else {
        return Sources { unit, source: None, daughters: vec![Part::Faulty; count] };
    };
    let apart: Vec<&'static Nuclide> = maps.iter().filter_map(|map| map.nuclide).collect();
    let source = checks.at("daughter_maps", chain::source(nuclide, mode, &apart));
    let daughter = |map: Map| {
        let source = chain::source(map.nuclide?, mode, &chain::among_descendants(map.nuclide?, &apart)).ok()?;
        Some(DaughterHeader { source, activity: map.activity?, activity_unit: map.unit? })
    };
    Sources { unit, source, daughters: maps.into_iter().map(|map| Part::given(daughter(map))).collect() }
}

/// What decays where there is no map, as [`sources`].
pub(super) fn source(
    checks: &mut Checks,
    name: &str,
    emissions: &[pb::Emission],
    daughters: Option<pb::Daughters>,
) -> Option<Source> {
    if !emissions.is_empty() {
        if daughters.is_some() {
            checks.fail("daughters", "have no meaning with a spectrum of the caller's own");
        }
        let nuclide = if name.is_empty() { None } else { checks.at("nuclide", find_nuclide(name)) };
        return custom(checks, nuclide, emissions);
    }
    let nuclide = checks.at("nuclide", find_nuclide(name));
    let mode = self::daughters(checks, daughters, None)?;
    checks.at("daughters", chain::source(nuclide?, mode, &[]))
}

fn custom(checks: &mut Checks, nuclide: Option<&'static Nuclide>, emissions: &[pb::Emission]) -> Option<Source> {
    let spectrum = monte_carlo::emissions(checks, emissions)?;
    checks.at("emissions", Source::with_emissions(nuclide, spectrum))
}

/// A daughter's map, as far as it could be decoded.
struct Map {
    nuclide: Option<&'static Nuclide>,
    unit: Option<ActivityUnit>,
    activity: Option<VolumeHeader>,
}

fn decode_maps(checks: &mut Checks, messages: Vec<pb::DaughterMap>) -> Vec<Map> {
    let decode = |(number, message): (usize, pb::DaughterMap)| {
        let field = format!("daughter_maps[{number}]");
        let nuclide = checks.at(format!("{field}.nuclide"), find_nuclide(&message.nuclide));
        let activity_field = format!("{field}.activity");
        let activity = match message.activity {
            Some(descriptor) => announced(checks, &activity_field, descriptor),
            None => missing(checks, activity_field),
        };
        let unit_field = format!("{field}.activity_unit");
        let unit = activity_unit(checks, &unit_field, message.activity_unit, nuclide, &message.nuclide);
        Map { nuclide, unit, activity }
    };
    messages.into_iter().enumerate().map(decode).collect()
}

/// * `unit` – of the map of the nuclide: if it has a half-life, the nuclide disappears with that
fn daughters(checks: &mut Checks, message: Option<pb::Daughters>, unit: Option<ActivityUnit>) -> Option<Daughters> {
    use pb::daughters::Daughters as Arm;
    let Some(message) = message else { return Some(Daughters::default()) };
    match message.daughters {
        Some(Arm::ParentOnly(pb::ParentOnly {})) => Some(Daughters::ParentOnly),
        Some(Arm::Equilibrium(pb::Equilibrium {})) => Some(Daughters::Equilibrium),
        Some(Arm::InGrowth(pb::InGrowth { integration_time_s, effective_half_life_s })) => {
            let by_unit = InGrowth::new(integration_time_s, unit);
            let effective_half_life_s = effective_half_life_s.or(by_unit.effective_half_life_s);
            let daughters = Daughters::InGrowth(InGrowth { effective_half_life_s, ..by_unit });
            checks.at("daughters.in_growth", daughters.check()).map(|()| daughters)
        }
        None => missing(checks, "daughters"),
    }
}

/// Weights that are not given are those of the default.
pub(super) fn weighting(message: pb::BiologicalWeighting) -> BiologicalWeighting {
    let alpha = message.alpha.unwrap_or(BiologicalWeighting::default().alpha);
    BiologicalWeighting { alpha, recoil: message.recoil.unwrap_or(alpha) }
}
