//! A map that forgets what was used least recently.

use std::{collections::HashMap, hash::Hash, mem};

/// No node.
const NONE: usize = usize::MAX;

/// A map of bounded size: a list in the order of use runs through its nodes.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    most: usize,
    places: HashMap<K, usize>,
    nodes: Vec<Node<K, V>>,
    /// Nodes that hold nothing.
    free: Vec<usize>,
    newest: usize,
    oldest: usize,
}

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

impl<K: Copy + Eq + Hash, V: Default> Lru<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            places: HashMap::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// Finds a value, and counts that as a use.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = *self.places.get(key)?;
        if place != self.newest {
            self.unlink(place);
            self.link(place);
        }
        self.nodes.get_mut(place).map(|node| &mut node.value)
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.places.remove(key)?;
        self.unlink(place);
        self.free.push(place);
        self.nodes.get_mut(place).map(|node| mem::take(&mut node.value))
    }

    /// Puts a value in, in place of the one used least recently if there are too many.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.places.len() >= self.most {
            let Some(oldest) = self.nodes.get(self.oldest).map(|node| node.key) else {
                return; // there is room for none at all
            };
            self.remove(&oldest);
        }
        let node = Node {
            key,
            value,
            newer: NONE,
            older: NONE,
        };
        let place = self.free.pop().unwrap_or(self.nodes.len());
        match self.nodes.get_mut(place) {
            Some(free) => *free = node,
            None => self.nodes.push(node),
        }
        self.places.insert(key, place);
        self.link(place);
    }

    /// Makes a node the newest.
    fn link(&mut self, place: usize) {
        let before = mem::replace(&mut self.newest, place);
        if let Some(node) = self.nodes.get_mut(place) {
            (node.newer, node.older) = (NONE, before);
        }
        match self.nodes.get_mut(before) {
            Some(node) => node.newer = place,
            None => self.oldest = place,
        }
    }

    /// Takes a node out of the list.
    fn unlink(&mut self, place: usize) {
        let Some((newer, older)) = self.nodes.get(place).map(|node| (node.newer, node.older)) else {
            return;
        };
        match self.nodes.get_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.nodes.get_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_used_least_recently_goes() {
        let mut lru = Lru::new(2);
        lru.insert("one", 1);
        lru.insert("two", 2);
        assert_eq!(lru.get_mut(&"one"), Some(&mut 1));
        lru.insert("three", 3);
        assert_eq!(lru.get_mut(&"two"), None);
        assert_eq!(lru.remove(&"one"), Some(1));
        assert_eq!(lru.get_mut(&"one"), None);
        let mut none = Lru::new(0);
        none.insert("one", 1);
        assert_eq!(none.get_mut(&"one"), None);
    }

    proptest! {
        /// The same as a list that is searched from end to end.
        #[test]
        fn it_is_a_list_in_the_order_of_use(most in 1..5_usize, steps in prop::collection::vec((0..3, 0..8_u8), 1..200)) {
            let mut lru = Lru::new(most);
            let mut list: Vec<(u8, usize)> = Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let found = list.iter().position(|(other, _)| *other == key).map(|place| list.remove(place));
                match step {
                    0 => {
                        prop_assert_eq!(lru.get_mut(&key).copied(), found.map(|(_, value)| value));
                        list.extend(found);
                    }
                    1 => prop_assert_eq!(lru.remove(&key), found.map(|(_, value)| value)),
                    _ => {
                        lru.insert(key, number);
                        if list.len() == most {
                            list.remove(0);
                        }
                        list.push((key, number));
                    }
                }
            }
            prop_assert_eq!(lru.places.len(), list.len());
        }
    }
}
