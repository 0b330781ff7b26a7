//! The report of a dose: its flags, and what it is made from.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::dicom::DicomOutput;
use super::outputs::OrganTables;
use super::report_data::{self, ReportData};
use crate::digest::Digest;
use crate::domain::{Checks, DoseError, DoseResult, Invalid, Organs, Volume};
use crate::formats::atomic::write_bytes;
use crate::formats::dicom::Place;
use crate::formats::dicom::write::Reference;
use crate::report::dose_report::{Budgets, Curves, DoseReport, Identification, Language, ReportOrgans};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Report")]
pub(super) struct ReportArgs {
    /// Report of the dose to read, print and file: one HTML file that needs no other
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Language of the report [default: en]
    #[arg(long, value_name = "en|nl|fr")]
    report_language: Option<String>,
    /// Name the patient in the report, as the DICOM of --reference or --ct does
    #[arg(long)]
    pub(super) report_identified: bool,
    /// Fits to show in the report: `curves.json` of `dosegrid integrate`
    #[arg(long, value_name = "FILE")]
    pub(super) report_curves: Option<PathBuf>,
    /// Uncertainty budgets to show in the report: the JSON of `dosegrid budget`
    #[arg(long, value_name = "FILE")]
    report_budget: Option<PathBuf>,
    /// Folder for all that the report is made from: `dosegrid report` makes it again, in another language or with names
    #[arg(long, value_name = "FOLDER")]
    pub(super) report_data: Option<PathBuf>,
}

/// What was read for a report.
pub(super) struct ReportReady {
    path: PathBuf,
    language: Language,
    curves: Option<Curves>,
    budgets: Option<Budgets>,
    data: Option<PathBuf>,
}

/// What a report shows beside the result.
pub(super) struct ReportInputs<'a> {
    /// Mass density on the grid of the dose [g/cm³].
    pub(super) density: Option<&'a Volume<f32>>,
    /// Organs on that grid.
    pub(super) organs: Option<&'a Organs>,
    /// Input files by their flags.
    pub(super) files: Vec<(&'static str, PathBuf)>,
}

impl ReportArgs {
    /// Files that the report is made from besides.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.report_curves.iter().chain(&self.report_budget).map(PathBuf::as_path)
    }

    /// Records outputs that the data of the report would replace.
    ///
    /// * `outputs` – files that are written, by their flags
    pub(super) fn check_data<'a>(&self, outputs: impl Iterator<Item = (&'a str, &'a Path)>, checks: &mut Checks) {
        let Some(folder) = self.report_data.as_deref() else { return };
        for (flag, path) in outputs.filter(|(_, path)| report_data::would_replace(folder, path)) {
            checks.fail("report-data", format!("would replace {}, of --{flag}: name another folder", path.display()));
        }
    }

    /// Reads what the report shows besides, and records every fault; none without a report.
    pub(super) fn read(&self, checks: &mut Checks) -> Option<ReportReady> {
        let more = [
            ("report-language", self.report_language.is_some()),
            ("report-identified", self.report_identified),
            ("report-curves", self.report_curves.is_some()),
            ("report-budget", self.report_budget.is_some()),
            ("report-data", self.report_data.is_some()),
        ];
        let Some(path) = &self.report else {
            for (flag, _) in more.into_iter().filter(|(_, is_given)| *is_given) {
                checks.fail(flag, "has no effect without --report");
            }
            return None;
        };
        let language = match self.report_language.as_deref() {
            None => Some(Language::default()),
            Some(code) => {
                let known = Language::ALL.into_iter().find(|language| language.code() == code);
                let unknown = || Invalid::new(format!("is one of en, nl and fr, got `{code}`"));
                checks.at("report-language", known.ok_or_else(unknown))
            }
        };
        let text =
            |path: &Path| fs::read_to_string(path).map_err(|error| Invalid::new(format!("cannot be read: {error}")));
        let curves = self.report_curves.as_deref().map(|path| text(path).and_then(|text| Curves::from_json(&text)));
        let budgets = self.report_budget.as_deref().map(|path| text(path).and_then(|text| Budgets::from_json(&text)));
        let curves = curves.and_then(|curves| checks.at("report-curves", curves));
        let budgets = budgets.and_then(|budgets| checks.at("report-budget", budgets));
        if self.report_data.as_ref().is_some_and(|folder| folder.exists() && !folder.is_dir()) {
            checks.fail("report-data", "is a file; it is a folder that is made");
        }
        let data = self.report_data.clone();
        Some(ReportReady { path: path.clone(), language: language?, curves, budgets, data })
    }

    /// Records that a report cannot be made where the maps are not.
    pub(super) fn refuse_on_server(&self, checks: &mut Checks) {
        if self.report.is_some() {
            let reason = "cannot be made with --server, which keeps the maps on the grid of the dose; compute in this \
                          process";
            checks.fail("report", reason);
        }
    }
}

impl ReportReady {
    /// Makes the report and writes it.
    pub(super) fn write(
        &self,
        result: &DoseResult,
        inputs: &ReportInputs,
        tables: Option<&OrganTables>,
        dicom: Option<&DicomOutput>,
    ) -> Result<(), DoseError> {
        let organs = inputs.organs.zip(tables).map(|(organs, tables)| ReportOrgans {
            organs,
            doses: &tables.doses,
            histograms: &tables.histograms,
        });
        let digest = |(flag, path): &(&str, PathBuf)| Ok(((*flag).to_owned(), digest_of(path)?));
        let cannot_read = |error: io::Error| DoseError::Io(format!("report: an input cannot be read again: {error}"));
        let files = inputs.files.iter().map(digest).collect::<io::Result<Vec<_>>>().map_err(cannot_read)?;
        if let Some(folder) = &self.data {
            report_data::Written { result, density: inputs.density, organs, inputs: &files }.write(folder)?;
        }
        let identification = dicom.map(DicomOutput::identification).unwrap_or_default();
        self.page(&identification, result, inputs.density, organs, &files)
    }

    /// Makes the report again from what it was made from.
    pub(super) fn write_again(&self, data: &ReportData, identification: &Identification) -> Result<(), DoseError> {
        let organs =
            data.organs.as_ref().map(|(organs, doses)| ReportOrgans { organs, doses, histograms: &data.histograms });
        self.page(identification, &data.result, data.density.as_ref(), organs, &data.inputs)
    }

    fn page(
        &self,
        identification: &Identification,
        result: &DoseResult,
        density: Option<&Volume<f32>>,
        organs: Option<ReportOrgans<'_>>,
        files: &[(String, String)],
    ) -> Result<(), DoseError> {
        let report = DoseReport {
            language: self.language,
            identification,
            result,
            density,
            organs,
            curves: self.curves.as_ref(),
            budgets: self.budgets.as_ref(),
            inputs: files,
            made: &jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        };
        let page = report.html()?;
        let cannot = |error| DoseError::Io(format!("report: cannot be written: {error}"));
        write_bytes(&self.path, page.as_bytes()).map_err(cannot)
    }
}

/// The digest of a file; of a folder, that of the digests of all files in it by name. Of a series in a folder, that of
/// the folder.
fn digest_of(path: &Path) -> io::Result<String> {
    digest_within(&Place::of(path).path, &mut BTreeSet::new())
}

/// * `seen` – folders that are in it, without links: those may lead in a ring, and a folder counts once
fn digest_within(path: &Path, seen: &mut BTreeSet<PathBuf>) -> io::Result<String> {
    let mut digest = Digest::new();
    if path.is_dir() {
        if !seen.insert(path.canonicalize()?) {
            return Ok(digest.hex());
        }
        let mut inside: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        inside.retain(|path| path.is_file() || path.is_dir());
        inside.sort_unstable();
        inside.iter().try_for_each(|path| digest_within(path, seen).map(|hex| digest.update(hex)))?;
        return Ok(digest.hex());
    }
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest.hex()),
            read => digest.update(&piece[..read]),
        }
    }
}

/// Who a reference is of.
pub(super) fn identification(reference: &Reference) -> Identification {
    let [name, id, birth_date, study_date] = reference.patient();
    Identification { name, id, birth_date, study_date }
}

/// Who the reference is of, if the report is to say so.
impl DicomOutput {
    fn identification(&self) -> Identification {
        if self.is_identified { identification(&self.reference) } else { Identification::default() }
    }
}
