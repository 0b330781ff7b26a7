//! Transforms of registration programs, and what is none.

use dosegrid::domain::RigidTransform;
use dosegrid::formats::transform;

use super::{Fsl, Itk, figures, golden, grid};

#[test]
fn transforms_of_itk_take_points_where_itk_does() {
    let any = grid([1, 1, 1], [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
    let cases = figures().itk;
    assert_eq!(cases.len(), 11);
    for Itk { file, points, moved } in cases {
        let read = transform::read(&golden(&file)).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        assert_eq!(read.convention(), "ITK");
        let transform = read.between(&any, &any).expect("rigid");
        points_go(&transform, &points, &moved, &file);
    }
    let scaled = transform::read(&golden("not_rigid.tfm")).expect_err("it scales");
    assert!(scaled.to_string().contains("not rigid"), "{scaled}");
}

#[test]
fn matrices_of_flirt_take_points_where_fsl_does() {
    let file = transform::read(&golden("flirt.mat")).expect("a matrix");
    assert_eq!(file.convention(), "FSL");
    let cases = figures().fsl;
    assert_eq!(cases.len(), 6);
    for Fsl { moving, reference, points, moved } in cases {
        let transform = file.between(&moving.grid(), &reference.grid()).expect("rigid");
        points_go(&transform, &points, &moved, "flirt");
    }
}

fn points_go(transform: &RigidTransform, points: &[[f64; 3]], moved: &[[f64; 3]], what: &str) {
    for (point, expected) in points.iter().zip(moved) {
        let found = transform.apply(*point);
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near, "{what}: {point:?} {found:?} {expected:?}");
    }
}

#[test]
fn what_is_no_transform_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (bytes, words) in [
        (&b"1 0 0\n0 1 0\n"[..], "neither one of ITK"),
        (b"#Insight Transform File V1.0\nTransform: BSplineTransform_double_3_3\nParameters: 1\n", "not rigid"),
        (b"#Insight Transform File V1.0\n", "no transform"),
        (b"\0\0\0\0garbage", "MATLAB"),
    ] {
        let path = folder.path().join("transform.txt");
        std::fs::write(&path, bytes).expect("a writable folder");
        let fault = transform::read(&path).expect_err("no rigid transform");
        assert!(fault.to_string().contains(words), "{fault}");
    }
    let mirror = "-1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n";
    let path = folder.path().join("mirror.mat");
    std::fs::write(&path, mirror).expect("a writable folder");
    let one = figures().overlaps[0].source.grid();
    assert!(transform::read(&path).expect("a matrix").between(&one, &one).is_err());
}
