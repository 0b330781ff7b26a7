//! Rules.

use std::path::Path;

use super::compute::options;
use super::section::{Faults, Section};
use super::{LabelsWanted, Pattern, Rule, Selector, SentKind, WorkitemSelector};
use crate::domain::Invalid;
use crate::formats::dicom::CLASSES;

/// Modalities that an activity may have.
const ACTIVITIES: [&str; 2] = ["NM", "PT"];
/// Those of a CT and of organs.
const CTS: [&str; 1] = ["CT"];
const LABELS: [&str; 2] = ["SEG", "RTSTRUCT"];

pub(super) fn rules(
    file: &mut Section<'_, '_>,
    base: &Path,
    [sources, destinations, worklists]: &[Vec<String>; 3],
    faults: &mut Faults<'_>,
) -> Vec<Rule> {
    let sections = file.tables("rule", faults);
    if sections.is_empty() {
        file.fault("rule", "is needed: at least one [[rule]]", faults);
    }
    let mut found: Vec<Rule> = Vec::new();
    for mut section in sections {
        let name = section.needed("name", faults);
        if name.as_ref().is_some_and(|name| found.iter().any(|rule| rule.name == *name)) {
            section.fault("name", "is there twice", faults);
        }
        let rule = Rule {
            name: name.unwrap_or_default(),
            sources: named(&mut section, "sources", sources, faults),
            calling: patterns(&mut section, "calling", Pattern::glob, faults),
            activity: selector(&mut section, "activity", &ACTIVITIES, faults).unwrap_or_default(),
            ct: selector(&mut section, "ct", &CTS, faults),
            labels: selector(&mut section, "labels", &LABELS, faults),
            labels_wanted: section.one_of(
                "organs",
                &[("taken", LabelsWanted::Taken), ("needed", LabelsWanted::Needed), ("none", LabelsWanted::None)],
                faults,
            ),
            options: Vec::new(),
            calibration: None,
            files: Vec::new(),
            send: sent(&mut section, faults),
            destinations: named(&mut section, "to", destinations, faults),
            waits: section.one_of("release", &[("wait", true), ("auto", false)], faults),
            worklist: section.text("worklist", faults),
            workitem: workitem(section.table("workitem", faults), faults),
        };
        match &rule.worklist {
            Some(name) if !worklists.contains(name) => {
                section.fault("worklist", &format!("names `{name}`, which is not there"), faults);
            }
            None if section.has("workitem") => section.fault("workitem", "has no effect without `worklist`", faults),
            Some(_) | None => {}
        }
        if rule.destinations.is_empty() {
            section.fault("to", "is needed: the names of destinations", faults);
        }
        let how = section.table("compute", faults);
        if how.is_none() {
            section.fault("compute", "is needed: [rule.compute] says how a dose is computed", faults);
        }
        let how = options(how, base, faults);
        let is_monte_carlo = how.words.iter().all(|(flag, value)| *flag != "--method" || value == "monte-carlo");
        if rule.send.contains(&SentKind::Sigma) && !is_monte_carlo {
            section.fault("send", "has `sigma`, which only the method monte-carlo has", faults);
        }
        section.finish(faults);
        found.push(Rule { options: how.words, calibration: how.calibration, files: how.files, ..rule });
    }
    found
}

/// Names, each of which has to be known.
fn named(section: &mut Section<'_, '_>, key: &'static str, known: &[String], faults: &mut Faults<'_>) -> Vec<String> {
    let names = section.texts(key, faults);
    for name in &names {
        if !known.contains(name) {
            section.fault(key, &format!("names `{name}`, which is not there"), faults);
        }
    }
    names
}

fn sent(section: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Vec<SentKind> {
    let names = section.texts("send", faults);
    if names.is_empty() {
        return vec![SentKind::Dose];
    }
    let mut found = Vec::new();
    for name in names {
        match SentKind::ALL.iter().find(|(_, known, _)| *known == name) {
            Some((kind, ..)) if found.contains(kind) => {
                section.fault("send", &format!("names `{name}` twice"), faults);
            }
            Some((kind, ..)) => found.push(*kind),
            None => section.fault("send", &format!("is of dose, sigma, summary; got `{name}`"), faults),
        }
    }
    found
}

fn patterns(
    section: &mut Section<'_, '_>,
    key: &'static str,
    make: impl Fn(&str) -> Result<Pattern, Invalid>,
    faults: &mut Faults<'_>,
) -> Vec<Pattern> {
    let mut found = Vec::new();
    for text in section.texts(key, faults) {
        match make(&text) {
            Ok(pattern) => found.push(pattern),
            Err(Invalid(reason)) => section.fault(key, &reason, faults),
        }
    }
    found
}

/// Which workitems are meant; all where the table is not there.
fn workitem(section: Option<Section<'_, '_>>, faults: &mut Faults<'_>) -> WorkitemSelector {
    let Some(mut section) = section else { return WorkitemSelector::default() };
    let selector = WorkitemSelector {
        label: patterns(&mut section, "label", Pattern::glob, faults),
        worklist_label: patterns(&mut section, "worklist_label", Pattern::glob, faults),
        code: section.texts("code", faults),
        station: section.texts("station", faults),
    };
    section.finish(faults);
    selector
}

/// Which series are meant; none where the table is not there.
///
/// * `modalities` – those that there may be
fn selector(
    section: &mut Section<'_, '_>,
    key: &'static str,
    modalities: &[&str],
    faults: &mut Faults<'_>,
) -> Option<Selector> {
    let mut inner = section.table(key, faults)?;
    let modality = inner.texts("modality", faults);
    for other in modality.iter().filter(|other| !modalities.contains(&other.as_str())) {
        inner.fault("modality", &format!("is of {}; got `{other}`", modalities.join(", ")), faults);
    }
    let sop_class = inner.texts("sop_class", faults);
    for other in sop_class.iter().filter(|other| !CLASSES.iter().any(|(uid, _)| uid == other)) {
        inner.fault("sop_class", &format!("`{other}` is none that is taken; docs/conformance.md lists them"), faults);
    }
    let mut description = patterns(&mut inner, "description", Pattern::glob, faults);
    description.extend(patterns(&mut inner, "description_regex", Pattern::expression, faults));
    let body_part = patterns(&mut inner, "body_part", Pattern::glob, faults);
    let nuclide_code = inner.texts("nuclide_code", faults);
    inner.finish(faults);
    Some(Selector { modality, sop_class, description, body_part, nuclide_code })
}
