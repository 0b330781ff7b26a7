//! Tables of a TOML file, read so that every fault is found, each with its line.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::{Checks, DoseError, Violation};

/// Similarity from which another key may have been meant.
const SIMILAR: f64 = 0.75;

/// What `dosegrid study` would refuse of some of its words whatever the files are, by flag.
pub type Judge<'a> = &'a dyn Fn(&[String]) -> Vec<Violation>;

/// Faults of a file, by line.
pub(super) struct Faults<'a> {
    text: &'a str,
    judge: Judge<'a>,
    found: Vec<(usize, String)>,
}

impl<'a> Faults<'a> {
    pub(super) fn of(text: &'a str, judge: Judge<'a>) -> Self {
        Self { text, judge, found: Vec::new() }
    }

    /// How many were found so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// What `study` would refuse of some of its words.
    pub(super) fn judged(&self, words: &[String]) -> Vec<Violation> {
        (self.judge)(words)
    }

    /// Records a fault at a place in the text.
    pub(super) fn at(&mut self, byte: usize, words: impl Into<String>) {
        let line = 1 + self.text.bytes().take(byte).filter(|byte| *byte == b'\n').count();
        self.found.push((line, words.into()));
    }

    /// # Errors
    /// Every fault, in the order of the lines.
    pub(super) fn finish(mut self) -> Result<(), DoseError> {
        self.found.sort();
        let mut checks = Checks::new();
        for (line, words) in self.found {
            checks.fail("config", format!("line {line}: {words}"));
        }
        checks.finish()
    }
}

/// A table of the file.
#[derive(Debug)]
pub(super) struct Section<'t, 'i> {
    /// For a reader, such as `rule.`; empty for the file.
    name: String,
    /// Where it begins.
    start: usize,
    table: &'t DeTable<'i>,
    /// Keys that were asked for.
    asked: BTreeSet<&'static str>,
}

impl<'t, 'i> Section<'t, 'i> {
    pub(super) fn new(name: &str, start: usize, table: &'t DeTable<'i>) -> Self {
        Self { name: name.to_owned(), start, table, asked: BTreeSet::new() }
    }

    /// Where a key stands, else the table.
    pub(super) fn place(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.start, |value| value.span().start)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records a fault of a key.
    pub(super) fn fault(&self, key: &str, reason: &str, faults: &mut Faults<'_>) {
        faults.at(self.place(key), format!("{}{key} {reason}", self.name));
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    pub(super) fn text(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<String> {
        let value = self.get(key)?.get_ref();
        let text = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            self.fault(key, "is a text in quotes", faults);
        }
        text
    }

    /// A text that has to be there.
    pub(super) fn needed(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<String> {
        if self.get(key).is_none() {
            self.fault(key, "is needed", faults);
            return None;
        }
        self.text(key, faults)
    }

    /// Several texts, or one.
    pub(super) fn texts(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<String> {
        let Some(value) = self.get(key) else { return Vec::new() };
        if let Some(text) = value.get_ref().as_str() {
            return vec![text.to_owned()];
        }
        let list = value.get_ref().as_array().map(|array| {
            array.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        list.flatten().unwrap_or_else(|| {
            self.fault(key, "is a list of texts", faults);
            Vec::new()
        })
    }

    pub(super) fn is_set(&mut self, key: &'static str, faults: &mut Faults<'_>) -> bool {
        let Some(value) = self.get(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.fault(key, "is true or false", faults);
            false
        })
    }

    /// A number above 0.
    pub(super) fn number(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<f64> {
        let value = self.get(key)?.get_ref();
        let written = value
            .as_integer()
            .filter(|number| number.radix() == 10)
            .map(|number| number.as_str())
            .or_else(|| value.as_float().map(|number| number.as_str()))
            .map(|text| text.replace('_', ""));
        let number = written.and_then(|text| text.parse::<f64>().ok()).filter(|one| one.is_finite() && *one > 0.0);
        if number.is_none() {
            self.fault(key, "is a number above 0", faults);
        }
        number
    }

    /// A whole number from 1 on.
    pub(super) fn count(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<u32> {
        let number = self.number(key, faults)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        let count = (number.fract() == 0.0 && number <= f64::from(u32::MAX)).then_some(number as u32);
        if count.is_none() {
            self.fault(key, "is a whole number", faults);
        }
        count
    }

    /// A time such as `90s`, `5min`, `4h` or `2d`.
    pub(super) fn time(&mut self, key: &'static str, default: Duration, faults: &mut Faults<'_>) -> Duration {
        self.time_if_any(key, faults).unwrap_or(default)
    }

    /// As [`Self::time`]; none where it is not there.
    pub(super) fn time_if_any(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Duration> {
        let text = self.text(key, faults)?;
        let time = time_of(&text);
        if time.is_none() {
            self.fault(key, &format!("is a number with the unit s, min, h or d, such as 4h; got `{text}`"), faults);
        }
        time
    }

    /// One of some words, with what it stands for; the first where nothing is said.
    pub(super) fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], faults: &mut Faults<'_>) -> T {
        let default = words[0].1;
        if self.get(key).is_none() {
            return default;
        }
        let Some(text) = self.text(key, faults) else { return default };
        words.iter().find(|(word, _)| *word == text).map_or_else(
            || {
                let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.fault(key, &format!("is one of {}; got `{text}`", list.join(", ")), faults);
                default
            },
            |(_, value)| *value,
        )
    }

    /// A table in this one; none where it is not there.
    pub(super) fn table(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Section<'t, 'i>> {
        let value = self.get(key)?;
        let name = format!("{}{key}.", self.name);
        let found = value.get_ref().as_table().map(|table| Section::new(&name, value.span().start, table));
        if found.is_none() {
            self.fault(key, "is a table", faults);
        }
        found
    }

    /// Tables of an array, `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<Section<'t, 'i>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let section = |one: &'t Spanned<DeValue<'i>>| {
            let table = one.get_ref().as_table()?;
            Some(Section::new(&format!("{key}."), one.span().start, table))
        };
        let found = value.get_ref().as_array().and_then(|list| list.iter().map(section).collect::<Option<Vec<_>>>());
        found.unwrap_or_else(|| {
            self.fault(key, &format!("is a list of tables, each begun by [[{key}]]"), faults);
            Vec::new()
        })
    }

    /// Records keys that nothing asked for.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for key in self.table.keys() {
            let name: &str = key.get_ref().as_ref();
            if self.asked.contains(name) {
                continue;
            }
            let near = self.asked.iter().map(|known| (strsim::jaro_winkler(known, name), known));
            let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > SIMILAR);
            let hint = near.map_or(String::new(), |(_, known)| format!("; there is `{known}`"));
            faults.at(key.span().start, format!("{}{name} is not a key{hint}", self.name));
        }
    }
}

/// A time with its unit.
pub(super) fn time_of(text: &str) -> Option<Duration> {
    let units = [("min", 60.0), ("s", 1.0), ("h", 3600.0), ("d", 86_400.0)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
        Some(number * seconds)
    })?;
    Duration::try_from_secs_f64(seconds).ok()
}
