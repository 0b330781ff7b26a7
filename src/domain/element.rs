//! The chemical elements known to the tables.

use std::sync::LazyLock;

use crate::constants::AVOGADRO_PER_MOL;
use crate::domain::Invalid;
use crate::embedded::csv_rows;

/// A chemical element.
#[derive(Debug, PartialEq)]
pub struct Element {
    /// Atomic number.
    pub z: u8,
    /// Symbol, such as `Ca`.
    pub symbol: String,
    /// Mean mass of one mole of atoms [g].
    pub atomic_mass_g_mol: f64,
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

impl Element {
    /// Atoms in one gram.
    pub fn atoms_per_g(&self) -> f64 {
        AVOGADRO_PER_MOL / self.atomic_mass_g_mol
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
    let of = |z: u8| {
        let rows = subshells.iter().filter(|row| row.z == z);
        rows.map(|row| Subshell { electrons: row.electrons, binding_mev: row.binding_ev * 1e-6 }).collect()
    };
    let rows: Vec<ElementRow> = csv_rows(include_str!("../../data/elements.csv"));
    let element =
        |ElementRow { z, symbol, atomic_mass_g_mol }| Element { z, symbol, atomic_mass_g_mol, subshells: of(z) };
    rows.into_iter().map(element).collect()
});

/// All elements that the tables hold, by atomic number.
pub fn all() -> &'static [Element] {
    &ELEMENTS
}

/// The element of this symbol.
///
/// # Errors
/// If the tables have no such element; the reason lists those they have.
pub fn find(symbol: &str) -> Result<&'static Element, Invalid> {
    all().iter().find(|element| element.symbol == symbol).ok_or_else(|| {
        let known: Vec<&str> = all().iter().map(|element| element.symbol.as_str()).collect();
        Invalid::new(format!("`{symbol}` is not an element of the tables, which hold {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_neutral_and_its_k_shell_is_bound_as_moseley_says() {
        assert_eq!(all().len(), 18);
        for element in all() {
            let z = f64::from(element.z);
            let electrons: f64 = element.subshells.iter().map(|shell| shell.electrons).sum();
            assert!((electrons - z).abs() < 1e-3, "{}: {electrons} electrons", element.symbol);
            // Hydrogen-like binding, the other 1s electron and the outer shells screening part of the charge.
            let hydrogen_like = 13.6e-6 * z * z;
            let ratio = element.subshells[0].binding_mev / hydrogen_like;
            assert!((0.55..1.01).contains(&ratio), "{}: {ratio}", element.symbol);
        }
    }

    #[test]
    fn an_unknown_element_is_named_in_the_error() {
        assert_eq!(find("Ca").expect("calcium is there").z, 20);
        let reason = find("Xx").expect_err("no such element").0;
        assert!(reason.contains("`Xx`") && reason.contains("Ca, Fe"), "{reason}");
    }
}
