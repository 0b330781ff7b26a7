//! From measured activities to what a physicist reports: dose-rates, biologically effective dose, uncertainty.

pub mod bed;
pub mod budget;
pub mod course;
pub mod cycle_factors;
mod divided;
pub mod dose_rate;
pub mod next_cycle;
pub mod outline;
pub mod radiation;
pub mod recovery;
mod recovery_fit;
pub mod repair;
pub mod uniform_dose;
