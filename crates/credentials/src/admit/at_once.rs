//! Admission for the many: what can be said at once, out of memory.

use std::sync::Arc;

use tigertrust_model::{Moment, Outcome};
use tigertrust_rate_limit::Decision;

use super::{
    Admission,
    examine::{ActsIn, Attempt, check_caller, check_rights, own_workspace},
    permit::{Permit, PermitWorkspace},
    verify::{Verdict, Verification},
};
use crate::{Need, ParsedKey, Presented, cache::Remembered, known_key::KnownKey, schemes::Credential};

impl Admission {
    /// Admits a request as [`admit`](Self::admit) would, where nothing has to be waited for: its key is remembered, nobody else has
    /// to be asked for its limits, and it passes every check. `None` otherwise, and then nothing has happened: it is
    /// [`admit`](Self::admit)'s to find out why, and to refuse.
    ///
    /// The moment is the present one; who has read the clocks a moment ago need not do so again.
    #[must_use]
    pub fn admit_at_once(&self, presented: &Presented<'_>, need: &Need, moment: Moment) -> Option<Permit> {
        let Ok(Credential::Key(secret)) = presented.credential(&self.formats) else {
            return None;
        };
        let record = self
            .keys
            .peek(&self.peppers.current().digest(&secret), moment.monotonic)?;
        let (workspace, limits) =
            self.pass_at_once(&record, Attempt::of(presented, None), need, 1, moment)?;
        self.note_use(&record, moment.now, presented.client, presented.user_agent);
        Some(Permit {
            record,
            token: None,
            workspace,
            limits: Some(limits),
        })
    }

    /// Finds that a key is good as [`verify`](Self::verify) would, where nothing has to be waited for. `None` otherwise, as with
    /// [`admit_at_once`](Self::admit_at_once).
    #[must_use]
    pub fn verify_at_once(&self, asked: &Verification<'_>, moment: Moment) -> Option<Verdict> {
        // Who only asks what a key is worth does not use it, which few do.
        if asked.cost == 0 {
            return None;
        }
        let secret = ParsedKey::read(asked.key.as_bytes(), &self.formats)?.ok()?;
        let record = self
            .keys
            .peek(&self.peppers.current().digest(&secret), moment.monotonic)?;
        if !asked.may_know_of(&record) {
            return None;
        }
        let (workspace, limits) =
            self.pass_at_once(&record, asked.attempt(None), &asked.need, asked.cost, moment)?;
        self.note_use(&record, moment.now, asked.client, None);
        Some(Verdict {
            record: Some(record),
            token: None,
            workspace,
            limits: Some(limits),
            refusal: None,
        })
    }

    /// Has a key that is remembered pass every check, and counts that it did. What it spends is asked last here, since whoever does not
    /// pass must not have spent anything.
    fn pass_at_once(
        &self,
        record: &Arc<Remembered<KnownKey>>,
        attempt: Attempt<'_>,
        need: &Need,
        cost: u32,
        moment: Moment,
    ) -> Option<(PermitWorkspace, Decision)> {
        record.check_state(moment.now).ok()?;
        check_caller(record, attempt, need).ok()?;
        let ActsIn::Own(workspace) = own_workspace(record, attempt.named(), need.workspace).ok()? else {
            return None;
        };
        let scope = check_rights(record, &workspace, attempt, need).ok()?;
        let limits = self
            .limits
            .spend_at_once(record, need.charge, cost, moment.monotonic)?;
        self.keys.hit(());
        self.checks.passed();
        self.usage.count(record, moment.now, Outcome::Valid, scope);
        Some((workspace, limits))
    }
}
