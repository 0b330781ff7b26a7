//! Tables of energy in concentric shells of water around a point source, and their join into one cumulative table.

use crate::domain::Invalid;

/// Least ratio of the widths of the last two shells at which the last counts as too wide for polynomials.
const WIDE_LAST_SHELL: f64 = 4.0;
/// Width of the pieces that such a shell is cut into [cm].
const TAIL_STEP_CM: f64 = 0.5;
/// Shells before the wide one that its density is continued from.
const SHELLS_BEFORE_TAIL: usize = 10;
/// Largest width of shells that are merged, in parts of the radius.
const MAX_MERGED_WIDTH: f64 = 0.25;
/// Largest χ² per degree of freedom at which densities still count as lying on a line; noise alone gives 1.
const MAX_CHI_SQUARE: f64 = 1.5;

/// Energy absorbed between two radii, per decay.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
pub(super) struct Shell {
    r_in_cm: f64,
    r_out_cm: f64,
    #[serde(rename = "E_MeV")]
    energy_mev: f64,
    /// 1σ of the energy, from the histories it was scored with.
    #[serde(rename = "sigma_E_MeV")]
    sigma_mev: f64,
}

impl Shell {
    fn width(&self) -> f64 {
        self.r_out_cm - self.r_in_cm
    }

    fn middle(&self) -> f64 {
        0.5 * (self.r_in_cm + self.r_out_cm)
    }

    /// Energy per unit radius [MeV/cm].
    fn density(&self) -> f64 {
        self.energy_mev / self.width()
    }
}

/// Energy absorbed within a radius, at ascending radii from 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cumulative {
    /// Radii [cm].
    pub(super) radii_cm: Vec<f64>,
    /// Energy within them [MeV per decay].
    pub(super) energy_mev: Vec<f64>,
}

/// Reads a table: `#` comments, a header, then one row a shell.
///
/// # Errors
/// If a row cannot be read, if shells do not follow each other from radius 0, or if an energy is not above 0.
pub(super) fn read(text: &str) -> Result<Vec<Shell>, Invalid> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let shells: Vec<Shell> =
        reader.deserialize().collect::<Result<_, _>>().map_err(|error| Invalid::new(error.to_string()))?;
    let mut edge = 0.0;
    for shell in &shells {
        if shell.r_in_cm != edge || shell.r_out_cm <= edge || shell.r_out_cm.is_nan() {
            return Err(Invalid::new(format!("a shell from {} cm does not follow one to {edge} cm", shell.r_in_cm)));
        }
        if ![shell.energy_mev, shell.sigma_mev].iter().all(|e| e.is_finite() && *e > 0.0) {
            return Err(Invalid::new(format!("the shell from {edge} cm needs an energy and a σ above 0")));
        }
        edge = shell.r_out_cm;
    }
    if shells.len() <= SHELLS_BEFORE_TAIL { Err(Invalid::new("has too few shells")) } else { Ok(shells) }
}

/// Joins the table near the source with the one that reaches far.
///
/// The last shell of `fine` is what lies beyond its range and is not used. Within that range the shape is that of `fine`, the energy that of
/// `coarse`, which has the better statistics: all fine shells are scaled by one factor.
///
/// # Errors
/// If the fine range does not end on an edge of a coarse shell.
pub(super) fn join(fine: &[Shell], coarse: &[Shell]) -> Result<Cumulative, Invalid> {
    let (beyond, near) = fine.split_last().ok_or_else(|| Invalid::new("has no shell"))?;
    let edge = beyond.r_in_cm;
    let first = coarse
        .iter()
        .position(|shell| shell.r_in_cm == edge)
        .ok_or_else(|| Invalid::new(format!("no coarse shell begins at {edge} cm")))?;
    let scale = total(&coarse[..first]) / total(near);
    let far = without_wide_shell(&merge_alike(&coarse[first..]));
    let mut joined = Cumulative { radii_cm: vec![0.0], energy_mev: vec![0.0] };
    let near = merge_alike(near);
    let scaled = near.iter().map(|shell| Shell { energy_mev: shell.energy_mev * scale, ..*shell });
    let mut energy = 0.0;
    for shell in scaled.chain(far) {
        energy += shell.energy_mev;
        joined.radii_cm.push(shell.r_out_cm);
        joined.energy_mev.push(energy);
    }
    Ok(joined)
}

/// The cumulative energy of all shells but the last.
pub(super) fn without_last(shells: &[Shell]) -> Cumulative {
    let mut cumulative = Cumulative { radii_cm: vec![0.0], energy_mev: vec![0.0] };
    let mut energy = 0.0;
    for shell in &shells[..shells.len() - 1] {
        energy += shell.energy_mev;
        cumulative.radii_cm.push(shell.r_out_cm);
        cumulative.energy_mev.push(energy);
    }
    cumulative
}

/// Merges neighbouring shells whose densities lie on a straight line within their statistical uncertainty: in the smooth tail of the photons a narrow
/// shell says no more than a wide one, but its noise would end up in the voxels.
fn merge_alike(shells: &[Shell]) -> Vec<Shell> {
    let mut merged = Vec::new();
    let mut rest = shells;
    while let Some(first) = rest.first() {
        let fits = |n: &usize| {
            let group = &rest[..*n];
            let width = group[n - 1].r_out_cm - first.r_in_cm;
            width <= MAX_MERGED_WIDTH * first.r_in_cm && chi_square_of_line(group) <= MAX_CHI_SQUARE * (n - 2) as f64
        };
        let n = (3..=rest.len()).take_while(fits).last().unwrap_or(1);
        let (group, after) = rest.split_at(n);
        merged.push(Shell {
            r_in_cm: first.r_in_cm,
            r_out_cm: group[n - 1].r_out_cm,
            energy_mev: total(group),
            sigma_mev: group.iter().map(|shell| shell.sigma_mev.powi(2)).sum::<f64>().sqrt(),
        });
        rest = after;
    }
    merged
}

/// χ² of the densities about the straight line that fits them best; it has two degrees of freedom fewer than there are shells.
fn chi_square_of_line(shells: &[Shell]) -> f64 {
    let points: Vec<[f64; 3]> = shells
        .iter()
        .map(|shell| [shell.middle() - shells[0].middle(), shell.density(), (shell.width() / shell.sigma_mev).powi(2)])
        .collect();
    let sum = |f: fn(&[f64; 3]) -> f64| points.iter().map(f).sum::<f64>();
    let (w, wx, wy) = (sum(|p| p[2]), sum(|p| p[2] * p[0]), sum(|p| p[2] * p[1]));
    let (wxx, wxy) = (sum(|p| p[2] * p[0] * p[0]), sum(|p| p[2] * p[0] * p[1]));
    let slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
    let intercept = (wy - slope * wx) / w;
    points.iter().map(|[x, y, w]| w * (y - intercept - slope * x).powi(2)).sum()
}

fn total(shells: &[Shell]) -> f64 {
    shells.iter().map(|shell| shell.energy_mev).sum()
}

/// Replaces a last shell much wider than the one before by many, in which the energy per unit radius falls exponentially: it starts where the
/// shells before lead, and falls so fast that the energy of the whole is kept.
fn without_wide_shell(shells: &[Shell]) -> Vec<Shell> {
    let (last, before) = shells.split_last().expect("a table has more shells than the fine range covers");
    if before.last().is_none_or(|previous| last.width() < WIDE_LAST_SHELL * previous.width()) {
        return shells.to_vec();
    }
    let fit = &before[before.len().saturating_sub(SHELLS_BEFORE_TAIL)..];
    let start = extrapolate_density(fit, last.r_in_cm);
    let attenuation = attenuation(start, last.width(), last.energy_mev);
    let held = |depth: f64| exponential_energy(start, attenuation, depth);
    let scale = last.energy_mev / held(last.width());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length over a step, above 0")]
    let steps = (last.width() / TAIL_STEP_CM).ceil() as u32;
    let depth = |i: u32| last.width() * f64::from(i) / f64::from(steps);
    let tail = (0..steps).map(|i| Shell {
        r_in_cm: last.r_in_cm + depth(i),
        r_out_cm: last.r_in_cm + depth(i + 1),
        energy_mev: (held(depth(i + 1)) - held(depth(i))) * scale,
        sigma_mev: last.sigma_mev,
    });
    before.iter().copied().chain(tail).collect()
}

/// Energy per unit radius [MeV/cm] at `r_cm`, by a straight line through the logarithms of the shells' densities.
fn extrapolate_density(shells: &[Shell], r_cm: f64) -> f64 {
    let n = shells.len() as f64;
    let points = shells.iter().map(|shell| (shell.middle() - r_cm, shell.density().ln()));
    let (mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0);
    for (r, ln_density) in points {
        (x, y, xx, xy) = (x + r, y + ln_density, xx + r * r, xy + r * ln_density);
    }
    let slope = (n * xy - x * y) / (n * xx - x * x);
    ((y - slope * x) / n).exp()
}

/// Energy within `depth` [MeV] of a density that starts at `start` [MeV/cm] and falls by `attenuation` [1/cm].
fn exponential_energy(start: f64, attenuation: f64, depth: f64) -> f64 {
    if attenuation.abs() * depth < 1e-9 {
        start * depth
    } else {
        -start * (-attenuation * depth).exp_m1() / attenuation
    }
}

/// Attenuation [1/cm] at which an exponential density holds `energy` within `width`.
fn attenuation(start: f64, width: f64, energy: f64) -> f64 {
    let (mut low, mut high) = (-10.0 / width, 1e3 / width);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if exponential_energy(start, middle, width) > energy { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shells(edges: &[f64], energy: impl Fn(f64, f64) -> f64) -> Vec<Shell> {
        let shell = |pair: &[f64]| Shell {
            r_in_cm: pair[0],
            r_out_cm: pair[1],
            energy_mev: energy(pair[0], pair[1]),
            sigma_mev: 1e-12,
        };
        edges.windows(2).map(shell).collect()
    }

    #[test]
    fn a_wide_last_shell_is_continued_exponentially() {
        let within = |r: f64| -(-0.07 * r).exp_m1();
        let mut edges: Vec<f64> = (0..=40).map(|i| 0.5 * f64::from(i)).collect();
        edges.push(40.0);
        let tail = without_wide_shell(&shells(&edges, |a, b| within(b) - within(a)));
        assert_eq!(tail.len(), 80);
        for shell in &tail {
            let exact = within(shell.r_out_cm) - within(shell.r_in_cm);
            // The mean density of a shell of 0.5 cm is (0.07 · 0.5)² / 24 = 5e-5 above that at its middle.
            assert!((shell.energy_mev / exact - 1.0).abs() < 1e-4, "{shell:?}");
        }
    }

    #[test]
    fn the_fine_shape_gets_the_coarse_energy() {
        let fine = shells(&[0.0, 0.5, 1.0, 9.0], |a, _| if a == 0.0 { 1.0 } else { 3.0 });
        let coarse = shells(&[0.0, 1.0, 2.0, 3.0], |_, _| 8.0);
        let joined = join(&fine, &coarse).expect("the fine range ends at 1 cm");
        assert_eq!(joined.radii_cm, [0.0, 0.5, 1.0, 2.0, 3.0]);
        assert_eq!(joined.energy_mev, [0.0, 2.0, 8.0, 16.0, 24.0]);
        assert!(join(&shells(&[0.0, 0.5, 9.0], |_, _| 1.0), &coarse).is_err());
    }

    #[test]
    fn broken_tables_are_refused() {
        let head = "# comment\nr_in_cm,r_out_cm,E_MeV,sigma_E_MeV\n";
        for rows in [
            "0,1,x,1",
            "0,1,1,1\n2,3,1,1",
            "0.5,1,1,1",
            "0,1,0,1",
            "0,1,NaN,1",
            "0,1,1,0",
            "0,1,1,1",
            "0,NaN,1,1",
            "0,1",
        ] {
            assert!(read(&format!("{head}{rows}\n")).is_err(), "{rows}");
        }
    }
}
