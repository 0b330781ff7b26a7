//! Tables on log-uniform grids: looked up without a search, in `f64` here and in `f32` by the engines.

use super::quadrature::integrate_log;
use super::watch::{Interrupted, Watch};

/// Nodes in geometric progression: bin `i` lies between node `i` and node `i + 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogGrid {
    min: f64,
    max: f64,
    bins: usize,
    /// Distance of two nodes in ln x: looking up is common, and a logarithm less of it is much.
    log_step: f64,
}

impl LogGrid {
    /// A grid of `bins` bins from `min` to `max`.
    ///
    /// # Errors
    /// If the ends are not finite, not above 0 or not ascending, or if there is no bin.
    pub fn new(min: f64, max: f64, bins: usize) -> Result<Self, String> {
        if !(min > 0.0 && min < max && max.is_finite()) {
            return Err(format!("a logarithmic grid runs from above 0 to a larger end, got {min} to {max}"));
        }
        if bins == 0 {
            return Err("a grid needs at least one bin".to_owned());
        }
        Ok(Self { min, max, bins, log_step: (max / min).ln() / bins as f64 })
    }

    /// First node.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Last node.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Number of bins; there is one node more.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Distance of two nodes in ln x.
    pub fn log_step(&self) -> f64 {
        self.log_step
    }

    /// Node `i`, from 0 to the number of bins.
    pub fn node(&self, i: usize) -> f64 {
        if i == self.bins { self.max } else { self.min * (self.log_step * i as f64).exp() }
    }

    /// All nodes, ascending.
    pub fn nodes(&self) -> impl Iterator<Item = f64> {
        (0..=self.bins).map(|i| self.node(i))
    }

    /// What `f` gives at each node; `watch` is asked at each whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn map_watched<T>(&self, watch: &dyn Watch, mut f: impl FnMut(f64) -> T) -> Result<Vec<T>, Interrupted> {
        self.nodes().map(|x| watch.check().map(|()| f(x))).collect()
    }

    /// Bin of `x` and the fraction of it, in ln x, that lies below `x`. Outside the grid: its nearest end.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
    pub fn locate(&self, x: f64) -> (usize, f64) {
        let position = ((x / self.min).ln() / self.log_step).clamp(0.0, self.bins as f64);
        let bin = (position as usize).min(self.bins - 1);
        (bin, position - bin as f64)
    }

    /// The node nearest to `x` in ln x.
    pub fn nearest_node(&self, x: f64) -> usize {
        let (bin, fraction) = self.locate(x);
        if fraction < 0.5 { bin } else { bin + 1 }
    }
}

/// A function on a [`LogGrid`], linear in ln x within each bin. Each bin keeps the values at its own ends, so the
/// function may jump at a node.
#[derive(Clone, Debug, PartialEq)]
pub struct LogTable {
    grid: LogGrid,
    bins: Vec<[f64; 2]>,
}

impl LogTable {
    /// A continuous function, by its values at the nodes.
    pub fn tabulate(grid: LogGrid, f: impl FnMut(f64) -> f64) -> Self {
        let nodes: Vec<f64> = grid.nodes().map(f).collect();
        Self { grid, bins: nodes.windows(2).map(|pair| [pair[0], pair[1]]).collect() }
    }

    /// As [`LogTable::tabulate`]; `watch` is asked at each node whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn tabulate_watched(grid: LogGrid, watch: &dyn Watch, f: impl FnMut(f64) -> f64) -> Result<Self, Interrupted> {
        let nodes = grid.map_watched(watch, f)?;
        Ok(Self { grid, bins: nodes.windows(2).map(|pair| [pair[0], pair[1]]).collect() })
    }

    /// A function that may jump at the nodes: `f(bin, x)` is its value in `bin`, and is called for both ends of each
    /// bin. `watch` is asked at each bin whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn tabulate_bins(
        grid: LogGrid,
        watch: &dyn Watch,
        mut f: impl FnMut(usize, f64) -> f64,
    ) -> Result<Self, Interrupted> {
        let both = |bin| watch.check().map(|()| [f(bin, grid.node(bin)), f(bin, grid.node(bin + 1))]);
        Ok(Self { grid, bins: (0..grid.bins()).map(both).collect::<Result<_, _>>()? })
    }

    /// * `bins` – values at the lower and upper end of each bin
    pub(crate) fn from_bins(grid: LogGrid, bins: Vec<[f64; 2]>) -> Self {
        assert_eq!(bins.len(), grid.bins(), "one pair for each bin");
        Self { grid, bins }
    }

    /// The integral of a function from the first node to each node, on top of `start`.
    pub(crate) fn integral(grid: LogGrid, start: f64, f: impl Fn(f64) -> f64) -> Self {
        let (mut sum, mut last) = (start, grid.node(0));
        Self::tabulate(grid, |x| {
            sum += integrate_log(last, x, &f);
            last = x;
            sum
        })
    }

    /// The same table divided by its last value.
    pub(crate) fn normalised(mut self) -> Self {
        let [_, last] = self.bins[self.bins.len() - 1];
        self.bins.iter_mut().flatten().for_each(|value| *value /= last);
        self
    }

    /// The grid of the table.
    pub fn grid(&self) -> LogGrid {
        self.grid
    }

    /// Values at the lower and upper end of each bin, which the engines copy.
    pub fn bins(&self) -> &[[f64; 2]] {
        &self.bins
    }

    /// Value at `x`; outside the grid, the value at its nearest end.
    pub fn value(&self, x: f64) -> f64 {
        let (bin, fraction) = self.grid.locate(x);
        let [low, high] = self.bins[bin];
        low + fraction * (high - low)
    }

    /// The position at which a continuous, non-falling table takes a value: the inverse of [`Self::value`], by
    /// bisection over the bins.
    ///
    /// Values below the first scale the first node down in proportion; values above the last give the last node.
    pub fn invert(&self, value: f64) -> f64 {
        let first = self.bins[0][0];
        if value < first {
            return self.grid.min * (value / first).max(0.0);
        }
        let bin = self.bins.partition_point(|&[_, high]| high < value).min(self.bins.len() - 1);
        let [low, high] = self.bins[bin];
        let fraction = if high > low { ((value - low) / (high - low)).min(1.0) } else { 0.0 };
        (self.grid.node(bin) * (self.grid.log_step * fraction).exp()).min(self.grid.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::watch::Unwatched;

    #[test]
    fn values_at_nodes_and_beyond_the_ends_are_exact() {
        let grid = LogGrid::new(1.0, 100.0, 2).expect("a good grid");
        let table = LogTable::tabulate(grid, |x| x);
        for (x, expected) in [(0.1, 1.0), (1.0, 1.0), (10.0, 10.0), (100.0, 100.0), (1e3, 100.0)] {
            assert!((table.value(x) - expected).abs() < 1e-12, "{x}");
        }
        assert_eq!((grid.nearest_node(3.0), grid.nearest_node(3.3), grid.nearest_node(1e9)), (0, 1, 2));
    }

    #[test]
    fn a_rising_table_is_inverted() {
        let table = LogTable::tabulate(LogGrid::new(1e-3, 10.0, 64).expect("a good grid"), |x| x.powi(2));
        for x in [1e-3, 0.002, 0.0777, 1.0, 9.99, 10.0] {
            assert!((table.invert(table.value(x)) / x - 1.0).abs() < 1e-12, "{x}");
        }
        assert_eq!((table.invert(0.0), table.invert(1e9)), (0.0, 10.0));
        assert!((table.invert(0.5e-6) - 0.5e-3).abs() < 1e-15);
    }

    #[test]
    fn a_jump_stays_at_its_node() {
        let grid = LogGrid::new(1.0, 100.0, 2).expect("a good grid");
        let table = LogTable::tabulate_bins(grid, &Unwatched, |bin, _| bin as f64).expect("nobody interrupts");
        assert_eq!((table.value(9.99), table.value(10.01)), (0.0, 1.0));
    }

    #[test]
    fn bad_grids_are_refused() {
        for (min, max, bins) in
            [(0.0, 1.0, 1), (2.0, 1.0, 1), (1.0, f64::INFINITY, 1), (f64::NAN, 1.0, 1), (1.0, 2.0, 0)]
        {
            assert!(LogGrid::new(min, max, bins).is_err(), "{min} {max} {bins}");
        }
    }
}
