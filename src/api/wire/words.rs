//! Reasons of faults in the words of messages. Lower rooms name the next step by the flag of the command line.

/// Words of flags and those of messages; a longer one comes before the one it begins with.
const WORDS: &[(&str, &str)] = &[
    ("--negative zero-keep-total", "`value_repair.negative` NEGATIVE_RULE_ZERO_KEEP_TOTAL"),
    ("--negative zero", "`value_repair.negative` NEGATIVE_RULE_ZERO"),
    ("--nan zero", "`value_repair.nan` NAN_RULE_ZERO"),
    ("--hu-curve", "`ct_calibration`"),
    ("--max-activity-outside", "`max_activity_outside`"),
    (
        "put it on that grid with `dosegrid resample --like`, or choose one for all with --dose-grid",
        "choose one for all with `dose_grid`",
    ),
];

/// The reason in the words of the command line, whose flag of a field stands behind dashes.
pub(in crate::api) fn of_flags(reason: &str) -> String {
    WORDS.iter().fold(reason.to_owned(), |reason, (flag, field)| reason.replace(field, flag))
}

/// The reason in the words of messages, without the caller's own text.
pub(in crate::api) fn of_messages(reason: &str) -> String {
    WORDS.iter().fold(without_quotes(reason), |reason, (flag, field)| reason.replace(flag, field))
}

/// What stands before a quotation that ends a reason.
const BEFORE_QUOTE: &str = ", got `";
/// What stands before the quotation of a name, after which the reason may go on.
const BEFORE_NAMES: [&str; 3] =
    ["is not a known nuclide", "is not a known material", "is that of a known material, which differs"];

/// A reason without what it quotes of the caller's text, which may be about a patient.
fn without_quotes(reason: &str) -> String {
    let reason = reason.split_once(BEFORE_QUOTE).map_or(reason, |(before, _)| before);
    let unquoted = |told: &'static str| {
        let (before, quoted) = reason.split_once(&format!("{told}: `"))?;
        let (_, rest) = quoted.rsplit_once('`').unwrap_or_default();
        Some(format!("{before}{told}{rest}"))
    };
    BEFORE_NAMES.into_iter().find_map(unquoted).unwrap_or_else(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_caller_is_quoted() {
        let told = of_messages("is water or density-scaled, got `Jane Doe, got `x``");
        assert_eq!(told, "is water or density-scaled");
        let told = of_messages("name is not a known nuclide: `Jane; Doe`; similar names: Lu-177");
        assert_eq!(told, "name is not a known nuclide; similar names: Lu-177");
        let told = of_messages("is not a known material: `Jane `Doe``; known names: water, lung");
        assert_eq!(told, "is not a known material; known names: water, lung");
        let told = of_messages("is that of a known material, which differs: `Jane Doe`");
        assert_eq!(told, "is that of a known material, which differs");
    }

    #[test]
    fn words_of_flags_survive_the_wire() {
        for (flag, _) in WORDS {
            let reason = format!("is bad; {flag} may help, or {flag}");
            let told = of_messages(&reason);
            assert!(!told.contains("--"), "{told}");
            assert_eq!(of_flags(&told), reason);
        }
    }
}
