// Complex numbers as vec2: x is the real part.
fn complex_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn conjugate(a: vec2<f32>) -> vec2<f32> {
    return vec2(a.x, -a.y);
}

// a · −i
fn times_minus_i(a: vec2<f32>) -> vec2<f32> {
    return vec2(a.y, -a.x);
}

// Real and imaginary part exchanged. A forward transform between two swaps is an inverse one.
fn swap(a: vec2<f32>) -> vec2<f32> {
    return a.yx;
}
