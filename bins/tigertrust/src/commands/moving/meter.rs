//! How far it is, on standard error: a bar where that is a terminal, lines where it is not.

use indicatif::{ProgressBar, ProgressStyle};
use tigertrust_storage::moving::Progress;

/// After how many rows of one table another line is due.
const A_LINE: u64 = 100_000;

/// How far it is.
pub(super) struct Meter {
    what: &'static str,
    bar: ProgressBar,
    table: String,
    due: u64,
}

impl Meter {
    pub(super) fn new(what: &'static str, rows: u64, done: u64) -> Self {
        // It knows by itself whether anybody sees it.
        let bar = ProgressBar::new(rows).with_position(done);
        let style = "{msg:32} {wide_bar} {human_pos} of {human_len} rows, {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.reset_eta();
        if done > 0 && bar.is_hidden() {
            eprintln!("going on after {done} of {rows} rows");
        }
        Self {
            what,
            bar,
            table: String::new(),
            due: 0,
        }
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
        let Progress { table, rows, done } = progress;
        let is_other = self.table != *table;
        if is_other {
            self.table.clone_from(table);
            self.bar.set_message(format!("{} {table}", self.what));
        }
        self.bar.set_position(*done);
        if self.bar.is_hidden() && (is_other || *rows >= self.due) {
            self.due = rows.saturating_add(A_LINE);
            let all = self.bar.length().unwrap_or(*done);
            eprintln!("{} {table}: {rows} rows, {done} of {all} in all", self.what);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
