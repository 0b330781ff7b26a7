//! The chemical elements, and what the tables hold of their atoms.

mod names;

use std::sync::LazyLock;

use crate::constants::AVOGADRO_PER_MOL;
use crate::domain::Invalid;
use crate::embedded::csv_rows;
use names::{NAMES, SPELLINGS};

/// A chemical element.
#[derive(Debug, PartialEq)]
pub struct Element {
    /// Atomic number.
    pub z: u8,
    /// Symbol, such as `Ca`.
    pub symbol: &'static str,
    /// Name, such as `Calcium`.
    pub name: &'static str,
    /// Its atoms, if it is among the elements of the tables: only those can be part of a material.
    pub atom: Option<Atom>,
}

/// The atoms of an element of the tables.
#[derive(Debug, PartialEq)]
pub struct Atom {
    /// Mean mass of one mole [g].
    pub mass_g_mol: f64,
    /// Occupied subshells of the free atom, the innermost first.
    pub subshells: Vec<Subshell>,
}

/// Electrons of one subshell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subshell {
    /// How many there are; a mean where atoms differ.
    pub electrons: f64,
    /// Their binding energy [MeV].
    pub binding_mev: f64,
}

impl Atom {
    /// Atoms in one gram of the element.
    pub fn per_g(&self) -> f64 {
        AVOGADRO_PER_MOL / self.mass_g_mol
    }
}

#[derive(serde::Deserialize)]
struct ElementRow {
    z: u8,
    symbol: String,
    atomic_mass_g_mol: f64,
}

#[derive(serde::Deserialize)]
struct SubshellRow {
    z: u8,
    electrons: f64,
    binding_ev: f64,
}

static ELEMENTS: LazyLock<Vec<Element>> = LazyLock::new(|| {
    let subshells: Vec<SubshellRow> = csv_rows(include_str!("../../data/subshells.csv"));
    let rows: Vec<ElementRow> = csv_rows(include_str!("../../data/elements.csv"));
    let subshells = |z: u8| {
        let rows = subshells.iter().filter(|row| row.z == z);
        rows.map(|row| Subshell { electrons: row.electrons, binding_mev: row.binding_ev * 1e-6 }).collect()
    };
    let element = |(z, (symbol, name)): (u8, (&'static str, &'static str))| {
        let row = rows.iter().find(|row| row.z == z);
        assert!(row.is_none_or(|row| row.symbol == symbol), "embedded tables are read by a test");
        let atom = row.map(|row| Atom { mass_g_mol: row.atomic_mass_g_mol, subshells: subshells(z) });
        Element { z, symbol, name, atom }
    };
    (1..).zip(NAMES).map(element).collect()
});

/// All elements, by atomic number.
pub fn all() -> &'static [Element] {
    &ELEMENTS
}

/// The elements of the tables, by atomic number.
pub fn tabulated() -> impl Iterator<Item = &'static Element> {
    all().iter().filter(|element| element.atom.is_some())
}

/// The element of the tables with this symbol, and its atoms.
///
/// # Errors
/// If the tables have no such element; the reason says which they have.
pub fn find(symbol: &str) -> Result<(&'static Element, &'static Atom), Invalid> {
    let element = all().iter().find(|element| element.symbol == symbol);
    element.and_then(|element| Some((element, element.atom.as_ref()?))).ok_or_else(|| {
        let mut known = tabulated().map(|element| element.symbol);
        let (first, last) = (known.next().unwrap_or_default(), known.last().unwrap_or_default());
        Invalid::new(format!("is not an element of the tables, which hold all from {first} to {last}"))
    })
}

/// The element with this symbol or name, in upper or lower case.
pub fn named(text: &str) -> Option<&'static Element> {
    let symbol = SPELLINGS.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(text)).map(|(_, symbol)| *symbol);
    let text = symbol.unwrap_or(text);
    all().iter().find(|element| [element.symbol, element.name].iter().any(|known| known.eq_ignore_ascii_case(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_neutral_and_its_k_shell_is_bound_as_moseley_says() {
        assert!(tabulated().map(|element| element.z).eq(1..=92));
        for Element { z, symbol, atom, .. } in tabulated() {
            let (z, subshells) = (f64::from(*z), &atom.as_ref().expect("an element of the tables").subshells);
            let electrons: f64 = subshells.iter().map(|shell| shell.electrons).sum();
            assert!((electrons - z).abs() < 1e-3, "{symbol}: {electrons} electrons");
            // Hydrogen-like binding, the other 1s electron and the outer shells screening part of the charge.
            let hydrogen_like = 13.6e-6 * z * z;
            let ratio = subshells[0].binding_mev / hydrogen_like;
            assert!((0.44..1.01).contains(&ratio), "{symbol}: {ratio}");
            // Nothing is bound by less than the outermost electron: hydrogen to uranium, 3.9 to 24.6 eV.
            assert!(subshells.iter().all(|shell| shell.binding_mev > 3.8e-6), "{symbol}");
        }
    }

    #[test]
    fn an_element_without_tables_is_refused_and_not_echoed() {
        for (symbol, z) in [("Ca", 20), ("Ti", 22), ("Gd", 64), ("Pb", 82), ("U", 92)] {
            assert_eq!(find(symbol).expect("it is there").0.z, z);
        }
        for symbol in ["Xx", "Np", "Og"] {
            let reason = find(symbol).expect_err("no such element").0;
            assert!(!reason.contains(symbol) && reason.contains("all from H to U"), "{reason}");
        }
    }

    #[test]
    fn symbols_and_names_are_known_in_any_case() {
        let symbol = |text| named(text).map(|element| element.symbol);
        for (text, expected) in
            [("Lu", "Lu"), ("LU", "Lu"), ("lutetium", "Lu"), ("CESIUM", "Cs"), ("i", "I"), ("Lead", "Pb")]
        {
            assert_eq!(symbol(text), Some(expected));
        }
        assert_eq!((symbol(""), symbol("Xx"), symbol("é")), (None, None, None));
        assert_eq!(
            (all().len(), named("Tc").map(|element| (element.z, element.name))),
            (118, Some((43, "Technetium")))
        );
    }
}
