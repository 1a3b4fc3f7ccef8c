//! Tells the operator once why keys cannot be checked: every request says the same, and a log of them says no more.

use std::sync::Mutex;

use crate::{NotAvailable, Reason, lock::lock};

/// What went wrong last.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    last: Mutex<Option<String>>,
}

impl Troubles {
    /// Notes how a question to the server ended, and warns of a trouble that is another one than before.
    pub(crate) fn note(&self, trouble: Option<&NotAvailable>) {
        let Some(trouble) = trouble else {
            let over = lock(&self.last).take();
            if over.is_some() {
                tracing::info!("keys are checked again");
            }
            return;
        };
        // A client that is being closed is no trouble.
        if trouble.reason() == Reason::Closed {
            return;
        }
        // The text alone: each has a request id of its own.
        let trouble = trouble.to_string();
        let mut last = lock(&self.last);
        if last.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}; nobody is let in");
            *last = Some(trouble);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::Arc,
    };

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_trouble_is_told_once_until_it_is_over() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        with_default(subscriber, || {
            let troubles = Troubles::default();
            let refused = NotAvailable::new(Reason::Refused, "it answered 403 FORBIDDEN");
            let late = NotAvailable::late();
            for _ in 0..3 {
                troubles.note(Some(&refused));
            }
            troubles.note(Some(&NotAvailable::closed()));
            troubles.note(Some(&late));
            troubles.note(None);
            troubles.note(None);
            troubles.note(Some(&late));
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        let tell = [
            "403 FORBIDDEN; nobody",
            "within the deadline",
            "checked again",
            "within the deadline",
        ];
        for (line, told) in lines.iter().zip(tell) {
            assert!(line.contains(told), "{line}");
        }
    }
}
