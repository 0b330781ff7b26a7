//! What may be done, on request, with values of an activity map that are no activity: NaN outside the field of view,
//! and small negative values from reconstruction, subtraction or interpolation.

use super::passes::{BLOCK, has_no_amount, sum, sum_of_block};
use super::words::{are, voxels, were};
use super::{Invalid, Volume};

/// What to do with NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NanRule {
    /// The map is refused.
    #[default]
    Refuse,
    /// NaN becomes 0: there is no activity outside the field of view.
    Zero,
}

impl NanRule {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Zero];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Zero => "zero",
        }
    }

    /// # Errors
    /// The words there are.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        let known = Self::ALL.into_iter().find(|rule| rule.name() == word);
        known.ok_or_else(|| Invalid::new("must be refuse or zero"))
    }
}

/// What to do with values below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NegativeRule {
    /// The map is refused.
    #[default]
    Refuse,
    /// They become 0; the total rises by what they took away.
    Zero,
    /// They become 0, and all other values shrink by one factor, so that the total stays.
    ZeroKeepTotal,
}

impl NegativeRule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Zero, Self::ZeroKeepTotal];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Zero => "zero",
            Self::ZeroKeepTotal => "zero-keep-total",
        }
    }

    /// # Errors
    /// The words there are.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        let known = Self::ALL.into_iter().find(|rule| rule.name() == word);
        known.ok_or_else(|| Invalid::new("must be refuse, zero or zero-keep-total"))
    }
}

/// What was done to a map. Sums are in the unit of the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repair {
    /// Voxels that were NaN.
    pub nan_voxels: usize,
    /// Voxels below 0.
    pub negative_voxels: usize,
    /// Sum of the values below 0; negative.
    pub negative_sum: f64,
    /// Sum of all values that were numbers.
    pub total_before: f64,
    /// Sum of all values now.
    pub total_after: f64,
}

impl Repair {
    /// Whether anything was changed.
    pub fn is_nothing(&self) -> bool {
        self.nan_voxels == 0 && self.negative_voxels == 0
    }

    /// The sum of the negative values over that of the positive ones.
    pub fn negative_share(&self) -> f64 {
        let positive = self.total_before - self.negative_sum;
        if positive > 0.0 { -self.negative_sum / positive } else { 1.0 }
    }

    /// What was done, for a warning; none if nothing was.
    ///
    /// * `per_unit` – decays [Bq·s] in one unit of the map
    pub fn words(&self, per_unit: f64) -> Option<String> {
        let mut words = Vec::new();
        if self.nan_voxels > 0 {
            words.push(format!("{} of NaN {} taken as 0", voxels(self.nan_voxels), were(self.nan_voxels)));
        }
        if self.negative_voxels > 0 {
            words.push(format!(
                "{} below 0 ({} of the activity) {} set to 0",
                voxels(self.negative_voxels),
                percent(self.negative_share()),
                were(self.negative_voxels)
            ));
            let change = (self.total_after - self.total_before) * per_unit;
            words.push(format!(
                "decays before {:.6e}, after {:.6e}, change {change:+.3e}",
                self.total_before * per_unit,
                self.total_after * per_unit
            ));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// Makes an activity map of one that has NaN or values below 0, as asked.
///
/// # Errors
/// If there are such values and they are to be refused: how many, their share of the total, and the flag that takes
/// them. If there is nothing left to keep the total with.
pub fn repair_activity(
    mut map: Volume<f32>,
    nan: NanRule,
    negative: NegativeRule,
) -> Result<(Volume<f32>, Repair), Invalid> {
    let repair = examine(map.as_slice());
    let mut faults = Vec::new();
    if repair.nan_voxels > 0 && nan == NanRule::Refuse {
        faults.push(format!(
            "an activity must be finite: {} of {} {} NaN; outside the field of view, --nan zero takes that as 0",
            repair.nan_voxels,
            voxels(map.as_slice().len()),
            are(repair.nan_voxels)
        ));
    }
    if repair.negative_voxels > 0 && negative == NegativeRule::Refuse {
        faults.push(format!(
            "an activity is not negative: {} {} below 0, {} of the activity; --negative zero sets that to 0, \
             --negative zero-keep-total keeps the total too",
            voxels(repair.negative_voxels),
            are(repair.negative_voxels),
            percent(repair.negative_share())
        ));
    }
    if !faults.is_empty() {
        return Err(Invalid::new(faults.join("; ")));
    }
    let positive = repair.total_before - repair.negative_sum;
    let factor = match negative {
        NegativeRule::ZeroKeepTotal if repair.negative_voxels > 0 => repair.total_before / positive,
        NegativeRule::Refuse | NegativeRule::Zero | NegativeRule::ZeroKeepTotal => 1.0,
    };
    if factor <= 0.0 || factor.is_nan() {
        return Err(Invalid::new("the negative values outweigh the others: there is no activity left to keep"));
    }
    if repair.is_nothing() {
        return Ok((map, repair));
    }
    for value in map.as_mut_slice() {
        *value = if *value > 0.0 { scaled(*value, factor) } else { 0.0 };
    }
    let total_after = sum(map.as_slice());
    Ok((map, Repair { total_after, ..repair }))
}

/// Fills NaN in a density map or a CT.
///
/// * `fill` – what lies outside the field of view: 0 g/cm³, or −1000 HU
///
/// # Errors
/// If there is NaN and it is to be refused.
pub fn repair_density(mut map: Volume<f32>, nan: NanRule, fill: f32) -> Result<(Volume<f32>, usize), Invalid> {
    let in_block = |block: &[f32]| block.iter().fold(0u32, |count, value| count + u32::from(value.is_nan()));
    let count: usize = map.as_slice().chunks(BLOCK).map(|block| in_block(block) as usize).sum();
    match nan {
        _ if count == 0 => {}
        NanRule::Refuse => {
            return Err(Invalid::new(format!(
                "{count} of {} {} NaN; outside the field of view, --nan zero takes that as nothing or air",
                voxels(map.as_slice().len()),
                are(count)
            )));
        }
        NanRule::Zero => map.as_mut_slice().iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = fill),
    }
    Ok((map, count))
}

fn examine(values: &[f32]) -> Repair {
    let (mut nan_voxels, mut negative_voxels, mut negative_sum, mut total) = (0, 0, 0.0, 0.0);
    for block in values.chunks(BLOCK) {
        if !has_no_amount(block) {
            total += sum_of_block(block);
            continue;
        }
        let numbers = || block.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v));
        let negative = || numbers().filter(|v| *v < 0.0);
        nan_voxels += block.len() - numbers().count();
        negative_voxels += negative().count();
        negative_sum += negative().sum::<f64>();
        total += numbers().sum::<f64>();
    }
    Repair { nan_voxels, negative_voxels, negative_sum, total_before: total, total_after: total }
}

#[expect(clippy::cast_possible_truncation, reason = "a value times a factor up to 1")]
fn scaled(value: f32, factor: f64) -> f32 {
    (f64::from(value) * factor) as f32
}

fn percent(share: f64) -> String {
    if share >= 1e-4 { format!("{:.2} %", share * 100.0) } else { format!("{:.1e} %", share * 100.0) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    fn map(values: &[f32]) -> Volume<f32> {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [1.0; 3]).expect("a good grid");
        Volume::from_vec(Arc::new(grid), values.to_vec()).expect("as many values as voxels")
    }

    #[test]
    fn refusals_say_how_many_and_the_flag() {
        let bad = map(&[1.0, f32::NAN, -0.5, 3.0, f32::NAN]);
        let Invalid(reason) =
            repair_activity(bad, NanRule::Refuse, NegativeRule::Refuse).expect_err("neither is allowed");
        for words in ["2 of 5 voxels are NaN", "--nan zero", "1 voxel is below 0, 12.50 %", "--negative zero"] {
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn values_become_zero_with_or_without_the_total() {
        let bad = [1.0, f32::NAN, -0.5, 3.0];
        let (zeroed, repair) = repair_activity(map(&bad), NanRule::Zero, NegativeRule::Zero).expect("allowed");
        assert_eq!(zeroed.as_slice(), [1.0, 0.0, 0.0, 3.0]);
        assert_eq!((repair.total_before, repair.total_after, repair.nan_voxels), (3.5, 4.0, 1));
        let (kept, repair) = repair_activity(map(&bad), NanRule::Zero, NegativeRule::ZeroKeepTotal).expect("allowed");
        assert_eq!(kept.as_slice(), [0.875, 0.0, 0.0, 2.625]);
        assert!((repair.total_after - 3.5).abs() < 1e-6);
        assert!(repair.words(1.0).expect("something was done").contains("1 voxel below 0"));
    }

    #[test]
    fn a_good_map_is_left_alone() {
        let good = map(&[0.0, 1.0]);
        let (same, repair) = repair_activity(good.clone(), NanRule::Zero, NegativeRule::Zero).expect("good");
        assert!(repair.is_nothing() && repair.words(1.0).is_none());
        assert_eq!(same, good);
        let negative = repair_activity(map(&[1.0, -2.0]), NanRule::Zero, NegativeRule::ZeroKeepTotal);
        assert!(negative.is_err());
    }

    #[test]
    fn rounding_errors_are_told_from_background() {
        let Invalid(reason) = repair_activity(map(&[1e9, -2.8e-44]), NanRule::Refuse, NegativeRule::Refuse)
            .expect_err("a value is below 0");
        assert!(reason.contains("2.8e-51 %"), "{reason}");
    }
}
