//! The source of random choices. A seed repeats them.

use chrono::TimeDelta;

use crate::example::{Time, at};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, max_fact_age: usize) -> usize {
        usize::try_from(self.next() % max_fact_age as u64).expect("less than a usize")
    }

    pub fn pick<T: Clone>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())].clone()
    }

    pub fn pick_mut<'a, T>(&mut self, items: &'a mut [T]) -> Option<&'a mut T> {
        if items.is_empty() {
            return None;
        }
        let number = self.below(items.len());
        items.get_mut(number)
    }

    pub fn chance(&mut self, permille: usize) -> bool {
        self.below(1000) < permille
    }

    /// Returns one of a few times, so that equal ones are frequent.
    pub fn time(&mut self) -> Time {
        let hours = [-1500, -1000, -1000, -900, -800, -700, -600, -500, -400, -100, -20, -2];
        at(self.pick(&hours)) + TimeDelta::minutes(self.pick(&[0, 0, 0, 0, 5, -5]))
    }

    pub fn time_or_none(&mut self) -> Option<Time> {
        if self.chance(700) { Some(self.time()) } else { None }
    }
}
