//! Tissue: mass density from CT numbers.

use std::sync::LazyLock;

use crate::domain::density::MAX_DENSITY_G_CM3;
use crate::domain::{DensityMap, Invalid, Volume};
use crate::math::watch::{Interrupted, Unwatched, Watch};

/// Voxels between two looks at whether to go on: some milliseconds.
const VOXELS_AT_ONCE: usize = 1 << 20;

/// Largest relative fall of density from one point of a calibration to the next. Published curves fall by 4 %
/// (Schneider 2000 at 100 HU); a misplaced decimal point falls by 90 %.
const MAX_FALL: f64 = 0.1;

/// The last CT number for which the calibration of Schneider 2000 was published [HU].
const SCHNEIDER_ENDS_HU: f64 = 1600.0;

/// Largest density that an extended calibration gives [g/cm³]: cobalt-chromium alloy, the densest of the common
/// implants. Bone extended to the CT numbers of metal would reach 19 g/cm³, the density of gold.
///
/// Source: ASTM F75 (Co-28Cr-6Mo castings), 8.3 g/cm³; titanium is 4.5 and steel 8.0.
const DENSEST_IMPLANT_G_CM3: f64 = 8.3;

static SCHNEIDER_2000: LazyLock<DensityCurve> = LazyLock::new(|| {
    let text = include_str!("../../data/tissue/schneider2000_density.csv");
    let rows = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes()).into_deserialize();
    let piece = |row: Result<(f64, f64, f64), csv::Error>| {
        let (from_hu, intercept, slope) = row.expect("embedded tables are read by a test");
        LinearPiece { from_hu, intercept, slope }
    };
    DensityCurve { pieces: rows.map(piece).collect(), highest_hu: f64::INFINITY, calibrated_to_hu: SCHNEIDER_ENDS_HU }
});

/// Mass density as a piecewise linear function of the CT number.
///
/// Below the first CT number the density is constant: padding of -1024 or -3024 HU outside the scanner's circle is air.
/// CT numbers below 0 are ordinary tissue: lung lies near -700 HU.
#[derive(Clone, Debug, PartialEq)]
pub struct DensityCurve {
    /// By ascending CT number; never empty.
    pieces: Vec<LinearPiece>,
    /// Above this CT number the density is constant [HU].
    highest_hu: f64,
    /// Above this CT number the calibration is extended, or constant [HU].
    calibrated_to_hu: f64,
}

/// `density = intercept + slope · HU` from a CT number to the start of the next piece.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LinearPiece {
    from_hu: f64,
    intercept: f64,
    slope: f64,
}

impl LinearPiece {
    fn density_g_cm3(&self, hu: f64) -> f64 {
        self.intercept + self.slope * hu
    }
}

impl DensityCurve {
    /// The calibration of Schneider, Bortfeld and Schlegel, published for -1000 to 1600 HU. Its last piece, bone, is
    /// extended to higher numbers: 2.79 g/cm³ at 3000 HU, where the table shipped with GATE has 2.8. Metal saturates a
    /// CT, so the extension ends at the density of implants, 8.3 g/cm³.
    ///
    /// Source: Schneider et al., Phys. Med. Biol. 45 (2000) 459.
    pub fn schneider_2000() -> &'static Self {
        &SCHNEIDER_2000
    }

    /// A curve defined by the caller, linear between its points and constant beyond its ends.
    ///
    /// * `points` – CT number [HU] and density [g/cm³], by ascending CT number, at least two
    ///
    /// # Errors
    /// The number of the faulty point, from 0, and what is wrong with it: not finite, out of order, a density below 0
    /// or above that of any tissue, or a density far below that of the previous point.
    pub fn from_points(points: &[[f64; 2]]) -> Result<Self, (usize, Invalid)> {
        points.iter().enumerate().try_for_each(|(number, &point)| {
            check_point(number.checked_sub(1).map(|before| points[before]), point).map_err(|invalid| (number, invalid))
        })?;
        let [_, .., [highest_hu, _]] = points else {
            return Err((points.len(), Invalid::new("a curve needs at least two points")));
        };
        let piece = |pair: &[[f64; 2]]| {
            let ([hu, density], [next_hu, next_density]) = (pair[0], pair[1]);
            let slope = (next_density - density) / (next_hu - hu);
            LinearPiece { from_hu: hu, intercept: density - slope * hu, slope }
        };
        Ok(Self {
            pieces: points.windows(2).map(piece).collect(),
            highest_hu: *highest_hu,
            calibrated_to_hu: *highest_hu,
        })
    }

    /// Mass density at a CT number [g/cm³].
    ///
    /// * `hu` – a finite CT number [HU]
    pub fn density_g_cm3(&self, hu: f64) -> f64 {
        let density = self.extended_g_cm3(hu);
        if self.highest_hu.is_finite() { density } else { density.min(DENSEST_IMPLANT_G_CM3) }
    }

    /// As [`Self::density_g_cm3`], without a limit to the extension.
    fn extended_g_cm3(&self, hu: f64) -> f64 {
        let [lowest, highest] = self.range_hu();
        let hu = hu.clamp(lowest, highest);
        let after = self.pieces.partition_point(|piece| piece.from_hu <= hu);
        // At the ends of a steep piece rounding may give a value just below 0.
        self.pieces[after - 1].density_g_cm3(hu).max(0.0)
    }

    /// The last CT number for which the curve has a calibration [HU].
    pub fn calibrated_to_hu(&self) -> f64 {
        self.calibrated_to_hu
    }

    /// CT numbers beyond which the density is constant [HU].
    pub fn range_hu(&self) -> [f64; 2] {
        [self.pieces[0].from_hu, self.highest_hu]
    }

    /// Mass density of every voxel of a CT.
    ///
    /// * `ct` – CT numbers [HU]
    ///
    /// # Errors
    /// If a CT number is NaN or infinite, or if the curve, extended without a limit, gives a density above that of any
    /// matter: such a number is not even that of metal.
    pub fn density_map(&self, ct: &Volume<f32>) -> Result<DensityMap, Invalid> {
        self.density_map_watched(ct, &Unwatched).expect("nobody stops it")
    }

    /// As [`DensityCurve::density_map`]; `watch` is asked every few milliseconds whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn density_map_watched(
        &self,
        ct: &Volume<f32>,
        watch: &dyn Watch,
    ) -> Result<Result<DensityMap, Invalid>, Interrupted> {
        let values = ct.as_slice();
        if let Some(first) = values.iter().position(|hu| !hu.is_finite()) {
            let count = values.iter().filter(|hu| !hu.is_finite()).count();
            let value = values[first];
            let reason = format!("a CT number must be finite: value {first} is {value}, one of {count} such");
            return Ok(Err(Invalid::new(reason)));
        }
        let map = |density: &dyn Fn(f64) -> f64| {
            let mut densities = Vec::with_capacity(values.len());
            for some in values.chunks(VOXELS_AT_ONCE) {
                watch.check()?;
                #[expect(clippy::cast_possible_truncation, reason = "stored so; the range is checked by the map")]
                densities.extend(some.iter().map(|&hu| density(f64::from(hu)) as f32));
            }
            watch.check()?;
            Ok(Volume::from_vec(ct.grid().clone(), densities).and_then(DensityMap::new))
        };
        if let Err(beyond) = map(&|hu| self.extended_g_cm3(hu))? {
            return Ok(Err(beyond));
        }
        map(&|hu| self.density_g_cm3(hu))
    }
}

fn check_point(before: Option<[f64; 2]>, [hu, density]: [f64; 2]) -> Result<(), Invalid> {
    if !hu.is_finite() {
        return Err(Invalid::new(format!("a CT number must be finite, got {hu}")));
    }
    if !(0.0..=f64::from(MAX_DENSITY_G_CM3)).contains(&density) {
        return Err(Invalid::new(format!("a density is from 0 to {MAX_DENSITY_G_CM3} g/cm³, got {density}")));
    }
    match before {
        Some([hu_before, _]) if hu <= hu_before => {
            Err(Invalid::new(format!("CT numbers must rise: {hu} HU follows {hu_before} HU")))
        }
        Some([_, density_before]) if density < density_before * (1.0 - MAX_FALL) => Err(Invalid::new(format!(
            "density falls from {density_before} to {density} g/cm³, more than any calibration does"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schneider_is_as_published() {
        let curve = DensityCurve::schneider_2000();
        // CT number, density and where it is from: the paper's formulae, and nodes of GATE's table.
        let published = [
            (-1000.0, 1.21e-3),
            (-549.0, (1.21e-3 + 0.93) / 2.0),
            (-98.0, 0.93),
            (-97.0, 0.931379),
            (0.0, 1.018),
            (14.0, 1.030502),
            (15.0, 1.03),
            (22.0, 1.03),
            (23.0, 1.029887),
            (100.0, 1.1199),
            (101.0, 1.076792),
            (1600.0, 1.9642),
        ];
        for (hu, density) in published {
            let found = curve.density_g_cm3(hu);
            assert!((found - density).abs() < 1e-9, "{hu} HU: {found}, published {density}");
        }
        assert!((curve.density_g_cm3(3000.0) - 2.8).abs() < 0.01);
    }

    #[test]
    fn metal_is_no_denser_than_implants() {
        let curve = DensityCurve::schneider_2000();
        assert!(curve.density_g_cm3(8000.0) < DENSEST_IMPLANT_G_CM3);
        for hu in [20_000.0, 30_710.0, f64::from(i16::MAX)] {
            assert!((curve.density_g_cm3(hu) - DENSEST_IMPLANT_G_CM3).abs() < 1e-12, "{hu}");
        }
        let own = DensityCurve::from_points(&[[-1000.0, 0.0], [0.0, 1.0], [20_000.0, 19.3]]).expect("a good curve");
        assert!((own.density_g_cm3(30_000.0) - 19.3).abs() < 1e-12);
    }

    #[test]
    fn numbers_below_air_are_air_and_lung_is_not_water() {
        let curve = DensityCurve::schneider_2000();
        for hu in [-1001.0, -1024.0, -3024.0, f64::from(i16::MIN)] {
            assert!((curve.density_g_cm3(hu) - 1.21e-3).abs() < 1e-12, "{hu}");
        }
        let lung = curve.density_g_cm3(-700.0);
        assert!((0.3..0.32).contains(&lung), "{lung}");
    }

    #[test]
    fn own_points_are_met_and_their_ends_hold() {
        let curve = DensityCurve::from_points(&[[-1000.0, 0.0], [0.0, 1.0], [1000.0, 1.6]]).expect("a good curve");
        for (hu, density) in
            [(-2000.0, 0.0), (-1000.0, 0.0), (-250.0, 0.75), (0.0, 1.0), (500.0, 1.3), (1000.0, 1.6), (4000.0, 1.6)]
        {
            assert!((curve.density_g_cm3(hu) - density).abs() < 1e-12, "{hu}");
        }
    }

    #[test]
    fn points_that_are_no_curve_are_refused_by_number() {
        let fault = |points: &[[f64; 2]]| DensityCurve::from_points(points).expect_err("no curve");
        for (points, number, reason) in [
            (&[][..], 0, "two points"),
            (&[[0.0, 1.0]], 1, "two points"),
            (&[[0.0, 1.0], [0.0, 1.1]], 1, "rise"),
            (&[[0.0, 1.0], [f64::NAN, 1.1]], 1, "finite"),
            (&[[0.0, -0.1], [1.0, 1.1]], 0, "from 0"),
            (&[[0.0, 1.0], [1.0, f64::NAN]], 1, "from 0"),
            (&[[0.0, 1.0], [1.0, 1.1], [2.0, 0.11]], 2, "falls"),
        ] {
            let (found, Invalid(text)) = fault(points);
            assert!(found == number && text.contains(reason), "{points:?}: {found} {text}");
        }
        // A fall as in the published curve is a curve.
        assert!(DensityCurve::from_points(&[[100.0, 1.1199], [101.0, 1.0762]]).is_ok());
    }

    #[test]
    fn nobody_waits_for_the_density_of_a_ct_that_nobody_wants() {
        use crate::domain::{Control, Stage};
        let grid = crate::domain::VoxelGrid::new([128, 128, 160], [1.0; 3]).expect("a good grid");
        let ct = Volume::from_vec(std::sync::Arc::new(grid), vec![40.0_f32; 128 * 128 * 160]).expect("its voxels");
        let curve = DensityCurve::schneider_2000();
        let all = Control::detached();
        let made = curve.density_map_watched(&ct, &all.at_stage(Stage::Tables)).expect("nobody stops it");
        assert_eq!(made, curve.density_map(&ct));
        // Twice three pieces, and the end of each.
        assert_eq!(all.times_asked(), 8);
        let gone = Control::gone_after(3);
        assert_eq!(curve.density_map_watched(&ct, &gone.at_stage(Stage::Tables)), Err(Interrupted));
        assert_eq!(gone.times_asked(), 3);
    }
}
