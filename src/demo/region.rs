//! The organs of the phantom, as equations.
//!
//! Coordinates are in cm. The origin is the centre of the base of the trunk; x points to the left of the phantom, y to
//! its back, z to its head.
//!
//! Source of trunk, lungs, spine, ribs, liver, spleen and kidneys: Cristy and Eckerman, *Specific absorbed fractions of
//! energy at various ages from internal photon sources, I. Methods*, ORNL/TM-8381/V1 (1987), adult. Except for the
//! lungs, the equations are those of Snyder, Ford and Warner, MIRD Pamphlet No. 5, Revised (1978). Those phantoms have
//! no tumours; the three here were made up for this program.

/// The region that a point of the phantom belongs to. The discriminant is the value in the label map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhantomRegion {
    /// Air around the body.
    Outside = 0,
    /// Liver, without its metastases.
    Liver = 1,
    /// Spleen.
    Spleen = 2,
    /// Left kidney.
    LeftKidney = 3,
    /// Right kidney.
    RightKidney = 4,
    /// A large metastasis of the liver.
    LargeLiverMetastasis = 5,
    /// A small metastasis of the liver.
    SmallLiverMetastasis = 6,
    /// A metastasis of a lumbar vertebra.
    VertebralMetastasis = 7,
    /// Left lung.
    LeftLung = 8,
    /// Right lung.
    RightLung = 9,
    /// Spine, without its metastasis.
    Spine = 10,
    /// Ribs.
    Ribs = 11,
    /// The rest of the trunk.
    Remainder = 12,
}

/// A ball: centre and radius [cm].
struct Ball {
    centre: [f64; 3],
    radius: f64,
}

/// In the right lobe, 45 cm³.
const LARGE_LIVER_METASTASIS: Ball = Ball { centre: [-11.3, 2.8, 36.0], radius: 2.2 };
/// In the left lobe, 11 cm³.
const SMALL_LIVER_METASTASIS: Ball = Ball { centre: [-3.5, -2.5, 39.5], radius: 1.4 };
/// In the body of a lumbar vertebra, 10 cm³.
const VERTEBRAL_METASTASIS: Ball = Ball { centre: [0.0, 5.2, 34.0], radius: 1.35 };

impl PhantomRegion {
    /// Every region, by label. If two contain a point, as a tumour and its organ do, [`PhantomRegion::at`] decides.
    pub const ALL: [Self; 13] = [
        Self::Outside,
        Self::Liver,
        Self::Spleen,
        Self::LeftKidney,
        Self::RightKidney,
        Self::LargeLiverMetastasis,
        Self::SmallLiverMetastasis,
        Self::VertebralMetastasis,
        Self::LeftLung,
        Self::RightLung,
        Self::Spine,
        Self::Ribs,
        Self::Remainder,
    ];

    /// The value in the label map.
    pub fn label(self) -> u8 {
        self as u8
    }

    /// Name for tables and legends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Liver => "liver",
            Self::Spleen => "spleen",
            Self::LeftKidney => "left kidney",
            Self::RightKidney => "right kidney",
            Self::LargeLiverMetastasis => "large liver metastasis",
            Self::SmallLiverMetastasis => "small liver metastasis",
            Self::VertebralMetastasis => "vertebral metastasis",
            Self::LeftLung => "left lung",
            Self::RightLung => "right lung",
            Self::Spine => "spine",
            Self::Ribs => "ribs",
            Self::Remainder => "rest of the trunk",
        }
    }

    /// CT number [HU]. For lungs and skeleton it is the one that the calibration of Schneider, Bortfeld and Schlegel,
    /// Phys Med Biol 45 (2000) 459, maps to the densities of ORNL/TM-8381 (0.296 and 1.40 g/cm³). Soft tissues have one
    /// density there; here they differ as in a CT without contrast medium.
    pub fn ct_number_hu(self) -> f32 {
        match self {
            Self::Outside => -1000.0,
            Self::Liver => 60.0,
            Self::Spleen => 50.0,
            Self::LeftKidney | Self::RightKidney => 35.0,
            Self::LargeLiverMetastasis | Self::SmallLiverMetastasis => 45.0,
            Self::LeftLung | Self::RightLung => -714.0,
            Self::VertebralMetastasis | Self::Spine | Self::Ribs => 647.0,
            Self::Remainder => 25.0,
        }
    }

    /// The region that contains a point [cm].
    pub fn at(point: [f64; 3]) -> Self {
        if !Self::Remainder.contains(point) {
            return Self::Outside;
        }
        // Tumours come before the organs that they lie in. Organs do not overlap.
        const INNER: [PhantomRegion; 11] = [
            PhantomRegion::LargeLiverMetastasis,
            PhantomRegion::SmallLiverMetastasis,
            PhantomRegion::VertebralMetastasis,
            PhantomRegion::Liver,
            PhantomRegion::Spleen,
            PhantomRegion::LeftKidney,
            PhantomRegion::RightKidney,
            PhantomRegion::LeftLung,
            PhantomRegion::RightLung,
            PhantomRegion::Spine,
            PhantomRegion::Ribs,
        ];
        INNER.into_iter().find(|region| region.contains(point)).unwrap_or(Self::Remainder)
    }

    /// Whether a point [cm] satisfies the equations of this region, whatever other regions contain it. The remainder
    /// has those of the whole trunk.
    pub fn contains(self, [x, y, z]: [f64; 3]) -> bool {
        match self {
            Self::Outside => !Self::Remainder.contains([x, y, z]),
            Self::Remainder => (0.0..=70.0).contains(&z) && ellipse(x / 20.0, y / 10.0),
            Self::Liver => {
                (27.0..=43.0).contains(&z) && ellipse(x / 16.5, y / 8.0) && x / 35.0 + y / 45.0 - z / 43.0 <= -1.0
            }
            Self::Spleen => ellipsoid((x - 11.0) / 3.5, (y - 3.0) / 2.0, (z - 37.0) / 6.0),
            Self::LeftKidney => x >= 3.0 && ellipsoid((x - 6.0) / 4.5, (y - 6.0) / 1.5, (z - 32.5) / 5.5),
            Self::RightKidney => x <= -3.0 && ellipsoid((x + 6.0) / 4.5, (y - 6.0) / 1.5, (z - 32.5) / 5.5),
            Self::LargeLiverMetastasis => LARGE_LIVER_METASTASIS.contains([x, y, z]),
            Self::SmallLiverMetastasis => SMALL_LIVER_METASTASIS.contains([x, y, z]),
            Self::VertebralMetastasis => VERTEBRAL_METASTASIS.contains([x, y, z]),
            Self::LeftLung => {
                let beside_heart = z <= 55.0 && y < 1.0 && x < 8.0;
                z >= 43.5 && ellipsoid((x - 8.5) / 5.0, y / 7.5, (z - 43.5) / 24.0) && !beside_heart
            }
            Self::RightLung => {
                let beside_heart = (46.0..=54.0).contains(&z) && y < 1.5 && x > -5.4;
                z >= 43.5 && ellipsoid((x + 8.5) / 5.0, y / 7.5, (z - 43.5) / 24.0) && !beside_heart
            }
            Self::Spine => z >= 22.0 && ellipse(x / 2.0, (y - 5.5) / 2.5),
            Self::Ribs => {
                // Twelve pairs: every second of 23 slabs of 1.4 cm.
                let slab = ((z - 35.1) / 1.4).floor();
                (35.1..=67.3).contains(&z)
                    && slab.rem_euclid(2.0) == 0.0
                    && ellipse(x / 17.0, y / 9.8)
                    && !ellipse(x / 16.5, y / 9.3)
            }
        }
    }
}

impl Ball {
    fn contains(&self, point: [f64; 3]) -> bool {
        let [x, y, z] = [0, 1, 2].map(|axis| (point[axis] - self.centre[axis]) / self.radius);
        ellipsoid(x, y, z)
    }
}

fn ellipse(x: f64, y: f64) -> bool {
    x * x + y * y <= 1.0
}

fn ellipsoid(x: f64, y: f64, z: f64) -> bool {
    x * x + y * y + z * z <= 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Step of the lattice on which the equations are integrated [cm]. Volumes of round shapes of 100 cm³ and more are
    /// then right to 0.3 %.
    const STEP_CM: f64 = 0.15;

    /// Points of a regular lattice over the trunk.
    fn lattice() -> impl Iterator<Item = [f64; 3]> {
        let along = |from: f64, to: f64| {
            let n = ((to - from) / STEP_CM).round();
            (0..).map(f64::from).take_while(move |&i| i < n).map(move |i| from + (i + 0.5) * STEP_CM)
        };
        along(0.0, 70.0)
            .flat_map(move |z| along(-10.0, 10.0).flat_map(move |y| along(-20.0, 20.0).map(move |x| [x, y, z])))
    }

    #[test]
    fn volumes_are_the_published_ones() {
        // Cristy and Eckerman (1987), adult [cm³]. The liver and the spine contain the tumours.
        let published = [
            (PhantomRegion::Remainder, 43_980.0),
            (PhantomRegion::Liver, 1_830.0),
            (PhantomRegion::Spleen, 176.0),
            (PhantomRegion::LeftKidney, 144.0),
            (PhantomRegion::RightKidney, 144.0),
            (PhantomRegion::LeftLung, 1_560.0),
            (PhantomRegion::RightLung, 1_810.0),
            (PhantomRegion::Ribs, 694.0),
        ];
        let mut found = [0.0; 13];
        for point in lattice() {
            for (region, _) in published {
                if region.contains(point) {
                    found[usize::from(region.label())] += STEP_CM.powi(3);
                }
            }
        }
        for (region, expected) in published {
            let volume: f64 = found[usize::from(region.label())];
            assert!((volume / expected - 1.0).abs() < 0.01, "{}: {volume:.1} cm³, published {expected}", region.name());
        }
    }

    #[test]
    fn organs_do_not_overlap_and_tumours_lie_in_their_organ() {
        let organs: Vec<PhantomRegion> = PhantomRegion::ALL
            .into_iter()
            .filter(|r| !matches!(r, PhantomRegion::Outside | PhantomRegion::Remainder))
            .collect();
        let hosts = [
            (PhantomRegion::LargeLiverMetastasis, PhantomRegion::Liver),
            (PhantomRegion::SmallLiverMetastasis, PhantomRegion::Liver),
            (PhantomRegion::VertebralMetastasis, PhantomRegion::Spine),
        ];
        let host = |region| hosts.iter().find(|(tumour, _)| *tumour == region).map(|(_, organ)| *organ);
        let mut tumour_points = 0;
        for point in lattice() {
            let holders: Vec<PhantomRegion> = organs.iter().copied().filter(|r| r.contains(point)).collect();
            match holders[..] {
                [] => {}
                [one] => assert_eq!(host(one), None, "{} is outside its organ at {point:?}", one.name()),
                [a, b] if host(a) == Some(b) || host(b) == Some(a) => tumour_points += 1,
                _ => panic!("overlap at {point:?}: {holders:?}"),
            }
        }
        assert!(tumour_points > 10_000, "the tumours hold {tumour_points} points");
    }

    #[test]
    fn labels_number_the_regions() {
        for (label, region) in PhantomRegion::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(region.label()), label);
        }
        assert_eq!(PhantomRegion::at([0.0, 0.0, -1.0]), PhantomRegion::Outside);
        assert_eq!(PhantomRegion::at([-12.0, -3.0, 35.0]), PhantomRegion::Liver);
        assert_eq!(PhantomRegion::at([0.0, 0.0, 25.0]), PhantomRegion::Remainder);
    }
}
