//! The ways in which people write the name of a nuclide.

use std::fmt;

use crate::domain::element::{self, Element};

/// Longest text that can be a name, in characters.
pub(super) const LONGEST: usize = 40;
/// Most words of one name: `Technetium Tc 99 m`, with an atomic number or the number of an isomer.
const MOST_WORDS: usize = 5;

/// Element, mass number and isomer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) element: &'static Element,
    pub(super) mass_number: u32,
    isomer: Option<char>,
}

impl Name {
    /// Reads `Lu-177`, `177Lu`, `^177^Lutetium`, `^{99m}Tc`, `99Tcm`, `Technetium Tc 99m` and the like. An isomer is
    /// never read as the ground state: a text with anything that is not understood is no name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_short = text.chars().nth(LONGEST).is_none();
        let is_plain = text.trim().chars().all(|letter| is_separator(letter) || plain(letter).is_some());
        if is_short && is_plain { Self::of_words(&words(text)) } else { None }
    }

    /// The names within a text that has other words too, such as `Y-90 microspheres`, each with as many words as it
    /// can have.
    pub(super) fn within(text: &str) -> Vec<Self> {
        let words = words(text);
        let mut names = Vec::new();
        let mut from = 0;
        while from < words.len() {
            let longest = MOST_WORDS.min(words.len() - from);
            let found =
                (1..=longest).rev().find_map(|count| Some((Self::of_words(&words[from..from + count])?, count)));
            from += found.map_or(1, |(_, count)| count);
            names.extend(found.map(|(name, _)| name));
        }
        names
    }

    /// Element, mass number and isomer in any order. The element may come twice before the mass number, as symbol and
    /// name, and may have its atomic number beside the mass number.
    fn of_words(words: &[String]) -> Option<Self> {
        let (mut element, mut numbers, mut isomer) = (None::<&Element>, Vec::new(), None);
        let mut rest = words.iter().peekable();
        while let Some(word) = rest.next() {
            if is_number(word) {
                numbers.push((word.parse::<u32>().ok()?, element.is_some()));
            } else if let Some((named, own)) = element_of(word).filter(|_| element.is_none() || state(word).is_none()) {
                let is_again = element.is_some_and(|known| known.z != named.z || !numbers.is_empty());
                if is_again || (own.is_some() && isomer.is_some()) {
                    return None;
                }
                element = Some(named);
                isomer = isomer.or(own);
            } else {
                let number = rest.next_if(|next| matches!(next.as_str(), "1" | "2"));
                let state = state(&(word.clone() + number.map_or("", String::as_str)))?;
                if isomer.replace(state).is_some() {
                    return None;
                }
            }
        }
        let element = element?;
        let mass_number = match numbers[..] {
            [(mass_number, _)] => mass_number,
            [(first, false), (second, false)] if first.min(second) == u32::from(element.z) => first.max(second),
            _ => return None,
        };
        let isomer = isomer.flatten();
        (1..=300).contains(&mass_number).then_some(Self { element, mass_number, isomer })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.element.symbol, self.mass_number)?;
        self.isomer.map_or(Ok(()), |isomer| write!(f, "{isomer}"))
    }
}

/// The isomer that a word means, `None` inside for the ground state.
fn state(word: &str) -> Option<Option<char>> {
    match word.to_ascii_lowercase().as_str() {
        "g" => Some(None),
        "m" | "m1" | "metastable" => Some(Some('m')),
        "n" | "m2" => Some(Some('n')),
        _ => None,
    }
}

/// The element that a word names, and the isomer that is written without a gap before or after it: `mTc`, `Tcm`.
fn element_of(word: &str) -> Option<(&'static Element, Option<Option<char>>)> {
    let split = |at: usize| Some((word.get(..at)?, word.get(at..)?));
    let before = || {
        let (letter, rest) = split(1)?;
        Some((element::named(rest)?, Some(state(letter)?)))
    };
    let after = || {
        let (rest, letter) = split(word.len().checked_sub(1)?)?;
        Some((element::named(rest)?, Some(state(letter)?)))
    };
    element::named(word).map(|element| (element, None)).or_else(before).or_else(after)
}

/// Runs of letters and of digits at the start of a text; everything else separates them.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for letter in text.chars().take(LONGEST) {
        let letter = plain(letter);
        let class = letter.map(|(letter, height)| (letter.is_ascii_digit(), height));
        match (letter, words.last_mut()) {
            (Some((letter, _)), Some(word)) if class == last => word.push(letter),
            (Some((letter, _)), _) => words.push(letter.into()),
            _ => {}
        }
        last = class;
    }
    words
}

pub(super) fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a letter stands on its line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Height {
    Plain,
    Superscript,
    Subscript,
}

/// A letter or digit, also if it is a superscript or subscript.
fn plain(letter: char) -> Option<(char, Height)> {
    let in_list = |list: &str| ('0'..='9').chain("mng".chars()).zip(list.chars()).find(|(_, own)| *own == letter);
    if letter.is_ascii_alphanumeric() {
        return Some((letter, Height::Plain));
    }
    let superscript = in_list("⁰¹²³⁴⁵⁶⁷⁸⁹ᵐⁿᵍ").map(|(plain, _)| (plain, Height::Superscript));
    superscript.or_else(|| in_list("₀₁₂₃₄₅₆₇₈₉").map(|(plain, _)| (plain, Height::Subscript)))
}

/// What stands between the parts of a name: spaces, hyphens, and the marks of superscripts.
fn is_separator(letter: char) -> bool {
    letter == ' '
        || "\t\u{a0}\u{2009}\u{202f}-_\u{ad}\u{2212}^~(){}[]$".contains(letter)
        || ('\u{2010}'..='\u{2015}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        Name::parse(text).map(|name| name.to_string())
    }

    const LUTETIUM_177: &str = "Lu-177|Lu177|177Lu|lu-177|LU-177|Lutetium-177|lutetium 177|177-Lu| Lu_177 |Lu–177\
        |^177^Lutetium|^177^Lu|^{177}Lu|$^{177}$Lu|¹⁷⁷Lu|Lu¹⁷⁷|{177}Lu|[177Lu]|(177)Lu|Lu(177)|Lu^177|177 Lutetium\
        |Lutetium^177^|Lu−177|Lu\u{a0}177|Lu‑177|177gLu|Lu-177g|Lutetium Lu 177|Lutetium (Lu-177)|^{177}_{71}Lu\
        |¹⁷⁷₇₁Lu|₇₁¹⁷⁷Lu";
    const TECHNETIUM_99M: &str = "Tc-99m|99mTc|Tc99m|technetium-99m|TC-99M|99m-Tc|99MTC|Tc-99m1|Tc 99 m|99Tcm|99Tc-m\
        |99-Tc-m|99TCM|Tcm-99|Tcm99|mTc-99|99 Tc m|^99m^Technetium|^99m^Tc|^{99m}Tc|⁹⁹ᵐTc|⁹⁹Tcᵐ|⁹⁹Tc^m^|Tc-m-99\
        |Tc-99-m|Tc-99 metastable|Technetium Tc 99m|{99m}Tc|m-99-Tc|99m1Tc";

    #[test]
    fn names_are_read_as_people_write_them() {
        for (texts, expected) in [(LUTETIUM_177, "Lu-177"), (TECHNETIUM_99M, "Tc-99m")] {
            for text in texts.split('|') {
                assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
            }
        }
        for (text, expected) in [
            ("At211", "At-211"),
            ("99Mo", "Mo-99"),
            ("111mIn", "In-111m"),
            ("i131", "I-131"),
            ("Cesium-137", "Cs-137"),
            ("149Pm", "Pm-149"),
            ("153Sm", "Sm-153"),
            ("170Tm", "Tm-170"),
            ("244Cm", "Cm-244"),
            ("13N", "N-13"),
            ("n-13", "N-13"),
            ("178nHf", "Hf-178n"),
            ("178m2Hf", "Hf-178n"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    /// Whatever the way, a text with the mark of an isomer is that isomer or no name.
    #[test]
    fn an_isomer_is_never_the_ground_state() {
        let forms = "E-Am|E-AM|EAm|Em-A|AmE|AEm|Am-E|^AmE|^Am^N|^A^E^m^|^{Am}E|AᵐE|AEᵐ|N-Am|N A m|Nm-A|N E Am|E-A-m\
            |E-Am1|E-A(m)|E(Am)|m-E-A|mE-A|A-m-E|N-A metastable|Am1E|Am2E|E-An";
        for (symbol, name, number) in
            [("Lu", "Lutetium", "177"), ("Ho", "Holmium", "166"), ("Sn", "Tin", "117"), ("I", "Iodine", "131")]
        {
            for form in forms.split('|') {
                // Placeholders: element, mass number, name.
                let text: String = form
                    .chars()
                    .map(|letter| match letter {
                        'E' => symbol.to_owned(),
                        'A' => number.to_owned(),
                        'N' => name.to_owned(),
                        other => other.to_string(),
                    })
                    .collect();
                let found = canonical(&text).unwrap_or_else(|| panic!("{text}"));
                assert!(found.ends_with(['m', 'n']), "{text}: {found}");
            }
            for refused in ["E-Am3", "E-A*", "E-Amm", "E-Ax", "mE-Am", "E-Aм", "E-A'm", "E-A/m", "E-A microspheres"] {
                let text = refused.replace('E', symbol).replace('A', number);
                assert_eq!(canonical(&text), None, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        let long = "Lu-177".repeat(1000);
        let texts = "| |-|177|Lu|Lu-|Lu-177x|Lu-0|Lu-99999999999|Lü-177|é1|1é|Lu-177-Lu|m99|１７７Lu|\0|Lu-177-2|71-177\
            |Lu-177 Y-90|177-90-Lu|^|{}";
        for text in texts.split('|').chain([long.as_str()]) {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_found_among_other_words() {
        for (text, expected) in [
            ("Y-90 microspheres", &["Y-90"][..]),
            ("[177Lu]Lu-PSMA-617", &["Lu-177"]),
            ("99mTc-MAA, then 90Y", &["Tc-99m", "Y-90"]),
            ("Lu-177m (impurity)", &["Lu-177m"]),
            ("resin 90", &[]),
        ] {
            let found: Vec<_> = Name::within(text).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
