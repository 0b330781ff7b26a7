//! Nuclides by name, and suggestions for unknown names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use strsim::levenshtein;

use super::registry;
use super::written::{LONGEST, Name, is_number, words};
use crate::domain::element::{self, Element};
use crate::domain::nuclide::DecayMode;
use crate::domain::{Invalid, Nuclide};

/// Largest number of changed letters or digits between what was written and a name that is suggested.
const MOST_CHANGES: usize = 2;
/// Largest number of suggested names.
const MOST_SUGGESTED: usize = 8;

const NO_TRANSITION: &str = "the evaluation as packaged has no data of its isomeric transition";
/// Nuclides that people ask for and that are left out, with the reason; `docs/nuclides_differences.md` has more.
const LEFT_OUT: [(&str, &str); 3] = [
    ("Hg-197m", NO_TRANSITION),
    ("Ho-166m", "the evaluation leaves 1.4 % of its energy open"),
    ("Lu-177m", NO_TRANSITION),
];

/// The nuclide of a name in any usual form: `Lu-177`, `Lu177`, `177Lu`, `lutetium-177`, `^177^Lutetium`.
///
/// # Errors
/// If there is none. The reason says if the nuclide is stable, and lists similar names, or all names.
pub fn find(name: &str) -> Result<&'static Nuclide, Invalid> {
    let parsed = Name::parse(name);
    if let Some(nuclide) = parsed.and_then(|parsed| registry::named(&parsed.to_string())) {
        return Ok(nuclide);
    }
    let near = near(name);
    let (what, list) =
        if near.is_empty() { ("known names:", registry::names().collect()) } else { ("similar names:", near) };
    let known_as = parsed.map(|parsed| parsed.to_string());
    let known_as = known_as.and_then(|name| left_out(&name).or_else(|| as_daughter(&name))).unwrap_or_default();
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

/// Why a nuclide is not among the known ones.
fn left_out(name: &str) -> Option<String> {
    let (_, reason) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == name)?;
    Some(format!(" ({name} is left out: {reason})"))
}

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

/// Known names similar to what was written: those that stand among other words, otherwise the most similar first, by
/// spelling, element or mass number.
fn near(text: &str) -> Vec<&'static str> {
    let within: Vec<_> = Name::within(text).iter().filter_map(|name| registry::known(&name.to_string())).collect();
    if !within.is_empty() {
        return within;
    }
    let (written, words) = (squeezed(text), words(text));
    let is_near = |name: &Name| {
        words.iter().any(|word| {
            let is_mass = is_number(word) && word.parse() == Ok(name.mass_number);
            is_mass || element::named(word).is_some_and(|element| element.z == name.element.z)
        })
    };
    let changes = |known: &'static str| {
        let name = Name::parse(known)?;
        let Element { symbol, name: element, .. } = name.element;
        let rest = squeezed(&known[symbol.len()..]);
        let forms = [squeezed(known), format!("{rest}{}", squeezed(symbol)), squeezed(element) + &rest];
        let changes = forms.iter().map(|form| levenshtein(&written, form)).min();
        let changes = changes.filter(|changes| *changes <= MOST_CHANGES);
        changes.or(is_near(&name).then_some(MOST_CHANGES + 1)).map(|changes| (changes, known))
    };
    if written.is_empty() {
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

    #[test]
    fn every_known_name_is_canonical() {
        for name in registry::names() {
            assert_eq!(Name::parse(name).map(|parsed| parsed.to_string()).as_deref(), Some(name));
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
        for (text, expected) in [
            ("Y-90 microspheres", "Y-90"),
            ("[177Lu]Lu-PSMA", "Lu-177"),
            ("131I-mIBG", "I-131"),
            ("Technetium Tc 99m sestamibi, a kit for the preparation of", "Tc-99m"),
        ] {
            let reason = find(text).expect_err(text).to_string();
            assert!(reason.ends_with(&format!("similar names: {expected}")), "{reason}");
        }
        for (text, expected) in [("Lutetium vipivotide", "Lu-177"), ("dotatate 177", "Lu-177"), ("I 131 caps", "I-131")]
        {
            let reason = find(text).expect_err(text).to_string();
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
    fn nuclides_that_are_left_out_have_their_reason() {
        for (name, reason) in LEFT_OUT {
            let refused = find(name).expect_err(name).to_string();
            assert!(refused.contains(&format!("{name} is left out: {reason}")), "{refused}");
        }
        assert!(find("^177m^Lutetium").expect_err("an isomer").to_string().contains("Lu-177m is left out"));
    }

    #[test]
    fn stable_daughters_are_named_as_such() {
        let reason = find("177Hf").expect_err("stable").to_string();
        assert!(
            reason.contains("Hf-177, a daughter of Lu-177, is stable")
                && reason.split_once("similar names:").is_some_and(|(_, near)| near.contains("Lu-177")),
            "{reason}"
        );
    }
}
