//! Flags of a DICOMweb server, and inputs that are fetched from it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::remote::{read_file, read_token};
use crate::domain::{Checks, DoseError, Invalid};
use crate::pacs::{Limits, Web};

/// Most MiB that are fetched without a flag.
const LIMIT_MIB: u64 = 8192;
/// Most files that are fetched.
const MAX_FILES: usize = 200_000;
/// The environment variable with the token.
const TOKEN: &str = "DOSEGRID_DICOM_WEB_TOKEN";

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "DICOMweb")]
pub(super) struct DicomWebArgs {
    /// DICOMweb server, such as https://pacs.example/dicom-web [env for its token: DOSEGRID_DICOM_WEB_TOKEN]
    #[arg(long, value_name = "URL")]
    dicom_web: Option<String>,
    /// File with the token to call it with
    #[arg(long, value_name = "FILE", requires = "dicom_web")]
    dicom_web_token_file: Option<PathBuf>,
    /// Authorities that its certificate may be from, as PEM [default: those that browsers trust]
    #[arg(long, value_name = "FILE", requires = "dicom_web")]
    dicom_web_ca: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "DICOMweb")]
pub(super) struct FetchArgs {
    #[command(flatten)]
    server: DicomWebArgs,
    /// Most MiB that are fetched from it [default: 8192]
    #[arg(long, value_name = "N_MIB", requires = "dicom_web", allow_negative_numbers = true)]
    dicom_web_limit: Option<String>,
}

impl DicomWebArgs {
    /// The flags as words.
    pub(super) fn words(&self) -> Vec<OsString> {
        let url = self.dicom_web.as_ref().map(|url| OsString::from("--dicom-web=".to_owned() + url));
        let files = [("--dicom-web-token-file", &self.dicom_web_token_file), ("--dicom-web-ca", &self.dicom_web_ca)];
        let files = files.into_iter().filter_map(|(flag, path)| {
            let mut word = OsString::from(flag);
            word.push("=");
            word.push(path.as_ref()?);
            Some(word)
        });
        url.into_iter().chain(files).collect()
    }

    /// The server that is named. Faults are recorded.
    pub(super) fn check(&self, checks: &mut Checks) -> Option<Web> {
        let url = self.dicom_web.as_deref()?;
        let of_file = self.dicom_web_token_file.as_deref();
        let of_file = of_file.and_then(|path| checks.at("dicom-web-token-file", read_token(path)));
        let token = of_file.or_else(|| std::env::var(TOKEN).ok().filter(|token| !token.is_empty()));
        let ca = self.dicom_web_ca.as_deref().and_then(|path| checks.at("dicom-web-ca", read_file(path)));
        checks.at("dicom-web", Web::new(url, token, ca.as_deref()))
    }
}

/// An input: a path that was given, or a folder that holds what was fetched as long as this lives.
pub(super) struct Input {
    path: PathBuf,
    _fetched: Option<TempDir>,
}

impl Input {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl FetchArgs {
    /// Whether the input is on a server.
    pub(super) fn is_used(&self) -> bool {
        self.server.dicom_web.is_some()
    }

    /// The input. With a server it is the UID of a study or series, which is fetched into a temporary folder.
    ///
    /// # Errors
    /// Every bad flag, and what the server says.
    pub(super) fn input(&self, given: &Path) -> Result<Input, DoseError> {
        let mut checks = Checks::new();
        let limit = match self.dicom_web_limit.as_deref() {
            None => Some(LIMIT_MIB),
            Some(text) => {
                let limit = text.parse::<u64>().ok().filter(|limit| *limit > 0);
                checks.at("dicom-web-limit", limit.ok_or_else(|| Invalid::new("is a whole number of MiB above 0")))
            }
        };
        let web = self.server.check(&mut checks);
        let Some(web) = web else {
            checks.finish()?;
            return Ok(Input { path: given.to_owned(), _fetched: None });
        };
        let uid = given.to_str().filter(|text| is_uid(text));
        if uid.is_none() {
            checks.fail("input", "is the UID of a study or series where --dicom-web is given");
        }
        checks.finish()?;
        let (Some(uid), Some(limit)) = (uid, limit) else {
            return Err(DoseError::Internal("a fault was not recorded".into()));
        };
        let cannot = |error| DoseError::Io(format!("dicom-web: no temporary folder: {error}"));
        let folder = tempfile::Builder::new().prefix("dosegrid-").tempdir().map_err(cannot)?;
        let limits = Limits { bytes: limit.saturating_mul(1 << 20), files: MAX_FILES };
        let fetched = web.fetch(uid, folder.path(), limits)?;
        tell!("dicom-web: {} instances, {} MiB", fetched.files, fetched.bytes >> 20);
        Ok(Input { path: folder.path().to_owned(), _fetched: Some(folder) })
    }
}

/// Whether a text is a UID.
fn is_uid(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64 && text.contains('.') && text.split('.').all(is_part)
}
