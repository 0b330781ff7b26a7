//! How far a Monte Carlo dose depends on its cuts: energy around one voxel of water, by layers of distance, with cuts
//! of 1 to 50 keV, lowered where voxels do not allow them, against the cuts by default with steps 3.5 times finer.
//!
//!     cargo run --release --example cuts -- [HISTORIES] [SOURCE]…
//!
//! A source is a nuclide or an energy of electrons in MeV. Printed is, for each source, voxel and cut, the layer that
//! differs most in standard deviations beyond 0.3 %. In the end, of all layers that hold at least 1 % of the energy,
//! how many differ by more than 0.3 %, and by how many standard deviations beyond that.

use std::error::Error;

use dosegrid::domain::{Control, DeviceSelector, EmissionSpectrum, Particle, Tally};
use dosegrid::engine::Device;
use dosegrid::physics::nuclide;
use dosegrid::plan::{ChosenCuts, HistoryCuts};
use dosegrid::prepare::transport::StepLimits;
use dosegrid::validate::phantom::{Phantom, line};
use dosegrid::validate::statistics::{Binned, Estimate};

/// Sources without an argument, and the farthest that their electrons go in water [mm].
const SOURCES: [(&str, f64); 8] = [
    ("0.05", 0.05),
    ("0.2", 0.5),
    ("0.5", 2.0),
    ("2", 10.5),
    ("Lu-177", 2.0),
    ("I-131", 3.5),
    ("P-32", 9.0),
    ("Y-90", 12.0),
];
/// Edges of the voxels [mm].
const EDGES_MM: [f64; 5] = [0.1, 0.2, 1.0, 4.42, 10.0];
/// Cuts of collisions, and of absorption where they are lower than that by default [keV].
const CUTS_KEV: [f64; 4] = [1.0, 5.0, 15.0, 50.0];
/// Steps of the reference.
const FINE: StepLimits = StepLimits { loss: 0.02, deflection: 0.02, short_path: 0.0 };
/// Part of a dose by which cuts may change it.
const FREE: f64 = 0.003;
/// Most layers of voxels around the source.
const MOST_LAYERS: f64 = 45.0;
/// Layers with a smaller part of the energy are not compared.
const FAINT: f64 = 1e-5;
/// Layers with at least this part of the energy are counted.
const BRIGHT: f64 = 0.01;
/// Standard deviations that are counted.
const COUNTED: [f64; 3] = [0.0, 2.0, 3.0];

/// How many layers were compared, and how many of them differ by more than [`FREE`] and each of [`COUNTED`].
#[derive(Default)]
struct Count {
    layers: usize,
    beyond: [usize; COUNTED.len()],
}

impl Count {
    fn add(&mut self, beyond: f64) {
        self.layers += 1;
        for (count, least) in self.beyond.iter_mut().zip(COUNTED) {
            *count += usize::from(beyond > least);
        }
    }
}

fn spectrum(source: &str) -> Result<EmissionSpectrum, Box<dyn Error>> {
    Ok(match source.parse() {
        Ok(mev) => line(Particle::Electron, mev),
        Err(_) => nuclide::emissions(nuclide::find(source)?).clone(),
    })
}

/// Energy in each layer: layer `n` holds the voxels whose centres are nearest to `n` edges from the source.
fn layers(
    device: &mut Device,
    phantom: &Phantom,
    half: usize,
    histories: u64,
) -> Result<Vec<Estimate>, Box<dyn Error>> {
    let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
    device.transport(&phantom.scene(), 0..histories, &mut tally, &Control::detached())?;
    let distance = |voxel| phantom.index(voxel).map(|n| (n as f64 - half as f64).powi(2)).iter().sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few voxels")]
    let layer = |voxel| Some(distance(voxel).round() as usize).filter(|&layer| layer <= half);
    let binned = Binned::new(&tally, half + 1, layer);
    Ok((0..=half).map(|layer| binned.mean(layer)).collect())
}

/// Prints the worst layer of each cut around a source in voxels of one size.
fn compare(
    device: &mut Device,
    source: &str,
    range_mm: f64,
    edge_mm: f64,
    histories: u64,
    count: &mut Count,
) -> Result<(), Box<dyn Error>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 45")]
    let half = (range_mm / edge_mm).ceil().clamp(2.0, MOST_LAYERS) as usize;
    let shape = [2 * half as u64 + 1; 3];
    let mut phantom = Phantom::uniform(shape, [edge_mm; 3], "water", 1.0, spectrum(source)?).with_source_at([half; 3]);
    let usual = phantom.cuts;
    phantom.steps = FINE;
    let reference = layers(device, &phantom, half, histories)?;
    let total: f64 = reference.iter().map(|layer| layer.mean).sum();
    phantom.steps = StepLimits::for_grid(&phantom.grid);
    for cut in std::iter::once(None).chain(CUTS_KEV.map(Some)) {
        let collision_mev = cut.map(|kev| 1e-3 * kev);
        let absorption_mev = collision_mev.map(|cut| cut.min(usual.absorption_mev));
        let chosen = ChosenCuts { collision_mev, absorption_mev, ..ChosenCuts::default() };
        phantom.cuts = HistoryCuts::new(&phantom.grid, &chosen);
        phantom.seed += 1;
        let found = layers(device, &phantom, half, histories)?;
        let ratios = found.iter().zip(&reference).map(|(found, expected)| found.over(*expected));
        let beyond = |ratio: &Estimate| ((ratio.mean - 1.0).abs() - FREE) / ratio.sigma;
        let seen = |layer: usize| reference[layer].mean > FAINT * total && reference[layer].sigma > 0.0;
        let ratios: Vec<(usize, Estimate)> = ratios.enumerate().filter(|(layer, _)| seen(*layer)).collect();
        let bright = ratios.iter().filter(|(layer, _)| reference[*layer].mean > BRIGHT * total);
        bright.for_each(|(_, ratio)| count.add(beyond(ratio)));
        if let Some((layer, ratio)) = ratios.into_iter().max_by(|(_, a), (_, b)| beyond(a).total_cmp(&beyond(b))) {
            let cut = cut.map_or_else(|| format!("default {:.1}", 1e3 * usual.collision_mev), |kev| kev.to_string());
            let (part, percent, sigma) =
                (reference[layer].mean / total, 100.0 * (ratio.mean - 1.0), 100.0 * ratio.sigma);
            println!("{source},{edge_mm},{cut},{layer},{part:.1e},{percent:+.2},{sigma:.2}");
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let histories = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let wanted: Vec<String> = arguments.collect();
    let mut device = Device::open(DeviceSelector::Cpu)?;
    let mut count = Count::default();
    println!("source,edge_mm,cut_kev,layer,part_of_energy,ratio_minus_1_percent,sigma_percent");
    for (source, range_mm) in SOURCES.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name)) {
        for edge_mm in EDGES_MM {
            compare(&mut device, source, *range_mm, edge_mm, histories, &mut count)?;
        }
    }
    println!("layers,{}", COUNTED.map(|least| format!("beyond_{least}_sigma")).join(","));
    println!("{},{}", count.layers, count.beyond.map(|number| number.to_string()).join(","));
    Ok(())
}
