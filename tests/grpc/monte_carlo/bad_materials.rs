//! Monte Carlo headers with materials that must be refused at once.

use dosegrid::api::pb;

use super::super::bad_headers::cases;
use super::super::check_cases;
use super::bad_options::{edited, named, table};

fn uniform(method: &mut pb::MonteCarloMethod, material: pb::Material) {
    method.medium = Some(pb::Medium { medium: Some(pb::medium::Medium::Uniform(material)) });
}

fn defined(name: &str) -> pb::Material {
    let definition = pb::MaterialDefinition {
        nominal_density_g_cm3: 1.0,
        mean_excitation_energy_ev: 70.0,
        mass_fractions: [("H".to_owned(), 0.1), ("C".to_owned(), 0.9)].into(),
        source: String::new(),
    };
    pb::Material { name: name.into(), definition: Some(definition) }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_materials_are_named_by_their_path() {
    check_cases(cases(&[
        (
            "an unknown material",
            |h| edited(h, |m| uniform(m, pb::Material { name: "lead".into(), definition: None })),
            &["method.monte_carlo.medium.uniform.name"],
        ),
        (
            "a known name for something else",
            |h| edited(h, |m| uniform(m, defined("water"))),
            &["method.monte_carlo.medium.uniform.name"],
        ),
        (
            "a definition at fault",
            |h| {
                let mut material = defined("mine");
                let definition = material.definition.as_mut().expect("a definition");
                definition.nominal_density_g_cm3 = f64::NAN;
                definition.mass_fractions.insert("Xx".into(), 0.1);
                edited(h, |m| uniform(m, material));
            },
            &[
                "method.monte_carlo.medium.uniform.definition.nominal_density_g_cm3",
                "method.monte_carlo.medium.uniform.definition.mass_fractions.Xx",
                "method.monte_carlo.medium.uniform.definition.mass_fractions",
            ],
        ),
        (
            "a table without a map",
            |h| {
                table(h, vec![named(1, "water")]);
                h.materials = None;
            },
            &["materials"],
        ),
        (
            "a map without a table",
            |h| {
                h.materials = h.activity.clone();
                edited(h, |_| {});
            },
            &["materials"],
        ),
        ("an empty table", |h| table(h, vec![]), &["method.monte_carlo.medium.table.entries"]),
        (
            "a label twice",
            |h| table(h, vec![named(1, "water"), named(1, "air")]),
            &["method.monte_carlo.medium.table.entries[1].label"],
        ),
        (
            "faults in several entries",
            |h| {
                let nothing = pb::LabelledMaterial { label: 2, material: None };
                table(h, vec![named(70_000, "water"), nothing, named(3, "lead")]);
            },
            &[
                "method.monte_carlo.medium.table.entries[0].label",
                "method.monte_carlo.medium.table.entries[1].material",
                "method.monte_carlo.medium.table.entries[2].material.name",
            ],
        ),
        (
            "materials elsewhere",
            |h| {
                table(h, vec![named(1, "water")]);
                let map = h.materials.as_mut().expect("a map");
                map.grid.as_mut().expect("a grid").affine_mm[3] = 99.0;
            },
            &["materials.grid"],
        ),
    ]))
    .await;
}
