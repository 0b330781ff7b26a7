use super::*;
use crate::clinic::weighting::relative_sigmas;
use crate::clinic::{Integration, Moment, PointDraft, SeriesDraft, ValueRefersTo, integrate};

/// What is the same but for the rounding of weights.
const SAME: f64 = 1e-8;
const TIMES_H: [f64; 4] = [24.0, 48.0, 96.0, 168.0];

fn frames(times_h: &[f64], duration_h: f64) -> Frames {
    let point = |time_h: &f64| PointDraft {
        time: Moment::Hours(*time_h),
        activity_mbq: f64::NAN,
        sigma_mbq: None,
        duration_h: Some(duration_h),
    };
    Frames::new(&SeriesDraft {
        points: times_h.iter().map(point).collect(),
        injection: None,
        physical_half_life_h: 159.5,
        administered_activity_mbq: None,
        infusion_h: 0.0,
        refers_to: ValueRefersTo::AcquisitionMean,
    })
    .expect("times")
}

/// Voxels that fall, scatter, rise, or hold little: by place.
fn voxel(place: usize) -> [f32; 4] {
    let rate = [0.003, 0.006, 0.012, 0.03, 0.09, -0.004][place % 6];
    let scatter = |at: usize| 1.0 + 0.3 * (12.9 * place as f64 + 78.2 * at as f64).sin();
    let value = |at: usize| {
        let fallen = (-rate * TIMES_H[at]).exp() * scatter(at) - 0.02 * f64::from(u8::from(place.is_multiple_of(7)));
        #[expect(clippy::cast_possible_truncation, reason = "a map has single precision")]
        {
            fallen as f32
        }
    };
    [0, 1, 2, 3].map(value)
}

fn maps(voxels: usize) -> Vec<Vec<f32>> {
    (0..4).map(|at| (0..voxels).map(|place| voxel(place)[at]).collect()).collect()
}

fn integrals(frames: &Frames, maps: &[Vec<f32>]) -> VoxelIntegrals {
    let maps: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    integrate_voxels(frames, &maps, &VoxelOptions::default()).expect("maps")
}

#[test]
fn a_voxel_gets_what_a_region_of_its_values_gets() {
    let found = integrals(&frames(&TIMES_H, 0.5), &maps(600));
    let mut kinds = std::collections::BTreeSet::new();
    for (place, (tia, kind)) in found.tia_mbq_h.iter().zip(&found.kinds).enumerate() {
        let activities = voxel(place).map(f64::from);
        let series = frames(&TIMES_H, 0.5).series(&activities, None);
        let options = CurveOptions {
            model: crate::clinic::ModelChoice::Exponentials(crate::clinic::Shape::Mono),
            ..CurveOptions::default()
        };
        let right = integrate(&series, &options).expect("an integral");
        let off = (tia - right.tia_mbq_h).abs() / right.tia_mbq_h.abs();
        assert!(off < 1e-6, "{place} {activities:?}: {tia} {kind:?}, {right:?}");
        kinds.insert(kind.number());
    }
    assert!(kinds.contains(&0) && kinds.contains(&2) && kinds.contains(&3), "{kinds:?}");
}

#[test]
fn the_choice_weighs_by_the_floor_that_the_fit_of_one_exponential_has() {
    // Two exponentials have five parameters and more: with three scans, both ways fit one.
    let frames = frames(&TIMES_H[..3], 0.0);
    let maps: Vec<Vec<f32>> = (0..3).map(|at| vec![[20.0, 6.0, -0.05][at], [9.0, 5.0, 1.5][at]]).collect();
    let maps: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let integral = |model, sigma_floor_of_its_maximum| {
        let options = VoxelOptions { model, sigma_floor_of_its_maximum, ..VoxelOptions::default() };
        integrate_voxels(&frames, &maps, &options).expect("maps").tia_mbq_h
    };
    for floor in [FLOOR, 10.0 * FLOOR] {
        let [mono, auto] = [VoxelModel::Mono, VoxelModel::Auto].map(|model| integral(model, floor));
        for (mono, auto) in mono.iter().zip(&auto) {
            assert!((mono / auto - 1.0).abs() < 1e-6, "{floor}: {mono} {auto}");
        }
    }
    let [low, high] = [FLOOR, 10.0 * FLOOR].map(|floor| integral(VoxelModel::Auto, floor)[0]);
    assert!((low / high - 1.0).abs() > 1e-3, "a floor that matters: {low} {high}");
}

#[test]
fn the_choice_is_that_of_all_models_though_not_all_are_tried() {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Distribution, Normal};
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let noise = Normal::new(0.0, 1.0).expect("a width");
    let (times, mut tried, mut models) =
        ([2.0, 8.0, 24.0, 48.0, 96.0, 168.0], [0, 0], std::collections::BTreeSet::new());
    for turn in 0..30 {
        // With four scans mono and uptake are compared, with five and six the others too.
        let times_h = &times[..4 + turn % 3];
        let frames = frames(times_h, 0.5);
        let curve = |t: f64| match turn % 5 {
            0 | 1 => 9.0 * (-0.014 * t).exp(),
            2 => 9.0 * ((-0.012 * t).exp() - (-0.2 * t).exp()),
            3 => 4.0 * (-0.012 * t).exp() + 9.0 * (-0.3 * t).exp(),
            _ => 0.4 * (-0.003 * t).exp(),
        };
        let values = times_h.iter().map(|t| curve(t + 0.25) * (1.0 + 0.05 * noise.sample(&mut random)));
        let values: Vec<f64> = values.collect();
        let sigmas = relative_sigmas(&values, 0.05);
        let series = frames.series(&values, Some(&sigmas));
        let all = integrate(&series, &CurveOptions::default()).expect("an integral");
        let decided = integrate_decided(&series, &CurveOptions::default()).expect("an integral");
        tried = [tried[0] + all.candidates.len(), tried[1] + decided.candidates.len()];
        models.insert(all.model);
        assert_eq!(Integration { candidates: vec![], ..decided }, Integration { candidates: vec![], ..all }, "{turn}");
    }
    assert!(models.len() >= 3, "{models:?}");
    assert!(3 * tried[1] < 2 * tried[0], "{tried:?}");
}

#[test]
fn a_voxel_by_choice_gets_what_a_region_of_its_values_gets_by_choice() {
    let frames = frames(&TIMES_H, 0.5);
    let maps = maps(40);
    let slices: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let options = VoxelOptions { with_sigma: true, ..VoxelOptions::of(VoxelModel::Auto, Some(0.05)) };
    let found = integrate_voxels(&frames, &slices, &options).expect("maps");
    let sigmas = found.tia_sigma_mbq_h.as_ref().expect("it was wanted");
    let mut models = std::collections::BTreeSet::new();
    for (place, (tia, sigma)) in found.tia_mbq_h.iter().zip(sigmas).enumerate() {
        let activities = voxel(place).map(f64::from);
        let series = frames.series(&activities, Some(&relative_sigmas(&activities, 0.05)));
        let right = integrate(&series, &CurveOptions::default()).expect("an integral");
        models.insert(right.model);
        assert!((tia - right.tia_mbq_h.max(0.0)).abs() <= SAME * right.tia_mbq_h.abs(), "{place}: {tia} {right:?}");
        match right.tia_sigma_mbq_h {
            Some(right_sigma) => {
                assert!((sigma - right_sigma).abs() <= SAME * right_sigma, "{place}: {sigma} {right:?}")
            }
            None => assert!(sigma.is_nan() || *sigma == 0.0, "{place}: {sigma} {right:?}"),
        }
    }
    assert!(models.len() >= 3, "{models:?}");
}

#[test]
fn the_order_of_the_maps_changes_no_byte() {
    let maps = maps(300);
    let right = integrals(&frames(&TIMES_H, 0.0), &maps);
    let order = [2, 0, 3, 1];
    let shuffled: Vec<Vec<f32>> = order.iter().map(|place| maps[*place].clone()).collect();
    let times_h = order.map(|place| TIMES_H[place]);
    assert_eq!(integrals(&frames(&times_h, 0.0), &shuffled), right);
}

#[test]
fn what_is_known_is_kept() {
    #[expect(clippy::cast_possible_truncation, reason = "a map has single precision")]
    let decay = |rate: f64| TIMES_H.map(|time_h| (50.0 * (-rate * time_h).exp()) as f32);
    let columns = [decay(0.0133), decay(0.2), [0.0; 4], [-1.0, 0.0, -2.0, 0.0]];
    let maps: Vec<Vec<f32>> = (0..4).map(|at| columns.iter().map(|column| column[at]).collect()).collect();
    let found = integrals(&frames(&TIMES_H, 0.0), &maps);
    assert!((found.tia_mbq_h[0] * 0.0133 / 50.0 - 1.0).abs() < 1e-6, "{found:?}");
    assert!((found.tia_mbq_h[1] * 0.2 / 50.0 - 1.0).abs() < 1e-4, "{found:?}");
    assert_eq!(found.tia_mbq_h[2..], [0.0, 0.0]);
    let counts = found.counts();
    assert_eq!((counts[0].voxels, counts[1].voxels), (2, 2));
    assert!((counts[0].fraction - 1.0).abs() < 1e-12);
}

#[test]
fn bad_maps_are_counted_and_named() {
    let frames = frames(&TIMES_H, 0.0);
    let mut bad = maps(9);
    bad[1][3] = f32::NAN;
    bad[2].pop();
    let maps: Vec<&[f32]> = bad.iter().map(Vec::as_slice).collect();
    let error = integrate_voxels(&frames, &maps, &VoxelOptions::default()).expect_err("bad").to_string();
    assert!(error.contains("map_2: 1 voxel is not finite") && error.contains("map_3: has 8 voxels"), "{error}");
    assert!(integrate_voxels(&frames, &maps[..3], &VoxelOptions::default()).is_err());
}

/// The spread of the integrals of a voxel over small changes of its activities: what σ must be to first order.
fn spread(frames: &Frames, activities: [f64; 4], options: &VoxelOptions) -> f64 {
    let whole = |activities: [f64; 4]| {
        #[expect(clippy::cast_possible_truncation, reason = "a map has single precision")]
        let maps = activities.map(|activity| vec![activity as f32]);
        let maps: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
        integrate_voxels(frames, &maps, options).expect("maps").tia_mbq_h[0]
    };
    let largest = activities.iter().copied().fold(0.0, f64::max);
    let variance: f64 = (0..4)
        .map(|place| {
            let sigma = (options.relative_sigma * activities[place].abs()).max(0.01 * options.relative_sigma * largest);
            // The weights stay those of the activities to first order: the change is far below σ.
            let moved = |by: f64| {
                let mut moved = activities;
                moved[place] += by * sigma;
                whole(moved)
            };
            ((moved(0.01) - moved(-0.01)) / 0.02).powi(2)
        })
        .sum();
    variance.sqrt()
}

#[test]
fn sigma_is_that_of_a_region_with_the_same_values() {
    let frames = frames(&TIMES_H, 0.5);
    let maps = maps(600);
    let slices: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let options = VoxelOptions { with_sigma: true, ..VoxelOptions::default() };
    let found = integrate_voxels(&frames, &slices, &options).expect("maps");
    let sigmas = found.tia_sigma_mbq_h.as_ref().expect("they were wanted");
    let mut seen = std::collections::BTreeSet::new();
    for (place, sigma) in sigmas.iter().enumerate() {
        let activities = voxel(place).map(f64::from);
        let series = frames.series(&activities, Some(&relative_sigmas(&activities, options.relative_sigma)));
        let mono = CurveOptions {
            model: crate::clinic::ModelChoice::Exponentials(crate::clinic::Shape::Mono),
            ..CurveOptions::default()
        };
        let right = integrate(&series, &mono).expect("an integral").tia_sigma_mbq_h.expect("σ is given");
        assert!((sigma / right - 1.0).abs() < 1e-4, "{place} {:?}: {sigma} {right}", found.kinds[place]);
        seen.insert(found.kinds[place].number());
    }
    assert!(seen.contains(&0) && seen.contains(&2) && seen.contains(&3), "{seen:?}");
    let none = integrate_voxels(&frames, &slices, &VoxelOptions::default()).expect("maps");
    assert_eq!(none.tia_sigma_mbq_h, None);
    for (without, with) in none.tia_mbq_h.iter().zip(&found.tia_mbq_h) {
        assert!((without - with).abs() <= 1e-12 * with, "{without} {with}");
    }
}

#[test]
fn sigma_is_the_spread_over_small_changes_and_0_without_activity() {
    let frames = frames(&TIMES_H, 0.0);
    let decay = |rate: f64| TIMES_H.map(|time_h| 50.0 * (-rate * time_h).exp());
    let options = VoxelOptions { with_sigma: true, relative_sigma: 0.1, ..VoxelOptions::default() };
    let sigma = |activities: [f64; 4]| {
        #[expect(clippy::cast_possible_truncation, reason = "a map has single precision")]
        let maps = activities.map(|activity| vec![activity as f32]);
        let maps: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
        integrate_voxels(&frames, &maps, &options).expect("maps").tia_sigma_mbq_h.expect("wanted")[0]
    };
    for rate in [0.0133, 0.03] {
        let (found, right) = (sigma(decay(rate)), spread(&frames, decay(rate), &options));
        assert!((found / right - 1.0).abs() < 0.02, "{rate}: {found} {right}");
    }
    assert_eq!(sigma([0.0; 4]), 0.0);
}
