//! Rejection loops that reach their bound, in whole runs on both engines.

use super::device_tests::{everything, layers, run, run_on_cpu, shared_session};
use crate::domain::Tally;

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn rejection_loops_at_their_bound_are_counted_in_the_tally_of_both_engines() {
    let mut session = shared_session();
    let mut scene = layers(everything(), 32);
    assert_eq!(run(&mut session, &scene, 0..32).exhausted_rejections(), 0);
    assert_eq!(run_on_cpu(&scene, 0..32).exhausted_rejections(), 0);
    // No bremsstrahlung photon is ever accepted.
    scene.tables.spectra.fill(0.0);
    let (expected, found) = (run_on_cpu(&scene, 0..64), run(&mut session, &scene, 0..64));
    let counts = |tally: &Tally| tally.groups.iter().map(|g| g.exhausted_rejections).collect::<Vec<u64>>();
    println!("{:?}\n{:?}", counts(&expected), counts(&found));
    assert!(expected.exhausted_rejections() > 0);
    let same = counts(&expected).iter().zip(counts(&found)).filter(|(a, b)| **a == *b).count();
    // Where a value lies within rounding of a threshold, the two histories part, as in the tests above.
    assert!(same >= 29 && expected.exhausted_rejections().abs_diff(found.exhausted_rejections()) <= 3, "{same}");
    let twice = run(&mut session, &scene, 0..64);
    assert_eq!(twice, found);
}
