//! Who follows the changes at the moment: each holds a connection, of which there are not many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tigertrust_model::Creator;

/// How many may follow one server at once.
const MAX: usize = 1_000;
/// How many of them may be of one caller, so that nobody takes all the seats.
const MAX_OF_ONE: usize = 50;

/// The seats of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers(Arc<Mutex<HashMap<Creator, usize>>>);

/// A seat, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    followers: Followers,
    caller: Creator,
}

impl Followers {
    /// A seat for the caller, if there is one.
    pub(crate) fn take(&self, caller: Creator) -> Option<Seat> {
        let mut taken = self.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&caller).copied().unwrap_or_default();
        if all >= MAX || own >= MAX_OF_ONE {
            return None;
        }
        taken.insert(caller, own + 1);
        Some(Seat {
            followers: self.clone(),
            caller,
        })
    }

    // Every step leaves the counts true.
    fn taken(&self) -> MutexGuard<'_, HashMap<Creator, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.followers.taken();
        match taken.get_mut(&self.caller) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_model::KeyId;
    use uuid::Uuid;

    use super::*;

    fn caller(number: usize) -> Creator {
        Creator::Key(KeyId::from_uuid(Uuid::from_u128(u128::try_from(number).unwrap())))
    }

    #[test]
    fn one_caller_cannot_take_all_the_seats_and_a_seat_comes_back() {
        let followers = Followers::default();
        let mut own: Vec<Seat> = (0..MAX_OF_ONE)
            .map(|_| followers.take(caller(0)).unwrap())
            .collect();
        assert!(followers.take(caller(0)).is_none());
        own.pop();
        own.push(followers.take(caller(0)).unwrap());
        let others: Vec<Seat> = (MAX_OF_ONE..MAX)
            .map(|number| followers.take(caller(number)).unwrap())
            .collect();
        assert!(followers.take(caller(1)).is_none());
        drop((own, others));
        assert!(followers.taken().is_empty());
    }
}
