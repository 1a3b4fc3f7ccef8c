//! The texts of the migrations, to be shown.

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
pub(super) const ALL: [&[(&str, &str)]; 2] = [POSTGRES, SQLITE];
