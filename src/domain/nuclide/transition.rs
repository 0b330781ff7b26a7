//! Degree to which a beta transition is forbidden.

use std::fmt;
use std::str::FromStr;

use crate::domain::Invalid;

/// Degree to which spin and parity forbid a beta transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(into = "String")]
pub struct Transition {
    /// 0 for an allowed transition.
    pub order: u32,
    /// Whether a single nuclear matrix element contributes, so that the shape of the spectrum is known.
    pub is_unique: bool,
}

impl Transition {
    /// Highest order known in nature.
    const MAX_ORDER: u32 = 4;
}

impl FromStr for Transition {
    type Err = Invalid;

    /// `allowed`, `1NU`, `1U`, `2NU` and so on.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let forbidden = |order: &str, is_unique| Some(Self { order: order.parse().ok()?, is_unique });
        let transition = match (text, text.strip_suffix("NU"), text.strip_suffix('U')) {
            ("allowed", ..) => Some(Self { order: 0, is_unique: false }),
            (_, Some(order), _) => forbidden(order, false),
            (_, None, Some(order)) => forbidden(order, true),
            _ => None,
        };
        let is_forbidden = |t: &Self| text == "allowed" || (1..=Self::MAX_ORDER).contains(&t.order);
        let known = "`allowed`, `1NU`, `1U` or of a higher order";
        transition.filter(is_forbidden).ok_or_else(|| Invalid::new(format!("`{text}` is not {known}")))
    }
}

impl From<Transition> for String {
    fn from(transition: Transition) -> Self {
        transition.to_string()
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { order: 0, .. } => f.write_str("allowed"),
            Self { order, is_unique: true } => write!(f, "{order}U"),
            Self { order, is_unique: false } => write!(f, "{order}NU"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_written_as_they_are_read() {
        for text in ["allowed", "1NU", "1U", "2NU", "4U"] {
            assert_eq!(text.parse::<Transition>().expect("a transition").to_string(), text);
        }
        for text in ["", "0U", "U", "NU", "1nu", "allowed?", "9U", "-1U", "1NUU"] {
            assert!(text.parse::<Transition>().is_err(), "{text}");
        }
    }
}
