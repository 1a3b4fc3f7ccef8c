//! For `scripts/faults`: breaks what a server stands on, and prints what came of it.
//!
//! ```text
//! faults PROGRAM FAULT...
//! ```
//!
//! Prints one table in Markdown, and ends with 1 if anything came to be that must not.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool says what it does"
)]

use std::{env, path::PathBuf, process::ExitCode};

use tigertrust_testkit::faults::{Fault, Figures, engines};
use tokio::task::{LocalSet, spawn_local};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(program) = arguments.next().map(PathBuf::from) else {
        eprintln!("faults PROGRAM FAULT...");
        return ExitCode::from(2);
    };
    let mut faults = Vec::new();
    for name in arguments {
        match name.as_str() {
            "all" => faults.extend(Fault::ALL),
            "short" => faults.extend(Fault::SHORT),
            name => {
                let Some(fault) = Fault::ALL.into_iter().find(|fault| fault.name() == name) else {
                    let known = Fault::ALL.map(Fault::name).join(", ");
                    eprintln!("there is no fault {name}; there are {known}");
                    return ExitCode::from(2);
                };
                faults.push(fault);
            }
        }
    }
    let (mut rows, mut remarks, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for fault in faults {
        let name = fault.name();
        eprintln!("{name}");
        // In a task of its own, so that one that panics does not hide what the others found.
        let program = program.clone();
        let running = async { spawn_local(async move { fault.run(&program).await }).await };
        match LocalSet::new().run_until(running).await {
            Ok(Ok(figures)) => {
                rows.push(figures.row(name));
                remarks.extend(figures.remarks.iter().map(|remark| format!("- {name}: {remark}")));
                failures.extend(
                    figures
                        .failures()
                        .iter()
                        .map(|failure| format!("{name}: {failure}")),
                );
            }
            Ok(Err(reason)) => remarks.push(format!("- {name}: skipped, {reason}")),
            Err(_) => failures.push(format!("{name}: did not come to its end")),
        }
    }
    println!("{}\n{}\n", Figures::HEAD, rows.join("\n"));
    println!("{}\n", remarks.join("\n"));
    println!("On {}.", engines());
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
