//! Mean doses of the regions of some bodies by Monte Carlo, with which `docs/kernels.md` compares the kernel method, as
//! they stand in `tests/golden/kernel_region_means.csv`. About ten minutes on two cores; needs the reference data.
//!
//!     cargo run --release --example kernel_region_means > means.csv

use std::error::Error;

use dosegrid::domain::{Control, DeviceSelector, Extras, Method, MonteCarloOptions};
use dosegrid::engine::Device;
use dosegrid::plan::Limits;
use phantoms::{layers, patient, thorax};
use reference::reference;

#[expect(dead_code, reason = "a test uses the rest")]
#[path = "../tests/kernel_regions/phantoms.rs"]
mod phantoms;
#[path = "../tests/support/reference.rs"]
mod reference;

const NUCLIDES: [&str; 6] = ["Lu-177", "Y-90", "I-131", "Ac-225", "Tb-161", "In-111"];
/// Time for each phantom and nuclide [s].
const SECONDS: f64 = 20.0;
const HEAD: &str = "\
# Mean absorbed doses of regions (energy over mass), Gy per decay in the grid, and their statistical uncertainty (1 sigma).
# Source: this program's own Monte Carlo transport, 20 s on two busy cores for each phantom and nuclide, daughters in equilibrium.
# Phantoms: tests/kernel_regions/phantoms.rs. Made by `cargo run --release --example kernel_region_means`.
phantom,nuclide,region,mean_gy,sigma_gy";

fn main() -> Result<(), Box<dyn Error>> {
    let mut device = Device::open(DeviceSelector::Cpu)?;
    let limits = Limits { host_bytes: 8 << 30, workspace_bytes: 2 << 30 };
    let mut options = MonteCarloOptions::default();
    options.stop.time_limit_s = Some(SECONDS);
    options.extras = Extras { uncertainty: true, ..Extras::default() };
    println!("{HEAD}");
    for phantom in [thorax(false), thorax(true), layers(), patient()] {
        for nuclide in NUCLIDES {
            let request = phantom.request(nuclide, Method::MonteCarlo(Box::new(options.clone())));
            let result = dosegrid::compute(&request, &mut device, &limits, &Control::detached())?;
            for (number, region) in phantom.regions.iter().enumerate() {
                let [mean, sigma] = phantom.mean(number, &result.dose, result.uncertainty.as_ref());
                let [mean, sigma] = [mean, sigma].map(|gy| gy / phantom.decays());
                println!("{},{nuclide},{region},{mean:.5e},{sigma:.1e}", phantom.name);
            }
        }
    }
    Ok(())
}
