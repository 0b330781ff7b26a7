//! Faults of a driver, played at every kind of place where one can occur in a request: each ends in a clear error or in
//! the right dose. `docs/gpus.md` says which check finds which.

use std::sync::Arc;

use super::played::Fault;
use super::{DeviceLimits, GpuEngine};
use crate::domain::{
    ActivityUnit, Control, DensityCorrection, DensityMap, DeviceSelector, DoseError, DoseRequest, KernelOptions,
    Method, MonteCarloOptions, StopRule, TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::engine::Device;
use crate::physics::nuclide;
use crate::plan::Limits;

/// The stages of a convolution and of transport.
const CONVOLUTION: [&str; 6] = ["core_direct", "forward_x", "forward_y", "multiply_z", "inverse_y", "inverse_x"];
const TRANSPORT: [&str; 4] = ["transport_schedule", "transport_emission", "transport_charged", "transport_photon"];
/// Occasions that pass before a fault strikes, where each of them would take too long.
const SOME: [usize; 5] = [0, 1, 2, 5, 11];
/// No request here has so many occasions for a fault.
const ALL: usize = 1000;

/// A request, and the dose that it must give.
struct Case {
    device: Device,
    limits: DeviceLimits,
    request: DoseRequest,
    right: Vec<f32>,
    outcomes: Vec<String>,
}

impl Case {
    fn new(limits: DeviceLimits, request: DoseRequest) -> Self {
        let mut case = Self { device: open(limits), limits, request, right: Vec::new(), outcomes: Vec::new() };
        case.right = case.dose().expect("the device works");
        assert!(case.right.iter().sum::<f32>() > 0.0, "a dose");
        case
    }

    /// Decays of Lu-177 in every fifth voxel of water.
    fn request(shape: [u64; 3], spacing_mm: [f64; 3], method: Method) -> DoseRequest {
        let grid = Arc::new(VoxelGrid::new(shape, spacing_mm).expect("a good grid"));
        let decays = (0..grid.voxels()).map(|voxel| if voxel % 5 == 0 { 1e6 * (1 + voxel % 7) as f32 } else { 0.0 });
        let volume = |values| Volume::from_vec(Arc::clone(&grid), values).expect("one value a voxel");
        let activity = TimeIntegratedActivity::new(volume(decays.collect()), ActivityUnit::BqS).expect("an activity");
        let density = DensityMap::new(volume(vec![1.0; grid.voxels()])).expect("a density");
        let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
        DoseRequest::new(activity, Some(density), nuclide, method).expect("a good request")
    }

    /// A convolution that takes several slabs and chunks. Most of its kernel is not in the core.
    fn convolution() -> Self {
        let density_correction = DensityCorrection::None;
        let options = KernelOptions { density_correction, ..KernelOptions::default() };
        let request = Self::request([26, 21, 19], [3.0, 4.0, 5.0], Method::Kernel(options));
        Self::new(DeviceLimits::Binding(20_000), request)
    }

    fn transport() -> Self {
        let stop = StopRule { histories: Some(400), ..StopRule::default() };
        let method = Method::MonteCarlo(Box::new(MonteCarloOptions { stop, ..MonteCarloOptions::default() }));
        Self::new(DeviceLimits::WebGpuDefault, Self::request([6, 7, 5], [4.0; 3], method))
    }

    fn engine(&mut self) -> &mut GpuEngine {
        let Device::Gpu(engine) = &mut self.device else { panic!("a GPU was opened") };
        engine
    }

    fn dose(&mut self) -> Result<Vec<f32>, DoseError> {
        let result = crate::compute(&self.request, &mut self.device, &Limits::default(), &Control::detached())?;
        Ok(result.dose.as_slice().to_vec())
    }

    /// Plays a fault after so many occasions for it. Gives whether there were as many.
    fn play(&mut self, fault: Fault, passes: usize) -> bool {
        self.engine().session.release();
        // A run of histories opens a lost device again, and goes on.
        let played = self.engine().session.context.played.clone();
        played.ask(fault, passes);
        let outcome = self.dose();
        let has_struck = played.end();
        let is_right = outcome.as_ref().is_ok_and(|dose| *dose == self.right);
        let said = match &outcome {
            Ok(_) if is_right => "the right dose".to_owned(),
            Ok(_) => "A WRONG DOSE".to_owned(),
            Err(error) => error.to_string(),
        };
        if has_struck {
            self.outcomes.push(format!("{fault:?} after {passes}: {said}"));
        } else {
            assert!(is_right, "without a fault: {said}");
        }
        if outcome.is_err() {
            self.recover(&said);
        }
        has_struck
    }

    /// After an error, the device gives the right dose again: at once, or when it was lost, once it is opened again.
    fn recover(&mut self, said: &str) {
        let again = match self.dose() {
            Err(DoseError::DeviceLost(_)) => {
                self.device = open(self.limits);
                self.dose()
            }
            again => again,
        };
        assert_eq!(again.as_ref(), Ok(&self.right), "after {said}");
    }

    /// Plays a fault at each occasion for it, up to `most`.
    fn play_each(&mut self, fault: Fault, most: usize) {
        let struck = (0..most).take_while(|&passes| self.play(fault, passes)).count();
        assert!(struck > 0, "no occasion for {fault:?}");
    }

    /// Plays what is not a matter of a stage.
    fn play_memory_and_readbacks(&mut self) {
        self.play_each(Fault::NoMemory, ALL);
        self.play_each(Fault::NoMap, 2);
        self.play_each(Fault::Zeros { for_good: false }, ALL);
        self.play_each(Fault::Zeros { for_good: true }, ALL);
    }

    /// No fault gave a wrong dose.
    fn finish(self) {
        println!("{}", self.outcomes.join("\n"));
        let wrong: Vec<_> = self.outcomes.iter().filter(|outcome| outcome.contains("WRONG")).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn open(limits: DeviceLimits) -> Device {
    let engine = GpuEngine::open_within(DeviceSelector::GpuNumber(0), limits).expect("a driver was found");
    Device::Gpu(Box::new(engine))
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_fault_of_a_driver_in_a_convolution_gives_a_wrong_dose() {
    let mut case = Case::convolution();
    for stage in CONVOLUTION {
        case.play_each(Fault::Idle(stage), ALL);
        assert!(case.play(Fault::LostAt(stage), 0), "{stage} runs");
    }
    case.play_memory_and_readbacks();
    case.finish();
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_fault_of_a_driver_in_transport_gives_a_wrong_dose() {
    let mut case = Case::transport();
    for stage in TRANSPORT {
        for passes in SOME {
            case.play(Fault::Idle(stage), passes);
        }
        assert!(case.play(Fault::LostAt(stage), 1), "{stage} runs");
    }
    case.play_memory_and_readbacks();
    case.finish();
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_flipped_bit_in_transport_gives_a_wrong_dose() {
    let mut case = Case::transport();
    // The word differs from one readback to the next.
    for (word, step, bit) in [(0, 7, 3), (5, 11, 31), (17, 1, 13), (100, 3, 25)] {
        let struck =
            (0..ALL).take_while(|&passes| case.play(Fault::Flipped { word: word + step * passes, bit }, passes));
        let struck = struck.count();
        assert!(struck > 4, "counters, accounts and both words of the sums are read back, got {struck} readbacks");
    }
    case.finish();
}
