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

/// The reason in the words of messages.
pub(in crate::api) fn of_messages(reason: &str) -> String {
    WORDS.iter().fold(reason.to_owned(), |reason, (flag, field)| reason.replace(flag, field))
}

#[cfg(test)]
mod tests {
    use super::*;

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
