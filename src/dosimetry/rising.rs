//! Many numbers in rising order.

/// Fewer are sorted by comparison.
const MANY: usize = 1 << 12;
/// Bits by which numbers are put in order at once, the last ones first.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Numbers in the order of [`f32::total_cmp`]. Many are put in order digit by digit of their bits, which takes a time
/// in proportion to their number.
pub(super) fn rising(mut numbers: Vec<f32>) -> Vec<f32> {
    if numbers.len() < MANY {
        numbers.sort_unstable_by(f32::total_cmp);
        return numbers;
    }
    let mut from: Vec<u32> = numbers.iter().map(|number| key(*number)).collect();
    let mut to = vec![0; from.len()];
    for shift in (0..u32::BITS).step_by(DIGIT_BITS as usize) {
        let digit = |key: u32| (key >> shift) as usize % DIGITS;
        let mut places = [0; DIGITS];
        from.iter().for_each(|&key| places[digit(key)] += 1);
        if places.contains(&from.len()) {
            continue;
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for &key in &from {
            let place = &mut places[digit(key)];
            to[*place] = key;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
    }
    numbers.iter_mut().zip(&from).for_each(|(number, key)| *number = of_key(*key));
    numbers
}

/// Sign of a number below 0.
const SIGN: u32 = 1 << 31;

/// A whole number that rises with a number.
fn key(number: f32) -> u32 {
    let bits = number.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn of_key(key: u32) -> f32 {
    f32::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_comparison() {
        for count in [0, 1, MANY - 1, MANY, 3 * MANY + 5] {
            for kind in 0..3u32 {
                let number = |n: u32| {
                    let bits = n.wrapping_mul(2_654_435_761);
                    match kind {
                        0 => f32::from_bits(bits), // of all kinds, NaN and infinity too
                        1 => (bits >> 20) as f32 * 1e-3,
                        _ => [0.0, -0.0, 1.0][n as usize % 3],
                    }
                };
                let numbers: Vec<f32> = (0..).map(number).take(count).collect();
                let mut expected = numbers.clone();
                expected.sort_by(f32::total_cmp);
                let bits = |numbers: &[f32]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&rising(numbers)), bits(&expected), "{count} of kind {kind}");
            }
        }
    }
}
