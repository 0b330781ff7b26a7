//! What a gateway would do with a study: by the code that does it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::{Config, DestinationKind, Rule};
use super::intake::link_kept;
use super::offer::Offer;
use super::whole::{Order, Verdict, conflict, verdict};
use super::work;
use crate::domain::DoseError;
use crate::formats::dicom::Unread;

/// A day [s].
const DAY_S: f64 = 86_400.0;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// The study.
    pub folder: PathBuf,
    /// Name of the source that it would come from; none: any.
    pub source: Option<String>,
    /// Title that would send it; empty: not by C-STORE.
    pub calling: String,
    /// Whether it is computed, which tells the UIDs.
    pub computes: bool,
}

/// Says it line by line, each with its end.
///
/// # Errors
/// If the folder holds no study, or it cannot be computed.
pub fn dry_run(config: &Config, program: &Path, asked: &DryRun) -> Result<String, DoseError> {
    if let Some(name) = asked.source.as_ref().filter(|name| config.source(name).is_none()) {
        return Err(DoseError::invalid("source", format!("the file has no source `{name}`")));
    }
    let invalid = |why: Unread| DoseError::invalid("dry-run", why.reason().to_string());
    let cannot = |error: io::Error| DoseError::Io(format!("no temporary folder: {error}"));
    let found = Offer::read(&asked.folder, asked.source.clone(), &asked.calling).map_err(invalid)?;
    // What would be kept is looked at, and nothing that lies beside it.
    let kept = tempfile::Builder::new().prefix("dosegrid-").tempdir().map_err(cannot)?;
    let files = found.files.iter().map(|file| (file.path.as_path(), &file.outline));
    let conflicts = link_kept(kept.path(), files).map_err(cannot)?;
    let mut offer = if found.files.is_empty() {
        found.clone()
    } else {
        Offer::read(kept.path(), asked.source.clone(), &asked.calling).map_err(invalid)?
    };
    let mut text = Lines::default();
    let mut studies: Vec<&str> = offer.files.iter().map(|file| file.outline.study.as_str()).collect();
    studies.sort_unstable();
    studies.dedup();
    if studies.len() > 1 {
        return Err(DoseError::invalid("dry-run", format!("the folder holds {} studies; give one", studies.len())));
    }
    for (path, reason) in &found.left {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text.line("not taken", &format!("{name} {reason}"));
    }
    for one in &offer.series {
        let files = one.files.len();
        let noun = if files == 1 { "file" } else { "files" };
        text.line("series", &format!("{} ({}, {files} {noun})", one.uid, one.outline.modality));
        for rule in &config.rules {
            text.line("", &met(&offer, rule, one));
        }
    }
    let verdict = match conflicts.as_slice() {
        [] => verdict(&mut offer, &config.rules, program, &|| false),
        several => Verdict::Aside(conflict(several)),
    };
    match verdict {
        Verdict::Waits(reason, state) => {
            text.line("waits", &reason);
            text.line("", &format!("at the limit it would be {}", state.name()));
        }
        Verdict::Again(reason) => {
            text.line("waits", &reason);
            text.line("", "it would be looked at again");
        }
        Verdict::Aside(reason) => text.line("aside", &reason),
        Verdict::Ready(order) => ready(config, program, asked, &offer, &order, &mut text)?,
    }
    Ok(text.0)
}

/// Whether a rule meets a series, and if not, why.
fn met(offer: &Offer, rule: &Rule, one: &super::offer::SeriesOffer) -> String {
    let name = &rule.name;
    if let Err(reason) = rule.meets_way(offer) {
        return format!("rule {name} does not meet it: {reason}");
    }
    let (role, selector) = if one.is_activity() {
        ("activity", Some(&rule.activity))
    } else if one.outline.modality == "CT" {
        ("CT", rule.ct.as_ref())
    } else if one.is_labels() {
        ("organs", rule.labels.as_ref())
    } else {
        return format!("rule {name}: goes along");
    };
    match selector.map_or(Ok(()), |selector| selector.meets(one)) {
        Ok(()) => format!("rule {name} meets it as {role}"),
        Err(reason) => format!("rule {name} does not meet it as {role}: {reason}"),
    }
}

fn ready(
    config: &Config,
    program: &Path,
    asked: &DryRun,
    offer: &Offer,
    order: &Order,
    text: &mut Lines,
) -> Result<(), DoseError> {
    let rule = config.rules.iter().find(|rule| rule.name == order.rule);
    let rule = rule.ok_or_else(|| DoseError::Internal("an order without a rule".into()))?;
    text.line("rule", &rule.name);
    text.line("computes", &format!("dosegrid study {}", order.words.join(" ")));
    text.line("of", &format!("{} files; key {}", order.inputs.len(), order.key));
    let files: Vec<&str> = rule.send.iter().map(|kind| kind.file()).collect();
    for name in &rule.destinations {
        let how = config.destination(name).map_or("", |destination| match &destination.kind {
            DestinationKind::Folder(_) => "a folder, read back",
            DestinationKind::Store { read_back: Some(_), .. } => "C-STORE, read back by WADO-RS",
            DestinationKind::Store { commitment: Some(_), .. } => "C-STORE, not read back; storage commitment",
            DestinationKind::Store { .. } => "C-STORE, not read back",
            DestinationKind::Web(_) => "STOW-RS, read back by WADO-RS",
        });
        text.line("sends", &format!("{} to {name} ({how})", files.join(", ")));
    }
    if let Some(name) = &rule.worklist {
        text.line("worklist", &format!("waits for a workitem of {name}"));
    }
    text.line("release", if rule.waits { "waits for `dosegrid gateway release`" } else { "goes out on its own" });
    let kept = match config.keep {
        Some(keep) => format!("{} after all is verified or skipped, then its files are deleted", for_a_reader(keep)),
        None => "until `dosegrid gateway drop`".to_owned(),
    };
    text.line("kept", &kept);
    let study = offer.files.first().map_or("", |file| file.outline.study.as_str());
    text.line("study UID", study);
    if !asked.computes {
        let words = "follow from all that the objects hold; --compute computes it and tells them";
        text.line("UIDs", words);
        return Ok(());
    }
    let cannot = |error: io::Error| DoseError::Io(format!("no temporary folder: {error}"));
    let folder = tempfile::Builder::new().prefix("dosegrid-").tempdir().map_err(cannot)?;
    let (input, output) = (folder.path().join("input"), folder.path().join("output"));
    std::fs::create_dir(&input).map_err(cannot)?;
    for (instance, _) in &order.inputs {
        let file = offer.files.iter().find(|file| file.outline.instance == *instance);
        let file = file.ok_or_else(|| DoseError::Internal("an input without a file".into()))?;
        std::fs::copy(&file.path, input.join(super::intake::kept_name(instance))).map_err(cannot)?;
    }
    let done = work::compute(program, (&input, &output), &order.words, config.limits, || false);
    let done = done.map_err(|why| why.map_or_else(|| "stopped".to_owned(), |undone| undone.reason));
    let objects = match done.and_then(|()| work::objects(&output, rule).map_err(|undone| undone.reason)) {
        Ok(objects) => objects,
        Err(reason) => {
            text.line("aside", &reason);
            return Ok(());
        }
    };
    for object in objects {
        text.line("object", &format!("{}: series {}, instance {}", object.file, object.series, object.instance));
    }
    Ok(())
}

/// A time in days, or in seconds below a day.
fn for_a_reader(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (number, unit) = if seconds < DAY_S { (seconds, "s") } else { (seconds / DAY_S, "d") };
    let digits = format!("{number:.3}");
    format!("{} {unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Lines with a name each.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, name: &str, words: &str) {
        self.0.push_str(&format!("{name:<10} {words}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_days() {
        let said = [2.0, 0.5, 3600.0, DAY_S, 2.5 * DAY_S, 90.0 * DAY_S, 10_000.0 * DAY_S]
            .map(|seconds| for_a_reader(Duration::from_secs_f64(seconds)));
        assert_eq!(said, ["2 s", "0.5 s", "3600 s", "1 d", "2.5 d", "90 d", "10000 d"]);
    }
}
