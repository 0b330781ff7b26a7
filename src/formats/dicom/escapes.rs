//! Text with code extensions (PS3.5, 6.1.2.5): escape sequences that say of which character set the bytes after them
//! are. The parser decodes by the first character set alone, and leaves them in.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

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
    use super::*;

    /// Bytes as the parser reads them without a character set.
    fn latin(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| char::from(*byte)).collect()
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
