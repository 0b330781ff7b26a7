//! Patterns that texts are compared with: globs, and regular expressions.

use regex_lite::Regex;

use crate::domain::Invalid;

/// A text that another has to be like, upper or lower case alike.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    expression: Regex,
}

impl Pattern {
    /// A glob: `*` stands for anything, `?` for one character. The whole text has to match; an empty one is matched by
    /// an empty glob.
    ///
    /// # Errors
    /// If it is too long.
    pub fn glob(text: &str) -> Result<Self, Invalid> {
        let mut expression = String::from("^");
        for letter in text.chars() {
            match letter {
                '*' => expression.push_str(".*"),
                '?' => expression.push('.'),
                other => expression.push_str(&regex_lite::escape(other.encode_utf8(&mut [0; 4]))),
            }
        }
        Self::compiled(text, &(expression + "$"))
    }

    /// A regular expression, which has to match anywhere in the text.
    ///
    /// # Errors
    /// If it is none.
    pub fn expression(text: &str) -> Result<Self, Invalid> {
        Self::compiled(text, text)
    }

    fn compiled(written: &str, expression: &str) -> Result<Self, Invalid> {
        let compiled = regex_lite::RegexBuilder::new(expression).case_insensitive(true).build();
        let expression = compiled.map_err(|error| Invalid::new(format!("is no pattern that can be read: {error}")))?;
        Ok(Self { written: written.to_owned(), expression })
    }

    /// Whether a text is like it.
    pub fn is_like(&self, text: &str) -> bool {
        self.expression.is_match(text)
    }

    /// As it was written.
    pub fn written(&self) -> &str {
        &self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts_and_expressions_parts() {
        let glob = |text: &str| Pattern::glob(text).expect("a glob");
        for (pattern, text, expected) in [
            ("*lu*ac*", "Lu-177 SPECT AC", true),
            ("spect", "SPECT AC", false),
            ("SPECT ?C", "spect ac", true),
            ("a.c", "abc", false),
            ("a(c", "a(c", true),
            ("", "", true),
            ("", "X", false),
        ] {
            assert_eq!(glob(pattern).is_like(text), expected, "{pattern} {text}");
        }
        let expression = Pattern::expression("^(NM|SPECT).*AC$").expect("an expression");
        assert!(expression.is_like("spect lu AC") && !expression.is_like("CT AC"));
        assert!(Pattern::expression("(").is_err());
    }
}
