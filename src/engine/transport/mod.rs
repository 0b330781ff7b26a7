//! What both engines share of Monte Carlo transport: the tally, and the boundary of the grid.

pub mod emissions;
pub(crate) mod nodes;
pub mod scene;
pub(crate) mod sequence;
pub mod source;
pub mod tables;
pub mod tally;

pub use scene::{Scene, SceneInput};
pub use tally::{GroupTally, Tally, UNITS_PER_MEV};

/// What becomes of a particle that reaches the end of the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// It leaves and never comes back.
    #[default]
    Vacuum,
    /// It enters on the opposite side, as if the grid were repeated without end; for checks of the physics.
    Periodic,
}
