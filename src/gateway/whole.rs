//! When a study is whole, and what is then computed of it. The same for a study that came and for a dry run.

use std::collections::BTreeSet;
use std::path::Path;

use super::config::{LabelsWanted, Rule};
use super::offer::{Offer, SeriesOffer};
use super::work::study_faults;
use super::{State, intake};
use crate::digest::Digest;
use crate::domain::Invalid;
use crate::formats::dicom::{NOT_QUANTITATIVE, Quantity, Unread};

/// What is to be done with a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It waits for more; at the limit it comes to this state.
    Waits(String, State),
    /// What there is of it cannot be looked at now, for a reason of this machine: it is looked at again.
    Again(String),
    /// Somebody has to look at it.
    Aside(String),
    /// It is computed.
    Ready(Box<Order>),
}

/// What is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The rule.
    pub(super) rule: String,
    /// Digest of study, settings and version.
    pub(super) key: String,
    /// SOP Instance UIDs and digests of the files that are used.
    pub(super) inputs: Vec<(String, String)>,
    /// Words of `dosegrid study`, without folders.
    pub(super) words: Vec<String>,
}

/// What is to be done.
///
/// * `program` – this program, which is asked whether it can compute it
/// * `is_stopping` – whether nobody waits for it any more
pub(super) fn verdict(offer: &mut Offer, rules: &[Rule], program: &Path, is_stopping: &dyn Fn() -> bool) -> Verdict {
    let met = rules.iter().find(|rule| rule.meets_way(offer).is_ok() && !rule.activities(offer).is_empty());
    let Some(rule) = met else {
        return Verdict::Waits("no rule meets a series of it".to_owned(), State::Skipped);
    };
    if let Err(why) = offer.look(rule.calibration) {
        return unread("it", why);
    }
    match wanted(offer, rule) {
        Err(verdict) => verdict,
        Ok(Wanted { series, words }) => ordered(offer, rule, &series, words, (program, is_stopping)),
    }
}

/// What is to be done with a study that cannot be read.
///
/// * `what` – what cannot be read, for a reader
pub(super) fn unread(what: &str, why: Unread) -> Verdict {
    match why {
        Unread::NoProcess(Invalid(reason)) => Verdict::Again(format!("{what} {reason}")),
        Unread::Refused(Invalid(reason)) | Unread::Ended(Invalid(reason)) => Verdict::Aside(format!("{what} {reason}")),
    }
}

/// Why a study is put aside of which instances came again with other bytes.
pub(super) fn conflict(instances: &[String]) -> String {
    format!(
        "{} came again with other bytes under the same UID, and the first are kept; drop it and send the study again, or \
         retry to go on with the first",
        instances.join(", ")
    )
}

/// The series that are used, and the words that name them.
struct Wanted {
    series: BTreeSet<String>,
    words: Vec<String>,
}

fn waits(reason: String) -> Verdict {
    Verdict::Waits(reason, State::Aside)
}

/// Chooses series, and says what is missing.
fn wanted(offer: &Offer, rule: &Rule) -> Result<Wanted, Verdict> {
    if let Some(problem) = offer.problems.first() {
        return Err(Verdict::Aside(problem.clone()));
    }
    let mut wanted = Wanted { series: BTreeSet::new(), words: Vec::new() };
    let activities = rule.activities(offer);
    for one in &activities {
        if let Some(slices) = one.outline.slices.filter(|slices| *slices > one.files.len()) {
            return Err(waits(format!("{} of {slices} slices of {} are there", one.files.len(), one.uid)));
        }
        match one.refused() {
            Some(reason) if reason.starts_with(NOT_QUANTITATIVE) => {
                return Err(Verdict::Aside(format!("{} {reason}", one.uid)));
            }
            Some(reason) => return Err(waits(format!("{} {reason}", one.uid))),
            None => wanted.name("--activity-series", one),
        }
    }
    wanted.ct(offer, rule, &activities)?;
    wanted.labels(offer, rule)?;
    Ok(wanted)
}

impl Wanted {
    fn name(&mut self, flag: &str, series: &SeriesOffer) {
        self.words.extend([flag.to_owned(), series.uid.clone()]);
        self.series.insert(series.uid.clone());
    }

    /// The CT of the frame of reference of an activity, with every slice in its place.
    fn ct(&mut self, offer: &Offer, rule: &Rule, activities: &[&SeriesOffer]) -> Result<(), Verdict> {
        let frames: BTreeSet<&str> = activities.iter().filter_map(|one| one.frame()).collect();
        let is_meant = |one: &&SeriesOffer| {
            let is_named = rule.ct.as_ref().is_none_or(|selector| selector.meets(one).is_ok());
            one.outline.modality == "CT" && is_named && one.frame().is_some_and(|frame| frames.contains(frame))
        };
        let meant: Vec<&SeriesOffer> = offer.series.iter().filter(is_meant).collect();
        let good: Vec<&SeriesOffer> = meant.iter().copied().filter(|one| is_good_ct(one)).collect();
        let largest = good.iter().map(|one| one.files.len()).max().unwrap_or(0);
        // A scout is refused and small; what is larger than all that is good lacks slices.
        if let Some(broken) = meant.iter().find(|one| !is_good_ct(one) && one.files.len() > largest) {
            return Err(waits(format!("{} {}", broken.uid, broken.refused().unwrap_or("is no CT"))));
        }
        match (good.as_slice(), &rule.ct) {
            ([], _) => {
                let words = "no CT lies in the frame of reference of its activity";
                return Err(waits(words.to_owned()));
            }
            ([one], Some(_)) => self.name("--ct-series", one),
            (several, None) => self.series.extend(several.iter().map(|one| one.uid.clone())),
            (several, Some(_)) => {
                let list: Vec<&str> = several.iter().map(|one| one.uid.as_str()).collect();
                return Err(Verdict::Aside(format!("several CTs are meant by the rule: {}", list.join(", "))));
            }
        }
        Ok(())
    }

    fn labels(&mut self, offer: &Offer, rule: &Rule) -> Result<(), Verdict> {
        if rule.labels_wanted == LabelsWanted::None {
            self.words.push("--no-labels".to_owned());
            return Ok(());
        }
        let is_meant = |one: &&SeriesOffer| {
            one.is_labels() && rule.labels.as_ref().is_none_or(|selector| selector.meets(one).is_ok())
        };
        let meant: Vec<&SeriesOffer> = offer.series.iter().filter(is_meant).collect();
        let others = offer.series.iter().filter(|one| one.is_labels()).count() > meant.len();
        match (meant.as_slice(), rule.labels_wanted) {
            ([], LabelsWanted::Needed) => return Err(waits("no organs came that the rule means".to_owned())),
            ([], _) if others => self.words.push("--no-labels".to_owned()),
            ([one], _) => self.name("--labels-series", one),
            (several, _) => self.series.extend(several.iter().map(|one| one.uid.clone())),
        }
        // The images that organs were drawn on.
        let drawn_on = meant.iter().filter_map(|one| one.entry.as_ref()?.goes_with.clone());
        self.series.extend(drawn_on);
        Ok(())
    }
}

/// Whether a CT can be read.
fn is_good_ct(one: &SeriesOffer) -> bool {
    one.entry.as_ref().is_some_and(|entry| entry.refused.is_none() && entry.quantity == Some(Quantity::Hu))
}

/// The order, if the program takes it.
fn ordered(
    offer: &Offer,
    rule: &Rule,
    series: &BTreeSet<String>,
    mut words: Vec<String>,
    (program, is_stopping): (&Path, &dyn Fn() -> bool),
) -> Verdict {
    for (flag, value) in &rule.options {
        words.push((*flag).to_owned());
        words.extend((!value.is_empty()).then(|| value.clone()));
    }
    let faults = match study_faults(program, &offer.folder, &words, is_stopping) {
        Ok(faults) => faults,
        Err(reason) => return Verdict::Again(reason),
    };
    if !faults.is_empty() {
        return Verdict::Aside(faults.join("; "));
    }
    let used = offer.series.iter().filter(|one| series.contains(&one.uid)).flat_map(|one| one.files.iter().copied());
    let used: BTreeSet<usize> = used.chain(offer.maps()).collect();
    let mut inputs = Vec::new();
    for file in used.into_iter().map(|number| &offer.files[number]) {
        match intake::digest_of(&file.path) {
            Ok(digest) => inputs.push((file.outline.instance.clone(), digest)),
            Err(error) => return Verdict::Again(format!("a file cannot be read: {error}")),
        }
    }
    inputs.sort();
    inputs.dedup();
    match key(rule, &inputs, &words) {
        Ok(key) => Verdict::Ready(Box::new(Order { rule: rule.name.clone(), key, inputs, words })),
        Err(error) => Verdict::Again(format!("a file of the rule {} cannot be read: {error}", rule.name)),
    }
}

/// The digest of all that decides what is made: files, settings with the files that they name, and the version.
fn key(rule: &Rule, inputs: &[(String, String)], words: &[String]) -> std::io::Result<String> {
    let mut digest = Digest::new();
    let mut add = |text: &str| {
        digest.update(text);
        digest.update([0]);
    };
    add(env!("CARGO_PKG_VERSION"));
    inputs.iter().for_each(|(_, digest)| add(digest));
    add("");
    words.iter().for_each(|word| add(word));
    for path in &rule.files {
        add(&intake::digest_of(path)?);
    }
    add("");
    rule.send.iter().for_each(|kind| add(kind.file()));
    Ok(digest.hex())
}
