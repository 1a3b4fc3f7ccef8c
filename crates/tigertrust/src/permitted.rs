//! What extractors give to handlers.

use std::{fmt, marker::PhantomData, ops::Deref};

use crate::Admitted;

/// A caller who was let in to what needs `N`.
pub struct Permitted<N> {
    admitted: Admitted,
    need: PhantomData<fn() -> N>,
}

impl<N> Permitted<N> {
    pub(crate) const fn new(admitted: Admitted) -> Self {
        Self {
            admitted,
            need: PhantomData,
        }
    }
}

impl<N> Deref for Permitted<N> {
    type Target = Admitted;

    fn deref(&self) -> &Admitted {
        &self.admitted
    }
}

impl<N> Clone for Permitted<N> {
    fn clone(&self) -> Self {
        Self::new(self.admitted.clone())
    }
}

impl<N> fmt::Debug for Permitted<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permitted").field(&self.admitted).finish()
    }
}
