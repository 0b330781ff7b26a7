//! The nodes of every table of the engines: numbers that their own bits index, 64 to an octave, from 2⁻¹⁰ to 2⁴.

/// Nodes to an octave, as a power of two.
pub(crate) const OCTAVE_BITS: u32 = 6;
/// Octaves from the first node to the last.
pub(crate) const OCTAVES: u32 = 14;
/// The first node: 2⁻¹⁰.
pub(crate) const FIRST: f32 = 1.0 / 1024.0;
/// Intervals between nodes.
pub(crate) const INTERVALS: usize = (OCTAVES << OCTAVE_BITS) as usize;
/// Nodes of every table.
pub(crate) const NODES: usize = INTERVALS + 1;

/// The number at node `node`.
pub(crate) fn node(node: usize) -> f64 {
    let (octave, step) = (node >> OCTAVE_BITS, node % (1 << OCTAVE_BITS));
    let octave = i32::try_from(octave).expect("at most 14");
    f64::from(FIRST) * 2f64.powi(octave) * (1.0 + step as f64 / f64::from(1 << OCTAVE_BITS))
}

/// Numbers of all nodes, ascending.
pub(crate) fn nodes() -> impl Iterator<Item = f64> {
    (0..NODES).map(node)
}
