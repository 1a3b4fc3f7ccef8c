//! `tigertrust doctor`: what is wrong with the settings and with what they name.

mod audit;
mod database;
mod finding;
mod key_ring;
mod secrets;
mod services;
mod settings;

use std::{fmt::Display, time::Duration};

use serde::Serialize;
use tokio::time::timeout;

use self::finding::{Finding, Level};
use super::serve;
use crate::{
    cli::{Common, Doctor},
    config::Settings,
    duration,
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct Report {
    errors: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

pub async fn run(common: &Common, args: &Doctor) -> Result<(), Failure> {
    let source = super::source(common, serve::listen_flag(args.listen.clone()))?;
    let file = source.file.as_ref().map_or_else(
        || "no configuration file".to_owned(),
        |file| file.display().to_string(),
    );
    let findings = match Settings::load(&source, &common.data) {
        Ok(settings) => {
            let mut findings = vec![Finding::ok("configuration", format!("is valid: {file}"))];
            findings.extend(settings::look(&settings));
            findings.extend(key_ring::look(&settings));
            findings.extend(look_outside(&settings, args.timeout).await);
            findings
        }
        Err(errors) => errors
            .0
            .into_iter()
            .map(|error| {
                let mend = "Set it to what is allowed; `tigertrust config check` shows where each setting comes from.";
                Finding::error("configuration", error, mend)
            })
            .collect(),
    };
    report(common, findings)
}

/// What has to be asked for over a network or on a disk: all at once, each within its time.
async fn look_outside(settings: &Settings, limit: Duration) -> Vec<Finding> {
    let (database, limits, mail) = tokio::join!(
        within(limit, "database", database::look(settings, limit)),
        within(limit, "rate_limit.url", services::look_at_limits(settings)),
        within(limit, "mail.smtp_url", services::look_at_mail(settings, limit)),
    );
    [database, limits, mail].concat()
}

async fn within(limit: Duration, about: &str, looking: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    timeout(limit, looking).await.unwrap_or_else(|_| {
        let finding = format!("did not answer within {}", duration::show(limit));
        let mend = "See that it runs and can be reached from here, or pass a longer --timeout.";
        vec![Finding::error(about, finding, mend)]
    })
}

/// What an error says, on one line.
fn line(error: &impl Display) -> String {
    let text = error.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn report(common: &Common, mut findings: Vec<Finding>) -> Result<(), Failure> {
    findings.sort_by_key(|finding| finding.level);
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let report = Report {
        errors: count(Level::Error),
        warnings: count(Level::Warning),
        findings,
    };
    output::print(common.output, &report, text)?;
    match report.errors {
        0 => Ok(()),
        errors => Err(Failure::new(format!("{} found", counted(errors, "error")))),
    }
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn text(report: &Report) -> String {
    let lines = report.findings.iter().map(|finding| {
        let said = format!(
            "{:7}  {}: {}",
            finding.level.as_str(),
            finding.about,
            finding.finding
        );
        match &finding.mend {
            None => said,
            Some(mend) => format!("{said}\n         {mend}"),
        }
    });
    let end = format!(
        "{}, {}",
        counted(report.errors, "error"),
        counted(report.warnings, "warning")
    );
    lines.chain([end]).collect::<Vec<_>>().join("\n")
}
