//! Faults of a driver, played at every kind of place where one can occur in a request: each ends in a clear error or in
//! the right dose. `docs/gpus.md` says which check finds which.

use std::sync::Arc;
use std::time::Instant;

use super::played::{Fault, Occasion};
use super::{DeviceLimits, GpuEngine};
use crate::domain::{
    ActivityUnit, Control, DensityCorrection, DensityMap, DeviceSelector, DoseError, DoseRequest, EnergySums, Extras,
    KernelOptions, Method, MonteCarloOptions, StopRule, TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::engine::Device;
use crate::physics::nuclide;
use crate::plan::Limits;

/// The stages of a convolution, of transport, and those that sum up what it left.
const CONVOLUTION: [&str; 5] = ["forward_x", "forward_y", "multiply_z", "inverse_y", "inverse_x"];
const TRANSPORT: [&str; 4] = ["transport_schedule", "transport_emission", "transport_charged", "transport_photon"];
const SUMMARY: [&str; 2] = ["summary_voxels", "summary_regions"];
/// No convolution here has so many occasions for a fault.
const ALL: usize = 1000;

/// Where the energy of a run of transport is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    /// On the device, which sums it up.
    Held,
    /// On the device, from which all of it is fetched at the end.
    Collected,
    /// Here: after every round it is fetched from the device, which has room for some groups only.
    Fetched,
}

/// Which of the occasions of a kind. How many cycles a run has, and with them readbacks, depends on how fast the device
/// is: they are not all tried.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    First,
    /// If there is one. Of accounts, it is in the second round.
    Second,
    /// Near the end, if there are many.
    Late,
}

/// Dose and uncertainty of a request, and the sums of its tally, which the energy alone holds to the last unit.
type Given = (Vec<f32>, Vec<EnergySums>);

/// A request, and the dose that it must give.
struct Case {
    device: Device,
    limits: DeviceLimits,
    request: DoseRequest,
    right: Given,
    /// Bytes of the tally that a device gets, if it gets less than it has.
    tally_bytes: Option<u64>,
    /// The kinds of occasions of the request, and how many there are of each.
    kinds: Vec<(Occasion, usize)>,
    outcomes: Vec<String>,
    began: Instant,
}

impl Case {
    fn new(limits: DeviceLimits, request: DoseRequest, tally_bytes: Option<u64>) -> Self {
        let (device, began) = (open(limits), Instant::now());
        let (right, kinds, outcomes) = (Given::default(), Vec::new(), Vec::new());
        let mut case = Self { device, limits, request, right, tally_bytes, kinds, outcomes, began };
        case.right = case.dose().expect("the device works");
        assert!(case.right.0.iter().sum::<f32>() > 0.0, "a dose");
        case.forget();
        let played = case.engine().session.context.played.clone();
        played.list();
        assert_eq!(case.dose().as_ref(), Ok(&case.right));
        case.kinds = played.listed();
        println!("{:.1} s: {:?}", began.elapsed().as_secs_f64(), case.kinds);
        case
    }

    /// The device holds nothing from the request before.
    fn forget(&mut self) {
        let tally_bytes = self.tally_bytes;
        let session = &mut self.engine().session;
        session.release();
        if let (Some(stages), Some(bytes)) = (&mut session.transport, tally_bytes) {
            stages.limit_tally(bytes);
        }
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
        Self::new(DeviceLimits::Binding(20_000), request, None)
    }

    /// Histories in two rounds, of which the second begins with what the first one left on the device.
    fn transport(kept: Kept) -> Self {
        let stop = StopRule { histories: Some(5000), ..StopRule::default() };
        let extras = Extras { uncertainty: true, tally: kept == Kept::Collected };
        let method = Method::MonteCarlo(Box::new(MonteCarloOptions { stop, extras, ..MonteCarloOptions::default() }));
        let shape = [6, 7, 5];
        // Of 32 groups, eight at a time.
        let tally_bytes = (kept == Kept::Fetched).then_some(8 * 8 * shape.iter().product::<u64>());
        Self::new(DeviceLimits::WebGpuDefault, Self::request(shape, [4.0; 3], method), tally_bytes)
    }

    fn engine(&mut self) -> &mut GpuEngine {
        let Device::Gpu(engine) = &mut self.device else { panic!("a GPU was opened") };
        engine
    }

    fn dose(&mut self) -> Result<Given, DoseError> {
        let result = crate::compute(&self.request, &mut self.device, &Limits::default(), &Control::detached())?;
        let volumes = std::iter::once(&result.dose).chain(&result.uncertainty);
        let values = volumes.flat_map(|volume| volume.as_slice().iter().copied()).collect();
        let groups = result.tally.into_iter().flat_map(|record| record.tally.groups);
        Ok((values, groups.map(|group| group.energy).collect()))
    }

    /// Plays a fault after so many occasions for it, of one kind if there is one. Gives whether there were as many.
    fn play_at(&mut self, fault: Fault, kind: Option<&Occasion>, passes: usize) -> bool {
        self.forget();
        let bounds = self.engine().session.context.bounds();
        // A run of histories opens a lost device again, and goes on.
        let played = self.engine().session.context.played.clone();
        match kind {
            Some(kind) => played.ask_at(fault, kind, passes),
            None => played.ask(fault, passes),
        }
        let outcome = self.dose();
        let has_struck = played.end();
        assert_eq!(self.engine().session.context.bounds(), bounds, "a device that is opened again has its limits");
        let is_right = outcome.as_ref().is_ok_and(|dose| *dose == self.right);
        let said = match &outcome {
            Ok(_) if is_right => "the right dose".to_owned(),
            Ok(_) => "A WRONG DOSE".to_owned(),
            Err(error) => error.to_string(),
        };
        if has_struck {
            let at = kind.map(|kind| format!(" at {kind:?}")).unwrap_or_default();
            let seconds = self.began.elapsed().as_secs_f64();
            println!("{seconds:6.1} s: {fault:?}{at} after {passes}: {said}");
            self.outcomes.push(format!("{fault:?}{at} after {passes}: {said}"));
        } else {
            assert!(is_right, "without a fault: {said}");
        }
        if outcome.is_err() {
            self.recover(&said);
        }
        has_struck
    }

    fn play(&mut self, fault: Fault, passes: usize) -> bool {
        self.play_at(fault, None, passes)
    }

    /// Has a driver refuse something once. That ends the request with the reason, and the device is kept: it gives the
    /// right dose to the next.
    fn play_refused(&mut self, kind: &Occasion) {
        self.forget_stages();
        let fault = Fault::Refused { for_good: false };
        let played = self.engine().session.context.played.clone();
        played.ask_at(fault, kind, 0);
        let outcome = self.dose();
        assert!(played.end(), "{fault:?} at {kind:?}");
        let Err(DoseError::DeviceRefused(reason)) = outcome else { panic!("{kind:?}: {outcome:?}") };
        let said = match kind {
            Occasion::Allocation(label) => label.as_str(),
            Occasion::Compilation(stage) => stage,
            Occasion::Dispatch(_) | Occasion::Readback { .. } => panic!("nothing is refused at {kind:?}"),
        };
        assert!(reason.contains(said), "{kind:?}: {reason}");
        assert_eq!(self.dose().as_ref(), Ok(&self.right), "after {kind:?}");
        assert!(self.engine().session.context.played.is_same(&played), "{kind:?}: the device is kept");
    }

    /// All stages are compiled again.
    fn forget_stages(&mut self) {
        self.forget();
        let session = &mut self.engine().session;
        session.context.forget_pipelines();
        session.transport = None;
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

    /// The kinds of occasions for a fault, and how many there are of each.
    fn kinds_for(&self, fault: Fault) -> Vec<(Occasion, usize)> {
        let kinds: Vec<_> = self.kinds.iter().filter(|(kind, _)| fault.can_occur_at(kind)).cloned().collect();
        assert!(!kinds.is_empty(), "no occasion for {fault:?}");
        kinds
    }

    /// Plays a fault at a kind of occasion, of which there are about so many.
    fn play_place(&mut self, fault: Fault, (kind, times): &(Occasion, usize), place: Place) {
        let mut play = |passes| self.play_at(fault, Some(kind), passes);
        match place {
            Place::First => assert!(play(0), "{fault:?} at {kind:?}"),
            Place::Second => assert!(*times < 2 || play(1), "{fault:?} at {kind:?}"),
            Place::Late => {
                // A faster run has fewer.
                let mut passes = times * 7 / 8;
                while passes > 1 && !play(passes) {
                    passes /= 2;
                }
            }
        }
    }

    /// Plays a fault at every kind of occasion for it.
    fn play_places(&mut self, fault: Fault, places: &[Place]) {
        for kind in self.kinds_for(fault) {
            places.iter().for_each(|&place| self.play_place(fault, &kind, place));
        }
    }

    /// Plays flipped bits at every kind of readback.
    fn play_flips(&mut self, places: &[Place]) {
        const FLIPS: [[(usize, usize, u32); 2]; 2] = [[(0, 7, 3), (5, 11, 31)], [(17, 1, 13), (100, 3, 25)]];
        let kinds = self.kinds_for(Fault::Flipped { word: 0, bit: 0 });
        let all = kinds.iter().flat_map(|kind| places.iter().map(move |&place| (kind, place)));
        // Words and bits differ from one occasion to the next.
        for (number, (kind, place)) in all.enumerate() {
            for (word, step, bit) in FLIPS[number % 2] {
                self.play_place(Fault::Flipped { word: word + step * number, bit }, kind, place);
            }
        }
    }

    /// No fault gave a wrong dose.
    fn finish(self) {
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
    case.play_each(Fault::NoMemory, ALL);
    case.play_each(Fault::NoMap, 2);
    case.play_each(Fault::Zeros { for_good: false }, ALL);
    case.play_each(Fault::Zeros { for_good: true }, ALL);
    case.finish();
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_fault_of_a_driver_in_transport_gives_a_wrong_dose() {
    let mut case = Case::transport(Kept::Held);
    for stage in TRANSPORT {
        case.play_places(Fault::LostAt(stage), &[Place::Late]);
        case.play_places(Fault::Idle(stage), &[Place::First, Place::Second, Place::Late]);
    }
    for stage in SUMMARY {
        case.play_places(Fault::LostAt(stage), &[Place::First]);
        case.play_places(Fault::Idle(stage), &[Place::First]);
    }
    case.play_places(Fault::NoMemory, &[Place::First, Place::Second]);
    case.play_each(Fault::NoMap, 2);
    case.play_places(Fault::Zeros { for_good: false }, &[Place::First, Place::Second, Place::Late]);
    case.play_places(Fault::Zeros { for_good: true }, &[Place::First, Place::Second]);
    case.finish();
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_fault_of_a_driver_in_sums_that_are_fetched_gives_a_wrong_dose() {
    let mut case = Case::transport(Kept::Collected);
    case.kinds.retain(is_of_tally);
    case.play_places(Fault::Zeros { for_good: false }, &[Place::First]);
    case.play_places(Fault::Zeros { for_good: true }, &[Place::First]);
    case.finish();
    let mut case = Case::transport(Kept::Fetched);
    case.play_places(Fault::LostAt("transport_photon"), &[Place::Late]);
    case.play_places(Fault::Idle("transport_emission"), &[Place::First, Place::Late]);
    case.play_places(Fault::Zeros { for_good: false }, &[Place::First, Place::Second, Place::Late]);
    case.play_places(Fault::Zeros { for_good: true }, &[Place::First]);
    case.finish();
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_flipped_bit_in_transport_gives_a_wrong_dose() {
    let mut case = Case::transport(Kept::Held);
    case.play_flips(&[Place::First, Place::Second, Place::Late]);
    case.finish();
    let mut case = Case::transport(Kept::Collected);
    case.kinds.retain(is_of_tally);
    case.play_flips(&[Place::First]);
    case.finish();
    let mut case = Case::transport(Kept::Fetched);
    case.play_flips(&[Place::First, Place::Late]);
    case.finish();
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn what_a_driver_refuses_ends_one_request_and_the_device_is_kept() {
    let convolution = (Case::convolution(), CONVOLUTION.to_vec());
    let transport = (Case::transport(Kept::Held), [TRANSPORT.as_slice(), &SUMMARY].concat());
    for (mut case, stages) in [convolution, transport] {
        for (kind, _) in case.kinds_for(Fault::Refused { for_good: false }) {
            case.play_refused(&kind);
        }
        stages.into_iter().for_each(|stage| case.play_refused(&Occasion::Compilation(stage)));
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_device_that_refuses_all_from_then_on_is_lost() {
    let fault = Fault::Refused { for_good: true };
    let mut case = Case::convolution();
    case.forget_stages();
    let played = case.engine().session.context.played.clone();
    played.ask_at(fault, &Occasion::Compilation("multiply_z"), 0);
    for _ in 0..2 {
        let outcome = case.dose();
        let Err(DoseError::DeviceLost(reason)) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("multiply_z") && reason.contains("trial"), "{reason}");
    }
    assert!(played.end());
    // A run of histories opens the device again by itself.
    let mut case = Case::transport(Kept::Held);
    case.forget_stages();
    let played = case.engine().session.context.played.clone();
    played.ask_at(fault, &Occasion::Compilation("transport_photon"), 0);
    assert_eq!(case.dose().as_ref(), Ok(&case.right));
    assert!(played.end() && !case.engine().session.context.played.is_same(&played));
}

/// Whether sums of groups are read back, which are far more words than all else.
fn is_of_tally((kind, _): &(Occasion, usize)) -> bool {
    matches!(kind, Occasion::Readback { words, .. } if *words > 1000)
}
