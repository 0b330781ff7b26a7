//! Dose-rate in pieces: infusions, sessions of extra clearance, removals, and administrations that follow one another.
//!
//! Every piece is a sum of exponentials from its own start, so that dose and un-repaired dose have closed forms in
//! each.

use super::divided::{divided_difference, mean_decay};
use super::dose_rate::{DoseRate, Term, above_0};
use super::removal::SAME_H;
use super::repair::Repair;
use crate::domain::{Checks, DoseError};
use crate::math::gauss::GaussRule;

/// Terms whose doses are more than so many times that of their sum cancel each other, and lose the square of it in a
/// sum over pairs.
const CANCELLING: f64 = 100.0;
/// Points of a panel of a quadrature. Each panel is twice as long as the one before.
const PANEL_POINTS: usize = 16;
/// End of the first panel, beside the shortest time in which anything changes.
const FIRST_PANEL: f64 = 1e-2;
/// Where a quadrature without an end ends, beside the longest time in which anything changes.
const LAST_PANEL: f64 = 60.0;

/// Dose-rate over all time.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseCourse {
    /// By start; the last one never ends.
    pieces: Vec<Piece>,
    /// What their dose-rates are times: 0 of a dose of 0, which keeps its shape.
    factor: f64,
}

/// Dose-rate from one time to the start of the next piece.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    start_h: f64,
    /// From the start of the piece; a rate of 0 is a constant dose-rate.
    terms: Vec<Term>,
}

/// Extra clearance for some time, such as dialysis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Session {
    /// When it starts, since the start of the administration [h].
    pub start_h: f64,
    /// How long it lasts [h].
    pub duration_h: f64,
    /// Half-time with which it clears [h].
    pub clearance_half_time_h: f64,
}

impl DoseCourse {
    /// The course after one short administration.
    pub fn of(rate: &DoseRate) -> Self {
        let (terms, factor) = rate.shape();
        Self { pieces: vec![Piece { start_h: 0.0, terms: terms.to_vec() }], factor }
    }

    /// The course of an infusion of constant rate: the average of the courses after each of its moments. It has the
    /// dose of one short administration.
    ///
    /// * `duration_h` – 0 or more [h]
    ///
    /// # Errors
    /// If the duration is below 0 or not finite.
    pub fn infused(rate: &DoseRate, duration_h: f64) -> Result<Self, DoseError> {
        if duration_h == 0.0 {
            return Ok(Self::of(rate));
        }
        let duration_h = above_0(duration_h).map_err(|invalid| DoseError::invalid("infusion_h", invalid.0))?;
        let (terms, factor) = rate.shape();
        let level = |term: &Term| term.amplitude_gy_per_h / (term.rate_per_h * duration_h);
        let constant = Term { amplitude_gy_per_h: terms.iter().map(level).sum(), rate_per_h: 0.0 };
        let rising = terms.iter().map(|term| Term { amplitude_gy_per_h: -level(term), ..*term });
        let afterwards = terms.iter().map(|term| {
            let reached = -(-term.rate_per_h * duration_h).exp_m1();
            Term { amplitude_gy_per_h: level(term) * reached, ..*term }
        });
        Ok(Self {
            pieces: vec![
                Piece { start_h: 0.0, terms: std::iter::once(constant).chain(rising).collect() },
                Piece { start_h: duration_h, terms: afterwards.collect() },
            ],
            factor,
        })
    }

    /// The course with sessions of extra clearance: within one, every rate is higher by that of the clearance.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every bad session: a start below 0 or before the infusion is over, a duration or a
    /// half-time that is not above 0; and sessions that overlap.
    pub fn with_sessions(&self, sessions: &[Session]) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        for (at, session) in sessions.iter().enumerate() {
            let field = format!("sessions[{at}]");
            for (name, value) in
                [("duration_h", session.duration_h), ("clearance_half_time_h", session.clearance_half_time_h)]
            {
                checks.at(format!("{field}.{name}"), above_0(value));
            }
            if !(session.start_h.is_finite() && session.start_h >= self.last_start_of_supply_h()) {
                checks.fail(format!("{field}.start_h"), "must be 0 or later, and not before the infusion is over");
            }
        }
        let mut ends: Vec<[f64; 2]> = sessions.iter().map(|s| [s.start_h, s.start_h + s.duration_h]).collect();
        ends.sort_by(|a, b| a[0].total_cmp(&b[0]));
        for pair in ends.windows(2).filter(|pair| pair[1][0] < pair[0][1] - SAME_H) {
            checks.fail("sessions", format!("one starts at {} h, before another ends at {} h", pair[1][0], pair[0][1]));
        }
        checks.finish()?;
        Ok(sessions.iter().fold(self.clone(), |course, session| course.with_session(session)))
    }

    fn with_session(&self, session: &Session) -> Self {
        let rate_per_h = std::f64::consts::LN_2 / session.clearance_half_time_h;
        let end_h = session.start_h + session.duration_h;
        let split = self.split_at(session.start_h).split_at(end_h);
        let pieces = split.pieces.into_iter().map(|piece| {
            let cleared_h = (piece.start_h.min(end_h) - session.start_h).max(0.0);
            let left = (-rate_per_h * cleared_h).exp();
            let extra = if piece.start_h >= session.start_h && piece.start_h < end_h { rate_per_h } else { 0.0 };
            let terms = piece.terms.iter().map(|term| Term {
                amplitude_gy_per_h: left * term.amplitude_gy_per_h,
                rate_per_h: term.rate_per_h + extra,
            });
            Piece { start_h: piece.start_h, terms: terms.collect() }
        });
        Self { pieces: pieces.collect(), factor: self.factor }
    }

    /// The course if a fraction of the activity is taken away at one moment.
    ///
    /// * `time_h` – since the start of the administration, not before an infusion is over [h]
    /// * `fraction` – 0 to 1
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every value that is out of range.
    pub fn with_removal(&self, time_h: f64, fraction: f64) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        if !(time_h.is_finite() && time_h >= self.last_start_of_supply_h()) {
            checks.fail("removals.time_h", "must be 0 or later, and not before the infusion is over");
        }
        if !(0.0..=1.0).contains(&fraction) {
            checks.fail("removals.fraction", format!("must be 0 to 1, got {fraction}"));
        }
        checks.finish()?;
        let mut course = self.split_at(time_h);
        for piece in course.pieces.iter_mut().filter(|piece| piece.start_h >= time_h) {
            piece.terms.iter_mut().for_each(|term| term.amplitude_gy_per_h *= 1.0 - fraction);
        }
        Ok(course)
    }

    /// The course some time later.
    ///
    /// * `hours` – 0 or more [h]
    pub fn later_by(&self, hours: f64) -> Self {
        let moved =
            self.pieces.iter().map(|piece| Piece { start_h: piece.start_h + hours, terms: piece.terms.clone() });
        Self { pieces: moved.collect(), factor: self.factor }
    }

    /// Both courses together.
    pub fn plus(&self, other: &Self) -> Self {
        let mut starts: Vec<f64> = self.pieces.iter().chain(&other.pieces).map(|piece| piece.start_h).collect();
        starts.sort_by(f64::total_cmp);
        starts.dedup();
        let of = |start_h: f64| Piece { start_h, terms: [self.terms_at(start_h), other.terms_at(start_h)].concat() };
        Self { pieces: starts.into_iter().map(of).collect(), factor: 1.0 }
    }

    /// The same course with another dose.
    ///
    /// * `dose_gy` – 0 or more [Gy]
    pub fn scaled_to(&self, dose_gy: f64) -> Self {
        Self { pieces: self.pieces.clone(), factor: dose_gy / self.dose_of_pieces_gy() }
    }

    /// The dose over all time [Gy].
    pub fn dose_gy(&self) -> f64 {
        self.factor * self.dose_of_pieces_gy()
    }

    fn dose_of_pieces_gy(&self) -> f64 {
        self.lengths()
            .map(|(piece, length_h)| piece.terms.iter().map(|term| dose_of(*term, length_h)).sum::<f64>())
            .sum()
    }

    /// Dose-rate at a time [Gy/h].
    ///
    /// * `time_h` – since the start [h]
    pub fn at_gy_per_h(&self, time_h: f64) -> f64 {
        self.terms_at(time_h).iter().map(|term| term.amplitude_gy_per_h).sum()
    }

    /// The longest effective half-life at the end [h].
    pub fn longest_half_life_h(&self) -> f64 {
        let last = self.pieces.last().map_or(&[][..], |piece| &piece.terms);
        std::f64::consts::LN_2 / last.iter().map(|term| term.rate_per_h).fold(f64::INFINITY, f64::min)
    }

    /// `G D²`: the dose squared, as far as the damage of one part of the dose is not repaired when the next one comes
    /// [Gy²].
    ///
    /// `2 ∫ Ḋ(t) q(t) dt` with the un-repaired dose `q' = Ḋ − μ q`, which is carried from piece to piece. Without an
    /// end this is `2 Σ a_i a_j / ((λ_i + λ_j)(μ + λ_i))`, which has no singular point, unlike printed forms that
    /// divide by differences of rates.
    ///
    /// Source: Dale, Br. J. Radiol. 58 (1985) 515; Gustafsson et al., Phys. Med. Biol. 58 (2013) 1507.
    pub fn protracted_square_gy2(&self, repair: &Repair) -> f64 {
        let square = |rate_per_h: Option<f64>| self.factor.powi(2) * self.square_of_pieces_gy2(rate_per_h);
        repair.components().iter().map(|part| part.fraction * square(part.rate_per_h())).sum()
    }

    /// `G`, the Lea-Catcheside factor: 0 with instant repair, 1 without any. It belongs to the shape of the course, so
    /// that a dose of 0 has one; where all of the activity was taken away before it gave any dose, it is 0.
    pub fn lea_catcheside_factor(&self, repair: &Repair) -> f64 {
        let dose_gy = self.dose_of_pieces_gy();
        if dose_gy <= 0.0 {
            return 0.0;
        }
        let of_part = |rate_per_h: Option<f64>| match rate_per_h {
            Some(0.0) => 1.0,
            rate_per_h => self.square_of_pieces_gy2(rate_per_h) / dose_gy.powi(2),
        };
        repair.components().iter().map(|part| part.fraction * of_part(part.rate_per_h())).sum()
    }

    /// * `repair_per_h` – rate of repair; none if it is instant
    fn square_of_pieces_gy2(&self, repair_per_h: Option<f64>) -> f64 {
        let Some(repair) = repair_per_h else { return 0.0 };
        if self.sum_of_sizes_gy() > CANCELLING * self.dose_of_pieces_gy() {
            return self.square_by_quadrature_gy2(repair);
        }
        let (mut sum, mut unrepaired_gy) = (0.0, 0.0);
        for (piece, length_h) in self.lengths() {
            for one in &piece.terms {
                let carried = Term { rate_per_h: one.rate_per_h + repair, ..*one };
                sum += 2.0 * unrepaired_gy * dose_of(carried, length_h);
                let own = piece.terms.iter().map(|other| product(one, other, repair, length_h));
                sum += 2.0 * own.sum::<f64>();
            }
            if let Some(length_h) = length_h {
                let made = piece.terms.iter().map(|term| left_of(*term, repair, length_h));
                unrepaired_gy = unrepaired_gy * (-repair * length_h).exp() + made.sum::<f64>();
            }
        }
        sum
    }

    /// The same by quadrature: dose-rate and un-repaired dose are nowhere below 0, so that terms that cancel each other
    /// lose digits once in each of them, and not once more in a sum of products.
    fn square_by_quadrature_gy2(&self, repair: f64) -> f64 {
        let rule = GaussRule::legendre(PANEL_POINTS);
        let (mut sum, mut unrepaired_gy) = (0.0, 0.0);
        for (piece, length_h) in self.lengths() {
            let unrepaired_at = |time_h: f64| {
                let made = piece.terms.iter().map(|term| left_of(*term, repair, time_h));
                unrepaired_gy * (-repair * time_h).exp() + made.sum::<f64>()
            };
            let rate_at = |time_h: f64| piece.terms.iter().map(|term| term.at(time_h)).sum::<f64>();
            let rates = || piece.terms.iter().map(|term| term.rate_per_h).filter(|rate| *rate > 0.0);
            let fastest = rates().chain([repair]).fold(0.0, f64::max);
            let end_h = length_h.unwrap_or_else(|| LAST_PANEL / rates().fold(f64::INFINITY, f64::min));
            let (mut low, mut high) = (0.0, (FIRST_PANEL / fastest).min(end_h));
            while low < end_h {
                rule.for_each_point([low, high], high - low, |time_h, weight| {
                    sum += 2.0 * weight * rate_at(time_h) * unrepaired_at(time_h);
                });
                (low, high) = (high, (2.0 * high).min(end_h));
            }
            if let Some(length_h) = length_h {
                unrepaired_gy = unrepaired_at(length_h);
            }
        }
        sum
    }

    /// The sum of the sizes of the doses of all terms [Gy].
    fn sum_of_sizes_gy(&self) -> f64 {
        let sizes = |(piece, length_h): (&Piece, Option<f64>)| -> f64 {
            piece.terms.iter().map(|term| dose_of(*term, length_h).abs()).sum()
        };
        self.lengths().map(sizes).sum()
    }

    /// The pieces, and how long each lasts [h]; the last one never ends.
    fn lengths(&self) -> impl Iterator<Item = (&Piece, Option<f64>)> {
        let ends = self.pieces.iter().skip(1).map(|next| Some(next.start_h)).chain([None]);
        self.pieces.iter().zip(ends).map(|(piece, end)| (piece, end.map(|end_h| end_h - piece.start_h)))
    }

    fn terms_at(&self, time_h: f64) -> Vec<Term> {
        let piece = self.pieces.iter().rev().find(|piece| piece.start_h <= time_h);
        let at = |piece: &Piece, term: &Term| {
            let term = term.after(time_h - piece.start_h);
            Term { amplitude_gy_per_h: self.factor * term.amplitude_gy_per_h, ..term }
        };
        piece.map_or_else(Vec::new, |piece| piece.terms.iter().map(|term| at(piece, term)).collect())
    }

    /// The same course, with a piece that starts at a time.
    fn split_at(&self, time_h: f64) -> Self {
        let of_one = Self { pieces: self.pieces.clone(), factor: 1.0 };
        let split = of_one.plus(&Self { pieces: vec![Piece { start_h: time_h, terms: Vec::new() }], factor: 1.0 });
        Self { factor: self.factor, ..split }
    }

    /// When the last supply ends: nothing is taken away before [h].
    fn last_start_of_supply_h(&self) -> f64 {
        let supplied = |(piece, length): (&Piece, Option<f64>)| {
            piece.terms.iter().any(|term| term.rate_per_h == 0.0).then(|| piece.start_h + length.unwrap_or(0.0))
        };
        self.lengths().filter_map(supplied).fold(0.0, f64::max)
    }
}

/// Dose of a term over a time, none: without end [Gy].
fn dose_of(term: Term, length_h: Option<f64>) -> f64 {
    match length_h {
        None => term.amplitude_gy_per_h / term.rate_per_h,
        Some(length_h) => term.amplitude_gy_per_h * length_h * mean_decay(term.rate_per_h * length_h),
    }
}

/// `∫ Ḋ_one(t) ∫₀^t Ḋ_other(w) e^(−μ(t−w)) dw dt` over a time, none: without end [Gy²].
fn product(one: &Term, other: &Term, repair_per_h: f64, length_h: Option<f64>) -> f64 {
    let amplitudes = one.amplitude_gy_per_h * other.amplitude_gy_per_h;
    let (both, repaired) = (one.rate_per_h + other.rate_per_h, one.rate_per_h + repair_per_h);
    match length_h {
        None => amplitudes / (both * repaired),
        Some(length_h) => -amplitudes * length_h.powi(2) * divided_difference(both * length_h, repaired * length_h),
    }
}

/// `∫₀^L Ḋ(w) e^(−μ(L−w)) dw`: what is not repaired of the dose of a term [Gy].
fn left_of(term: Term, repair_per_h: f64, length_h: f64) -> f64 {
    let slower = term.rate_per_h.min(repair_per_h);
    let between = (term.rate_per_h - repair_per_h).abs();
    term.amplitude_gy_per_h * (-slower * length_h).exp() * length_h * mean_decay(between * length_h)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_PER_H: f64 = 0.0139;
    const REPAIR_PER_H: f64 = std::f64::consts::LN_2 / 2.8;

    /// Uptake and washout of nearly the same rate.
    fn close(apart: f64) -> DoseRate {
        let term = |amplitude_gy_per_h: f64, rate_per_h: f64| Term { amplitude_gy_per_h, rate_per_h };
        DoseRate::new(vec![term(1.0, RATE_PER_H), term(-1.0, RATE_PER_H * (1.0 + apart))]).expect("good")
    }

    #[test]
    fn quadrature_and_sum_over_pairs_agree_where_both_hold() {
        let session = Session { start_h: 20.0, duration_h: 4.0, clearance_half_time_h: 3.0 };
        for apart in [0.1, 0.5, 30.0, 1e4] {
            let one = DoseCourse::of(&close(apart));
            let infused = DoseCourse::infused(&close(apart), 3.0).expect("good");
            let cleared = one.with_sessions(&[session]).expect("good").with_removal(60.0, 0.4).expect("good");
            let twice = infused.plus(&one.later_by(24.0));
            for (name, course) in [("one", one), ("infused", infused), ("cleared", cleared), ("twice", twice)] {
                assert!(course.sum_of_sizes_gy() < CANCELLING * course.dose_of_pieces_gy(), "{name} {apart}");
                for repair in [0.0, RATE_PER_H, REPAIR_PER_H, 40.0] {
                    let (pairs, points) =
                        (course.square_of_pieces_gy2(Some(repair)), course.square_by_quadrature_gy2(repair));
                    assert!((points / pairs - 1.0).abs() < 2e-11, "{name} {apart} {repair}: {points} {pairs}");
                }
            }
        }
    }

    #[test]
    fn terms_that_nearly_cancel_keep_their_digits() {
        // Of t e^(−λt), to the square of how far the rates are apart.
        for apart in [1e-3, 1e-4, 1e-5, 1e-6] {
            let rate_per_h = RATE_PER_H * (1.0 + apart / 2.0);
            let part = rate_per_h / (rate_per_h + REPAIR_PER_H);
            let right = 0.5 * (part + part * part);
            let course = DoseCourse::of(&close(apart));
            let found = course.square_of_pieces_gy2(Some(REPAIR_PER_H)) / course.dose_gy().powi(2);
            let allowed = 3e-16 / apart * 10.0 + apart * apart;
            assert!((found / right - 1.0).abs() < allowed, "{apart}: {found} {right}");
            // An infusion of a minute changes little.
            let infused = DoseCourse::infused(&close(apart), 1.0 / 60.0).expect("good");
            let found = infused.square_of_pieces_gy2(Some(REPAIR_PER_H)) / infused.dose_gy().powi(2);
            assert!((found / right - 1.0).abs() < allowed + 1e-4, "{apart}, infused: {found} {right}");
        }
    }
}
