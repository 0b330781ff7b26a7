//! Numbers, times, energies and names on the command line: one flag a line. No file exists, so nothing is computed.

#![no_main]

use dosegrid::domain::DoseError;

const FLAGS: [&str; 22] = [
    "activity-unit",
    "effective-half-life",
    "nuclide",
    "method",
    "density-correction",
    "kernel-medium",
    "truncation-radius",
    "minimum-density",
    "device",
    "daughters",
    "integration-time",
    "rbe-alpha",
    "rbe-recoil",
    "histories",
    "target-uncertainty",
    "target-fraction",
    "target-label",
    "time-limit",
    "seed",
    "first-history",
    "absorption-energy",
    "track-length-below",
];

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut words: Vec<String> = ["dosegrid", "compute", "--activity=/no/such/file", "--density=/no/such/file"]
        .into_iter()
        .chain(["--output=/no/such/folder/dose.nii.gz"])
        .map(str::to_owned)
        .collect();
    for line in text.lines() {
        let Some((first, value)) = line.split_at_checked(1) else { continue };
        let flag = FLAGS[usize::from(first.as_bytes()[0]) % FLAGS.len()];
        words.push(format!("--{flag}={value}"));
    }
    match dosegrid::cli::run_words(&words) {
        Err(DoseError::Invalid(faults)) => assert!(!faults.is_empty()),
        outcome => panic!("{words:?}: {outcome:?}"),
    }
});
