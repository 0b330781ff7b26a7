//! Twins agree on what this machine has, and a difference would be seen.

use super::*;
use crate::engine::gpu::transport::device_tests::{everything, layers, shared_session};

const CASES: usize = 4096;

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn every_body_is_that_of_the_cpu() {
    let mut session = shared_session();
    let scene = layers(everything(), 8);
    println!("{} tests compare {} bodies: {}", TWINS.len(), BODIES.len(), BODIES.join(", "));
    let found = figures(&mut session, &scene, CASES).expect("the device works");
    assert_eq!(found.len(), TWINS.len());
    for figure in &found {
        println!("{figure:?}");
    }
    let differing: Vec<_> = found.iter().filter(|figure| !figure.agrees).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn tables_that_differ_are_seen() {
    let mut session = shared_session();
    let (scene, mut other) = (layers(everything(), 8), layers(everything(), 8));
    for value in &mut other.tables.spectra {
        *value *= 0.9;
    }
    let mut random = Stream::new([22, 0, 0, 0], 0);
    let cases: Vec<Case> = (0..CASES).map(|_| case(Twin::Bremsstrahlung, &scene, &mut random)).collect();
    let found = on_device(&mut session, &other, &cases).expect("the device works");
    let figure = compare(Twin::Bremsstrahlung, "other tables", &scene, &cases, &found);
    assert!(!figure.agrees && figure.straying + figure.differing > CASES / 100, "{figure:?}");
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_rejection_loop_at_its_bound_is_counted_alike() {
    let mut session = shared_session();
    let mut scene = layers(everything(), 8);
    // Nothing is ever accepted.
    scene.tables.spectra.fill(0.0);
    scene.tables.incoherent.fill(0.0);
    let mut random = Stream::new([21, 0, 0, 0], 0);
    for twin in [Twin::Bremsstrahlung, Twin::Compton] {
        let cases: Vec<Case> = (0..64).map(|_| case(twin, &scene, &mut random)).collect();
        let found = on_device(&mut session, &scene, &cases).expect("the device works");
        assert!(found.iter().all(|outcome| outcome.words[2] == 1), "{twin:?}");
        let figure = compare(twin, "at the bound", &scene, &cases, &found);
        // The angle of bremsstrahlung is drawn by another loop, which may stray.
        assert!(figure.straying <= 1 && figure.differing == 0, "{figure:?}");
    }
}
