//! Runs that stop at an uncertainty.

use dosegrid::domain::{Control, DoseError, HeldTo, LabelMap, Region, StopReason, StopRule, TargetUncertainty};
use dosegrid::physics::nuclide;

use super::{Case, VOXELS, account, bits, label_map, per_voxel};

#[test]
fn a_target_stops_at_the_same_history_every_time() {
    let mut case = Case::new(0);
    let region = Region::AboveDoseFraction(0.3);
    case.options.stop = StopRule { target: Some(TargetUncertainty { relative: 0.02, region }), ..StopRule::default() };
    let (first, second) = (case.run(), case.run());
    let (a, b) = (account(&first), account(&second));
    assert_eq!((a.stopped_by, a.histories), (StopReason::TargetUncertainty, b.histories));
    assert!(a.relative_sigma.expect("doses") <= 0.02, "{:?}", a.relative_sigma);
    assert_eq!(a.sigma_region, "dose above 0.3 of the maximum");
    assert_eq!(bits(&first.dose), bits(&second.dose));
    case.options.stop.histories = Some(1000);
    let short = case.run();
    assert_eq!((account(&short).stopped_by, account(&short).histories), (StopReason::Histories, 1000));
}

#[test]
fn a_target_may_be_a_label() {
    let mut case = Case::new(0);
    let target = |relative, label| Some(TargetUncertainty { relative, region: Region::Label(label) });
    case.options.stop = StopRule { target: target(0.2, 5), histories: Some(3_000_000), time_limit_s: None };
    let missing = case.try_run(&Control::detached()).expect_err("no labels");
    assert!(matches!(&missing, DoseError::Invalid(faults) if faults[0].field == "labels"), "{missing}");
    case.labels.regions = Some(label_map(|[x, ..]| if x == 9 { 5.0 } else { 1.0 }));
    let result = case.run();
    assert_eq!(
        (account(&result).stopped_by, account(&result).sigma_region.as_str()),
        (StopReason::TargetUncertainty, "label 5")
    );
    case.options.stop.target = target(0.1, 6);
    let unknown = case.try_run(&Control::detached()).expect_err("no such label");
    assert!(unknown.to_string().contains("no voxel of the label 6"), "{unknown}");
}

#[test]
fn a_target_holds_in_every_region() {
    let mut case = Case::new(0);
    let target = |relative| Some(TargetUncertainty { relative, region: Region::AllRegions });
    case.options.stop = StopRule { target: target(0.1), histories: Some(3_000_000), time_limit_s: None };
    // The hot block, the weak source behind lung, bone without activity, and a region in air, which has no dose.
    let map = label_map(|[x, y, z]| match (x, z) {
        (3..6, 2..5) if (3..6).contains(&y) => 1.0,
        (9, _) => 2.0,
        (0 | 1, _) => 3.0,
        (6 | 7, 0) => 4.0,
        _ => 0.0,
    });
    case.labels.regions = Some(map.clone());
    let result = case.run();
    let found = account(&result);
    let reached = found.target.expect("there is a target");
    assert_eq!((found.stopped_by, reached.reached), (StopReason::TargetUncertainty, true), "{found:?}");
    let sigma = result.uncertainty.as_ref().expect("asked for").as_slice();
    let dose = result.dose.as_slice();
    let mean = |values: &dyn Fn(usize) -> f64, label: u16| {
        let voxels: Vec<usize> =
            (0..VOXELS).filter(|&v| map.labels().as_slice()[v] == label && dose[v] > 0.0).collect();
        voxels.iter().map(|&voxel| values(voxel)).sum::<f64>() / voxels.len() as f64
    };
    let hottest = (1..=3).map(|label| mean(&|voxel| f64::from(dose[voxel]), label)).fold(0.0, f64::max);
    let mut held = Vec::new();
    for region in &found.regions {
        let relative = |voxel: usize| f64::from(sigma[voxel]) / f64::from(dose[voxel]).max(0.02 * hottest);
        let (of_maps, stated) = (mean(&relative, region.label), region.voxel_relative_sigma.expect("with labels"));
        assert!((of_maps / stated - 1.0).abs() < 0.05, "{of_maps} {region:?}");
        held.push(match region.held_to.expect("a target in all regions") {
            HeldTo::Voxels => (stated, format!("label {}", region.label)),
            HeldTo::Mean => {
                let of_mean = region.sigma_by_mass_gy / region.mean_by_mass_gy.max(0.02 * hottest);
                (of_mean, format!("mean of label {}", region.label))
            }
        });
    }
    assert_eq!(
        found.regions.iter().map(|region| (region.label, region.held_to)).collect::<Vec<_>>(),
        [(1, Some(HeldTo::Voxels)), (2, Some(HeldTo::Voxels)), (3, Some(HeldTo::Mean))]
    );
    let last = held.into_iter().reduce(|a, b| if b.0 > a.0 { b } else { a }).expect("three regions");
    assert_eq!(found.sigma_region, last.1);
    let stated = found.relative_sigma.expect("doses");
    assert!((stated / last.0 - 1.0).abs() < 1e-9 && stated <= 0.1, "{stated} {last:?}");
    case.options.stop.histories = Some(1000);
    let short = case.run();
    assert_eq!(account(&short).stopped_by, StopReason::Histories);
    assert!(!account(&short).target.expect("there is a target").reached);
    let warning = short.warnings.iter().find(|warning| warning.reason == "TARGET_NOT_REACHED").expect("a warning");
    assert!(warning.message.contains("10.0 %") && warning.message.contains("label 2"), "{warning:?}");
}

/// What only photons reach would need many more histories than what takes up activity; its mean does not.
#[test]
fn a_region_without_uptake_holds_up_nothing_unless_it_is_named() {
    let mut case = Case::new(0);
    let stop = |region, histories| StopRule {
        target: Some(TargetUncertainty { relative: 0.05, region }),
        histories: Some(histories),
        time_limit_s: None,
    };
    case.options.stop = stop(Region::AllRegions, 20_000_000);
    case.source = nuclide::find("In-111").expect("a known nuclide").into();
    let hot = |[x, y, z]: [usize; 3]| (3..6).contains(&x) && (3..6).contains(&y) && (2..5).contains(&z);
    case.decays = per_voxel(|at| if hot(at) { 1e8 } else { 0.0 });
    let alone = label_map(|at| if hot(at) { 1.0 } else { 0.0 });
    let both = label_map(|at| if hot(at) { 1.0 } else { f32::from(u8::from(at[0] == 7)) * 2.0 });
    let mut run = |labels: &LabelMap| {
        case.labels.regions = Some(labels.clone());
        account(&case.run()).clone()
    };
    let (alone, with_cold) = (run(&alone), run(&both));
    assert_eq!(
        (alone.stopped_by, with_cold.stopped_by),
        (StopReason::TargetUncertainty, StopReason::TargetUncertainty)
    );
    assert_eq!(alone.histories, with_cold.histories);
    let [_, cold] = with_cold.regions.as_slice() else { panic!("{:?}", with_cold.regions) };
    let voxels = cold.voxel_relative_sigma.expect("with labels");
    assert_eq!(cold.held_to, Some(HeldTo::Mean));
    assert!(voxels > 0.05 && cold.sigma_by_mass_gy < 0.05 * cold.mean_by_mass_gy, "{cold:?}");
    // By name, its voxels count, and its own dose.
    case.options.stop = stop(Region::Label(2), 2 * with_cold.histories);
    let named = case.run();
    assert!(account(&named).regions.iter().all(|region| region.held_to.is_none()));
    assert_eq!(account(&named).sigma_region, "label 2");
    assert!(account(&named).relative_sigma.expect("doses") > 0.05, "{:?}", account(&named));
    assert!(named.warnings.iter().any(|warning| warning.reason == "TARGET_NOT_REACHED"), "{:?}", named.warnings);
}

#[test]
fn a_target_that_nothing_can_reach_is_refused_or_ends() {
    let mut case = Case::new(0);
    let target = |region| Some(TargetUncertainty { relative: 0.1, region });
    case.options.stop = StopRule { target: target(Region::Label(4)), histories: Some(3_000_000), time_limit_s: None };
    case.labels.regions = Some(label_map(|[x, _, z]| if (6..8).contains(&x) && z == 0 { 4.0 } else { 1.0 }));
    let thin = case.try_run(&Control::detached()).expect_err("a region of air");
    assert!(matches!(&thin, DoseError::Invalid(faults) if faults[0].field == "labels"), "{thin}");
    assert!(thin.to_string().contains("too thin for a dose"), "{thin}");
    // Air everywhere.
    case.density = per_voxel(|_| 0.001);
    for region in [Region::AllRegions, Region::AboveDoseFraction(0.5)] {
        case.options.stop.target = target(region);
        let result = case.run();
        let found = account(&result);
        assert_eq!(found.stopped_by, StopReason::NoMoreHistories, "{found:?}");
        assert!(found.histories < 100_000 && !found.target.expect("there is one").reached, "{found:?}");
        assert!(result.warnings.iter().any(|warning| warning.reason == "TARGET_NOT_REACHED"), "{:?}", result.warnings);
    }
}
