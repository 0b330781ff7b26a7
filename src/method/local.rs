//! Local deposition: what charged particles carry stays in the voxel of the decay, photons leave.

use std::time::Instant;

use super::Deposit;
use crate::domain::{Control, DoseError, DoseRequest, Stage, StageTime};

pub(super) fn deposit(
    request: &DoseRequest,
    control: &Control,
    wall_time: &mut Vec<StageTime>,
) -> Result<Deposit, DoseError> {
    control.checkpoint(Stage::Dose, 0.0)?;
    let start = Instant::now();
    let per_decay = request.nuclide().mean_energy_mev.charged();
    #[expect(clippy::cast_possible_truncation, reason = "the stored precision; decays are bounded")]
    let energy = request.activity().decays().map(|&decays| (f64::from(decays) * per_decay) as f32);
    wall_time.push(StageTime::new(Stage::Dose.name(), start.elapsed()));
    let expected_mev = request.activity().total() * per_decay;
    Ok(Deposit { energy, expected_mev, kernel: None })
}
