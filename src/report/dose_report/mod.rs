//! The report of a dose: one HTML page that holds all it shows, to read, to print and to file.
//!
//! The voxels travel in the page, quantised; a small script draws them. A content security policy lets that script run
//! and nothing else, and nothing is fetched. Names are in it only if they are given.

mod facts;
mod inputs;
mod language;
mod sections;
mod view;

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::cannot_draw;
use super::page::{render, style};
use crate::digest::Digest;
use crate::domain::{DoseError, DoseResult, Organs, Volume, Warning};
use crate::dosimetry::{CumulativeHistogram, OrganDose};

pub use inputs::{Budgets, Curves};
pub use language::Language;

/// Draws the slices; its digest is in the content security policy.
const SCRIPT: &str = include_str!("viewer.js");
/// The style of this page, after that of every page.
const STYLE: &str = include_str!("report.css");

/// What is reported. Everything refers to one grid, that of the dose.
pub struct DoseReport<'a> {
    /// The language of all but names and warnings.
    pub language: Language,
    /// Who it is of; where nothing is given, the report says nobody.
    pub identification: &'a Identification,
    /// The dose, its account and provenance.
    pub result: &'a DoseResult,
    /// Mass density behind the dose [g/cm³]; none: there is nothing below the dose.
    pub density: Option<&'a Volume<f32>>,
    /// The organs and what is said of them, where there are any.
    pub organs: Option<ReportOrgans<'a>>,
    /// Fits of activity over time, where they were given.
    pub curves: Option<&'a Curves>,
    /// Uncertainty budgets, where they were given.
    pub budgets: Option<&'a Budgets>,
    /// Input files by their flags, and their SHA-256.
    pub inputs: &'a [(String, String)],
    /// When the report is made.
    pub made: &'a str,
}

/// The lines that say who a report is of; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identification {
    /// Name of the patient.
    pub name: String,
    /// Patient ID.
    pub id: String,
    /// Date of birth.
    pub birth_date: String,
    /// Date of the study.
    pub study_date: String,
}

/// Organs of a report.
#[derive(Clone, Copy)]
pub struct ReportOrgans<'a> {
    /// Their voxels.
    pub organs: &'a Organs,
    /// Their doses, by rising label as the organs.
    pub doses: &'a [OrganDose],
    /// Their histograms, likewise.
    pub histograms: &'a [Option<CumulativeHistogram>],
}

/// Name and value of a line.
type Fact = (String, String);

#[derive(Template)]
#[template(path = "dose_report.html")]
struct Page<'a> {
    language: Language,
    policy: String,
    style: String,
    script: &'static str,
    /// What the script is told, as JSON.
    view: String,
    shown: String,
    patient: Vec<Fact>,
    activity: Vec<Fact>,
    organs: Option<sections::OrganTable>,
    histograms: Vec<String>,
    curves: Vec<sections::CurveSection>,
    budgets: Vec<sections::BudgetSection>,
    method: Vec<Fact>,
    provenance: Vec<Fact>,
    inputs: &'a [(String, String)],
    warnings: &'a [Warning],
    made: &'a str,
}

impl Page<'_> {
    /// A word in the language of the page.
    fn t(&self, key: &str) -> &'static str {
        self.language.word(key)
    }
}

impl DoseReport<'_> {
    /// The page.
    ///
    /// # Errors
    /// If a part of it cannot be drawn.
    pub fn html(&self) -> Result<String, DoseError> {
        let language = self.language;
        let (style, script) = (format!("{}\n{}", style(), STYLE.trim_end()), SCRIPT.trim_end());
        let view = view::View::new(self)?;
        let histograms = self.organs.iter().flat_map(|organs| sections::histogram_figures(language, organs));
        render(&Page {
            language,
            policy: policy(&style, script),
            style,
            script,
            shown: view.words(language),
            view: view.json(language)?,
            patient: facts::patient(language, self.identification),
            activity: facts::activity(language, &self.result.activity),
            organs: self.organs.map(|organs| sections::OrganTable::new(language, organs.doses)),
            histograms: histograms.collect::<Result<_, _>>()?,
            curves: sections::curves(language, self.curves)?,
            budgets: sections::budgets(language, self.budgets),
            method: facts::method(language, self.result),
            provenance: facts::provenance(language, &self.result.provenance),
            inputs: self.inputs,
            warnings: &self.result.warnings,
            made: self.made,
        })
    }
}

/// What the page may do: show its own style, run its own script.
fn policy(style: &str, script: &str) -> String {
    // In the page there is a line end before and after each.
    let digest = |text: &str| {
        let mut digest = Digest::new();
        digest.update(format!("\n{text}\n"));
        STANDARD.encode(digest.bytes())
    };
    let [style, script] = [style, script].map(digest);
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{style}'; script-src \
         'sha256-{script}'"
    )
}

/// JSON that may stand in a page: nothing in it ends the element that holds it.
fn embedded(value: &impl serde::Serialize) -> Result<String, DoseError> {
    Ok(serde_json::to_string(value).map_err(cannot_draw)?.replace('<', "\\u003c"))
}
