//! Materials: those known to this program, one file for each in `data/materials/`, embedded by `build.rs`, and those
//! that a caller defines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::element::{self, Atom, Element};
use crate::domain::{Checks, DoseError, Invalid, Violation};

/// How far the sum of the mass fractions of a material may be from 1: published compositions are rounded to three
/// digits.
const FRACTION_SUM_TOLERANCE: f64 = 5e-3;
/// Range of mean excitation energies that materials can have [eV]: hydrogen gas has 19.2, lead 823, uranium 890.
const MEAN_EXCITATION_RANGE_EV: [f64; 2] = [15.0, 950.0];
/// Range of densities that materials can have [g/cm³].
const DENSITY_RANGE_G_CM3: [f64; 2] = [1e-5, 25.0];

/// A material as defined by a file or a caller, not yet checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaterialDefinition {
    /// Name, such as `cortical_bone`.
    pub name: String,
    /// Source of the figures.
    pub source: String,
    /// Density for which the density effect is computed [g/cm³]. Each voxel has its own density.
    pub nominal_density_g_cm3: f64,
    /// Voxels with a density from the first value to below the second consist of this material [g/cm³]; none if it is
    /// used only by name.
    #[serde(default)]
    pub density_range_g_cm3: Option<[f64; 2]>,
    /// Mean excitation energy [eV].
    pub mean_excitation_energy_ev: f64,
    /// Mass fractions of the elements, by symbol. Their sum is 1, up to rounding.
    pub mass_fractions: BTreeMap<String, f64>,
}

/// An element in a material.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// The element.
    pub element: &'static Element,
    /// Its atoms.
    pub atom: &'static Atom,
    /// Its mass fraction.
    pub mass_fraction: f64,
}

impl Component {
    /// Atoms of this element in one gram of the material.
    pub fn atoms_per_g(&self) -> f64 {
        self.mass_fraction * self.atom.per_g()
    }

    /// Electrons of this element in one gram of the material.
    pub fn electrons_per_g(&self) -> f64 {
        self.atoms_per_g() * f64::from(self.element.z)
    }
}

/// A checked material: every element is in the tables, and the mass fractions sum to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Material {
    definition: MaterialDefinition,
    mean_excitation_energy_mev: f64,
    components: Vec<Component>,
}

/// A material in a stored request: JSON has no infinity, which the density range of the densest tissue ends at.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    source: String,
    nominal_density_g_cm3: f64,
    /// None for the upper end: no end.
    density_range_g_cm3: Option<(f64, Option<f64>)>,
    mean_excitation_energy_ev: f64,
    mass_fractions: BTreeMap<String, f64>,
}

impl From<Material> for Stored {
    fn from(Material { definition, .. }: Material) -> Self {
        let range = |[low, high]: [f64; 2]| (low, Some(high).filter(|high| high.is_finite()));
        Self {
            name: definition.name,
            source: definition.source,
            nominal_density_g_cm3: definition.nominal_density_g_cm3,
            density_range_g_cm3: definition.density_range_g_cm3.map(range),
            mean_excitation_energy_ev: definition.mean_excitation_energy_ev,
            mass_fractions: definition.mass_fractions,
        }
    }
}

impl TryFrom<Stored> for Material {
    type Error = DoseError;

    fn try_from(stored: Stored) -> Result<Self, DoseError> {
        let range = |(low, high): (f64, Option<f64>)| [low, high.unwrap_or(f64::INFINITY)];
        let definition = MaterialDefinition {
            name: stored.name,
            source: stored.source,
            nominal_density_g_cm3: stored.nominal_density_g_cm3,
            density_range_g_cm3: stored.density_range_g_cm3.map(range),
            mean_excitation_energy_ev: stored.mean_excitation_energy_ev,
            mass_fractions: stored.mass_fractions,
        };
        Self::new(definition).map_err(DoseError::Invalid)
    }
}

impl Material {
    /// Checks a definition, and scales the mass fractions to a sum of exactly 1.
    ///
    /// # Errors
    /// Every fault, by field: an element that is not in the tables, a mass fraction that is not positive, a sum that is
    /// not 1, a density, density range or mean excitation energy that no material has, an empty name or source.
    pub fn new(definition: MaterialDefinition) -> Result<Self, Vec<Violation>> {
        let mut checks = Checks::new();
        for (field, text) in [("name", &definition.name), ("source", &definition.source)] {
            if text.is_empty() {
                checks.fail(field, "must not be empty");
            }
        }
        let density = definition.nominal_density_g_cm3;
        checks.at("nominal_density_g_cm3", within(density, DENSITY_RANGE_G_CM3, "g/cm³"));
        let excitation_ev = definition.mean_excitation_energy_ev;
        checks.at("mean_excitation_energy_ev", within(excitation_ev, MEAN_EXCITATION_RANGE_EV, "eV"));
        let range = definition.density_range_g_cm3;
        if range.is_some_and(|[low, high]| !(low >= 0.0 && low < high)) {
            checks.fail("density_range_g_cm3", format!("must ascend from 0 or above, got {range:?}"));
        }
        let components = check_fractions(&definition.mass_fractions, &mut checks);
        if !checks.is_empty() {
            return Err(checks.into_violations());
        }
        Ok(Self { definition, mean_excitation_energy_mev: excitation_ev * 1e-6, components })
    }

    /// The definition as it was given.
    pub fn definition(&self) -> &MaterialDefinition {
        &self.definition
    }

    /// Name, such as `cortical_bone`.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Source of the figures.
    pub fn source(&self) -> &str {
        &self.definition.source
    }

    /// Density for which the density effect is computed [g/cm³].
    pub fn nominal_density_g_cm3(&self) -> f64 {
        self.definition.nominal_density_g_cm3
    }

    /// Densities of the voxels that consist of it [g/cm³]: from the first to below the second.
    pub fn density_range_g_cm3(&self) -> Option<[f64; 2]> {
        self.definition.density_range_g_cm3
    }

    /// Mean excitation energy [MeV].
    pub fn mean_excitation_energy_mev(&self) -> f64 {
        self.mean_excitation_energy_mev
    }

    /// The elements of the material.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Electrons in one gram.
    pub fn electrons_per_g(&self) -> f64 {
        self.components.iter().map(Component::electrons_per_g).sum()
    }
}

/// # Errors
/// If `value` is not in the range, which includes its ends.
fn within(value: f64, [low, high]: [f64; 2], unit: &str) -> Result<(), Invalid> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Invalid::new(format!("must be from {low} to {high} {unit}, got {value}")))
    }
}

/// The components, scaled to a sum of 1. Records each fault.
fn check_fractions(fractions: &BTreeMap<String, f64>, checks: &mut Checks) -> Vec<Component> {
    let mut components = Vec::with_capacity(fractions.len());
    for (symbol, &mass_fraction) in fractions {
        // A key of another form than a symbol is not repeated.
        let is_symbol = symbol.len() <= 3 && symbol.bytes().all(|letter| letter.is_ascii_alphabetic());
        let field = if is_symbol { format!("mass_fractions.{symbol}") } else { "mass_fractions".to_owned() };
        if !(mass_fraction > 0.0 && mass_fraction.is_finite()) {
            checks.fail(&field, format!("must be above 0, got {mass_fraction}"));
        }
        if let Some((element, atom)) = checks.at(&field, element::find(symbol)) {
            components.push(Component { element, atom, mass_fraction });
        }
    }
    let sum: f64 = fractions.values().sum();
    if !(1.0 - FRACTION_SUM_TOLERANCE..=1.0 + FRACTION_SUM_TOLERANCE).contains(&sum) {
        checks.fail("mass_fractions", format!("must sum to 1, got {sum}"));
    }
    components.sort_by_key(|component| component.element.z);
    components.iter_mut().for_each(|component| component.mass_fraction /= sum);
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> MaterialDefinition {
        MaterialDefinition {
            name: "test".into(),
            source: "a test".into(),
            nominal_density_g_cm3: 1.0,
            density_range_g_cm3: None,
            mean_excitation_energy_ev: 75.0,
            mass_fractions: [("H".to_owned(), 0.111_894), ("O".to_owned(), 0.888_106)].into(),
        }
    }

    #[test]
    fn water_has_the_electrons_of_ten_per_molecule() {
        // 10 electrons per 18.015 28 g/mol; the mass fractions have six digits.
        let expected = 10.0 * crate::constants::AVOGADRO_PER_MOL / 18.01528;
        let water = Material::new(definition()).expect("water is a material");
        assert!((water.electrons_per_g() / expected - 1.0).abs() < 1e-5);
    }

    #[test]
    fn every_fault_of_a_definition_is_named() {
        let mut bad = definition();
        bad.name.clear();
        bad.nominal_density_g_cm3 = 0.0;
        bad.mean_excitation_energy_ev = f64::NAN;
        bad.density_range_g_cm3 = Some([2.0, 1.0]);
        bad.mass_fractions = [("H".to_owned(), -0.1), ("Xx".to_owned(), 0.5), ("O".to_owned(), 0.2)].into();
        let violations = Material::new(bad).expect_err("nothing is right");
        let fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
        let expected = [
            "name",
            "nominal_density_g_cm3",
            "mean_excitation_energy_ev",
            "density_range_g_cm3",
            "mass_fractions.H",
            "mass_fractions.Xx",
            "mass_fractions",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_composition_in_percent_or_of_nothing_is_refused() {
        let mut percent = definition();
        percent.mass_fractions.values_mut().for_each(|fraction| *fraction *= 100.0);
        assert!(Material::new(percent).expect_err("percent").iter().any(|v| v.reason.contains("sum to 1")));
        let empty = MaterialDefinition { mass_fractions: BTreeMap::new(), ..definition() };
        assert!(Material::new(empty).is_err());
    }
}
