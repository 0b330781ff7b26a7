//! The lines of a header: fields, and pairs of a key and a value.

use std::collections::BTreeMap;

use crate::domain::Invalid;

/// A header, line by line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// `field: description`; names in lower case.
    fields: BTreeMap<String, String>,
    /// `key:=value`.
    pub(super) pairs: BTreeMap<String, String>,
    /// Bytes up to the first value.
    pub(super) bytes: u64,
}

impl Fields {
    /// * `bytes` – the start of the file
    ///
    /// # Errors
    /// If a line is neither field, pair nor comment, or a field comes twice.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut fields = Self::default();
        for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            fields.bytes += line.len() as u64;
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                break;
            }
            if number == 0 || line.starts_with('#') {
                continue;
            }
            if let Some((key, value)) = line.split_once(":=") {
                fields.pairs.insert(key.trim().to_owned(), value.trim().to_owned());
            } else if let Some((name, value)) = line.split_once(':') {
                let name = name.trim().to_lowercase();
                if fields.fields.insert(name, value.trim().to_owned()).is_some() {
                    return Err(Invalid::new(format!("line {} of the header is a field that comes twice", number + 1)));
                }
            } else {
                return Err(Invalid::new(format!("line {} of the header is no field of NRRD", number + 1)));
            }
        }
        Ok(fields)
    }

    /// A field by its name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn need(&self, name: &str) -> Result<&str, Invalid> {
        self.get(name).ok_or_else(|| Invalid::new(format!("its header has no field `{name}`")))
    }
}

/// A vector such as `(0,0,1.5)`; none for `none`.
///
/// # Errors
/// If it is neither, or has not three numbers.
pub(super) fn vector(text: &str) -> Result<Option<[f64; 3]>, Invalid> {
    if text == "none" {
        return Ok(None);
    }
    let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let numbers: Option<Vec<f64>> = inside.and_then(|text| text.split(',').map(|v| v.trim().parse().ok()).collect());
    match numbers.as_deref() {
        Some(&[x, y, z]) => Ok(Some([x, y, z])),
        _ => Err(Invalid::new("a vector in its header is not of three numbers")),
    }
}

/// The vectors of a field; white space may stand within one.
///
/// # Errors
/// As [`vector`].
pub(super) fn vectors(text: &str) -> Result<Vec<Option<[f64; 3]>>, Invalid> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_ascii_whitespace() {
        match words.last_mut().filter(|last| last.starts_with('(') && !last.ends_with(')')) {
            Some(open) => open.push_str(word),
            None => words.push(word.to_owned()),
        }
    }
    words.iter().map(|word| vector(word)).collect()
}

/// Words in quotation marks, such as units.
pub(super) fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}
