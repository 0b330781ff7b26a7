//! Results replace neither their inputs nor one another, whatever the command and however a path is written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{flags, inputs};
use crate::support::command::{dosegrid, stderr};

const SAID: &str = "is also the path of another file of this run";

/// What a run says that must be refused before any work.
fn refused(folder: &Path, args: &[&str]) -> String {
    let before = fs::read_dir(folder).expect("a folder").count();
    let output = dosegrid(folder, args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert_eq!(fs::read_dir(folder).expect("a folder").count(), before, "{args:?}");
    said
}

#[test]
fn every_command_with_several_outputs_keeps_them_apart() {
    let folder = inputs();
    let (there, path) = (folder.path(), |name: &str| folder.path().join(name));
    fs::write(path("a.csv"), "name,mean_by_mass_gy\nkidneys,5.2\n").expect("a writable folder");
    fs::write(path("electron.csv"), "-1,0.1,0.1,1\n").expect("a writable folder");
    symlink("not_yet.json", path("link")).expect("a writable folder");
    let compute = |more: &[&str]| flags(&["output", "labels", "organs-output", "json"], more);
    let runs: [(Vec<String>, &str); 9] = [
        (compute(&["--output=dose.mhd", "--json=./dose.raw"]), "json"),
        (compute(&["--output=d.nii", "--json=not_yet.json", "--summary-output=s.png", "--tally-output=link"]), "json"),
        (compute(&["--output=d.nii", "--capture=c.dgcap", "--json=c.dgcap"]), "json"),
        (
            compute(&["--output=d.nii", "--labels=labels.nii", "--organs-output=o", "--dose-volume-output=o"]),
            "dose-volume-output",
        ),
        (
            words("cycles a.csv --json=sum --dose=ct.nii --dose=ct.nii --dose-output=sum.nii --csv=sum.nii"),
            "dose-output",
        ),
        (words("validate --output=r.html --json=r.html"), "json"),
        (
            words("jobs download jobs/x --server=127.0.0.1:1 --output=a.nii --uncertainty-output=./a.nii"),
            "uncertainty-output",
        ),
        (words("kernel --emissions=electron.csv --spacing=4 --output=electron.csv"), "output"),
        (words("resample ct.nii --like=density.nii.gz --kind=ct --output=density.nii.gz"), "output"),
    ];
    for (args, flag) in &runs {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = refused(there, &args);
        assert!(said.contains(&format!("{flag}: {SAID}")), "{args:?}: {said}");
    }
    let data = compute(&["--output=out/dose.nii.gz", "--report=r.html", "--report-data=out"]);
    fs::create_dir(path("out")).expect("a writable folder");
    let said = refused(there, &data.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(said.contains("report-data: would replace out/dose.nii.gz, of --output"), "{said}");
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
