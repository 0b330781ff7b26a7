use super::*;
use crate::clinic::repair::Repair;

fn kidneys() -> OrganBefore {
    OrganBefore {
        name: "kidneys".into(),
        gy_per_gbq: 0.7,
        random_relative_sigma: Some(0.06),
        systematic_relative_sigma: Some(0.1),
        previous_gy: 10.0,
        previous_bed_gy: Some(11.2),
        effect: Some(Effect {
            tissue: Tissue::new(2.6, Repair::mono(Some(2.8)).expect("good")).expect("good"),
            lea_catcheside_factor: 0.053,
        }),
        limits: vec![
            (LimitKind::PerCycleGy, 6.0),
            (LimitKind::CumulativeGy, 23.0),
            (LimitKind::PerCycleBedGy, 8.0),
            (LimitKind::CumulativeBedGy, 15.0),
        ],
    }
}

#[test]
fn at_the_activity_found_one_limit_is_reached_and_none_exceeded() {
    for (previous_gy, previous_bed_gy) in [(0.0, 0.0), (10.0, 11.2), (20.0, 14.0), (22.0, 14.9)] {
        let previous_bed_gy = f64::max(previous_bed_gy, previous_gy);
        let mut organ = OrganBefore { previous_gy, previous_bed_gy: Some(previous_bed_gy), ..kidneys() };
        organ.limits[3].1 = 40.0;
        let found = next_cycle(&[organ]).expect("good");
        let Outlook { dose_gy, cumulative_gy, bed_gy, cumulative_bed_gy, .. } = found.at_this_activity[0];
        let parts = [
            dose_gy / 6.0,
            cumulative_gy / 23.0,
            bed_gy.expect("known") / 8.0,
            cumulative_bed_gy.expect("known") / 40.0,
        ];
        let most = parts.into_iter().fold(0.0, f64::max);
        assert!((most - 1.0).abs() < 1e-12, "{parts:?}");
    }
}

#[test]
fn a_limit_that_is_used_up_allows_nothing() {
    let found = next_cycle(&[OrganBefore { previous_gy: 24.0, previous_bed_gy: Some(30.0), ..kidneys() }]);
    let found = found.expect("good");
    assert_eq!(found.activity_gbq, 0.0);
    assert!(found.bounds.iter().filter(|bound| bound.activity_gbq == 0.0).all(|bound| bound.used_gy >= bound.limit_gy));
    assert_eq!(found.note, NOTE);
}

#[test]
fn the_interval_is_that_of_the_budget() {
    let only = |limit: (LimitKind, f64)| {
        let found = next_cycle(&[OrganBefore { limits: vec![limit], ..kidneys() }]).expect("good");
        found.bounds[0].clone()
    };
    // Without earlier doses in it, A = L/d: to first order as uncertain as d.
    let bound = only((LimitKind::PerCycleGy, 6.0));
    let [low, high] = bound.interval_68_gbq.expect("a budget").map(|end| end.expect("finite"));
    let relative = (high - low) / 2.0 / bound.activity_gbq;
    assert!((relative / 0.06f64.hypot(0.1) - 1.0).abs() < 0.03, "{relative}");
    // With earlier doses wrong by the same factor, d A = L − P: dA = −(P/d + A) x.
    let bound = only((LimitKind::CumulativeGy, 23.0));
    let [low, high] = bound.interval_68_gbq.expect("a budget").map(|end| end.expect("finite"));
    let expected = f64::hypot((10.0 / 0.7 + bound.activity_gbq) * 0.1, bound.activity_gbq * 0.06);
    assert!(((high - low) / 2.0 / expected - 1.0).abs() < 0.03, "{low} {high} {expected}");
    let wide = bound.interval_95_gbq.expect("a budget").map(|end| end.expect("finite"));
    assert!(wide[0] < low && wide[1] > high && !bound.interval_is_lower_bound);
}

#[test]
fn what_is_unknown_is_said() {
    let none = OrganBefore { random_relative_sigma: None, systematic_relative_sigma: None, ..kidneys() };
    let bound = next_cycle(&[none]).expect("good").bounds[0].clone();
    assert!(bound.interval_68_gbq.is_none() && bound.interval_is_lower_bound);
    let wild = OrganBefore { random_relative_sigma: Some(1.5), ..kidneys() };
    let bound = next_cycle(&[wild]).expect("good").bounds[0].clone();
    let [low, high] = bound.interval_68_gbq.expect("a budget");
    assert!(low.is_some_and(|low| low > 0.0 && low < bound.activity_gbq), "{low:?}");
    assert_eq!(high, None, "the dose per activity may be 0");
    let marrow = OrganBefore { name: "marrow".into(), limits: Vec::new(), ..kidneys() };
    let found = next_cycle(&[kidneys(), marrow]).expect("good");
    assert_eq!(found.organs_without_limit, ["marrow"]);
}

#[test]
fn organs_that_may_decide_too_are_named() {
    let liver = OrganBefore { name: "liver".into(), limits: vec![(LimitKind::PerCycleGy, 3.0)], ..kidneys() };
    let near = OrganBefore { limits: vec![(LimitKind::PerCycleGy, 2.9)], ..kidneys() };
    let found = next_cycle(&[liver, near]).expect("good");
    assert_eq!(
        (found.bounds[0].organ.as_str(), found.may_also_decide.as_slice()),
        ("kidneys", &["liver".to_owned()][..])
    );
}

#[test]
fn an_organ_that_may_decide_by_two_limits_is_named_once() {
    let liver = OrganBefore {
        name: "liver".into(),
        limits: vec![(LimitKind::PerCycleGy, 3.0), (LimitKind::CumulativeGy, 13.1)],
        ..kidneys()
    };
    let spleen = OrganBefore { name: "spleen".into(), limits: vec![(LimitKind::PerCycleGy, 3.05)], ..kidneys() };
    let first = OrganBefore { limits: vec![(LimitKind::PerCycleGy, 2.9)], ..kidneys() };
    let found = next_cycle(&[liver, spleen, first]).expect("good");
    assert_eq!(found.may_also_decide, ["liver", "spleen"]);
}

#[test]
fn limits_are_asked_for_and_never_assumed() {
    assert!(next_cycle(&[]).is_err());
    assert!(next_cycle(&[OrganBefore { limits: Vec::new(), ..kidneys() }]).is_err());
    let bare = OrganBefore { effect: None, previous_bed_gy: None, gy_per_gbq: -1.0, ..kidneys() };
    let faults = next_cycle(&[bare]).expect_err("four faults").violations();
    assert_eq!(faults.len(), 4, "{faults:?}");
}
