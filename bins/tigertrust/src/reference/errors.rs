//! Every code of an error.

use std::fmt::Write;

use tigertrust_wire::{Code, Retry};

use super::markdown::{head, one_line};

pub(super) fn page() -> String {
    let mut page = head(
        "Error codes",
        "What `code` can be in the body of an error, by status. [Errors](../errors.md) says what else is in it, and has an \
         example of most.",
    );
    for code in Code::ALL {
        let (status, phrase) = code.status();
        let retry = match code.retry() {
            Retry::No => "no, the answer stays the same until something else has changed",
            Retry::AfterProof => "once the person has given the proof",
            Retry::Later => "yes, after the time in `Retry-After`",
        };
        write!(
            page,
            "\n## {}\n\n**{status} {phrase}.** {}\n\n- What to do: {}\n- Repeat the same request: {retry}\n",
            code.as_str(),
            one_line(code.meaning()),
            code.advice(),
        )
        .unwrap();
        let headers: Vec<String> = code.headers().iter().map(|name| format!("`{name}`")).collect();
        if !headers.is_empty() {
            writeln!(page, "- Comes with: {}", headers.join(", ")).unwrap();
        }
    }
    page
}
