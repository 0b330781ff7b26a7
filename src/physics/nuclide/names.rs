//! The ways in which people write the names of nuclides, and suggestions for unknown names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use strsim::levenshtein;

use super::registry;
use crate::domain::element::{self, Element};
use crate::domain::nuclide::DecayMode;
use crate::domain::{Invalid, Nuclide};

/// Longest text that can be a name, in characters.
const LONGEST: usize = 40;
/// Largest number of changed letters or digits between what was written and a name that is suggested.
const MOST_CHANGES: usize = 2;
/// Largest number of suggested names.
const MOST_SUGGESTED: usize = 8;

/// Element, mass number and isomer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Name {
    element: &'static Element,
    pub(super) mass_number: u32,
    isomer: Option<char>,
}

impl Name {
    /// Reads `Lu-177`, `Lu177`, `177Lu`, `lutetium 177`, `Tc-99m`, `99mTc` and the like.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts = parts(text)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (element, digits, isomer) = match parts[..] {
            [first, second] if is_number(second) => (first, second, ""),
            [first, second, third] if is_number(second) => (first, second, third),
            [first, second, third, number] if is_number(second) && is_number(number) => {
                return Self::new(first, second, &format!("{third}{number}"));
            }
            [first, second] if is_number(first) => match element::named(second) {
                Some(_) => (second, first, ""),
                // 99mTc: no element is called mTc.
                None => (second.get(1..)?, first, second.get(..1)?),
            },
            [first, second, third] if is_number(first) => (third, first, second),
            _ => return None,
        };
        Self::new(element, digits, isomer)
    }

    fn new(element: &str, digits: &str, isomer: &str) -> Option<Self> {
        let isomer = match isomer.to_ascii_lowercase().as_str() {
            "" => None,
            "m" | "m1" => Some('m'),
            "n" | "m2" => Some('n'),
            _ => return None,
        };
        let mass_number = digits.parse().ok().filter(|number| (1..=300).contains(number))?;
        Some(Self { element: element::named(element)?, mass_number, isomer })
    }

    fn is_near(&self, other: &Self) -> bool {
        self.element.z == other.element.z || self.mass_number == other.mass_number
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.element.symbol, self.mass_number)?;
        self.isomer.map_or(Ok(()), |isomer| write!(f, "{isomer}"))
    }
}

/// Runs of letters and of digits. None if the text contains anything else but spaces and hyphens, or is too long.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts: Vec<String> = Vec::new();
    let mut last = None;
    for (number, letter) in text.trim().chars().enumerate() {
        let class = match letter {
            _ if number == LONGEST => return None,
            ' ' | '-' | '_' | '\u{2010}'..='\u{2014}' => None,
            _ if letter.is_ascii_digit() => Some(true),
            _ if letter.is_ascii_alphabetic() => Some(false),
            _ => return None,
        };
        match parts.last_mut() {
            Some(part) if class.is_some() && class == last => part.push(letter),
            _ if class.is_some() => parts.push(letter.into()),
            _ => {}
        }
        last = class;
    }
    Some(parts)
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

/// The nuclide of a name in any usual form: `Lu-177`, `Lu177`, `177Lu`, `lutetium-177`.
///
/// # Errors
/// If there is none. The reason says if the nuclide is stable, and lists similar names, or all names.
pub fn find(name: &str) -> Result<&'static Nuclide, Invalid> {
    let parsed = Name::parse(name);
    if let Some(nuclide) = parsed.and_then(|parsed| registry::named(&parsed.to_string())) {
        return Ok(nuclide);
    }
    let near = near(name, parsed);
    let (what, list) =
        if near.is_empty() { ("known names:", registry::names().collect()) } else { ("similar names:", near) };
    let known_as = parsed.and_then(|parsed| as_daughter(&parsed.to_string())).unwrap_or_default();
    let reason = format!("is not a known nuclide: `{}`{known_as}; {what} {}", shortened(name), list.join(", "));
    Err(Invalid(reason))
}

/// What was written, in a form that is safe in a message.
fn shortened(name: &str) -> String {
    let start: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if name.chars().nth(LONGEST).is_some() { format!("{start}…") } else { start }
}

/// Daughters without a file of their own, and their parents.
static DAUGHTERS: LazyLock<BTreeMap<String, (&'static str, DecayMode)>> = LazyLock::new(|| {
    let decays =
        registry::files().flat_map(|(name, file)| file.decays.into_iter().map(move |decay| (name, decay.into())));
    decays.map(|(name, decay): (_, DecayMode)| (decay.daughter.clone(), (name, decay))).collect()
});

/// What is known of a nuclide that occurs only as a daughter.
fn as_daughter(name: &str) -> Option<String> {
    let (parent, decay) = DAUGHTERS.get(name)?;
    Some(match decay.daughter_half_life_s {
        None => format!(" ({name}, a daughter of {parent}, is stable)"),
        Some(half_life_s) => {
            format!(" (of {name}, a daughter of {parent}, only the half-life of {half_life_s} s is known here)")
        }
    })
}

/// Known names similar to what was written, the most similar first: by spelling, element or mass number.
fn near(text: &str, parsed: Option<Name>) -> Vec<&'static str> {
    let written = squeezed(text);
    let changes = |known: &'static str| {
        let name = Name::parse(known)?;
        let Element { symbol, name: element, .. } = name.element;
        let rest = squeezed(&known[symbol.len()..]);
        let forms = [squeezed(known), format!("{rest}{}", squeezed(symbol)), squeezed(element) + &rest];
        let changes = forms.iter().map(|form| levenshtein(&written, form)).min();
        let changes = changes.filter(|changes| *changes <= MOST_CHANGES);
        let is_near = parsed.is_some_and(|parsed| parsed.is_near(&name));
        changes.or(is_near.then_some(MOST_CHANGES + 1)).map(|changes| (changes, known))
    };
    if written.is_empty() || written.len() > LONGEST {
        return Vec::new();
    }
    let mut near: Vec<_> = registry::names().filter_map(changes).collect();
    near.sort();
    near.into_iter().take(MOST_SUGGESTED).map(|(_, known)| known).collect()
}

/// Letters and digits in lower case.
fn squeezed(text: &str) -> String {
    text.chars().take(LONGEST + 1).filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        Name::parse(text).map(|name| name.to_string())
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        let lutetium = [
            "Lu-177",
            "Lu177",
            "177Lu",
            "lu-177",
            "LU-177",
            "Lutetium-177",
            "lutetium 177",
            "177-Lu",
            " Lu_177 ",
            "Lu–177",
        ];
        for text in lutetium {
            assert_eq!(canonical(text).as_deref(), Some("Lu-177"), "{text}");
        }
        for text in ["Tc-99m", "99mTc", "Tc99m", "technetium-99m", "TC-99M", "99m-Tc", "99MTC", "Tc-99m1", "Tc 99 m"] {
            assert_eq!(canonical(text).as_deref(), Some("Tc-99m"), "{text}");
        }
        for (text, expected) in
            [("At211", "At-211"), ("99Mo", "Mo-99"), ("111mIn", "In-111m"), ("i131", "I-131"), ("Cesium-137", "Cs-137")]
        {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        let long = "Lu-177".repeat(1000);
        for text in [
            "",
            " ",
            "-",
            "177",
            "Lu",
            "Lu-",
            "Lu-177x",
            "Lu-0",
            "Lu-99999999999",
            "Lü-177",
            "é1",
            "1é",
            "Lu-177-Lu",
            "m99",
            "１７７Lu",
            "\u{0}",
            &long,
        ] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_known_name_is_canonical() {
        for name in registry::names() {
            assert_eq!(canonical(name).as_deref(), Some(name));
            assert_eq!(find(&name.to_lowercase()).expect("known").name, name);
        }
    }

    #[test]
    fn unknown_names_are_answered_with_near_ones() {
        for (text, expected) in [
            ("Lu-178", "Lu-177"),
            ("Lutecium-177", "Lu-177"),
            ("Yb-177", "Lu-177"),
            ("Y-99", "Y-90"),
            ("Lu-17", "Lu-177"),
            ("l177", "Lu-177"),
        ] {
            let reason = find(text).expect_err(text).to_string();
            assert!(reason.contains(&format!("`{text}`")) && reason.contains("similar names:"), "{reason}");
            assert!(reason.split_once("similar names:").is_some_and(|(_, near)| near.contains(expected)), "{reason}");
        }
        for text in ["", "Unobtainium-1", "\u{1F600}", "Lü-\n7"] {
            let reason = find(text).expect_err(text).to_string();
            assert!(
                reason.contains("known names:") && reason.contains("Lu-177, ") && !reason.contains('\n'),
                "{reason}"
            );
        }
        assert!(find(&"é".repeat(1 << 20)).expect_err("too long").to_string().len() < 1500);
    }

    #[test]
    fn stable_daughters_are_named_as_such() {
        let reason = find("177Hf").expect_err("stable").to_string();
        assert!(
            reason.contains("Hf-177, a daughter of Lu-177, is stable") && reason.contains("similar names: Lu-177"),
            "{reason}"
        );
    }
}
