//! A file of a gateway, right and wrong.

use super::*;
use crate::domain::Violation;

/// A file without a fault, over folders that are there.
fn good() -> String {
    r#"
folder = "state"
poll = "2s"
[compute]
memory_mib = 4096
time = "1h"
[[source]]
name = "inbox"
kind = "folder"
path = "."
quiet = "1min"
limit = "2h"
[[source]]
name = "scanner"
kind = "c-store"
listen = "127.0.0.1:11112"
called = ["DOSEGRID"]
calling = ["SPECT"]
addresses = ["127.0.0.1"]
[[destination]]
name = "out"
kind = "folder"
path = "."
[[destination]]
name = "archive"
kind = "c-store"
to = "PACS@127.0.0.1:104"
read_back = "http://127.0.0.1:8042/dicom-web"
[[rule]]
name = "lu"
sources = ["inbox"]
calling = ["SPECT*", ""]
activity = { modality = "NM", description = ["*AC*"], body_part = "abdomen" }
ct = { description_regex = "low dose" }
organs = "needed"
to = ["out", "archive"]
send = ["dose", "sigma"]
release = "auto"
[rule.compute]
nuclide = "177Lu"
histories = 1_000_000
strict = true
"#
    .to_owned()
}

fn faults(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("/"), &|_| Vec::new()) {
        Err(DoseError::Invalid(found)) => found.into_iter().map(|fault| fault.reason).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_good_file_is_read_in_whole() {
    let config = Config::parse(&good(), Path::new("/tmp"), &|_| Vec::new()).expect("no fault");
    assert_eq!((config.folder.as_path(), config.poll), (Path::new("/tmp/state"), Duration::from_secs(2)));
    assert_eq!(config.limits, Limits { memory_mib: 4096, time: Duration::from_secs(3600) });
    assert_eq!(config.source("inbox").expect("it").quiet, Duration::from_secs(60));
    let rule = &config.rules[0];
    let words: Vec<(&str, &str)> = rule.options.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
    assert_eq!(words, [("--nuclide", "Lu-177"), ("--histories", "1000000"), ("--strict", "")]);
    assert!(!rule.waits && rule.labels_wanted == LabelsWanted::Needed && rule.destinations == ["out", "archive"]);
    assert_eq!(rule.send, [SentKind::Dose, SentKind::Sigma]);
    // Where nothing is said, a dose waits.
    let silent = good().replace("release = \"auto\"\n", "");
    assert!(Config::parse(&silent, Path::new("/tmp"), &|_| Vec::new()).expect("no fault").rules[0].waits);
}

#[test]
fn each_of_many_faults_is_named_with_its_line() {
    let changes = [
        ("poll = \"2s\"", "poll = \"2 sec\"", 3, "poll is a number with the unit"),
        ("memory_mib = 4096", "memory_mib = 0", 5, "compute.memory_mib is a number above 0"),
        ("kind = \"folder\"\npath = \".\"\nquiet", "kind = \"dir\"\npath = \".\"\nquiet", 9, "source.kind is one of"),
        ("listen = \"127.0.0.1:11112\"", "listen = \"here\"", 16, "source.listen is an address and a port"),
        ("called = [\"DOSEGRID\"]", "called = [\"A TITLE THAT IS TOO LONG\"]", 17, "source.called has no title"),
        ("addresses = [\"127.0.0.1\"]", "address = [\"127.0.0.1\"]", 19, "there is `addresses`"),
        ("to = \"PACS@127.0.0.1:104\"", "to = \"PACS\"", 27, "destination.to is an application entity"),
        ("\"low dose\"", "\"low (dose\"", 34, "rule.ct.description_regex is no pattern"),
        ("to = [\"out\", \"archive\"]", "to = [\"out\", \"attic\"]", 36, "names `attic`, which is not there"),
        ("release = \"auto\"", "release = \"never\"", 38, "rule.release is one of wait, auto"),
        ("nuclide = \"177Lu\"", "nuclide = \"Lu-999\"", 40, "rule.compute.nuclide is not a known nuclide"),
        ("strict = true", "strict = \"yes\"", 42, "rule.compute.strict is true or false"),
    ];
    let mut text = good();
    for (from, to, ..) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let found = faults(&text);
    for (_, _, line, words) in changes {
        let start = format!("line {line}: ");
        assert!(
            found.iter().any(|fault| fault.starts_with(&start) && fault.contains(words)),
            "{start}{words}: {found:#?}"
        );
    }
    assert_eq!(found.len(), changes.len(), "{found:#?}");
}

#[test]
fn what_is_missing_or_written_twice_is_a_fault() {
    let found = faults("folder = \"x\"\n[[source]\n");
    assert!(found.iter().any(|fault| fault.starts_with("line 2: ")), "{found:?}");
    let found = faults("");
    for key in ["folder is needed", "source is needed", "destination is needed", "rule is needed"] {
        assert!(found.iter().any(|fault| fault.contains(key)), "{key}: {found:?}");
    }
    let twice = good().replace("name = \"archive\"", "name = \"out\"");
    assert!(faults(&twice).iter().any(|fault| fault.contains("is there twice: `out`")));
    let both = good() + "effective_half_life = \"50h\"\nsingle_time_point = \"haenscheid\"\n";
    assert!(faults(&both).iter().any(|fault| fault.contains("two ways")));
    let sigma = good() + "method = \"local\"\n";
    assert!(faults(&sigma).iter().any(|fault| fault.contains("only the method monte-carlo")));
}

#[test]
fn what_study_would_refuse_has_the_line_of_its_key() {
    let judge = |words: &[String]| {
        assert_eq!(words, ["--nuclide", "Lu-177", "--histories", "1.5", "--strict"]);
        let fault = |field: &str, reason: &str| Violation { field: field.into(), reason: reason.into() };
        vec![fault("histories", "is a whole number"), fault("study", "is told by no key")]
    };
    let text = good().replace("1_000_000", "1.5");
    let Err(DoseError::Invalid(found)) = Config::parse(&text, Path::new("/"), &judge) else { panic!("not refused") };
    let found: Vec<String> = found.into_iter().map(|fault| fault.reason).collect();
    let expected =
        ["line 39: rule.compute: study: is told by no key", "line 41: rule.compute.histories is a whole number"];
    assert_eq!(found, expected);
}
