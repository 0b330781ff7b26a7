//! What several tests share.

pub(crate) mod command;
mod example;
pub(crate) mod nifti;
pub(crate) mod patient;
pub(crate) mod ports;
pub(crate) mod raw;
mod reference;
pub(crate) mod sources;
pub(crate) mod transport;

use dosegrid::domain::{DeviceKind, DeviceSelector};
use dosegrid::domain::{Material, MaterialDefinition};
use dosegrid::engine::{Device, list_devices};
use dosegrid::physics::electron::bremsstrahlung::BremsstrahlungSpectrum;
use dosegrid::physics::electron::collision::CollisionStopping;
use dosegrid::physics::electron::{Charge, speed_squared};

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
pub(crate) use example::{built_example, clinic_cases};
pub(crate) use on_each_engine;
pub(crate) use reference::reference;

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

/// Records of a CSV text with a header, after lines that start with `#`.
pub(crate) fn csv_records<Row: serde::de::DeserializeOwned>(text: &str) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("the table has the columns that are read")
}

/// An element as a material, at the density and with the mean excitation energy of ICRU 37.
pub(crate) fn pure(symbol: &str) -> Material {
    let rows: Vec<(String, f64, f64)> = csv_records(include_str!("../golden/elements.csv"));
    let known = rows.into_iter().find(|(name, ..)| name == symbol);
    let (_, density_g_cm3, mean_excitation_energy_ev) = known.expect("an element of the tables");
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

/// Stopping powers and the density effect next to ESTAR's.
#[derive(Default)]
pub(crate) struct AgainstEstar {
    collision: Worst,
    radiative: Worst,
    density_effect: f64,
}

impl AgainstEstar {
    /// Compares a material at an energy [MeV].
    ///
    /// * `expected` – collision and radiative stopping power [MeV·cm²/g], density effect
    pub(crate) fn see(&mut self, material: &Material, energy_mev: f64, expected: [f64; 3]) {
        let [collision, radiative, delta] = expected;
        let stopping = CollisionStopping::of(material);
        let at = || format!("{} {energy_mev} MeV", material.name());
        self.collision.see(stopping.total(Charge::Electron, energy_mev), collision, at);
        let radiated = BremsstrahlungSpectrum::of(material, Charge::Electron, energy_mev).stopping();
        self.radiative.see(radiated, radiative, at);
        let found = stopping.oscillators().density_effect(speed_squared(energy_mev));
        self.density_effect = self.density_effect.max((found - delta).abs());
    }

    /// Says what the differences were, and fails if they were too much.
    ///
    /// * `tolerances` – of the stopping powers, relative; of the density effect, absolute
    pub(crate) fn assert_below(&self, tolerances: [f64; 3]) {
        self.collision.assert_below(tolerances[0], "collision stopping power against ESTAR");
        self.radiative.assert_below(tolerances[1], "radiative stopping power against ESTAR");
        println!("density effect against ESTAR: {:.4}", self.density_effect);
        assert!(self.density_effect < tolerances[2], "density effect: {}", self.density_effect);
    }
}
