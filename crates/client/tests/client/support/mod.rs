//! What the tests stand on.

mod proxy;
mod world;

pub(crate) use proxy::Proxy;
pub(crate) use world::{Key, World, eventually};
