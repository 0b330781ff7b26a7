//! Runs that stop at an uncertainty.

use dosegrid::domain::{Control, DoseError, Region, StopReason, StopRule, TargetUncertainty};

use super::{Case, VOXELS, account, bits, label_map};

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
    // The hot block, the weak source behind lung, bone, and a region in air, which has no dose.
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
    let mut last = (0, 0.0);
    for region in &found.regions {
        let relative = |voxel: usize| f64::from(sigma[voxel]) / f64::from(dose[voxel]).max(0.02 * hottest);
        let (of_maps, stated) = (mean(&relative, region.label), region.voxel_relative_sigma.expect("with labels"));
        assert!((of_maps / stated - 1.0).abs() < 0.05 && stated <= 0.1, "{of_maps} {region:?}");
        last = if stated > last.1 { (region.label, stated) } else { last };
    }
    assert_eq!(found.regions.iter().map(|region| region.label).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((found.sigma_region.clone(), found.relative_sigma), (format!("label {}", last.0), Some(last.1)));
    case.options.stop.histories = Some(1000);
    let short = case.run();
    assert_eq!(account(&short).stopped_by, StopReason::Histories);
    assert!(!account(&short).target.expect("there is a target").reached);
}
