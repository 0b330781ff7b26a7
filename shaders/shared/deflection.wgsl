// Multiple scattering and straggling of a condensed step. Twin: src/engine/cpu/transport/deflection.rs

// Half of 1 − cos θ of a step's deflection; from the path over the first and second transport mean free path.
fn half_versine(first: f32, second: f32) -> f32 {
    let lost_first = decayed(first);
    let lost_second = decayed(second);
    let mean = 0.5 * lost_first;
    let mean_square = mean - lost_second * (1.0 / 6.0);
    let edge = clamp((2.0 * mean - 3.0 * mean_square) / max(1.0 - 2.0 * mean, 1e-6), 0.0, 2.0 * mean);
    let beyond = 2.0 * mean - edge;
    let choice = next_uniform();
    let within = next_uniform();
    if choice < beyond { return edge + within * (1.0 - edge); }
    return within * edge;
}

// 1 − exp(−x) by its series. Beyond 1: its value there.
fn decayed(unbounded: f32) -> f32 {
    let x = min(unbounded, 1.0);
    return x * (1.0 - x * (1.0 / 2.0) * (1.0 - x * (1.0 / 3.0)
        * (1.0 - x * 0.25 * (1.0 - x * 0.2 * (1.0 - x * (1.0 / 6.0))))));
}

// Energy lost in a step by soft collisions: never negative; mean and variance are exact [MeV].
fn soft_loss(mean: f32, variance: f32) -> f32 {
    let choice = next_uniform();
    let square = mean * mean;
    if 3.0 * variance < square { return mean + (2.0 * choice - 1.0) * sqrt(3.0 * variance); }
    let largest = 1.5 * (variance + square) / mean;
    let lossy = 2.0 * mean / largest;
    if choice < lossy { return largest * choice / lossy; }
    return 0.0;
}
