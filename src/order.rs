//! Lists in order.

/// Sorts what is not long, such as the names in a folder; what is neither before the other stays in no order. The standard
/// library's sorts are faster, and 5 KB for each type.
///
/// Shell's, with the gaps of Gonnet and Baeza-Yates.
pub(crate) fn sort<T>(items: &mut [T], is_before: impl Fn(&T, &T) -> bool) {
    let mut gap = items.len();
    while gap > 1 {
        gap = (gap * 5 / 11).max(1);
        for end in gap..items.len() {
            let mut at = end;
            while at >= gap && is_before(&items[at], &items[at - gap]) {
                items.swap(at, at - gap);
                at -= gap;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_was_it_is_sorted() {
        for length in 0..100_u32 {
            let mut numbers: Vec<u32> = (0..length).map(|n| n.wrapping_mul(2_654_435_761) >> 27).collect();
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            sort(&mut numbers, |a, b| a < b);
            assert_eq!(numbers, sorted);
            sort(&mut numbers, |a, b| a > b);
            assert!(numbers.is_sorted_by(|a, b| a >= b));
        }
    }
}
