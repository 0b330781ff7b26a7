//! Where the activity of a first cycle of Lu-177-DOTATATE goes, and how long it stays there.

use super::{PhantomRegion, StylisedPhantom};

/// The activity of one cycle [Bq].
pub const ADMINISTERED_BQ: f64 = 7.4e9;

/// The nuclide of the demonstration.
pub const NUCLIDE: &str = "Lu-177";

/// Mass of the whole adult phantom, head and legs included [g]. Source: Cristy and Eckerman, ORNL/TM-8381/V1 (1987).
const WHOLE_BODY_MASS_G: f64 = 73_700.0;
/// Density of soft tissue, lung and skeleton of the phantom [g/cm³]. Source: as above.
const SOFT_TISSUE_G_CM3: f64 = 1.04;
const LUNG_G_CM3: f64 = 0.296;
const SKELETON_G_CM3: f64 = 1.40;

/// How much of the activity an organ takes up, and how fast the organ loses it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uptake {
    /// Fraction of the administered activity, extrapolated back to the time of administration.
    pub fraction: f64,
    /// Effective half-life [h]: physical decay and washout together.
    pub effective_half_life_h: f64,
}

impl Uptake {
    /// Time-integrated activity of a cycle [Bq·s].
    pub fn decays(self) -> f64 {
        ADMINISTERED_BQ * self.fraction * self.effective_half_life_h * 3600.0 / std::f64::consts::LN_2
    }
}

/// Uptake of a region that accumulates the tracer; none for regions that belong to the rest of the body.
///
/// Effective half-lives are the rounded medians of Hänscheid et al., J Nucl Med 59 (2018) 75. With the masses of the
/// phantom, the uptakes give the mean absorbed doses per administered activity published for patients: kidneys 0.57 to
/// 0.65, liver 0.27 to 0.30, spleen 0.85 to 1.17, tumours 3.4 Gy/GBq (Gupta et al., Clin Nucl Med 38 (2013) 188, 61
/// patients; prescribing information of Lutathera, 2018, 20 patients). Patients differ by a factor of two and more.
pub fn uptake(region: PhantomRegion) -> Option<Uptake> {
    let (fraction, effective_half_life_h) = match region {
        PhantomRegion::Liver => (0.060, 67.0),
        PhantomRegion::Spleen => (0.020, 67.0),
        PhantomRegion::LeftKidney | PhantomRegion::RightKidney => (0.015, 51.0),
        PhantomRegion::LargeLiverMetastasis => (0.017, 77.0),
        PhantomRegion::SmallLiverMetastasis => (0.006, 77.0),
        PhantomRegion::VertebralMetastasis => (0.005, 77.0),
        PhantomRegion::Outside
        | PhantomRegion::LeftLung
        | PhantomRegion::RightLung
        | PhantomRegion::Spine
        | PhantomRegion::Ribs
        | PhantomRegion::Remainder => {
            return None;
        }
    };
    Some(Uptake { fraction, effective_half_life_h })
}

/// Uptake of all other tissue, spread evenly by mass over the whole body. The remaining 43 % of the administered
/// activity are in the urine within hours (44 % in 5 h: prescribing information of Lutathera, 2018). The same source
/// gives 0.05 Gy/GBq to the whole body, which this half-life and the organs reproduce.
pub const REST_OF_BODY: Uptake = Uptake { fraction: 0.43, effective_half_life_h: 50.0 };

/// Time-integrated activity of a region within the grid of the phantom [Bq·s].
pub fn decays(phantom: &StylisedPhantom, region: PhantomRegion) -> f64 {
    let density_g_cm3 = match region {
        PhantomRegion::Outside => return 0.0,
        PhantomRegion::LeftLung | PhantomRegion::RightLung => LUNG_G_CM3,
        PhantomRegion::Spine | PhantomRegion::Ribs => SKELETON_G_CM3,
        PhantomRegion::Remainder => SOFT_TISSUE_G_CM3,
        PhantomRegion::Liver
        | PhantomRegion::Spleen
        | PhantomRegion::LeftKidney
        | PhantomRegion::RightKidney
        | PhantomRegion::LargeLiverMetastasis
        | PhantomRegion::SmallLiverMetastasis
        | PhantomRegion::VertebralMetastasis => {
            return uptake(region).expect("these are the regions with an uptake of their own").decays();
        }
    };
    REST_OF_BODY.decays() * density_g_cm3 * phantom.region_volume_cm3(region) / WHOLE_BODY_MASS_G
}

/// Activity of a region within the grid of the phantom [Bq].
///
/// * `hours` – after the administration
pub fn activity_bq(phantom: &StylisedPhantom, region: PhantomRegion, hours: f64) -> f64 {
    let half_life_h = uptake(region).unwrap_or(REST_OF_BODY).effective_half_life_h;
    let rate_per_h = std::f64::consts::LN_2 / half_life_h;
    decays(phantom, region) * rate_per_h / 3600.0 * (-rate_per_h * hours).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_doses_are_those_published_for_patients() {
        // Energy that stays in the organ per decay: the 0.147 MeV of the electrons of Lu-177. Photons add less than 10
        // %.
        let gray_gram_per_decay = 0.147 * crate::constants::GY_PER_MEV_PER_G;
        // Region, volume [cm³], published means [Gy/GBq]: see `uptake`.
        let published = [
            (PhantomRegion::Liver, 1830.0, 0.25, 0.31),
            (PhantomRegion::Spleen, 176.0, 0.85, 1.17),
            (PhantomRegion::LeftKidney, 144.0, 0.55, 0.66),
            (PhantomRegion::RightKidney, 144.0, 0.55, 0.66),
            (PhantomRegion::LargeLiverMetastasis, 44.6, 2.7, 4.1),
            (PhantomRegion::SmallLiverMetastasis, 11.5, 2.7, 6.0),
        ];
        for (region, volume_cm3, low, high) in published {
            let mass_g = volume_cm3 * SOFT_TISSUE_G_CM3;
            let decays = uptake(region).expect("has an uptake").decays();
            let gy_per_gbq = decays * gray_gram_per_decay / mass_g / (ADMINISTERED_BQ * 1e-9);
            assert!((low..=high).contains(&gy_per_gbq), "{}: {gy_per_gbq:.3} Gy/GBq", region.name());
        }
    }

    #[test]
    fn uptakes_leave_room_for_excretion() {
        let organs: f64 = PhantomRegion::ALL.into_iter().filter_map(uptake).map(|u| u.fraction).sum();
        let excreted = 1.0 - organs - REST_OF_BODY.fraction;
        assert!((0.40..0.48).contains(&excreted), "{excreted}");
    }
}
