//! What several tests share.

pub(crate) mod command;
pub(crate) mod nifti;
pub(crate) mod patient;
pub(crate) mod sources;
pub(crate) mod transport;

use std::path::PathBuf;

use dosegrid::domain::{DeviceKind, DeviceSelector};
use dosegrid::domain::{Material, MaterialDefinition};
use dosegrid::engine::{Device, list_devices};

/// Makes a test of each engine out of a function that takes a device: `NAME::cpu` and `NAME::gpu`. The second is
/// ignored where there is no GPU; a software adapter will do.
macro_rules! on_each_engine {
    ($name:ident) => {
        mod $name {
            #[test]
            fn cpu() {
                super::$name($crate::support::cpu());
            }

            #[test]
            #[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
            fn gpu() {
                super::$name($crate::support::gpu());
            }
        }
    };
}
pub(crate) use on_each_engine;

/// The CPU.
pub(crate) fn cpu() -> Device {
    Device::open(DeviceSelector::Cpu).expect("the CPU is always there")
}

/// The first GPU, software adapters included. A test that needs it is ignored where `build/test_needs.rs` finds no
/// driver.
pub(crate) fn gpu() -> Device {
    let is_listed = list_devices().iter().any(|info| info.kind != DeviceKind::Cpu);
    assert!(
        is_listed,
        "no GPU adapter: install a Vulkan driver and loader (Mesa's lavapipe will do), or set REQUIRE_GPU=0"
    );
    Device::open(DeviceSelector::GpuNumber(0)).expect("a GPU that is listed can be opened")
}

/// A file of the reference data that may not be committed: in `$DOSEGRID_REFERENCE`, or in `../shared/reference`. A
/// test that needs it is ignored where `build/test_needs.rs` does not find the data.
pub(crate) fn reference(name: &str) -> PathBuf {
    let root = std::env::var_os("DOSEGRID_REFERENCE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference")), PathBuf::from);
    let path = root.join(name);
    assert!(path.exists(), "the reference data `{name}` is absent: set DOSEGRID_REFERENCE, or REQUIRE_REFERENCE=0");
    path
}

/// Records of a CSV text with a header, after lines that start with `#`.
pub(crate) fn csv_records<Row: serde::de::DeserializeOwned>(text: &str) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("the table has the columns that are read")
}

/// An element as a material, at the density and with the mean excitation energy of ICRU 37.
pub(crate) fn pure(symbol: &str) -> Material {
    let known = PURE.iter().find(|(name, ..)| *name == symbol);
    let &(_, density_g_cm3, mean_excitation_energy_ev) = known.expect("an element of the tables");
    Material::new(MaterialDefinition {
        name: symbol.into(),
        source: "ICRU 37".into(),
        nominal_density_g_cm3: density_g_cm3,
        density_range_g_cm3: None,
        mean_excitation_energy_ev,
        mass_fractions: [(symbol.to_owned(), 1.0)].into(),
    })
    .expect("an element is a material")
}

/// Density [g/cm³] and mean excitation energy [eV] of the elements, ICRU 37 (1984).
const PURE: [(&str, f64, f64); 18] = [
    ("H", 8.3748e-5, 19.2),
    ("C", 1.7, 78.0),
    ("N", 1.1653e-3, 82.0),
    ("O", 1.3315e-3, 95.0),
    ("F", 1.5803e-3, 115.0),
    ("Na", 0.971, 149.0),
    ("Mg", 1.74, 156.0),
    ("Al", 2.6989, 166.0),
    ("Si", 2.33, 173.0),
    ("P", 2.2, 173.0),
    ("S", 2.0, 180.0),
    ("Cl", 2.9947e-3, 174.0),
    ("Ar", 1.662e-3, 188.0),
    ("K", 0.862, 190.0),
    ("Ca", 1.55, 191.0),
    ("Fe", 7.874, 286.0),
    ("Zn", 7.133, 330.0),
    ("I", 4.93, 491.0),
];

/// The largest part by which something differs, and where.
#[derive(Default)]
pub(crate) struct Worst(f64, String);

impl Worst {
    /// Compares a value.
    pub(crate) fn see(&mut self, found: f64, expected: f64, at: impl FnOnce() -> String) {
        let part = (found / expected - 1.0).abs();
        if part > self.0 || part.is_nan() {
            *self = Self(part, at());
        }
    }

    /// Says what it was, and fails if it was too much.
    pub(crate) fn assert_below(&self, tolerance: f64, what: &str) {
        println!("{what}: {:.2e} at {}", self.0, self.1);
        assert!(self.0 < tolerance, "{what}: {} at {}", self.0, self.1);
    }
}
