//! How a series is integrated.

use super::{PieceRules, Shape, Weighting};
use crate::domain::Invalid;

/// Which model a series is integrated with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelChoice {
    /// The program chooses, by a criterion and what the points determine.
    #[default]
    Auto,
    /// A sum of exponentials, by name.
    Exponentials(Shape),
    /// One exponential with the rate of physical decay.
    Physical,
    /// From point to point, with a physical tail.
    TrapezoidTail,
}

impl ModelChoice {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Auto,
        Self::Exponentials(Shape::Mono),
        Self::Exponentials(Shape::BiUptake),
        Self::Exponentials(Shape::BiWashout),
        Self::Exponentials(Shape::TriUptake),
        Self::Physical,
        Self::TrapezoidTail,
    ];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Exponentials(shape) => shape.name(),
            Self::Physical => "physical",
            Self::TrapezoidTail => "trapezoid_tail",
        }
    }

    /// Fewest different times that it needs.
    pub(super) fn least_times(self) -> usize {
        match self {
            Self::Auto | Self::TrapezoidTail => 2,
            Self::Exponentials(shape) => shape.parameters().len(),
            Self::Physical => 1,
        }
    }
}

/// Finds what has a name.
///
/// * `all` – what may be named
///
/// # Errors
/// If nothing has this name, with the names there are.
pub fn by_name<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, Invalid> {
    let found = all.iter().copied().find(|item| name(*item) == text);
    let names = || all.iter().map(|item| name(*item)).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| Invalid::new(format!("must be one of {}", names())))
}

/// How a series is integrated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurveOptions {
    /// The model.
    pub model: ModelChoice,
    /// The weights; none: σ where it is given, else relative.
    pub weighting: Option<Weighting>,
    /// The rules of an integral by pieces, where it comes to that.
    pub pieces: PieceRules,
}
