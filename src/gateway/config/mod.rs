//! What a gateway is told: where studies come from, which rules they meet, and where doses go.

mod compute;
mod mail;
mod pattern;
mod places;
mod rule;
mod section;
mod source;
mod tls;
mod worklist;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::mail::Mail;
use crate::domain::{DoseError, Invalid};
use crate::formats::toml_file;
use crate::pacs::{Peer, StoreTls, Web};
use section::{Faults, Section};

pub use pattern::Pattern;
pub use section::Judge;
pub use source::{Login, Source, SourceKind, StoreSource, Token, WebSource};

/// All that a gateway is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of ledger, studies and results; for this gateway alone.
    pub folder: PathBuf,
    /// How often sources without a call of their own are asked.
    pub poll: Duration,
    /// How long files of a study and its results are kept after all is done; none: until they are dropped.
    pub keep: Option<Duration>,
    /// Limits of the process that computes.
    pub limits: Limits,
    /// Told of what waits for a release, what is done and what is put aside.
    pub webhook: Option<String>,
    /// Who is written to.
    pub mail: Option<Mail>,
    /// Where metrics are served; none: nowhere.
    pub metrics: Option<SocketAddr>,
    /// Where studies come from.
    pub sources: Vec<Source>,
    /// Where doses go.
    pub destinations: Vec<Destination>,
    /// Where work is scheduled.
    pub worklists: Vec<Worklist>,
    /// What is computed of what; the first that a study meets counts.
    pub rules: Vec<Rule>,
}

/// Where work is scheduled.
#[derive(Clone, Debug)]
pub struct Worklist {
    /// Its name.
    pub name: String,
    /// Its server.
    pub web: Web,
}

/// Which workitems are meant. Every list that is not empty has to match.
#[derive(Clone, Debug, Default)]
pub struct WorkitemSelector {
    /// Procedure Step Label.
    pub label: Vec<Pattern>,
    /// Worklist Label.
    pub worklist_label: Vec<Pattern>,
    /// Code Values of the scheduled workitem.
    pub code: Vec<String>,
    /// Code Values of the stations that it is scheduled for.
    pub station: Vec<String>,
}

/// Limits of the process that computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Address space [MiB].
    pub memory_mib: u64,
    /// Time by the clock.
    pub time: Duration,
}

/// Where doses go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: DestinationKind,
    /// How often an object is tried.
    pub attempts: u32,
    /// Wait after the first attempt that failed; it doubles each time.
    pub backoff: Duration,
}

/// Kinds of destinations.
#[derive(Clone, Debug)]
pub enum DestinationKind {
    /// A folder: a folder for each study, a file for each object.
    Folder(PathBuf),
    /// An application entity; with a DICOMweb server of the same archive, objects are read back.
    Store {
        /// Who is sent to.
        peer: Peer,
        /// Title that the gateway calls itself by.
        calling: String,
        /// How it is called; none: in the clear.
        tls: Option<StoreTls>,
        /// Reads back.
        read_back: Option<Web>,
        /// How it is asked whether it keeps what it was sent; none: it is not.
        commitment: Option<Commitment>,
    },
    /// A DICOMweb server.
    Web(Web),
}

/// How an archive is asked for storage commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Where its report comes.
    pub way: CommitmentWay,
    /// How long a report is waited for.
    pub limit: Duration,
}

/// Where reports of storage commitment come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitmentWay {
    /// On the association of the request.
    SameAssociation,
    /// On one that the archive opens to a source of kind `c-store`.
    NewAssociation,
}

/// Which studies, what of them, and where to.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Names of sources; empty: all.
    pub sources: Vec<String>,
    /// Calling titles; empty: any, or none. The empty title stands for what did not come by C-STORE.
    pub calling: Vec<Pattern>,
    /// The activities: a time point each.
    pub activity: Selector,
    /// The CT, where several may be meant.
    pub ct: Option<Selector>,
    /// The organs, where several may be meant.
    pub labels: Option<Selector>,
    /// Whether organs are waited for.
    pub labels_wanted: LabelsWanted,
    /// Flags of `dosegrid study`, in the order of the keys, each with its value; empty: a switch.
    pub options: Vec<(&'static str, String)>,
    /// What makes activity of counts: counts per second of an MBq, and for how long counts were summed [s].
    pub calibration: Option<(f64, Option<f64>)>,
    /// Files that the options name, whose content decides the result.
    pub files: Vec<PathBuf>,
    /// What is sent.
    pub send: Vec<SentKind>,
    /// Names of destinations.
    pub destinations: Vec<String>,
    /// Whether results wait for a release.
    pub waits: bool,
    /// Name of the worklist that has to have a workitem for the study; none: it needs none.
    pub worklist: Option<String>,
    /// Which of its workitems are meant.
    pub workitem: WorkitemSelector,
}

/// Which series are meant. Every list that is not empty has to match.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Modalities.
    pub modality: Vec<String>,
    /// SOP Class UIDs.
    pub sop_class: Vec<String>,
    /// Series Description.
    pub description: Vec<Pattern>,
    /// Body Part Examined.
    pub body_part: Vec<Pattern>,
    /// Code Value of the radionuclide.
    pub nuclide_code: Vec<String>,
}

/// Whether organs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelsWanted {
    /// Taken where they are there.
    Taken,
    /// Waited for.
    Needed,
    /// Left out.
    None,
}

/// What of the results may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentKind {
    /// The dose as RTDOSE.
    Dose,
    /// Its 1σ as RTDOSE.
    Sigma,
    /// A page of figures as Secondary Capture.
    Summary,
}

impl SentKind {
    /// Its name in the file, and the file that it is in.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Dose, "dose", "dose.dcm"),
        (Self::Sigma, "sigma", "sigma.dcm"),
        (Self::Summary, "summary", "summary.dcm"),
    ];

    /// Its file.
    pub fn file(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, _, file)| file)
    }
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    ///
    /// * `judge` – says what is wrong with the computation of a rule
    ///
    /// # Errors
    /// Every fault, each with its line.
    pub fn read(path: &Path, judge: Judge<'_>) -> Result<Self, DoseError> {
        let text = toml_file::text(path)
            .map_err(|Invalid(reason)| DoseError::invalid("config", format!("{}: {reason}", path.display())))?;
        let base = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = std::path::absolute(base).map_err(|error| DoseError::invalid("config", error.to_string()))?;
        Self::parse(&text, &base, judge)
    }

    pub(super) fn parse(text: &str, base: &Path, judge: Judge<'_>) -> Result<Self, DoseError> {
        let mut faults = Faults::of(text, judge);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            faults.at(error.span().map_or(0, |span| span.start), error.message());
        }
        let mut file = Section::new("", 0, table.get_ref());
        let folder = file.needed("folder", &mut faults).map(|folder| base.join(folder));
        let poll = file.time("poll", Duration::from_secs(5), &mut faults);
        let keep = file.time_if_any("keep", &mut faults);
        let webhook = places::webhook(&mut file, &mut faults);
        let metrics = places::metrics(&mut file, &mut faults);
        let mail = mail::mail(file.table("mail", &mut faults), base, &mut faults);
        let limits = compute::limits(file.table("compute", &mut faults), &mut faults);
        let sources = places::sources(&mut file, base, &mut faults);
        let destinations = places::destinations(&mut file, base, &mut faults);
        let names = ["source", "destination", "worklist"].map(|key| places::declared(table.get_ref(), key));
        // Of a source with a fault, nothing is known.
        if sources.len() == names[0].len() {
            places::heard(&file, &sources, &destinations, &mut faults);
        }
        let worklists = worklist::worklists(&mut file, base, &mut faults);
        let rules = rule::rules(&mut file, base, &names, &mut faults);
        file.finish(&mut faults);
        faults.finish()?;
        let folder = folder.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
        Ok(Self { folder, poll, keep, limits, webhook, mail, metrics, sources, destinations, worklists, rules })
    }

    /// A source by its name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// A worklist by its name.
    pub fn worklist(&self, name: &str) -> Option<&Worklist> {
        self.worklists.iter().find(|worklist| worklist.name == name)
    }

    /// A rule by its name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// A destination by its name.
    pub fn destination(&self, name: &str) -> Option<&Destination> {
        self.destinations.iter().find(|destination| destination.name == name)
    }
}

#[cfg(test)]
mod tests;
