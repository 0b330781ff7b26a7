//! What is made of a dose once it is computed: doses of organs, and the dose on the grid of the CT.

use std::collections::BTreeMap;

use super::off_thread::standing_back;
use crate::domain::{DensityMap, DoseError, DoseResult, Invalid, Organs, RegionDose, TimeIntegratedActivity, Volume};
use crate::dosimetry::organs::{OrganInputs, whole_regions};
use crate::dosimetry::{CumulativeHistogram, OrganDose, organ_doses, organ_histograms};
use crate::intake::{Assembled, Intake, IntakeAccount};
use crate::physics::kernel::uniform_density_g_cm3;

/// What is kept of a request while it is computed.
pub(super) struct Aftermath {
    intake: Intake,
    assembled: Assembled,
}

/// What a result says beside the dose.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// How the volumes were understood.
    pub(super) account: IntakeAccount,
    /// The dose of each organ, by rising label, with its histogram if one was asked for.
    pub(super) organs: Vec<(OrganDose, Option<CumulativeHistogram>)>,
    /// The dose on the grid of the CT or density.
    pub(super) dose_on_ct: Option<Volume<f32>>,
}

impl Aftermath {
    pub(super) fn new(intake: Intake, assembled: Assembled) -> Self {
        Self { intake, assembled }
    }

    /// What is found, and the result that it was found in.
    ///
    /// # Errors
    /// [`DoseError::Internal`] if the dose is not on the grid of the request.
    pub(super) async fn findings(self, mut result: DoseResult) -> Result<(Findings, DoseResult), DoseError> {
        standing_back(move || {
            let organs = self.organs(&result);
            if !self.intake.return_uncertainty() {
                result.uncertainty = None;
            }
            let wanted = self.intake.return_dose_on_ct();
            let failed = |Invalid(reason)| DoseError::Internal(format!("no dose on the grid of the CT: {reason}"));
            let dose_on_ct = wanted.then(|| self.assembled.dose_on_ct(&result.dose)).transpose().map_err(failed)?;
            Ok((Findings { account: self.assembled.account, organs, dose_on_ct }, result))
        })
        .await
    }

    fn organs(&self, result: &DoseResult) -> Vec<(OrganDose, Option<CumulativeHistogram>)> {
        let Some(organs) = &self.assembled.organs else { return Vec::new() };
        let request = &self.assembled.request;
        let of = Table {
            activity: request.activity(),
            density: request.density(),
            organs,
            names: self.intake.names(),
            dose_volume_points: self.intake.dose_volume_points(),
        };
        table(result, &of)
    }
}

/// What a table of organs is made from, beside the result.
pub(super) struct Table<'a> {
    pub(super) activity: &'a TimeIntegratedActivity,
    pub(super) density: Option<&'a DensityMap>,
    pub(super) organs: &'a Organs,
    pub(super) names: &'a BTreeMap<u16, String>,
    pub(super) dose_volume_points: Option<usize>,
}

/// The dose of each organ, by rising label, with its histogram if one was asked for.
pub(super) fn table(result: &DoseResult, of: &Table) -> Vec<(OrganDose, Option<CumulativeHistogram>)> {
    let account = result.provenance.monte_carlo.as_ref();
    let regions: &[RegionDose] = account.map_or(&[], |account| &account.regions);
    let inputs = OrganInputs {
        dose: &result.dose,
        uncertainty: result.uncertainty.as_ref(),
        activity: of.activity,
        density: of.density,
        uniform_density_g_cm3: uniform_density_g_cm3(&result.provenance),
        minimum_density_g_cm3: result.provenance.minimum_density_g_cm3,
        organs: of.organs,
        names: of.names,
        regions: &whole_regions(of.organs, regions),
        injected_bq: result.activity.injected_bq,
    };
    let doses = organ_doses(&inputs);
    match of.dose_volume_points {
        None => doses.into_iter().map(|dose| (dose, None)).collect(),
        Some(points) => doses.into_iter().zip(organ_histograms(&inputs, points)).collect(),
    }
}
