//! The TigerTrust server and its command line.
#![allow(
    unreachable_pub,
    reason = "a program has no callers: pub means seen by its other modules"
)]

mod checkpoints;
mod cli;
mod commands;
mod config;
mod dependents;
mod duration;
mod failure;
mod instance;
mod listener;
mod logging;
mod mail;
mod nearest;
mod output;
mod own_ring;
#[cfg(test)]
mod reference;
mod servers;
mod since;
mod supervisor;
mod tls;
mod traces;

use std::process::ExitCode;

use clap::Parser;
use listenfd::ListenFd;

use crate::{cli::Cli, failure::Failure};

/// A request allocates some forty times: docs/src/performance.md has what this one makes of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // It takes variables out of the environment, which only a single thread may do.
    let handed = ListenFd::from_env();
    // Migrations hold a thread while they run, so that one thread would not do.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(commands::run(cli, handed)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tigertrust: {failure}");
            ExitCode::FAILURE
        }
    }
}
