//! `tigertrust clock`.

use std::time::Duration;

use serde::Serialize;
use tigertrust::TigerTrust;
use tigertrust_model::{Act, Clock as _, Timestamp};
use tigertrust_storage::ClockMark;
use tigertrust_wire::format_rfc3339;

use super::instance;
use crate::{
    cli::{ClockCommand, Common},
    duration,
    failure::Failure,
    output,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    machine: String,
    latest_seen: String,
    in_use: String,
    behind_seconds: u64,
    resets: i64,
}

impl Status {
    fn new(instance: &TigerTrust, mark: ClockMark) -> Self {
        let clock = instance.steady_clock();
        Self {
            machine: format_rfc3339(clock.machine()),
            latest_seen: format_rfc3339(mark.latest),
            in_use: format_rfc3339(clock.now()),
            behind_seconds: clock.behind().as_secs(),
            resets: mark.resets,
        }
    }

    fn text(&self, mark: ClockMark) -> String {
        let latest = if mark.latest == Timestamp::from_unix_micros(0) {
            "none yet"
        } else {
            &self.latest_seen
        };
        let rows = [
            ["Clock of this machine".to_owned(), self.machine.clone()],
            ["Latest time seen".to_owned(), latest.to_owned()],
            ["Time in use".to_owned(), self.in_use.clone()],
        ];
        let table = output::table(["CLOCK", "TIME"], rows);
        if self.behind_seconds == 0 {
            return table;
        }
        format!(
            "{table}\nThe clock of this machine is {} behind. Set it right; if it is right, run `tigertrust clock reset`.",
            duration::show(Duration::from_secs(self.behind_seconds))
        )
    }
}

pub async fn run(common: &Common, verb: &ClockCommand) -> Result<(), Failure> {
    if matches!(verb, ClockCommand::Reset { yes: false }) {
        return Err(Failure::new(
            "what has expired by the later time may be good again, codes of apps included: set the clock of this machine right, \
             then pass --yes",
        ));
    }
    let instance = instance(common).await?;
    let storage = instance.storage();
    let done = match verb {
        ClockCommand::Status => {
            let mark = storage.clock_mark().await?;
            output::print(common.output, &Status::new(&instance, mark), |status| {
                status.text(mark)
            })
        }
        ClockCommand::Reset { .. } => {
            let mark = storage.reset_clock_mark(Act::of_operator()).await?;
            output::print(common.output, &Status::new(&instance, mark), |status| {
                format!(
                    "The latest time is {} again. Servers that run follow within 5 seconds.",
                    status.latest_seen
                )
            })
        }
    };
    instance.close().await;
    done
}
