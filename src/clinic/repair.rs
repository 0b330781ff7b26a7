//! How fast sublethal damage is repaired.

use crate::domain::{Checks, DoseError};

/// How far the fractions may sum from 1: they are written with some digits.
const SUM_TOLERANCE: f64 = 1e-6;

/// Damage that is repaired at one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepairComponent {
    /// The part of all damage, 0 or more.
    pub fraction: f64,
    /// Half-time of its repair [h]: 0 is at once, none is never.
    pub half_time_h: Option<f64>,
}

impl RepairComponent {
    /// Rate of repair [1/h]; none if it is instant.
    pub(super) fn rate_per_h(&self) -> Option<f64> {
        match self.half_time_h {
            None => Some(0.0),
            Some(half_time_h) => (half_time_h > 0.0).then(|| std::f64::consts::LN_2 / half_time_h),
        }
    }
}

/// Repair of sublethal damage in one or several components.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    components: Vec<RepairComponent>,
}

impl Repair {
    /// * `components` – their fractions sum to 1
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault: a half-time below 0, a fraction below 0, a sum that is not 1.
    pub fn new(components: Vec<RepairComponent>) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        for (at, part) in components.iter().enumerate() {
            if !(part.fraction >= 0.0 && part.fraction.is_finite()) {
                let reason = format!("must be finite and 0 or more, got {}", part.fraction);
                checks.fail(format!("repair[{at}].fraction"), reason);
            }
            if part.half_time_h.is_some_and(|hours| !(hours >= 0.0 && hours.is_finite())) {
                checks.fail(
                    format!("repair[{at}].half_time_h"),
                    "must be 0 or more, or not given if nothing is repaired",
                );
            }
        }
        let sum: f64 = components.iter().map(|part| part.fraction).sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE || components.is_empty() {
            checks.fail("repair", format!("the fractions must sum to 1, they sum to {sum}"));
        }
        checks.finish()?;
        Ok(Self { components })
    }

    /// All damage repaired at one rate.
    ///
    /// * `half_time_h` – 0 is at once, none is never [h]
    ///
    /// # Errors
    /// If the half-time is below 0 or not finite.
    pub fn mono(half_time_h: Option<f64>) -> Result<Self, DoseError> {
        Self::new(vec![RepairComponent { fraction: 1.0, half_time_h }])
    }

    /// Its components.
    pub fn components(&self) -> &[RepairComponent] {
        &self.components
    }

    /// The longest half-time of repair [h]; none if some damage is never repaired.
    pub fn longest_half_time_h(&self) -> Option<f64> {
        self.components.iter().try_fold(0.0, |longest, part| part.half_time_h.map(|hours| f64::max(longest, hours)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_repair_is_refused_with_every_fault() {
        let part = |fraction: f64, half_time_h: Option<f64>| RepairComponent { fraction, half_time_h };
        let faults = |parts: Vec<RepairComponent>| {
            let error = Repair::new(parts).expect_err("bad");
            error.violations().into_iter().map(|violation| violation.field).collect::<Vec<_>>()
        };
        assert_eq!(faults(vec![part(0.5, Some(1.0)), part(0.4, Some(4.0))]), ["repair"]);
        assert_eq!(faults(vec![part(1.0, Some(-1.0))]), ["repair[0].half_time_h"]);
        assert_eq!(faults(vec![part(-1.0, Some(f64::NAN))]), ["repair[0].fraction", "repair[0].half_time_h", "repair"]);
        assert_eq!(faults(Vec::new()), ["repair"]);
        let never = Repair::new(vec![part(0.5, None), part(0.5, Some(0.0))]).expect("good");
        assert_eq!(never.longest_half_time_h(), None);
        assert_eq!(never.components()[1].rate_per_h(), None);
    }
}
