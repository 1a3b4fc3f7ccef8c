//! What was spent in each of the buckets of a window, in their order.

/// Runs of calls, each of one bucket, in 4 bytes that are never 0. The first and the last are kept apart from those between them: each
/// decision looks at these two, and with many subjects in turn what lies elsewhere in memory is far away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// 0 where there is none.
    first: u32,
    /// 0 where there is but one, or none.
    last: u32,
    between: Vec<u32>,
}

impl Runs {
    pub(crate) const fn is_empty(&self) -> bool {
        self.first == 0
    }

    pub(crate) const fn first(&self) -> Option<u32> {
        some(self.first)
    }

    pub(crate) const fn last(&self) -> Option<u32> {
        match some(self.last) {
            None => self.first(),
            last => last,
        }
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut u32> {
        let last = if self.last == 0 {
            &mut self.first
        } else {
            &mut self.last
        };
        Some(last).filter(|run| **run != 0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let between = self.between.iter().copied();
        some(self.first).into_iter().chain(between).chain(some(self.last))
    }

    pub(crate) fn push(&mut self, run: u32) {
        if self.first == 0 {
            self.first = run;
            return;
        }
        if self.last != 0 {
            self.between.push(self.last);
        }
        self.last = run;
    }

    /// Takes out the first ones as long as they are such, and hands over each.
    pub(crate) fn drop_while(&mut self, is_over: impl Fn(u32) -> bool, mut dropped: impl FnMut(u32)) {
        if self.first == 0 || !is_over(self.first) {
            return;
        }
        dropped(self.first);
        let over = self.between.iter().take_while(|run| is_over(**run)).count();
        self.between.drain(..over).for_each(&mut dropped);
        self.first = if self.between.is_empty() {
            let last = std::mem::take(&mut self.last);
            if last != 0 && is_over(last) {
                dropped(last);
                0
            } else {
                last
            }
        } else {
            self.between.remove(0)
        };
    }

    pub(crate) fn clear(&mut self) {
        (self.first, self.last) = (0, 0);
        self.between.clear();
    }

    /// Bytes on the heap.
    pub(crate) const fn heap(&self) -> usize {
        self.between.capacity() * size_of::<u32>()
    }
}

const fn some(run: u32) -> Option<u32> {
    if run == 0 { None } else { Some(run) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_a_list_would_be(steps in proptest::collection::vec((0_u8..4, 1_u32..50), 0..60)) {
            let (mut runs, mut list) = (Runs::default(), Vec::<u32>::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        let mut dropped = Vec::new();
                        runs.drop_while(|run| run < number, |run| dropped.push(run));
                        let over = list.iter().take_while(|run| **run < number).count();
                        prop_assert_eq!(dropped, list.drain(..over).collect::<Vec<_>>());
                    }
                    1 if number == 1 => {
                        runs.clear();
                        list.clear();
                    }
                    2 => {
                        let changed = runs.last_mut().map(|run| { *run = number; number });
                        prop_assert_eq!(changed, list.last_mut().map(|run| { *run = number; number }));
                    }
                    _ => {
                        runs.push(number);
                        list.push(number);
                    }
                }
                prop_assert_eq!(runs.iter().collect::<Vec<_>>(), list.clone());
                prop_assert_eq!((runs.first(), runs.last()), (list.first().copied(), list.last().copied()));
                prop_assert_eq!(runs.is_empty(), list.is_empty());
                let mut same = Runs::default();
                list.iter().for_each(|run| same.push(*run));
                prop_assert_eq!(&runs, &same);
            }
        }
    }
}
