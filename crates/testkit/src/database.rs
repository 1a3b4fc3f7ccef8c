//! Throwaway databases.
