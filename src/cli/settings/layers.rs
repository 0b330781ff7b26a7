//! What holds of a key: its flag, else its variable, else the file, else what the command has for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::{LAYERED, NO_KEY_VARIABLES, NO_KEYS, Origin, PREFIX, Setting, alone, is_switch};
use crate::domain::Checks;
use crate::formats::toml_file;

/// Flags, environment and file, of which the first that has a key says what holds.
pub(super) struct Layers<'a> {
    pub(super) command: &'a Command,
    pub(super) matches: &'a ArgMatches,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) file: Option<(PathBuf, toml::Table)>,
    pub(super) checks: Checks,
}

impl Layers<'_> {
    /// Refuses variables that nothing reads: one that is misspelt would be a default that nobody wanted.
    ///
    /// * `all` – the program with all of its commands; one environment may serve several of them
    pub(super) fn check_variables(&mut self, all: &Command) {
        let commands = all.get_subcommands().filter(|command| LAYERED.contains(&command.get_name()));
        let keys = commands.flat_map(|command| command.get_arguments().filter_map(key_of));
        let known: BTreeSet<String> = keys.map(|key| variable_of(&key)).collect();
        let is_of_faults = |name: &str| cfg!(feature = "faults") && name == "DOSEGRID_FAULTS";
        let is_known =
            |name: &String| known.contains(name) || NO_KEY_VARIABLES.contains(&name.as_str()) || is_of_faults(name);
        let unknown = self.environment.keys().filter(|name| name.starts_with(PREFIX) && !is_known(name));
        for name in unknown {
            let hint = nearest(&known, name).map_or(String::new(), |near| format!("; there is {near}"));
            self.checks.fail(name, format!("is not a variable that this program reads{hint}"));
        }
    }

    pub(super) fn read_file(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        let Some(table) = self.checks.at("config", toml_file::read::<toml::Table>(&path)) else { return };
        let keys: Vec<String> = self.command.get_arguments().filter_map(key_of).collect();
        for key in table.keys().filter(|key| !keys.contains(key)) {
            let hint = nearest(&keys, key).map_or(String::new(), |near| format!("; there is `{near}`"));
            self.checks.fail(in_file(&path, key), format!("is not a key{hint}"));
        }
        self.file = Some((path, table));
    }

    pub(super) fn setting(&mut self, argument: &Arg, long: &str) -> Setting {
        let key = key_of(argument).expect("it has a long name");
        let id = argument.get_id().as_str();
        let raw = |matches: &ArgMatches| {
            let value = matches.get_raw(id).and_then(|mut values| values.next())?;
            Some(value.to_string_lossy().into_owned())
        };
        if self.matches.value_source(id) == Some(ValueSource::CommandLine) {
            let value = if is_switch(argument) { Some("true".into()) } else { raw(self.matches) };
            return Setting { key, value, origin: Origin::Flag };
        }
        let variable = variable_of(&key);
        let from_environment = self.environment.get(&variable).filter(|value| !value.is_empty()).cloned();
        let (value, origin, field) = if let Some(value) = from_environment {
            (value, Origin::Environment(variable.clone()), variable)
        } else if let Some((path, value)) = self.file.as_ref().and_then(|(path, table)| Some((path, table.get(&key)?)))
        {
            let field = in_file(path, &key);
            let Some(value) = plain(value) else {
                self.checks.fail(field, "is a text, a number or true or false");
                return Setting { key, value: None, origin: Origin::Default };
            };
            (value, Origin::File(path.clone()), field)
        } else {
            let value = if is_switch(argument) { Some("false".into()) } else { raw(self.matches) };
            return Setting { key, value, origin: Origin::Default };
        };
        self.check(argument, long, &value, field);
        Setting { key, value: Some(value), origin }
    }

    /// Has the command itself look at one value.
    fn check(&mut self, argument: &Arg, long: &str, value: &str, field: String) {
        if is_switch(argument) {
            if !["true", "false"].contains(&value) {
                self.checks.fail(field, "is true or false");
            }
            return;
        }
        if let Err(reason) = alone(self.command, &format!("--{long}={value}")) {
            self.checks.fail(field, reason);
        }
    }
}

/// The variable of a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// What is most like a name.
pub(super) fn nearest<'a>(known: impl IntoIterator<Item = &'a String>, name: &str) -> Option<&'a String> {
    known.into_iter().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)))
}

fn key_of(argument: &Arg) -> Option<String> {
    argument.get_long().filter(|long| !NO_KEYS.contains(long)).map(|long| long.replace('-', "_"))
}

fn in_file(path: &Path, key: &str) -> String {
    format!("{}: {key}", path.display())
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(is_true) => Some(is_true.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}
