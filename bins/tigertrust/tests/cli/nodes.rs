//! `security.md` 34 to 36: three nodes over one PostgreSQL and one Valkey or Redis, of which one fails. `scripts/faults` breaks more, and tells
//! figures.

use std::path::Path;

use tigertrust_testkit::faults::{Fault, Figures};

async fn broken(fault: Fault) -> Figures {
    let program = Path::new(env!("CARGO_BIN_EXE_tigertrust"));
    let figures = fault.run(program).await.unwrap();
    println!("{}\n{}", Figures::HEAD, figures.row(fault.name()));
    assert!(
        figures.failures().is_empty(),
        "{:?}: {:?}",
        figures.failures(),
        figures.remarks
    );
    assert!(figures.acknowledged > 0 && figures.checks > 0 && figures.revocations[2].is_some());
    figures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s34_a_node_that_is_killed_loses_nothing_and_comes_back() {
    broken(Fault::NodeKilled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s35_postgres_that_is_killed_loses_nothing_and_nodes_come_back_without_a_restart() {
    let figures = broken(Fault::PostgresRestarted).await;
    assert!(figures.unavailable > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s36_a_store_of_limits_that_is_killed_takes_nobody_s_access() {
    broken(Fault::ValkeyKilled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_a_paused_node_lets_no_revoked_key_in_when_it_wakes() {
    broken(Fault::NodePaused).await;
}
