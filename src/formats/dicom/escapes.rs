//! Text that the parser does not read in whole. It decodes by the first character set alone, and leaves in the escape
//! sequences of code extensions (PS3.5, 6.1.2.5), which say of which character set the bytes after them are. Turkish it
//! does not know, and it separates values at the byte of a backslash, be that half a Chinese character.

use dicom_core::VR::{LO, LT, PN, SH, SQ, ST, UC, UT};
use dicom_core::value::{PrimitiveValue, Value};
use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use super::attributes::Object;

const ESCAPE: char = '\x1b';

/// How the bytes after an escape sequence are read.
#[derive(Clone, Copy)]
enum Set {
    /// As the parser has read them.
    Known,
    /// Two bytes a character, of seven bits: JIS X 0208.
    Jis,
    /// By the character set of a name; ASCII is a part of each.
    Named(&'static str),
    /// ISO 8859-9, which differs from the parser's reading in six letters.
    Turkish,
}

/// What an escape sequence begins, after its first character; none if it is not known.
fn set(sequence: &str) -> Option<Set> {
    Some(match sequence {
        "(B" | "(J" => Set::Known,
        "$B" | "$@" => Set::Jis,
        ")I" => Set::Named("ISO 2022 IR 13"),
        "$)A" => Set::Named("ISO 2022 IR 58"),
        "$)C" => Set::Named("ISO 2022 IR 149"),
        "-A" => Set::Named("ISO 2022 IR 100"),
        "-B" => Set::Named("ISO 2022 IR 101"),
        "-C" => Set::Named("ISO 2022 IR 109"),
        "-D" => Set::Named("ISO 2022 IR 110"),
        "-F" => Set::Named("ISO 2022 IR 126"),
        "-G" => Set::Named("ISO 2022 IR 127"),
        "-H" => Set::Named("ISO 2022 IR 138"),
        "-L" => Set::Named("ISO 2022 IR 144"),
        "-M" => Set::Turkish,
        "-T" => Set::Named("ISO 2022 IR 166"),
        _ => return None,
    })
}

/// A character set whose text the parser does not read right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Misread {
    /// ISO 8859-9: read as ISO 8859-1.
    Turkish,
    /// GB 18030 or GBK, by its name: the second byte of a character may be that of a backslash.
    Chinese(&'static str),
}

impl Misread {
    /// By the first value of Specific Character Set.
    fn named(name: &str) -> Option<Self> {
        match name.trim() {
            "ISO_IR 148" | "ISO 2022 IR 148" => Some(Self::Turkish),
            "GB18030" => Some(Self::Chinese("GB18030")),
            "GBK" | "GB2312" => Some(Self::Chinese("GBK")),
            _ => None,
        }
    }

    fn of(object: &Object) -> Option<Option<Self>> {
        let named = object.get(tags::SPECIFIC_CHARACTER_SET)?.value().primitive()?.to_multi_str();
        Some(Self::named(named.first().map_or("", String::as_str)))
    }
}

/// Whether the text of an object was in the Turkish set, in which the library cannot write it again.
pub(super) fn is_turkish(object: &Object) -> bool {
    Misread::of(object) == Some(Some(Misread::Turkish))
}

/// Reads the text of a data set right where the parser does not.
pub(super) fn repair(object: &mut Object) {
    repair_within(object, None);
}

/// * `outer` – the set of what holds the data set, which holds in it too unless it names its own
fn repair_within(object: &mut Object, outer: Option<Misread>) {
    let set = Misread::of(object).unwrap_or(outer);
    let tags: Vec<dicom_core::Tag> = object.tags().collect();
    for tag in tags {
        let vr = object.get(tag).map(|element| element.vr());
        if vr != Some(SQ) && !(set.is_some() && vr.is_some_and(|vr| matches!(vr, LO | LT | PN | SH | ST | UC | UT))) {
            continue;
        }
        object.update_value(tag, |value| match (value, set) {
            (Value::Sequence(sequence), _) => sequence.items_mut().iter_mut().for_each(|item| repair_within(item, set)),
            (Value::Primitive(text), Some(set)) => set.repair(text),
            (Value::Primitive(_), None) | (Value::PixelSequence(_), _) => {}
        });
    }
}

impl Misread {
    fn repair(self, text: &mut PrimitiveValue) {
        match self {
            Self::Turkish => {
                if let PrimitiveValue::Str(text) = text {
                    *text = until_escape(text);
                } else if let PrimitiveValue::Strs(values) = text {
                    values.iter_mut().for_each(|text| *text = until_escape(text));
                }
            }
            Self::Chinese(name) => {
                let PrimitiveValue::Strs(values) = text else { return };
                let mut whole: Vec<String> = Vec::new();
                for value in values.iter() {
                    match whole.last().and_then(|before| half_character(before, name)) {
                        Some(joined) => *whole.last_mut().expect("there is one") = joined + value,
                        None => whole.push(value.clone()),
                    }
                }
                *values = whole.into();
            }
        }
    }
}

/// Text of ISO 8859-9 that was read as ISO 8859-1, up to where another set begins.
fn until_escape(text: &str) -> String {
    let (own, others) = text.split_at(text.find(ESCAPE).unwrap_or(text.len()));
    own.chars().map(turkish).chain(others.chars()).collect()
}

/// A value that ended in half a character, whose other half was taken for the backslash after it, with that character.
/// The parser writes a byte that is none by its number, as `\201`; no value holds a backslash of its own.
fn half_character(value: &str, name: &str) -> Option<String> {
    let (front, digits) = value.rsplit_once('\\')?;
    let first = u8::from_str_radix(digits, 8).ok().filter(|byte| digits.len() == 3 && *byte > 0x80)?;
    Some(front.to_owned() + &SpecificCharacterSet::from_code(name)?.decode(&[first, b'\\']).ok()?)
}

/// The text that escape sequences make of what the parser has read. Without any it stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Intermediate characters, then the final one (ISO 2022).
        let end =
            part.find(|c| !(' '..='/').contains(&c)).and_then(|at| Some(at + part[at..].chars().next()?.len_utf8()));
        let (sequence, rest) = part.split_at(end.unwrap_or(part.len()));
        match set(sequence) {
            Some(set) => whole += &read(set, rest),
            None => whole.push(char::REPLACEMENT_CHARACTER),
        }
    }
    whole
}

fn read(set: Set, text: &str) -> String {
    let by = |name: &str, bytes: &[u8]| SpecificCharacterSet::from_code(name)?.decode(bytes).ok();
    // The parser reads bytes as Latin-1 where it knows no character set; else it has decoded them already.
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let found = match (set, bytes) {
        (Set::Known, _) | (_, None) => None,
        (Set::Jis, Some(bytes)) => by("ISO 2022 IR 87", &[b"\x1b$B", &*bytes, b"\x1b(B"].concat()),
        (Set::Named(name), Some(bytes)) => by(name, &bytes),
        (Set::Turkish, Some(_)) => Some(text.chars().map(turkish).collect()),
    };
    found.unwrap_or_else(|| text.to_owned())
}

/// A letter of ISO 8859-9 that was read as ISO 8859-1.
fn turkish(letter: char) -> char {
    match letter {
        'Ð' => 'Ğ',
        'Ý' => 'İ',
        'Þ' => 'Ş',
        'ð' => 'ğ',
        'ý' => 'ı',
        'þ' => 'ş',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use dicom_dictionary_std::uids::EXPLICIT_VR_LITTLE_ENDIAN;
    use dicom_encoding::transfer_syntax::TransferSyntaxIndex as _;
    use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

    use super::*;
    use crate::formats::dicom::attributes::Attributes as _;

    /// Bytes as the parser reads them without a character set.
    fn latin(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| char::from(*byte)).collect()
    }

    /// What is read of a region's name, after a character set.
    fn name_of(set: &str, name: &[u8]) -> Vec<String> {
        let short = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
        let even = |bytes: &[u8]| [bytes, &b" "[..bytes.len() % 2]].concat();
        let (set, name) = (even(set.as_bytes()), even(name));
        let name = [&[6, 0x30, 0x26, 0, b'L', b'O', short(&name), 0][..], &name].concat();
        let item = [&[0xFE, 0xFF, 0, 0xE0, short(&name), 0, 0, 0][..], &name].concat();
        let regions = [&[6, 0x30, 0x20, 0, b'S', b'Q', 0, 0, short(&item), 0, 0, 0][..], &item].concat();
        let bytes = [&[8, 0, 5, 0, b'C', b'S', short(&set), 0][..], &set, &regions].concat();
        let syntax = TransferSyntaxRegistry.get(EXPLICIT_VR_LITTLE_ENDIAN).expect("every registry has it");
        let mut object = Object::read_dataset_with_ts(&*bytes, syntax).expect("a data set");
        repair(&mut object);
        object.item(tags::STRUCTURE_SET_ROI_SEQUENCE).expect("an item").words(tags::ROI_NAME)
    }

    #[test]
    fn names_are_read_in_sets_that_the_parser_does_not_know() {
        assert_eq!(name_of("ISO_IR 148", b"Karaci\xf0er"), ["Karaciğer"]);
        assert_eq!(name_of("ISO_IR 100", b"Karaci\xf0er"), ["Karaciðer"]);
        assert_eq!(name_of("ISO 2022 IR 148\\ISO 2022 IR 144", b"\xdd\x1b-L\xbf"), ["İП"]);
        // 乗 is 81 5C in GBK, and so in GB 18030; 誠 is D5 5C.
        for set in ["GBK", "GB18030", "GB2312"] {
            assert_eq!(name_of(set, b"a\x81\\\xb8\xce"), ["a乗肝"], "{set}");
            assert_eq!(name_of(set, b"\xd5\\\xd5\\b\\\xb8\xce"), ["誠誠b", "肝"], "{set}");
            assert_eq!(name_of(set, b"\xb8\xce\\b"), ["肝", "b"], "{set}");
        }
    }

    #[test]
    fn names_with_escapes_are_read() {
        for (bytes, right) in [
            (&b"LIVER"[..], "LIVER"),
            // The examples of PS3.5, H.3.1 and I.2.
            (b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
            (b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞"),
            (b"\x1b-MKaraci\xf0er", "Karaciğer"),
            (b"\x1b-L\xbf\xd5\xe7\xd5\xdd\xec", "Печень"),
            (b"a\x1b$(Dxy\x1b(Bb", "a\u{fffd}b"),
            (b"cut\x1b", "cut\u{fffd}"),
        ] {
            assert_eq!(decoded(&latin(bytes)), right);
        }
        // What is decoded already stays.
        assert_eq!(decoded("\x1b$)C간"), "간");
    }
}
