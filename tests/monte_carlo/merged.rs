//! Runs of different histories, added.

use std::io::Cursor;

use dosegrid::domain::{Control, DoseResult, Extras, Medium, StopReason, TallyRecord};
use dosegrid::formats::tally;
use dosegrid::method::{add_checked, merge, merged_dose};
use dosegrid::physics::{material, nuclide};

use super::{Case, account, bits, label_map, per_voxel};

fn bytes(record: &TallyRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    tally::encode(&mut bytes, record).expect("memory takes all");
    bytes
}

#[test]
fn ranges_that_are_merged_are_the_run_in_one_piece() {
    let mut case = Case::new(10_000);
    case.labels.regions = Some(label_map(|[x, ..]| if x < 6 { 1.0 } else { 2.0 }));
    let whole = case.run();
    let mut parts = Vec::new();
    for (first, histories) in [(3000, 6990), (0, 33), (9990, 32), (33, 2967)] {
        (case.options.first_history, case.options.stop.histories) = (first, Some(histories));
        // Through the bytes of a file, as a user merges.
        let record = case.run().tally.expect("was asked for");
        parts.push(tally::decode(Cursor::new(bytes(&record))).expect("a good file"));
    }
    // The last range goes 22 histories too far: the whole must then do so too.
    (case.options.first_history, case.options.stop.histories) = (0, Some(10_022));
    let whole_and_more = case.run();
    let mut sum = parts.remove(0);
    parts.into_iter().for_each(|part| merge(&mut sum, part).expect("other histories"));
    assert!(bytes(&sum) == bytes(whole_and_more.tally.as_ref().expect("asked for")), "the tallies differ");
    let extras = Extras { uncertainty: true, tally: false };
    let merged = merged_dose(sum, case.labels.regions.as_ref(), extras, &Control::detached()).expect("a dose");
    assert_eq!(bits(&merged.dose), bits(&whole_and_more.dose));
    let sigma = |result: &DoseResult| bits(result.uncertainty.as_ref().expect("asked for"));
    assert_eq!(sigma(&merged), sigma(&whole_and_more));
    assert_eq!(account(&merged).regions, account(&whole_and_more).regions);
    assert_eq!(account(&merged).stopped_by, StopReason::Merged);
    assert_ne!(bits(&merged.dose), bits(&whole.dose));
}

#[test]
fn the_number_of_threads_does_not_change_the_tally_file() {
    let case = Case::new(640);
    let [one, three] = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        pool.install(|| bytes(case.run().tally.as_ref().expect("asked for")))
    });
    assert!(one == three, "the files differ");
}

#[test]
fn rejection_loops_at_their_bound_are_added_and_reported() {
    let json = |result: &DoseResult| serde_json::to_value(account(result)).expect("an account is JSON");
    let mut case = Case::new(64);
    let whole = case.run();
    assert_eq!((account(&whole).exhausted_rejections, json(&whole).get("exhausted_rejections")), (0, None));
    let mut sum = *whole.tally.expect("asked for");
    sum.tally.groups[0].exhausted_rejections = 3;
    case.options.first_history = 64;
    let mut next = *case.run().tally.expect("asked for");
    next.tally.groups[0].exhausted_rejections = 4;
    next.tally.groups[1].exhausted_rejections = 5;
    // Through the bytes of a file, as a user merges.
    let next = tally::decode(Cursor::new(bytes(&next))).expect("a good file");
    merge(&mut sum, next).expect("other histories");
    let extras = Extras { uncertainty: false, tally: false };
    let merged = merged_dose(sum, None, extras, &Control::detached()).expect("a dose");
    assert_eq!(account(&merged).exhausted_rejections, 12);
    assert_eq!(json(&merged)["exhausted_rejections"], 12);
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let record = |edit: &dyn Fn(&mut Case)| {
        let mut case = Case::new(64);
        edit(&mut case);
        *case.run().tally.expect("asked for")
    };
    let first = record(&|_| {});
    let next = |case: &mut Case| case.options.first_history = 64;
    let refused = |edit: &dyn Fn(&mut Case)| {
        let mut sum = first.clone();
        let reason = merge(&mut sum, record(edit)).expect_err("must not be merged").0;
        assert!(sum == first, "something was added");
        reason
    };
    assert!(refused(&|_| {}).contains("0 to 63"));
    assert!(refused(&|case| case.options.first_history = 63).contains("63 to 63"));
    type Edit = fn(&mut Case);
    let cases: [(Edit, &str); 7] = [
        (|case| case.options.seed = 2, "seed"),
        (|case| case.options.cuts.absorption_mev = Some(0.05), "cuts"),
        (|case| case.options.minimum_density_g_cm3 = 0.0, "minimum density"),
        (|case| case.decays[5] = 1.0, "activity"),
        (|case| case.density[5] = 1.2, "density"),
        (|case| case.source = nuclide::find("Y-90").expect("known").into(), "nuclide"),
        (|case| case.options.medium = Medium::Uniform(material::find("water").expect("known").clone()), "materials"),
    ];
    for (edit, word) in cases {
        let reason = refused(&|case| {
            next(case);
            edit(case);
        });
        assert!(reason.contains(word), "{word}: {reason}");
    }
    // A file that was changed, with a digest of its bytes that fits: that of its scene does not.
    let changes: [fn(&mut TallyRecord); 3] = [
        |record| record.scene.seed += 1,
        |record| record.scene.minimum_density_g_cm3 = 0.0,
        |record| record.scene.voxel_materials_sha256 = "00".repeat(32),
    ];
    for change in changes {
        let (mut sum, mut changed) = (None, first.clone());
        change(&mut changed);
        let changed = tally::decode(Cursor::new(bytes(&changed))).expect("its digest fits");
        let reason = add_checked(&mut sum, changed).expect_err("it was changed").0;
        assert!(reason.contains("was changed") && sum.is_none(), "{reason}");
    }
    let mut sum = None;
    add_checked(&mut sum, first.clone()).expect("it was not changed");
    assert!(sum == Some(first.clone()));
    let mut sum = first.clone();
    merge(&mut sum, record(&next)).expect("the next histories");
    assert_eq!((sum.runs.len(), sum.runs[0].histories, sum.tally.histories()), (1, 128, 128));
}

#[test]
fn what_each_part_warns_of_the_sum_warns_of_too() {
    let mut case = Case::new(3200);
    // A corner, from which most betas leave the grid.
    case.decays = per_voxel(|at| if at == [11, 0, 0] { 1e8 } else { 0.0 });
    case.source = nuclide::find("Y-90").expect("a known nuclide").into();
    let whole = case.run();
    let mut sum = None;
    for first in [0, 1600] {
        (case.options.first_history, case.options.stop.histories) = (first, Some(1600));
        add_checked(&mut sum, *case.run().tally.expect("asked for")).expect("other histories");
    }
    let extras = Extras { uncertainty: false, tally: false };
    let merged = merged_dose(sum.expect("two parts"), None, extras, &Control::detached()).expect("a dose");
    let reasons: Vec<&str> = merged.warnings.iter().map(|warning| warning.reason.as_str()).collect();
    assert!(reasons.contains(&"ENERGY_OUTSIDE_GRID") && reasons.contains(&"ACTIVITY_LOW"), "{reasons:?}");
    assert_eq!(merged.warnings, whole.warnings);
}
