//! The keys of a service: a flag, else a variable of the environment, else a key of the file `--config`, else the
//! default. The table of keys is the command itself: `--job-ttl-s` is `DOSEGRID_JOB_TTL_S` is `job_ttl_s`.

mod layers;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use crate::domain::{Checks, DoseError, Violation};
use layers::{Layers, nearest};

/// Commands whose flags are keys.
const LAYERED: [&str; 3] = ["serve", "worker", "doctor"];
/// Flags that are no keys: what they say holds for one run.
const NO_KEYS: [&str; 6] = ["help", "version", "config", "print-config", "ready-file", "end-with-stdin"];
/// What variables of the environment begin with.
const PREFIX: &str = "DOSEGRID_";
/// Variables with that beginning that are no keys: of the file of keys, of clients, of the build and of its tests.
const NO_KEY_VARIABLES: [&str; 9] = [
    "DOSEGRID_CONFIG",
    "DOSEGRID_TOKEN",
    "DOSEGRID_CA",
    "DOSEGRID_CLIENT_CERTIFICATE",
    "DOSEGRID_CLIENT_KEY",
    "DOSEGRID_SERVER",
    "DOSEGRID_PROGRAM",
    "DOSEGRID_COMMIT",
    "DOSEGRID_REFERENCE",
];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(variable) => f.write_str(variable),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A key, its value if it has one, and where that comes from.
#[derive(Clone, Debug)]
struct Setting {
    key: String,
    value: Option<String>,
    origin: Origin,
}

/// What holds for one run, and whence.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings(Vec<Setting>);

impl Settings {
    /// Whether somebody has set a key.
    ///
    /// * `key` – as in the file, with underscores
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.0.iter().any(|setting| setting.key == key && setting.origin != Origin::Default)
    }

    /// All keys as TOML, each with its origin in a comment. No key holds a secret, but a URL may.
    pub(super) fn toml(&self) -> String {
        let line = |Setting { key, value, origin }: &Setting| match value {
            None => format!("# {key} is not set\n"),
            Some(value) => format!("{key} = {} # {origin}\n", written(&without_password(value))),
        };
        self.0.iter().map(line).collect()
    }
}

/// A value as TOML has it.
fn written(value: &str) -> String {
    match value.parse::<toml::Value>() {
        Ok(number @ (toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_))) => number.to_string(),
        _ => toml::Value::String(value.to_owned()).to_string(),
    }
}

/// A URL without the name and password that may stand in it.
fn without_password(value: &str) -> String {
    match value.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://***@{place}"),
            None => value.to_owned(),
        },
        None => value.to_owned(),
    }
}

/// What is at fault, and what is left without it.
#[derive(Debug)]
pub(super) struct Refused {
    /// Every flag, variable or key that is not taken.
    pub(super) faults: Vec<Violation>,
    /// The words without them.
    pub(super) words: Vec<OsString>,
    /// What the rest holds.
    pub(super) settings: Settings,
}

impl Refused {
    /// All faults, with those that show only in the meaning of the rest. One that may come of what was left out is not
    /// told: it names that.
    pub(super) fn with(mut self, of_the_rest: Vec<Violation>) -> DoseError {
        let dropped: Vec<String> = self.faults.iter().map(|fault| flag_of(&fault.field)).collect();
        let is_own = |fault: &Violation| !dropped.iter().any(|flag| fault.reason.contains(flag.as_str()));
        self.faults.extend(of_the_rest.into_iter().filter(is_own));
        DoseError::Invalid(self.faults)
    }
}

/// The flag of the key that a fault is named by: a flag, a variable, or a key of a file behind its path.
fn flag_of(field: &str) -> String {
    let key = field.rsplit(' ').next().unwrap_or(field);
    let key = key.strip_prefix(PREFIX).map_or_else(|| key.to_owned(), str::to_lowercase);
    format!("--{}", key.trim_start_matches('-').replace('_', "-"))
}

/// The words of a command line with those of environment and file behind them, and what holds then. Of commands without
/// keys, faults are for the caller to find: it parses the words.
///
/// # Errors
/// Every value of a flag, the environment or the file that is not taken, and every unknown key of each.
///
/// * `words` – the name of the program first
/// * `environment` – all variables
pub(super) fn layered(
    command: &Command,
    words: Vec<OsString>,
    environment: &BTreeMap<String, String>,
) -> Result<(Vec<OsString>, Settings), Refused> {
    let mut checks = Checks::new();
    let parsed = command.clone().try_get_matches_from(&words);
    let (words, matches) = match parsed {
        Ok(matches) => (words, matches),
        Err(_) => {
            let good = good_words(command, &words, &mut checks).unwrap_or_default();
            match command.clone().try_get_matches_from(&good) {
                Ok(matches) if !checks.is_empty() => (good, matches),
                _ => return Ok((words, Settings::default())),
            }
        }
    };
    let Some((name, matches)) = matches.subcommand().filter(|(name, _)| LAYERED.contains(name)) else {
        return Ok((words, Settings::default()));
    };
    let mut built = command.clone();
    built.build();
    let command = built.find_subcommand(name).expect("it was found in the words").clone();
    let config = environment.get("DOSEGRID_CONFIG").filter(|path| !path.is_empty());
    let path = matches.get_one::<PathBuf>("config").cloned().or_else(|| config.map(PathBuf::from));
    let mut layers = Layers { command: &command, matches, environment, file: None, checks };
    layers.check_variables(&built);
    layers.read_file(path);
    let mut words = words;
    let mut settings = Vec::new();
    for argument in command.get_arguments() {
        if let Some(long) = argument.get_long().filter(|long| !NO_KEYS.contains(long)) {
            let setting = layers.setting(argument, long);
            if let (Origin::Environment(_) | Origin::File(_), Some(value)) = (&setting.origin, &setting.value) {
                // What is at fault is named, and left out.
                let good = |word: &OsString| alone(&command, &word.to_string_lossy()).is_ok();
                words.extend(word(argument, long, value).filter(good));
            }
            settings.push(setting);
        }
    }
    let faults = layers.checks.into_violations();
    let settings = Settings(settings);
    if faults.is_empty() { Ok((words, settings)) } else { Err(Refused { faults, words, settings }) }
}

/// The words of a command with keys that are flags with good values. None where its help is asked for, or if it has no
/// keys.
fn good_words(command: &Command, words: &[OsString], checks: &mut Checks) -> Option<Vec<OsString>> {
    let (program, name) = (words.first()?, words.get(1)?);
    let mut built = command.clone();
    built.build();
    let command = name.to_str().filter(|name| LAYERED.contains(name)).and_then(|name| built.find_subcommand(name))?;
    let mut good = vec![program.clone(), name.clone()];
    let mut seen = BTreeSet::new();
    let mut rest = words[2..].iter().map(|word| word.to_string_lossy()).peekable();
    while let Some(word) = rest.next() {
        if ["-h", "--help"].contains(&&*word) {
            return None;
        }
        let Some(flag) = word.strip_prefix("--") else {
            checks.fail("command", format!("takes flags alone; got `{word}`"));
            continue;
        };
        let (long, own) = flag.split_once('=').map_or((flag, None), |(long, value)| (long, Some(value.to_owned())));
        let Some(argument) = command.get_arguments().find(|argument| argument.get_long() == Some(long)) else {
            let known: Vec<String> = command.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect();
            let hint = nearest(&known, long).map_or(String::new(), |near| format!("; there is --{near}"));
            checks.fail(format!("--{long}"), format!("is not a flag{hint}"));
            // Its value, if it has one.
            _ = rest.next_if(|next| !next.starts_with("--"));
            continue;
        };
        let takes = !is_switch(argument);
        let value =
            own.or_else(|| if takes { rest.next_if(|next| !next.starts_with("--")).map(Into::into) } else { None });
        let word = value.as_ref().map_or_else(|| format!("--{long}"), |value| format!("--{long}={value}"));
        if !seen.insert(long.to_owned()) {
            checks.fail(format!("--{long}"), "is given more than once");
        } else if let Err(reason) = alone(command, &word) {
            checks.fail(format!("--{long}"), reason);
        } else {
            good.push(word.into());
        }
    }
    Some(good)
}

/// Has a command look at one flag.
fn alone(command: &Command, word: &str) -> Result<(), String> {
    let parsed = command.clone().no_binary_name(true).try_get_matches_from([word]);
    parsed.map(drop).map_err(|error| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// The word of a command line for a value; none for a switch that is off.
fn word(argument: &Arg, long: &str, value: &str) -> Option<OsString> {
    match (is_switch(argument), value) {
        (true, "false") => None,
        (true, _) => Some(format!("--{long}").into()),
        (false, _) => Some(format!("--{long}={value}").into()),
    }
}

fn is_switch(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn held(flags: &[&str], environment: &[(&str, &str)], file: &str) -> Result<Settings, Refused> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("dosegrid.toml");
        std::fs::write(&path, file).expect("a writable folder");
        let config = format!("--config={}", path.display());
        let words = ["dosegrid", "serve", &config].into_iter().chain(flags.iter().copied()).map(OsString::from);
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        layered(&Cli::command(), words.collect(), &environment).map(|(_, settings)| settings)
    }

    fn line(settings: &Settings, key: &str) -> String {
        let text = settings.toml();
        text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key} in\n{text}")).to_owned()
    }

    #[test]
    fn a_flag_comes_before_the_environment_and_that_before_the_file() {
        let file = "queue_length = 1\nidle_timeout_s = 2\nmax_volume_mib = 3\nlog_json = true\n";
        let environment = [("DOSEGRID_QUEUE_LENGTH", "11"), ("DOSEGRID_IDLE_TIMEOUT_S", "12")];
        let settings = held(&["--queue-length", "21"], &environment, file).expect("all is good");
        assert_eq!(line(&settings, "queue_length"), "queue_length = 21 # flag");
        assert_eq!(line(&settings, "idle_timeout_s"), "idle_timeout_s = 12 # DOSEGRID_IDLE_TIMEOUT_S");
        assert!(
            line(&settings, "max_volume_mib").starts_with("max_volume_mib = 3 # ") && settings.is_given("log_json")
        );
        assert!(line(&settings, "log_json").starts_with("log_json = true # "));
        assert_eq!(line(&settings, "drain_timeout_s"), "drain_timeout_s = 60 # default");
        assert_eq!(line(&settings, "device"), "device = \"auto\" # default");
        assert!(settings.toml().contains("# tls_key is not set\n"));
        let read_again: toml::Table = toml::from_str(&settings.toml()).expect("it is TOML");
        assert_eq!(read_again["queue_length"].as_integer(), Some(21));
    }

    #[test]
    fn every_fault_is_named_by_its_place() {
        let file = "queue_lenght = 1\nidle_timeout_s = -1\nlog_json = 1\nlisten = [1]\n";
        let environment = [("DOSEGRID_MAX_VOLUME_MIB", "many"), ("DOSEGRID_LOG_JSON", "")];
        let Refused { faults, .. } = held(&[], &environment, file).expect_err("five faults");
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.rsplit(' ').next().unwrap_or_default()).collect();
        let mut found = fields.clone();
        found.sort_unstable();
        assert_eq!(found, ["DOSEGRID_MAX_VOLUME_MIB", "idle_timeout_s", "listen", "log_json", "queue_lenght"]);
        assert!(faults.iter().any(|fault| fault.reason.contains("`queue_length`")), "{faults:?}");
    }

    #[test]
    fn every_bad_flag_is_named_with_those_of_environment_and_file() {
        let flags = [
            "--queue-length=0",
            "--memory-mib",
            "much",
            "--listn",
            "127.0.0.1:0",
            "--log-json=7",
            "--max-streams=5",
            "--max-streams=6",
            "--drain-timeout-s=5",
            "--identities",
        ];
        let refused = held(&flags, &[("DOSEGRID_MAX_ATTEMPTS", "0")], "lease_s = 0\n").expect_err("eight faults");
        let mut found: Vec<&str> =
            refused.faults.iter().map(|fault| fault.field.rsplit(' ').next().unwrap_or_default()).collect();
        found.sort_unstable();
        let flags = ["--identities", "--listn", "--log-json", "--max-streams", "--memory-mib", "--queue-length"];
        assert_eq!(found, [&flags[..], &["DOSEGRID_MAX_ATTEMPTS", "lease_s"]].concat());
        assert!(refused.faults.iter().any(|fault| fault.reason.contains("--listen")), "{:?}", refused.faults);
        assert_eq!(line(&refused.settings, "drain_timeout_s"), "drain_timeout_s = 5 # flag", "the rest holds");
        let is_left = |key: &str| refused.words.iter().any(|word| word.to_string_lossy().contains(key));
        assert!(is_left("drain-timeout") && !is_left("attempts") && !is_left("lease"), "{:?}", refused.words);
    }

    #[test]
    fn a_fault_that_comes_of_what_was_left_out_is_not_told() {
        let refused = held(&["--tls-certificate", "--queue-length=0"], &[], "").expect_err("two faults");
        let fault = |field: &str, reason: &str| Violation { field: field.into(), reason: reason.into() };
        let rest = vec![fault("tls-key", "needs --tls-certificate as well"), fault("listen", "is no address")];
        let fields: Vec<String> = refused.with(rest).violations().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["--tls-certificate", "--queue-length", "listen"]);
        assert_eq!(flag_of("/etc/dosegrid.toml: tls_key"), "--tls-key");
        assert_eq!(flag_of("DOSEGRID_TLS_KEY"), "--tls-key");
    }

    #[test]
    fn a_variable_that_nothing_reads_is_a_fault() {
        let others = [("DOSEGRID_TOKEN", "t"), ("DOSEGRID_REFERENCE", "/r"), ("PATH", "/"), ("DOSEGRID_CONFIG", "")];
        held(&[], &others, "").expect("these are for others");
        let misspelt = [("DOSEGRID_MAX_ATEMPTS", "5"), ("DOSEGRID_LISTEN", "127.0.0.1:0"), ("DOSEGRID_X", "")];
        let Refused { faults, .. } = held(&[], &misspelt, "").expect_err("two faults");
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["DOSEGRID_MAX_ATEMPTS", "DOSEGRID_X"]);
        assert!(faults[0].reason.contains("DOSEGRID_MAX_ATTEMPTS"), "{faults:?}");
    }

    #[test]
    fn no_password_is_told() {
        assert_eq!(without_password("nats://me:secret@host:4222"), "nats://***@host:4222");
        assert_eq!(without_password("127.0.0.1:1"), "127.0.0.1:1");
    }
}
