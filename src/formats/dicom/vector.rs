//! Points and directions in the patient.

/// A point or direction in the patient, DICOM's axes: to the left, to the back, to the head.
pub(super) type Vector = [f64; 3];

/// A position for a reader [mm].
pub(super) fn place(position: Vector) -> String {
    let [x, y, z] = position.map(figure);
    format!("({x}, {y}, {z}) mm")
}

/// A length with at most three digits behind the point.
pub(super) fn figure(length: f64) -> String {
    let text = format!("{length:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
