//! The conformance statement against the tables that the code works by.

use std::collections::BTreeSet;

use dosegrid::formats::dicom::{CLASSES, MADE, SYNTAXES};

const STATEMENT: &str = include_str!("../../docs/conformance.md");
/// What every entity answers. Source: DICOM PS3.4, A.4.
const VERIFICATION: (&str, &str) = ("1.2.840.10008.1.1", "Verification");

/// Names and UIDs of the table under a header.
fn table(header: &str) -> BTreeSet<(String, String)> {
    let (_, rest) = STATEMENT.split_once(&format!("| {header} | UID |\n")).expect("the table");
    let rows = rest.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[1].to_owned(), cells[0].to_owned())
    })
    .collect()
}

fn of<const N: usize>(list: [(&str, &str); N]) -> BTreeSet<(String, String)> {
    list.iter().map(|(uid, name)| ((*uid).to_owned(), (*name).to_owned())).collect()
}

#[test]
fn the_statement_has_the_classes_and_syntaxes_of_the_code() {
    let mut classes = of(CLASSES);
    classes.insert((VERIFICATION.0.to_owned(), VERIFICATION.1.to_owned()));
    assert_eq!(table("SOP class"), classes);
    assert_eq!(table("transfer syntax"), of(SYNTAXES));
    assert_eq!(table("SOP class made"), of(MADE));
    let commitment = dicom_dictionary_std::uids::STORAGE_COMMITMENT_PUSH_MODEL;
    assert_eq!(table("SOP class asked"), of([(commitment, "Storage Commitment Push Model")]));
}

#[test]
fn the_uids_are_those_of_the_standard() {
    use dicom_dictionary_std::uids;
    let known = [
        ("CT Image Storage", uids::CT_IMAGE_STORAGE),
        ("Enhanced CT Image Storage", uids::ENHANCED_CT_IMAGE_STORAGE),
        ("Legacy Converted Enhanced CT Image Storage", uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE),
        ("Nuclear Medicine Image Storage", uids::NUCLEAR_MEDICINE_IMAGE_STORAGE),
        ("Positron Emission Tomography Image Storage", uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE),
        ("Legacy Converted Enhanced PET Image Storage", uids::LEGACY_CONVERTED_ENHANCED_PET_IMAGE_STORAGE),
        ("Enhanced PET Image Storage", uids::ENHANCED_PET_IMAGE_STORAGE),
        ("Segmentation Storage", uids::SEGMENTATION_STORAGE),
        ("Label Map Segmentation Storage", uids::LABEL_MAP_SEGMENTATION_STORAGE),
        ("Real World Value Mapping Storage", uids::REAL_WORLD_VALUE_MAPPING_STORAGE),
        ("RT Structure Set Storage", uids::RT_STRUCTURE_SET_STORAGE),
    ];
    let known: BTreeSet<(&str, &str)> = known.into_iter().collect();
    let named: BTreeSet<(&str, &str)> = CLASSES.iter().map(|(uid, name)| (*name, *uid)).collect();
    assert_eq!(named, known);
}

#[test]
fn every_syntax_can_be_decoded() {
    use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
    // What is deflated is inflated by this program, before the library sees it.
    let inflated = dicom_dictionary_std::uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    for (uid, name) in SYNTAXES.into_iter().filter(|(uid, _)| *uid != inflated) {
        let known = dicom_transfer_syntax_registry::TransferSyntaxRegistry.get(uid).expect("it is known");
        assert!(known.can_decode_all(), "{name}");
    }
}
