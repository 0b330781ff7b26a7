//! Organs that may overlap, and that may hold a part of a voxel.

use std::sync::Arc;

use super::{Invalid, LabelMap, Volume, VoxelGrid, words};

/// How far above 1 a share of a voxel may lie.
const SHARE_TOLERANCE: f32 = 1e-4;

/// Organs on one grid. A voxel may belong to several of them, or in part: a tumour is not cut out of its liver.
#[derive(Clone, Debug, PartialEq)]
pub struct Organs {
    grid: Arc<VoxelGrid>,
    organs: Vec<Organ>,
}

/// An organ: the voxels it has a share of.
#[derive(Clone, Debug, PartialEq)]
pub struct Organ {
    /// Its number, not 0.
    pub label: u16,
    /// Its name, where the file says one.
    pub name: Option<String>,
    /// Indices of its voxels, x fastest, rising.
    voxels: Vec<u32>,
    /// The part of each voxel that belongs to it, above 0; none: all of each.
    shares: Option<Vec<f32>>,
}

impl Organ {
    /// An organ of whole voxels.
    ///
    /// * `voxels` – indices, x fastest, rising
    ///
    /// # Errors
    /// If the label is 0, or the indices do not rise.
    pub fn whole(label: u16, name: Option<String>, voxels: Vec<u32>) -> Result<Self, Invalid> {
        Self { label, name, voxels, shares: None }.checked()
    }

    /// An organ of parts of voxels.
    ///
    /// * `shares` – pairs of an index and the part of that voxel, above 0 and at most 1; by rising index
    ///
    /// # Errors
    /// As [`Self::whole`], or if a share is out of range.
    pub fn partial(
        label: u16,
        name: Option<String>,
        shares: impl IntoIterator<Item = (u32, f32)>,
    ) -> Result<Self, Invalid> {
        let (voxels, shares): (Vec<u32>, Vec<f32>) = shares.into_iter().unzip();
        if let Some(bad) = shares.iter().find(|share| !(**share > 0.0 && **share <= 1.0 + SHARE_TOLERANCE)) {
            return Err(Invalid::new(format!("the part of a voxel in an organ is above 0 and at most 1, got {bad}")));
        }
        let whole = shares.iter().all(|share| *share >= 1.0);
        let shares = (!whole).then(|| shares.into_iter().map(|share| share.min(1.0)).collect());
        Self { label, name, voxels, shares }.checked()
    }

    /// An organ of parts of voxels, from a map of them.
    ///
    /// * `map` – the part of each voxel, 0 to 1; 0 and 1 alone are a mask
    ///
    /// # Errors
    /// If a value is no such part, and as [`Self::partial`].
    pub fn of_shares<T: Copy + Into<f64>>(label: u16, name: Option<String>, map: &Volume<T>) -> Result<Self, Invalid> {
        let values = || map.as_slice().iter().map(|&value| value.into());
        let is_bad = |value: &f64| !(0.0..=1.0).contains(value);
        if let Some((index, value)) = values().enumerate().find(|(_, value)| is_bad(value)) {
            let count = values().filter(is_bad).count();
            return Err(Invalid::new(format!(
                "the part of a voxel in an organ is 0 to 1: value {index} is {value}, one of {count} such"
            )));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
        let inside = values().enumerate().map(|(index, share)| (index, share as f32)).filter(|(_, share)| *share > 0.0);
        let shares: Result<Vec<(u32, f32)>, Invalid> =
            inside.map(|(index, share)| Ok((index_of(index)?, share))).collect();
        Self::partial(label, name, shares?)
    }

    fn checked(self) -> Result<Self, Invalid> {
        if self.label == 0 {
            return Err(Invalid::new("an organ has a label from 1 to 65535; 0 is no organ"));
        }
        if self.voxels.is_sorted_by(|a, b| a < b) {
            Ok(self)
        } else {
            Err(Invalid::new(format!("the voxels of organ {} are not in rising order", self.label)))
        }
    }

    /// The same voxels under another label and name.
    ///
    /// # Errors
    /// If the label is 0.
    pub fn renamed(&self, label: u16, name: Option<String>) -> Result<Self, Invalid> {
        Self { label, name, ..self.clone() }.checked()
    }

    /// Indices of its voxels, x fastest, rising.
    pub fn voxels(&self) -> &[u32] {
        &self.voxels
    }

    /// Each voxel of the organ and the part of it that belongs to it.
    pub fn shares(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let share = |at: usize| self.shares.as_ref().map_or(1.0, |shares| f64::from(shares[at]));
        self.voxels.iter().enumerate().map(move |(at, &voxel)| (voxel as usize, share(at)))
    }

    /// Whether every voxel belongs to it whole.
    pub fn is_whole(&self) -> bool {
        self.shares.is_none()
    }

    /// Voxels, parts of voxels counted as such.
    pub fn size_voxels(&self) -> f64 {
        self.shares.as_ref().map_or(self.voxels.len() as f64, |shares| shares.iter().map(|&v| f64::from(v)).sum())
    }
}

impl Organs {
    /// * `organs` – in any order, with unlike labels
    ///
    /// # Errors
    /// If two organs have one label, or a voxel is not of the grid.
    pub fn new(grid: Arc<VoxelGrid>, mut organs: Vec<Organ>) -> Result<Self, Invalid> {
        organs.sort_by_key(|organ| organ.label);
        if let Some(pair) = organs.windows(2).find(|pair| pair[0].label == pair[1].label) {
            return Err(Invalid::new(format!("two organs have the label {}", pair[0].label)));
        }
        let voxels = grid.voxels();
        if let Some(bad) = organs.iter().find(|r| r.voxels.last().is_some_and(|&last| last as usize >= voxels)) {
            return Err(Invalid::new(format!("organ {} has a voxel that is not of the grid", bad.label)));
        }
        Ok(Self { grid, organs })
    }

    /// The organs of a label map.
    ///
    /// # Errors
    /// If the map has more than 2³² voxels.
    pub fn of_map(map: &LabelMap) -> Result<Self, Invalid> {
        let labels = map.labels();
        let mut voxels: Vec<Vec<u32>> = vec![Vec::new(); usize::from(u16::MAX) + 1];
        for (index, &label) in labels.as_slice().iter().enumerate().filter(|(_, label)| **label != 0) {
            voxels[usize::from(label)].push(index_of(index)?);
        }
        let present = voxels.into_iter().enumerate().filter(|(_, voxels)| !voxels.is_empty());
        let organs = present
            .map(|(label, voxels)| Organ::whole(u16::try_from(label).expect("up to 65535"), None, voxels))
            .collect::<Result<_, _>>()?;
        Self::new(labels.grid().clone(), organs)
    }

    /// Where the voxels are.
    pub fn grid(&self) -> &Arc<VoxelGrid> {
        &self.grid
    }

    /// The organs by rising label.
    pub fn organs(&self) -> &[Organ] {
        &self.organs
    }

    /// The organ of a name; case and blanks make no other name.
    ///
    /// # Errors
    /// If there is none, or there are several.
    pub fn named(&self, name: &str) -> Result<&Organ, Invalid> {
        let known = words::same_name(name);
        let is_it = |organ: &&Organ| organ.name.as_deref().is_some_and(|own| words::same_name(own) == known);
        let found: Vec<&Organ> = self.organs.iter().filter(is_it).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(Invalid::new("no organ of the labels has this name")),
            several => {
                let labels: Vec<String> = several.iter().map(|organ| organ.label.to_string()).collect();
                let labels = labels.join(", ");
                Err(Invalid::new(format!("several organs have this name, with the labels {labels}: give the label")))
            }
        }
    }

    /// Voxels that belong to more than one organ, or to organs by more than the whole.
    pub fn overlapping_voxels(&self) -> usize {
        let mut sums = vec![0.0; self.grid.voxels()];
        for (voxel, share) in self.organs.iter().flat_map(Organ::shares) {
            sums[voxel] += share;
        }
        sums.into_iter().filter(|sum| *sum > 1.0 + f64::from(SHARE_TOLERANCE)).count()
    }

    /// The same organs as a map of labels, and those that such a map cannot hold: they overlap others, have parts of
    /// voxels, or no voxel at all.
    pub fn layers(&self) -> (Option<LabelMap>, Vec<Organ>) {
        let mut labels = vec![0u16; self.grid.voxels()];
        let mut apart = Vec::new();
        for organ in &self.organs {
            let is_free = organ.voxels.iter().all(|&voxel| labels[voxel as usize] == 0);
            if organ.voxels.is_empty() || !organ.is_whole() || !is_free {
                apart.push(organ.clone());
                continue;
            }
            organ.voxels.iter().for_each(|&voxel| labels[voxel as usize] = organ.label);
        }
        let map = || LabelMap::of(Volume::from_vec(self.grid.clone(), labels).expect("a label for each voxel"));
        ((apart.len() < self.organs.len()).then(map), apart)
    }

    /// One label a voxel, for what can take no more than that: the organ with the largest share of it, if that is more
    /// than no organ has. Where organs overlap, the smaller one is meant: a tumour takes its share of a voxel before
    /// the liver around it does.
    pub fn label_map(&self) -> LabelMap {
        let mut by_size: Vec<&Organ> = self.organs.iter().collect();
        by_size.sort_by(|a, b| a.size_voxels().total_cmp(&b.size_voxels()).then(a.label.cmp(&b.label)));
        let voxels = self.grid.voxels();
        let (mut labels, mut best, mut left) = (vec![0u16; voxels], vec![0f64; voxels], vec![1f64; voxels]);
        for organ in by_size {
            for (voxel, share) in organ.shares() {
                let own = share.min(left[voxel]);
                left[voxel] -= own;
                if own > best[voxel] {
                    (labels[voxel], best[voxel]) = (organ.label, own);
                }
            }
        }
        for ((label, best), left) in labels.iter_mut().zip(best).zip(left) {
            if best < left {
                *label = 0;
            }
        }
        LabelMap::of(Volume::from_vec(self.grid.clone(), labels).expect("a label for each voxel"))
    }
}

/// Index of a voxel as organs keep it.
///
/// # Errors
/// If it does not fit.
pub(crate) fn index_of(index: usize) -> Result<u32, Invalid> {
    u32::try_from(index).map_err(|_| Invalid::new("a grid with organs has at most 2^32 voxels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Arc<VoxelGrid> {
        Arc::new(VoxelGrid::new([4, 1, 1], [1.0; 3]).expect("a good grid"))
    }

    #[test]
    fn overlapping_organs_keep_all_their_voxels() {
        let liver = Organ::whole(1, Some("liver".into()), vec![0, 1, 2]).expect("good");
        let tumour = Organ::whole(2, None, vec![1]).expect("good");
        let organs = Organs::new(grid(), vec![tumour, liver]).expect("good");
        assert_eq!(organs.organs().iter().map(Organ::size_voxels).collect::<Vec<_>>(), [3.0, 1.0]);
        assert_eq!(organs.overlapping_voxels(), 1);
        assert_eq!(organs.label_map().labels().as_slice(), [1, 2, 1, 0]);
    }

    #[test]
    fn the_larger_share_of_a_voxel_decides_its_label() {
        let a = Organ::partial(3, None, [(0, 0.4), (1, 1.0), (2, 0.3)]).expect("good");
        let b = Organ::partial(4, None, [(0, 0.6), (2, 0.3)]).expect("good");
        let organs = Organs::new(grid(), vec![a, b]).expect("good");
        assert_eq!(organs.label_map().labels().as_slice(), [4, 3, 0, 0]);
        assert_eq!(organs.overlapping_voxels(), 0);
    }

    #[test]
    fn a_label_map_becomes_organs_and_back() {
        let map = LabelMap::of(Volume::from_vec(grid(), vec![0u16, 65535, 7, 7]).expect("four labels"));
        let organs = Organs::of_map(&map).expect("few voxels");
        assert_eq!(organs.label_map(), map);
        assert_eq!(organs.organs()[0].voxels(), [2, 3]);
    }

    #[test]
    fn a_map_holds_what_does_not_overlap_and_the_rest_is_apart() {
        let organ = |label, voxels: &[u32]| Organ::whole(label, None, voxels.to_vec()).expect("good");
        let part = Organ::partial(9, None, [(3, 0.5)]).expect("good");
        let all = vec![organ(1, &[0, 1]), organ(2, &[1]), organ(3, &[2]), organ(4, &[]), part.clone()];
        let (map, apart) = Organs::new(grid(), all).expect("good").layers();
        assert_eq!(map.expect("two organs").labels().as_slice(), [1, 1, 3, 0]);
        assert_eq!(apart, [organ(2, &[1]), organ(4, &[]), part.clone()]);
        assert_eq!(Organs::new(grid(), vec![part.clone()]).expect("good").layers(), (None, vec![part]));
    }

    #[test]
    fn bad_organs_are_refused() {
        assert!(Organ::whole(0, None, vec![1]).is_err());
        assert!(Organ::whole(1, None, vec![2, 1]).is_err());
        assert!(Organ::partial(1, None, [(0, 1.5)]).is_err());
        assert!(Organ::partial(1, None, [(0, f32::NAN)]).is_err());
        let map = Volume::from_vec(grid(), vec![0.0, 1.5, f32::NAN, 1.0]).expect("four values");
        let Invalid(reason) = Organ::of_shares(1, None, &map).expect_err("no parts");
        assert!(reason.contains("value 1 is 1.5, one of 2 such"), "{reason}");
        let outside = Organ::whole(1, None, vec![4]).expect("good");
        assert!(Organs::new(grid(), vec![outside]).is_err());
        let twice = [1, 1].map(|label| Organ::whole(label, None, vec![0]).expect("good"));
        assert!(Organs::new(grid(), twice.to_vec()).is_err());
    }
}
