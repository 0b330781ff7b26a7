//! Transforms of ITK. They map points of the fixed image to those of the moving image, in coordinates that run to the
//! left, to the back and to the head.
//!
//! Source: ITK, `itkTxtTransformIO.cxx`, `itkMatlabTransformIO.cxx`, `itkMatrixOffsetTransformBase.hxx`.

use crate::domain::grid::Affine;
use crate::domain::transform::compose;
use crate::domain::{Invalid, RigidTransform};

/// From ITK's coordinates to those of NIfTI, row by row.
const SIGNS: [f64; 3] = [-1.0, -1.0, 1.0];

/// A transform as it is stored.
struct Stored<'a> {
    kind: &'a str,
    parameters: Vec<f64>,
    fixed: Vec<f64>,
}

/// The transform of a text file. Several are applied one after the other, the last one first, as ITK does.
///
/// # Errors
/// If one is of a kind that is not rigid.
pub(super) fn of_text(text: &str) -> Result<RigidTransform, Invalid> {
    let mut stored: Vec<Stored> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let numbers = || value.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>();
        let numbers = || numbers().map_err(|_| Invalid::new(format!("{key}: one is no number")));
        match (key, stored.last_mut()) {
            ("Transform", _) => {
                stored.push(Stored { kind: value.trim(), parameters: Vec::new(), fixed: Vec::new() });
            }
            ("Parameters", Some(last)) => last.parameters = numbers()?,
            ("FixedParameters", Some(last)) => last.fixed = numbers()?,
            _ => {}
        }
    }
    of_stored(&stored)
}

/// The transform of a MATLAB file: two variables each, the parameters under the name of the kind, and `fixed`.
///
/// # Errors
/// As [`of_text`].
pub(super) fn of_variables(variables: &[(String, Vec<f64>)]) -> Result<RigidTransform, Invalid> {
    let stored: Vec<Stored> = variables
        .chunks_exact(2)
        .filter(|pair| pair[1].0 == "fixed")
        .map(|pair| Stored { kind: &pair[0].0, parameters: pair[0].1.clone(), fixed: pair[1].1.clone() })
        .collect();
    of_stored(&stored)
}

/// The text of a transform.
pub(super) fn text_of(transform: &RigidTransform) -> String {
    let lps = |row: usize, column: usize| {
        let sign = SIGNS[row] * if column < 3 { SIGNS[column] } else { 1.0 };
        (sign * transform.matrix()[row][column] + 0.0).to_string()
    };
    let rotation = (0..9).map(|at| lps(at / 3, at % 3));
    let parameters: Vec<String> = rotation.chain((0..3).map(|row| lps(row, 3))).collect();
    format!(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters: {}\n\
         FixedParameters: 0 0 0\n",
        parameters.join(" ")
    )
}

fn of_stored(stored: &[Stored]) -> Result<RigidTransform, Invalid> {
    let single: Vec<&Stored> = stored.iter().filter(|one| !one.kind.starts_with("CompositeTransform")).collect();
    if single.is_empty() {
        return Err(Invalid::new("holds no transform"));
    }
    let mut matrix = *RigidTransform::IDENTITY.matrix();
    for one in single {
        matrix = compose(&matrix, &one.matrix()?);
    }
    RigidTransform::new([0, 1, 2].map(|row| {
        [0, 1, 2, 3].map(|column| SIGNS[row] * matrix[row][column] * if column < 3 { SIGNS[column] } else { 1.0 })
    }))
}

impl Stored<'_> {
    /// The matrix in ITK's coordinates: `y = R(x − c) + c + t`.
    fn matrix(&self) -> Result<Affine, Invalid> {
        let name = self.kind.split('_').next().unwrap_or_default();
        let p = &self.parameters;
        let (rotation, shift) = match (name, p.len()) {
            ("IdentityTransform", _) => (identity(), [0.0; 3]),
            ("TranslationTransform", 3) => (identity(), [p[0], p[1], p[2]]),
            ("Euler3DTransform", 6) => {
                let order_zyx = self.fixed.get(3).is_some_and(|flag| *flag != 0.0);
                (euler([p[0], p[1], p[2]], order_zyx), [p[3], p[4], p[5]])
            }
            ("VersorRigid3DTransform", 6) => (versor([p[0], p[1], p[2]])?, [p[3], p[4], p[5]]),
            ("VersorTransform", 3) => (versor([p[0], p[1], p[2]])?, [0.0; 3]),
            ("AffineTransform" | "MatrixOffsetTransformBase" | "Rigid3DTransform" | "ScaleVersor3DTransform", 12) => {
                ([[p[0], p[1], p[2]], [p[3], p[4], p[5]], [p[6], p[7], p[8]]], [p[9], p[10], p[11]])
            }
            _ => {
                return Err(Invalid::new(
                    "a transform in it is not rigid in three dimensions; read are Euler3D, VersorRigid3D, Translation, \
                     Identity, and Affine that is a rotation",
                ));
            }
        };
        let centre = [0, 1, 2].map(|axis| self.fixed.get(axis).copied().unwrap_or(0.0));
        Ok([0, 1, 2].map(|row| {
            let [x, y, z] = rotation[row];
            let turned = x * centre[0] + y * centre[1] + z * centre[2];
            [x, y, z, shift[row] + centre[row] - turned]
        }))
    }
}

fn identity() -> [[f64; 3]; 3] {
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
}

/// Rotations about x, y and z: in ITK's usual order Z·X·Y, or Z·Y·X.
fn euler(angles: [f64; 3], order_zyx: bool) -> [[f64; 3]; 3] {
    let [(sx, cx), (sy, cy), (sz, cz)] = angles.map(f64::sin_cos);
    let x = [[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]];
    let y = [[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]];
    let z = [[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]];
    if order_zyx { product(&product(&z, &y), &x) } else { product(&product(&z, &x), &y) }
}

/// The rotation of the vector part of a unit quaternion.
fn versor([x, y, z]: [f64; 3]) -> Result<[[f64; 3]; 3], Invalid> {
    let rest = 1.0 - x * x - y * y - z * z;
    if rest < -1e-9 || rest.is_nan() {
        return Err(Invalid::new("the versor is longer than 1"));
    }
    let w = rest.max(0.0).sqrt();
    Ok([
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ])
}

fn product(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| (0..3).map(|k| a[row][k] * b[k][column]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_that_is_written_is_read_as_it_was() {
        let (sin, cos) = 0.3f64.sin_cos();
        let matrix = [[cos, -sin, 0.0, 30.5], [sin, cos, 0.0, -7.25], [0.0, 0.0, 1.0, 1e-7]];
        let transform = RigidTransform::new(matrix).expect("a rotation");
        let text = text_of(&transform);
        assert_eq!(of_text(&text), Ok(transform));
        // ITK's x and y run the other way.
        assert!(text.contains(" -30.5 7.25 "), "{text}");
    }
}
