//! Which rule meets which series.

use super::config::{Pattern, Rule, Selector, WorkitemSelector};
use super::offer::{Offer, SeriesOffer};
use crate::pacs::Workitem;

impl Selector {
    /// Whether a series is meant.
    ///
    /// # Errors
    /// Why it is not, for a reader.
    pub(super) fn meets(&self, series: &SeriesOffer) -> Result<(), String> {
        let first = &series.outline;
        let lists = [
            ("modality", &self.modality, &first.modality),
            ("SOP class", &self.sop_class, &first.class),
            ("nuclide code", &self.nuclide_code, &first.nuclide_code),
        ];
        for (name, list, found) in lists {
            if !list.is_empty() && !list.contains(found) {
                return Err(format!("its {name} is not of {}", list.join(", ")));
            }
        }
        for (name, list, found) in
            [("description", &self.description, &first.description), ("body part", &self.body_part, &first.body_part)]
        {
            if !list.is_empty() && !list.iter().any(|pattern| pattern.is_like(found)) {
                let list: Vec<&str> = list.iter().map(|pattern| pattern.written()).collect();
                return Err(format!("its {name} is not like {}", list.join(", ")));
            }
        }
        Ok(())
    }
}

impl WorkitemSelector {
    /// Whether a workitem is meant.
    pub(super) fn meets(&self, workitem: &Workitem) -> bool {
        let is_like = |list: &[Pattern], text: &str| list.is_empty() || list.iter().any(|one| one.is_like(text));
        let has = |list: &[String], codes: &[String]| list.is_empty() || codes.iter().any(|code| list.contains(code));
        is_like(&self.label, &workitem.label())
            && is_like(&self.worklist_label, &workitem.worklist_label())
            && has(&self.code, &workitem.codes())
            && has(&self.station, &workitem.stations())
    }
}

impl Rule {
    /// Whether the way that a study came is that of the rule.
    ///
    /// # Errors
    /// Why it is not, for a reader.
    pub(super) fn meets_way(&self, offer: &Offer) -> Result<(), String> {
        if let Some(source) = &offer.source
            && !self.sources.is_empty()
            && !self.sources.contains(source)
        {
            return Err(format!("the source is not of {}", self.sources.join(", ")));
        }
        if !self.calling.is_empty() && !self.calling.iter().any(|pattern| pattern.is_like(&offer.calling)) {
            let list: Vec<&str> = self.calling.iter().map(|pattern| pattern.written()).collect();
            return Err(format!("the calling title is not like {}", list.join(", ")));
        }
        Ok(())
    }

    /// The activities of a study that are meant.
    pub(super) fn activities<'o>(&self, offer: &'o Offer) -> Vec<&'o SeriesOffer> {
        offer.series.iter().filter(|one| one.is_activity() && self.activity.meets(one).is_ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Pattern;
    use super::*;
    use crate::formats::dicom::Outline;

    fn series(modality: &str, description: &str) -> SeriesOffer {
        let outline = Outline {
            class: "1.2.840.10008.5.1.4.1.1.20".into(),
            instance: "1.2.3.1".into(),
            series: "1.2.3".into(),
            study: "1.2".into(),
            patient: None,
            modality: modality.into(),
            description: description.into(),
            body_part: "ABDOMEN".into(),
            nuclide_code: "C-1".into(),
            slices: None,
            is_made_here: false,
            content: None,
            missing: Vec::new(),
            plain: None,
        };
        SeriesOffer { uid: "1.2.3".into(), files: vec![0], outline, entry: None }
    }

    #[test]
    fn every_part_of_a_selector_has_to_match() {
        let glob = |text: &str| vec![Pattern::glob(text).expect("a glob")];
        let whole = Selector {
            modality: vec!["NM".into()],
            sop_class: vec!["1.2.840.10008.5.1.4.1.1.20".into()],
            description: glob("*AC*"),
            body_part: glob("abdomen"),
            nuclide_code: vec!["C-1".into()],
        };
        assert_eq!(whole.meets(&series("NM", "Lu AC")), Ok(()));
        assert_eq!(Selector::default().meets(&series("PT", "")), Ok(()));
        let cases = [
            (Selector { modality: vec!["PT".into()], ..whole.clone() }, "modality"),
            (Selector { sop_class: vec!["1.2".into()], ..whole.clone() }, "SOP class"),
            (Selector { description: glob("NAC"), ..whole.clone() }, "description"),
            (Selector { body_part: glob("HEAD"), ..whole.clone() }, "body part"),
            (Selector { nuclide_code: vec!["C-2".into()], ..whole.clone() }, "nuclide code"),
        ];
        for (selector, part) in cases {
            let said = selector.meets(&series("NM", "Lu AC")).expect_err(part);
            // What is said is what the rule says, and nothing of the file.
            assert!(said.contains(part) && !said.contains("Lu AC"), "{said}");
        }
    }
}
