//! Custom materials, as TOML like the files in `data/materials/`, and tables that assign a material to each label.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::toml_file::{parse, text};
use crate::domain::{Invalid, MaterialTable, Violation};
use crate::domain::{Material, MaterialDefinition};
use crate::physics::material::{self};

/// One `[[material]]` of a table: a known name, or a definition.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    label: u16,
    name: String,
    source: Option<String>,
    nominal_density_g_cm3: Option<f64>,
    mean_excitation_energy_ev: Option<f64>,
    mass_fractions: Option<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    material: Vec<Entry>,
}

/// Reads the definition of one material.
///
/// # Errors
/// If the file cannot be read. Otherwise every fault of the definition.
pub fn read(path: &Path) -> Result<Material, Invalid> {
    let definition: MaterialDefinition = parse(&text(path)?)?;
    material::own(definition).map_err(|faults| listed(&faults, ""))
}

/// Reads a table with a `[[material]]` for each label. It has `label` and `name`, and, unless the name is that of a
/// known material, `nominal_density_g_cm3`, `mean_excitation_energy_ev` and `mass_fractions`.
///
/// # Errors
/// If the file cannot be read. Otherwise every fault of its materials, by label.
pub fn read_table(path: &Path) -> Result<MaterialTable, Invalid> {
    let table: Table = parse(&text(path)?)?;
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for entry in table.material {
        let label = entry.label;
        match resolve(entry) {
            Ok(material) => entries.push((label, material)),
            Err(Invalid(reason)) => faults.push(format!("label {label}: {reason}")),
        }
    }
    if !faults.is_empty() {
        return Err(Invalid::new(faults.join("; ")));
    }
    MaterialTable::new(entries).map_err(|faults| listed(&faults, "material"))
}

fn resolve(entry: Entry) -> Result<Material, Invalid> {
    let Entry { name, source, nominal_density_g_cm3, mean_excitation_energy_ev, mass_fractions, .. } = entry;
    match (nominal_density_g_cm3, mean_excitation_energy_ev, mass_fractions) {
        (None, None, None) => material::find(&name).cloned(),
        (Some(nominal_density_g_cm3), Some(mean_excitation_energy_ev), Some(mass_fractions)) => {
            let source = source.unwrap_or_else(|| material::THE_CALLER.to_owned());
            let definition = MaterialDefinition {
                name,
                source,
                nominal_density_g_cm3,
                density_range_g_cm3: None,
                mean_excitation_energy_ev,
                mass_fractions,
            };
            material::own(definition).map_err(|faults| listed(&faults, ""))
        }
        _ => Err(Invalid::new(
            "a definition needs all of nominal_density_g_cm3, mean_excitation_energy_ev and mass_fractions",
        )),
    }
}

fn listed(faults: &[Violation], prefix: &str) -> Invalid {
    let fault = |Violation { field, reason }: &Violation| format!("{prefix}{field} {reason}");
    Invalid::new(faults.iter().map(fault).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn table(text: &str) -> Result<MaterialTable, Invalid> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.toml");
        fs::write(&path, text).expect("a writable folder");
        read_table(&path)
    }

    const OWN: &str = "[[material]]\nlabel = 7\nname = \"plastic\"\nnominal_density_g_cm3 = 1.05\n\
                       mean_excitation_energy_ev = 68.0\nmass_fractions = { H = 0.08, C = 0.92 }\n";

    #[test]
    fn tables_name_and_define() {
        let found = table(&format!("[[material]]\nlabel = 0\nname = \"air\"\n\n{OWN}")).expect("a good table");
        let names: Vec<(u16, &str)> = found.entries().map(|(label, material)| (label, material.name())).collect();
        assert_eq!(names, [(0, "air"), (7, "plastic")]);
        assert_eq!(found.materials()[1].source(), material::THE_CALLER);
    }

    #[test]
    fn the_files_of_the_program_are_such_files() {
        for known in material::all() {
            let path = format!("{}/data/materials/{}.toml", env!("CARGO_MANIFEST_DIR"), known.name());
            assert_eq!(&read(Path::new(&path)).expect("a good file"), known);
        }
    }

    #[test]
    fn every_fault_is_named() {
        let reason = |text: &str| table(text).expect_err("a bad table").0;
        assert!(reason("label = 1").contains("line 1"));
        assert!(reason("[[material]]\nlabel = -1\nname = \"air\"").contains("line 2"));
        assert!(reason("[[material]]\nlabel = 1\nname = \"air\"\ncolour = 2").contains("line 4"));
        assert!(reason("material = []").contains("at least one"));
        assert!(reason(&OWN.replace("C = 0.92", "C = 0.8")).contains("label 7: mass_fractions must sum to 1"));
        assert!(reason(&OWN.replace("plastic", "water")).contains("known material"));
        assert!(reason(&OWN.replace("mean_excitation_energy_ev = 68.0\n", "")).contains("needs all of"));
        let both = reason("[[material]]\nlabel = 1\nname = \"lead\"\n[[material]]\nlabel = 2\nname = \"gold\"");
        assert!(both.contains("label 1: ") && both.contains("label 2: "), "{both}");
        assert!(reason(&format!("{OWN}{OWN}")).contains("twice"));
    }
}
