//! Isodose lines: marching squares over a section.

use super::section::Section;

/// Ends of a piece of a line, in pixels from the centre of the first one.
pub(super) type Segment = [[f64; 2]; 2];

/// The lines on which a section has the value `level`.
///
/// Source: marching squares; the two cells that can be joined in two ways are decided by the mean of their corners.
pub(super) fn isodose(section: &Section, level: f64) -> Vec<Segment> {
    let mut segments = Vec::new();
    let value = |x: usize, y: usize| section.values[y * section.width + x];
    for y in 0..section.height.saturating_sub(1) {
        for x in 0..section.width.saturating_sub(1) {
            // Corners in a circle: top left, top right, bottom right, bottom left.
            let corners = [value(x, y), value(x + 1, y), value(x + 1, y + 1), value(x, y + 1)];
            cell(corners, level, |segment| {
                segments.push(segment.map(|[u, v]| [x as f64 + u, y as f64 + v]));
            });
        }
    }
    segments
}

/// The pieces of line in one cell with corners at (0, 0), (1, 0), (1, 1), (0, 1).
fn cell(corners: [f64; 4], level: f64, mut add: impl FnMut(Segment)) {
    let inside = corners.map(|value| value >= level);
    // Edge i runs from corner i to the next one in the circle.
    let crossing = |edge: usize| {
        let (a, b) = (corners[edge], corners[(edge + 1) % 4]);
        let t = (level - a) / (b - a);
        match edge {
            0 => [t, 0.0],
            1 => [1.0, t],
            2 => [1.0 - t, 1.0],
            _ => [0.0, 1.0 - t],
        }
    };
    let crossed: Vec<usize> = (0..4).filter(|&edge| inside[edge] != inside[(edge + 1) % 4]).collect();
    match crossed[..] {
        [a, b] => add([crossing(a), crossing(b)]),
        [a, b, c, d] => {
            // Two opposite corners are inside. If the middle is too, the lines cut off the other two.
            let middle_inside = corners.iter().sum::<f64>() / 4.0 >= level;
            let pairs = if middle_inside == inside[0] { [[a, b], [c, d]] } else { [[d, a], [b, c]] };
            pairs.into_iter().for_each(|pair| add(pair.map(crossing)));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cone_has_circles() {
        let (n, centre) = (41, 20.0);
        let radius = |x: f64, y: f64| ((x - centre).powi(2) + (y - centre).powi(2)).sqrt();
        let values = (0..n * n).map(|i| 100.0 - radius((i % n) as f64, (i / n) as f64)).collect();
        let section = Section { width: n, height: n, values };
        let segments = isodose(&section, 90.0);
        let length: f64 = segments.iter().map(|[a, b]| (a[0] - b[0]).hypot(a[1] - b[1])).sum();
        assert!((length / (2.0 * std::f64::consts::PI * 10.0) - 1.0).abs() < 0.01, "{length}");
        assert!(segments.iter().flatten().all(|p| (radius(p[0], p[1]) - 10.0).abs() < 0.05));
    }

    #[test]
    fn a_saddle_is_cut_by_its_mean() {
        let pieces = |corners| {
            let mut found = Vec::new();
            cell(corners, 1.0, |segment| found.push(segment));
            found
        };
        // Corners 0 and 2 are high, and so is the middle: the low corners 1 (right, top) and 3 (left, bottom) are cut
        // off.
        assert_eq!(pieces([4.0, 0.0, 4.0, 0.0]), [[[0.75, 0.0], [1.0, 0.25]], [[0.25, 1.0], [0.0, 0.75]]]);
        // The middle is low: the high corners are cut off.
        assert_eq!(pieces([1.5, 0.0, 1.5, 0.0])[0][1][1], 0.0);
        assert_eq!(pieces([0.0, 0.0, 0.5, 0.9]).len(), 0);
    }

    #[test]
    fn thin_sections_have_no_lines() {
        let section = Section { width: 1, height: 3, values: vec![0.0, 2.0, 0.0] };
        assert!(isodose(&section, 1.0).is_empty());
    }
}
