//! The shared DICOM cases: every read of every `expected.json`, by the rules of its README.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dosegrid::domain::Organ;
use dosegrid::domain::grid::Affine;
use dosegrid::formats::dicom::{
    self, Calibration, DicomImage, DicomLabels, LabelGrid, Place, Request, Wanted, check_pair, read_image, read_labels,
};
use serde_json::Value;

/// Where the cases are.
fn cases() -> PathBuf {
    crate::support::reference("../cases-dicom")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn vector<const N: usize>(value: &Value) -> [f64; N] {
    let list: Vec<f64> = value.as_array().expect("a list").iter().map(number).collect();
    list.try_into().expect("as many numbers as axes")
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().expect("a word").to_lowercase()).collect()
}

fn affine(value: &Value) -> Affine {
    let rows = value.as_array().expect("rows");
    [0, 1, 2].map(|row| vector(&rows[row]))
}

/// What one read gives, or why it is refused.
enum Read {
    Image(Box<DicomImage>),
    Labels(Box<DicomLabels>),
    Inventory(Box<Value>),
    Refused(String),
}

/// One read of a case.
struct Case<'a> {
    folder: &'a Path,
    read: &'a Value,
    name: String,
    faults: Vec<String>,
}

impl Case<'_> {
    fn fault(&mut self, words: impl std::fmt::Display) {
        self.faults.push(format!("{}: {words}", self.name));
    }

    fn option(&self, name: &str) -> Option<&Value> {
        self.read["options"].get(name).filter(|value| !value.is_null())
    }

    fn place(&self, series: &str) -> Place {
        let path = self.folder.join(self.read["path"].as_str().expect("a path"));
        let series = self.option(series).map(|uid| uid.as_str().expect("a UID").to_owned());
        Place { path, series }
    }

    fn ask(&self) -> Read {
        let refused = |error: dosegrid::domain::Invalid| Read::Refused(error.0);
        let image = |wanted| match read_image(self.place("series_uid"), wanted) {
            Ok(image) => Read::Image(Box::new(image)),
            Err(error) => refused(error),
        };
        match self.read["as"].as_str().expect("what is wanted") {
            "ct" => image(Wanted::Ct),
            "dose" => image(Wanted::Dose { kind: None }),
            "activity" => {
                let calibration = self.option("calibration_cps_per_mbq").map(|cps| Calibration {
                    cps_per_mbq: number(cps),
                    acquisition_seconds: self.option("acquisition_seconds").map(number),
                });
                image(Wanted::Activity { calibration })
            }
            "labels" => {
                match read_labels(self.place("series_uid"), self.grid(), self.option("threshold").map(number)) {
                    Ok(labels) => Read::Labels(Box::new(labels)),
                    Err(error) => refused(error),
                }
            }
            "study" | "time-series" => match dicom::read_inventory(self.place("series_uid"), None) {
                Ok(found) => Read::Inventory(Box::new(serde_json::to_value(found).expect("plain data"))),
                Err(error) => refused(error),
            },
            "activity+ct" => {
                let activity = read_image(self.place("activity_series_uid"), Wanted::Activity { calibration: None });
                let ct = read_image(self.place("ct_series_uid"), Wanted::Ct);
                let (activity, ct) = (activity.expect("the activity"), ct.expect("the CT"));
                match check_pair("the CT", &ct.account.belonging(), "the activity", &activity.account.belonging()) {
                    Ok(()) => Read::Image(Box::new(activity)),
                    Err(error) => refused(error),
                }
            }
            other => panic!("{}: reads as {other} are not known", self.name),
        }
    }

    /// The grid that a caller names, or the one that the case says its masks are on.
    fn grid(&self) -> Option<LabelGrid> {
        let name = self.option("grid")?.as_str().expect("a folder");
        let place = Place { path: self.folder.join(name), series: None };
        let image = read_image(place, Wanted::Ct).expect("the grid is a CT");
        Some(LabelGrid::of(image.volume.grid(), Some(&image.account)))
    }

    fn check(&mut self) {
        let (read, found) = (self.read, self.ask());
        let other = words(&read["or_refuse_with"]);
        match (read["result"].as_str().expect("a result"), found) {
            ("refuse", Read::Refused(reason)) => self.check_refusal(&reason, &words(&read["refusal_words"])),
            ("refuse", _) => self.fault("ought to be refused"),
            (_, Read::Refused(reason)) if !other.is_empty() => self.check_refusal(&reason, &other),
            (_, Read::Refused(reason)) => self.fault(format_args!("refused: {reason}")),
            ("volume", Read::Image(image)) => self.check_volume(&image),
            ("masks", Read::Labels(labels)) => self.check_masks(&labels),
            ("inventory" | "times", Read::Inventory(found)) => self.check_inventory(&found),
            (result, _) => self.fault(format_args!("{result} is no answer to what was asked")),
        }
    }

    fn check_refusal(&mut self, reason: &str, words: &[String]) {
        let lower = reason.to_lowercase();
        if !words.iter().any(|word| lower.contains(word)) {
            self.fault(format_args!("refused with none of {words:?}: {reason}"));
        }
    }

    fn check_warnings(&mut self, warnings: &[String]) {
        let (wanted, told) = (words(&self.read["warn_words"]), warnings.join("; ").to_lowercase());
        if !wanted.is_empty() && !wanted.iter().any(|word| told.contains(word)) {
            self.fault(format_args!("warned with none of {wanted:?}: {told}"));
        }
    }

    fn check_volume(&mut self, image: &DicomImage) {
        let read = self.read;
        let grid = image.volume.grid();
        if image.account.quantity.name() != read["quantity"].as_str().expect("a quantity") {
            self.fault("another quantity");
        }
        self.check_grid(grid.shape(), grid.affine());
        for sample in read["samples"].as_array().into_iter().flatten() {
            let index = vector::<3>(&sample["ijk"]);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a small case")]
            let value = f64::from(image.volume.data()[index.map(|v| v as usize)]);
            let is_right = match sample.get("at_most") {
                Some(most) => value <= number(most),
                None => {
                    let (expected, tolerance) = (number(&sample["value"]), number(&sample["tolerance"]));
                    (value - expected).abs() <= tolerance + 1e-6 * expected.abs()
                }
            };
            if !is_right {
                self.fault(format_args!("{value} at {index:?}, ought to be {sample}"));
            }
        }
        if let Some(sum) = read.get("sum").map(number) {
            let found: f64 = image.volume.as_slice().iter().map(|value| f64::from(*value)).sum();
            if (found - sum).abs() > 1e-5 * sum.abs() + 0.01 {
                self.fault(format_args!("sum {found}, ought to be {sum}"));
            }
        }
        self.check_activity(image);
        self.check_warnings(&image.warnings);
    }

    fn check_grid(&mut self, shape: [usize; 3], found: &Affine) {
        let expected = vector::<3>(&self.read["shape"]);
        if shape.map(|n| n as f64) != expected {
            self.fault(format_args!("shape {shape:?}, ought to be {expected:?}"));
        }
        let tolerance = self.read.get("affine_tolerance_mm").map_or(1e-3, number);
        let expected = affine(&self.read["affine_ras"]);
        let far = found.iter().flatten().zip(expected.iter().flatten()).any(|(a, b)| (a - b).abs() > tolerance);
        if far {
            self.fault(format_args!("affine {found:?}, ought to be {expected:?}"));
        }
    }

    fn check_activity(&mut self, image: &DicomImage) {
        let read = self.read;
        let Some(activity) = &image.account.activity else { return };
        if let Some(total) = read.get("total_mbq").map(number)
            && (activity.total_mbq / total - 1.0).abs() > 1e-5
        {
            self.fault(format_args!("{} MBq, ought to be {total}", activity.total_mbq));
        }
        let time = activity.reference_time.clone().unwrap_or_default();
        if let Some(expected) = read["reference_time"].as_str() {
            let tolerance = read.get("reference_time_tolerance_s").map_or(0.5, number);
            if seconds_between(expected, &time).abs() > tolerance {
                self.fault(format_args!("reference time {time}, ought to be {expected}"));
            }
        }
        if let Some(event) = read["reference_event"].as_str()
            && activity.reference_event.as_deref() != Some(event)
        {
            self.fault(format_args!("reference event {:?}, ought to be {event}", activity.reference_event));
        }
        if let Some(at) = read.get("at") {
            let later = seconds_between(&time, at["time"].as_str().expect("a time"));
            let half_life = activity.half_life_s.expect("a half-life");
            let total = activity.total_mbq * (-later / half_life).exp2();
            let part = (total / number(&at["total_mbq"]) - 1.0).abs();
            if part > number(&at["relative_tolerance"]) {
                self.fault(format_args!("{total} MBq at another time, ought to be {at}"));
            }
        }
    }

    fn check_masks(&mut self, labels: &DicomLabels) {
        let read = self.read;
        let grid = labels.organs.grid();
        self.check_grid(grid.shape(), grid.affine());
        self.check_warnings(&labels.warnings);
        let organs: BTreeMap<&str, &Organ> =
            labels.organs.organs().iter().map(|organ| (organ.name.as_deref().unwrap_or_default(), organ)).collect();
        let expected = read["masks"].as_array().expect("masks");
        if organs.len() != expected.len() {
            self.fault(format_args!("masks {:?}", organs.keys()));
        }
        for mask in expected {
            let name = mask["name"].as_str().expect("a name");
            match organs.get(name) {
                Some(organ) => self.check_mask(name, mask, organ, labels),
                None => self.fault(format_args!("there is no {name}")),
            }
        }
        for name in read["left_out"].as_object().into_iter().flat_map(|names| names.keys()) {
            if !labels.left_out.iter().any(|(known, _)| known == name) {
                self.fault(format_args!("{name} is not named as left out"));
            }
        }
        if let Some(expected) = read.get("overlap_voxels") {
            let mut counts = BTreeMap::new();
            let voxels = labels.organs.organs().iter().flat_map(Organ::voxels);
            voxels.for_each(|voxel| *counts.entry(*voxel).or_insert(0) += 1);
            let found = counts.values().filter(|count| **count > 1).count();
            if found as f64 != number(expected) {
                self.fault(format_args!("{found} voxels overlap, ought to be {expected}"));
            }
        }
    }

    fn check_mask(&mut self, name: &str, mask: &Value, organ: &Organ, labels: &DicomLabels) {
        let grid = labels.organs.grid();
        let [nx, ny, _] = grid.shape();
        let index = |voxel: usize| [voxel % nx, voxel / nx % ny, voxel / (nx * ny)];
        let voxels: Vec<[usize; 3]> = organ.voxels().iter().map(|voxel| index(*voxel as usize)).collect();
        if voxels.len() as f64 != number(&mask["voxels"]) {
            self.fault(format_args!("{name} has {} voxels, ought to have {}", voxels.len(), mask["voxels"]));
        }
        let volume_ml = organ.size_voxels() * grid.voxel_volume_cm3();
        if (volume_ml / number(&mask["volume_ml"]) - 1.0).abs() > 1e-4 {
            self.fault(format_args!("{name} has {volume_ml} mL, ought to have {}", mask["volume_ml"]));
        }
        let half = organ.shares().filter(|(_, share)| *share >= 0.5).count();
        if mask.get("voxels_at_least_half").is_some_and(|expected| half as f64 != number(expected)) {
            self.fault(format_args!("{name} has {half} voxels of at least a half"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a small case")]
        let listed = |list: &Value| -> Vec<[usize; 3]> {
            list.as_array().into_iter().flatten().map(|at| vector::<3>(at).map(|v| v as usize)).collect()
        };
        for (inside, key) in [(true, "inside_ijk"), (false, "outside_ijk")] {
            for at in listed(&mask[key]) {
                if voxels.contains(&at) != inside {
                    self.fault(format_args!("{name}: {at:?} is not {key}"));
                }
            }
        }
        let bounds = [0, 1].map(|end| {
            [0, 1, 2].map(|axis| {
                let along = voxels.iter().map(|at| at[axis]);
                if end == 0 { along.min() } else { along.max() }.unwrap_or_default()
            })
        });
        if listed(&mask["bounding_box_ijk"]) != bounds {
            self.fault(format_args!("{name} lies in {bounds:?}, ought to in {}", mask["bounding_box_ijk"]));
        }
        let mean = [0, 1, 2].map(|axis| voxels.iter().map(|at| at[axis] as f64).sum::<f64>() / voxels.len() as f64);
        let centroid = grid.affine().map(|[a, b, c, t]| a * mean[0] + b * mean[1] + c * mean[2] + t);
        let expected = vector::<3>(&mask["centroid_ras_mm"]);
        if centroid.iter().zip(expected).any(|(a, b)| (a - b).abs() > 1e-3) {
            self.fault(format_args!("{name} has its centre at {centroid:?}, ought to at {expected:?}"));
        }
    }

    fn check_inventory(&mut self, found: &Value) {
        let list = found["series"].as_array().expect("series");
        let expected = self.read["series"].as_array().expect("series");
        if list.len() != expected.len() {
            self.fault(format_args!("{} series, ought to be {}", list.len(), expected.len()));
        }
        for series in expected {
            let Some(own) = list.iter().find(|own| own["series_uid"] == series["series_uid"]) else {
                self.fault(format_args!("there is no {}", series["series_uid"]));
                continue;
            };
            for (key, value) in series.as_object().expect("an object") {
                let same = match (key.as_str(), own[key].as_f64(), value.as_f64()) {
                    ("total_mbq", Some(a), Some(b)) => (a / b - 1.0).abs() < 1e-5,
                    (_, Some(a), Some(b)) => a == b,
                    _ => own[key] == *value,
                };
                if !same {
                    self.fault(format_args!("{key} of a series is {}, ought to be {value}", own[key]));
                }
            }
        }
        for (key, value) in self.read["injection"].as_object().into_iter().flatten() {
            if found["injection"][key] != *value {
                self.fault(format_args!("injection {key} is {}, ought to be {value}", found["injection"][key]));
            }
        }
    }
}

/// Seconds from a clock time to another, without offsets.
fn seconds_between(from: &str, to: &str) -> f64 {
    let clock = |text: &str| -> jiff::civil::DateTime {
        text.get(..19).unwrap_or(text).parse().unwrap_or_else(|_| panic!("{text:?} is no time"))
    };
    clock(to).duration_since(clock(from)).as_secs_f64()
}

#[test]
#[cfg_attr(no_dicom_cases, ignore = "the DICOM cases were not found when this was built")]
fn every_read_of_every_case_is_right() {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(cases()).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    folders.retain(|path| path.join("expected.json").is_file());
    folders.sort();
    assert!(folders.len() >= 16, "only {} cases", folders.len());
    let (mut faults, mut reads) = (Vec::new(), 0);
    for folder in &folders {
        let text = fs::read_to_string(folder.join("expected.json")).expect("readable");
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        for (at, read) in expected["reads"].as_array().expect("reads").iter().enumerate() {
            // Writing is another test.
            if read["result"] == "rtdose" {
                continue;
            }
            let name = format!("{} {at} ({})", expected["case"].as_str().expect("a name"), read["path"]);
            let mut case = Case { folder, read, name, faults: Vec::new() };
            case.check();
            faults.append(&mut case.faults);
            reads += 1;
        }
    }
    assert!(faults.is_empty(), "{} faults in {reads} reads:\n{}", faults.len(), faults.join("\n"));
}

/// What a series of this modality becomes; none where it becomes nothing by itself.
fn wanted_of(modality: &str) -> Option<Wanted> {
    match modality {
        "CT" => Some(Wanted::Ct),
        "NM" | "PT" => Some(Wanted::Activity { calibration: None }),
        "RTDOSE" => Some(Wanted::Dose { kind: None }),
        "SEG" | "RTSTRUCT" => Some(Wanted::Labels { grid: None, threshold: None }),
        _ => None,
    }
}

/// Every file and folder that a case reads, once.
fn places() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(cases()).expect("a folder") {
        let folder = entry.expect("one").path();
        let Ok(text) = fs::read_to_string(folder.join("expected.json")) else { continue };
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        let reads = expected["reads"].as_array().expect("reads").iter().filter(|read| read["result"] != "rtdose");
        found.extend(reads.map(|read| folder.join(read["path"].as_str().expect("a path"))));
    }
    found.sort();
    found.dedup();
    found
}

#[test]
#[cfg_attr(no_dicom_cases, ignore = "the DICOM cases were not found when this was built")]
fn what_is_listed_as_good_is_read_and_what_is_refused_is_listed_so() {
    let (mut faults, mut good, mut bad) = (Vec::new(), 0, 0);
    for path in places() {
        let place = Place { path: path.clone(), series: None };
        let listed = dicom::read_inventory(place.clone(), None).expect("DICOM files");
        for series in &listed.series {
            let Some(wanted) = wanted_of(&series.modality) else { continue };
            let one = Place { series: Some(series.series_uid.clone()), ..place.clone() };
            let is_wrong = series.refused.is_some() || !listed.problems.is_empty();
            match dicom::read(&Request::new(one, wanted)) {
                Ok(_) if is_wrong => faults.push(format!("{}: {:?}", path.display(), series.refused)),
                Ok(_) => good += 1,
                Err(reason) if !is_wrong => faults.push(format!("{} is not listed as {reason}", path.display())),
                Err(_) => bad += 1,
            }
        }
    }
    assert!(faults.is_empty(), "{good} good, {bad} bad, {} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(good >= 40 && bad >= 12, "{good} good, {bad} bad");
}

#[test]
#[cfg_attr(no_dicom_cases, ignore = "the DICOM cases were not found when this was built")]
fn what_passes_between_processes_is_what_was_read() {
    let request = Request::new(Place::of(&cases().join("04-pet-slope-per-slice/pt")), Wanted::AnyVolume);
    let text = serde_json::to_string(&request).expect("plain data");
    assert_eq!(serde_json::from_str::<Request>(&text).expect("the same"), request);
}
