//! Worklists.

use std::path::Path;

use super::Worklist;
use super::places::{name, web};
use super::section::{Faults, Section};

/// The tables `[[worklist]]`.
pub(super) fn worklists(file: &mut Section<'_, '_>, base: &Path, faults: &mut Faults<'_>) -> Vec<Worklist> {
    let mut found: Vec<Worklist> = Vec::new();
    for mut section in file.tables("worklist", faults) {
        let name = name(&mut section, found.iter().map(|one| one.name.as_str()), faults);
        let web = web(&mut section, "url", base, faults);
        section.finish(faults);
        if let (Some(name), Some(web)) = (name, web) {
            found.push(Worklist { name, web });
        }
    }
    found
}
