//! The languages of the report.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Words by language and key.
static WORDS: LazyLock<BTreeMap<String, BTreeMap<String, String>>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../templates/dose_report.toml")).expect("the file is read by a test")
});

/// The language of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Dutch.
    Dutch,
    /// French.
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::English, Self::Dutch, Self::French];

    /// The code of ISO 639.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
            Self::French => "fr",
        }
    }

    /// A word of the report.
    pub(super) fn word(self, key: &str) -> &'static str {
        WORDS[self.code()].get(key).unwrap_or_else(|| panic!("the report has no word `{key}`"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::view;
    use super::*;

    /// Every key that the page and the code around it ask for.
    fn used() -> BTreeSet<String> {
        let texts = [
            include_str!("../../../templates/dose_report.html"),
            include_str!("facts.rs"),
            include_str!("sections.rs"),
            include_str!("view.rs"),
        ];
        let between = |text: &'static str, marker: &'static str| {
            text.split(marker).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        };
        let asked = texts.into_iter().flat_map(|text| between(text, "self.t(\"").chain(between(text, ".word(\"")));
        asked.chain(view::WORDS.map(str::to_owned)).collect()
    }

    #[test]
    fn every_language_has_every_word_and_no_other() {
        let used = used();
        assert!(used.len() > 50);
        for language in Language::ALL {
            let known: BTreeSet<String> = WORDS[language.code()].keys().cloned().collect();
            assert_eq!(known.difference(&used).collect::<Vec<_>>(), [""; 0], "{}: not used", language.code());
            assert_eq!(used.difference(&known).collect::<Vec<_>>(), [""; 0], "{}: not there", language.code());
            assert!(WORDS[language.code()].values().all(|word| !word.trim().is_empty()));
        }
    }
}
