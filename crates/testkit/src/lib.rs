//! Fakes, fixtures and throwaway servers for the tests of TigerTrust.

pub mod database;
