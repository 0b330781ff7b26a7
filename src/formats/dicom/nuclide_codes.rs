//! Codes of nuclides, for files that name theirs by a code alone.

/// Codes of SNOMED CT, of SNOMED RT and of DICOM, each with the name of its nuclide; no code is in two of them. Source:
/// DICOM PS3.16, CID 18 (Isotopes in Radiopharmaceuticals), CID 4020 (PET Radionuclides).
const CODES: [(&str, &str); 78] = [
    ("24301009", "Au-198"),
    ("C-146A9", "Au-198"),
    ("70544003", "Au-199"),
    ("C-146B1", "Au-199"),
    ("86521004", "Br-77"),
    ("C-113A3", "Br-77"),
    ("40565003", "C-11"),
    ("C-105A1", "C-11"),
    ("71425003", "Cu-61"),
    ("C-127A1", "Cu-61"),
    ("422934004", "Cu-62"),
    ("C-127A5", "Cu-62"),
    ("3932008", "Cu-64"),
    ("C-127A2", "Cu-64"),
    ("53700003", "Cu-67"),
    ("C-127A3", "Cu-67"),
    ("77004003", "F-18"),
    ("C-111A1", "F-18"),
    ("2008008", "Ga-67"),
    ("C-131A2", "Ga-67"),
    ("35337001", "Ga-68"),
    ("C-131A3", "Ga-68"),
    ("53315004", "Ge-68"),
    ("C-128A2", "Ge-68"),
    ("C1943", "Ho-166"),
    ("21572004", "I-123"),
    ("C-114A4", "I-123"),
    ("40937006", "I-124"),
    ("C-114A5", "I-124"),
    ("68630002", "I-125"),
    ("C-114A6", "I-125"),
    ("1368003", "I-131"),
    ("C-114B1", "I-131"),
    ("56609000", "In-111"),
    ("C-145A4", "In-111"),
    ("447553000", "Lu-177"),
    ("C-101ED", "Lu-177"),
    ("37225000", "Mn-52"),
    ("C-149A1", "Mn-52"),
    ("21576001", "N-13"),
    ("C-107A1", "N-13"),
    ("129504001", "O-15"),
    ("C-B1038", "O-15"),
    ("32505007", "P-32"),
    ("C-106A1", "P-32"),
    ("47588004", "Pb-203"),
    ("C-132A8", "Pb-203"),
    ("24853006", "Ra-223"),
    ("C-136A2", "Ra-223"),
    ("79197006", "Rb-82"),
    ("C-159A2", "Rb-82"),
    ("395865006", "Re-186"),
    ("C-11906", "Re-186"),
    ("423578007", "Re-188"),
    ("C-1018D", "Re-188"),
    ("23788009", "Ru-97"),
    ("C-180A2", "Ru-97"),
    ("126605", "Sc-43"),
    ("126600", "Sc-44"),
    ("419804008", "Sm-153"),
    ("C-B1134", "Sm-153"),
    ("7770004", "Sr-89"),
    ("C-158A6", "Sr-89"),
    ("126606", "Tb-152"),
    ("72454006", "Tc-99m"),
    ("C-163A8", "Tc-99m"),
    ("75696008", "Ti-45"),
    ("C-166A2", "Ti-45"),
    ("60057003", "Tl-201"),
    ("C-138A9", "Tl-201"),
    ("80751004", "Xe-133"),
    ("C-172A8", "Xe-133"),
    ("10738001", "Y-86"),
    ("C-162A3", "Y-86"),
    ("14691008", "Y-90"),
    ("C-162A7", "Y-90"),
    ("63360001", "Zr-89"),
    ("C-168A4", "Zr-89"),
];

/// The name of the nuclide of a code.
pub(super) fn nuclide_of(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::nuclide;

    #[test]
    fn every_code_is_of_one_nuclide_that_is_known() {
        for (code, name) in CODES {
            assert_eq!(nuclide_of(code), Some(name), "{code}");
            assert!(nuclide::find(name).is_ok_and(|found| found.name == name), "{name}");
        }
        assert_eq!((nuclide_of("C-111A1"), nuclide_of("447553000")), (Some("F-18"), Some("Lu-177")));
        assert_eq!(nuclide_of("C-111A2"), None);
    }
}
