//! Trust rules: made, listed, removed.

use std::{collections::BTreeMap, fmt, sync::Arc};

use tigertrust_credentials::ports::CredentialStore;
use tigertrust_model::{
    ClaimConditions, ClaimConditionsError, Clock, KeyId, KeyType, RandomSource, TrustRule, TrustRuleId,
};

use super::{JobTokens, TrustRuleStore, well_known};
use crate::{
    Actor, FlowError, Violation,
    audit::RefusalLog,
    key_edit::{ensure_holds, ensure_limited},
    keys::MAX_NAME,
    validation::Validation,
};

/// The longest issuer and audience, in characters.
const MAX_TEXT: usize = 255;

/// What a new rule is to be.
#[derive(Clone, Debug, Default)]
pub struct NewTrustRule {
    /// What people call it.
    pub name: String,
    /// Whose word is taken.
    pub issuer: String,
    /// What has to be among the `aud` of a job's token.
    pub audience: String,
    /// What else the job's token has to say: for each claim the texts of which it must have one.
    pub claims: BTreeMap<String, Vec<String>>,
}

/// What [`TrustRuleFlows`] work with.
pub struct TrustRuleParts {
    /// Where rules are kept.
    pub store: Arc<dyn TrustRuleStore>,
    /// Where keys are looked up.
    pub credentials: Arc<dyn CredentialStore>,
    /// What verifies the tokens of jobs; without it rules can be listed and removed, and nothing else.
    pub tokens: Option<Arc<dyn JobTokens>>,
    /// What is told of refusals.
    pub refusals: RefusalLog,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
}

/// Makes, lists and removes trust rules, and finds out which jobs are let in by them.
#[derive(Clone)]
pub struct TrustRuleFlows(pub(super) Arc<TrustRuleParts>);

impl TrustRuleFlows {
    /// Flows over the given parts.
    #[must_use]
    pub fn new(parts: TrustRuleParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether this server can verify the tokens of jobs.
    #[must_use]
    pub fn are_supported(&self) -> bool {
        self.0.tokens.is_some()
    }

    /// Gives a key a rule. Whoever gives one could be let in by it, and so must hold all that the key may do.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], also for a public key; [`FlowError::Forbidden`] and [`FlowError::WorkspaceDenied`] if the key may do
    /// more than the actor; [`FlowError::NotFound`], [`FlowError::Conflict`] for a revoked key and for too many rules,
    /// [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn create(&self, actor: &Actor, key: KeyId, new: NewTrustRule) -> Result<TrustRule, FlowError> {
        // Whose key it is not learns nothing of what would be wrong with the rule.
        self.list(actor, key).await?;
        let now = self.0.clock.now();
        let claims = self.validate(&new)?;
        let rule = TrustRule {
            id: TrustRuleId::new(now, &*self.0.random)?,
            key,
            name: new.name,
            issuer: new.issuer,
            audience: new.audience,
            claims,
            created_at: now,
            created_by: actor.creator(),
        };
        let maker = actor.clone();
        let check = move |key: &tigertrust_model::ApiKey| {
            key.ensure_editable()?;
            if key.kind != KeyType::Agent {
                return Err(FlowError::invalid(
                    "",
                    "only an agent key can be exchanged for tokens",
                ));
            }
            ensure_holds(&maker, key)?;
            ensure_limited(&maker, key.limits)
        };
        self.0
            .store
            .insert_trust_rule(actor.act(), actor.view()?, rule.clone(), Box::new(check))
            .await?;
        Ok(rule)
    }

    /// The rules of a key, newest first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn list(&self, actor: &Actor, key: KeyId) -> Result<Vec<TrustRule>, FlowError> {
        let rules = self.0.store.list_trust_rules(actor.view()?, key).await?;
        rules.ok_or(FlowError::NotFound)
    }

    /// A rule of a key.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn get(&self, actor: &Actor, key: KeyId, id: TrustRuleId) -> Result<TrustRule, FlowError> {
        let rules = self.list(actor, key).await?;
        let rule = rules.into_iter().find(|rule| rule.id == id);
        rule.ok_or(FlowError::NotFound)
    }

    /// Takes a rule from a key; without one, from whichever has it. Whoever may edit the key may do that, whatever it holds.
    /// Tokens that were given out by the rule are good until their time is over.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn delete(
        &self,
        actor: &Actor,
        key: Option<KeyId>,
        id: TrustRuleId,
    ) -> Result<TrustRule, FlowError> {
        self.0
            .store
            .remove_trust_rule(actor.act(), actor.view()?, key, id)
            .await
    }

    fn validate(&self, new: &NewTrustRule) -> Result<ClaimConditions, FlowError> {
        let mut validation = Validation::default();
        validation.line("/name", &new.name, MAX_NAME);
        for (place, text) in [("/issuer", &new.issuer), ("/audience", &new.audience)] {
            validation.line(place, text, MAX_TEXT);
        }
        match &self.0.tokens {
            None => validation.refuse(
                "/issuer",
                "this server is built without what verifies tokens of jobs",
            ),
            Some(tokens) => {
                if let Err(why) = tokens.check_issuer(&new.issuer) {
                    validation.refuse("/issuer", why);
                }
            }
        }
        match ClaimConditions::new(new.claims.clone()) {
            Err(error) => Err(validation.finish_with(at_claim(&error))),
            Ok(claims) => {
                if let Some(why) = well_known::opening(&new.issuer, &claims) {
                    validation.refuse("/claims", why);
                }
                validation.finish()?;
                Ok(claims)
            }
        }
    }
}

fn at_claim(error: &ClaimConditionsError) -> Violation {
    let mut pointer = "/claims".to_owned();
    let (claim, index) = error.place();
    if let Some(claim) = claim {
        // RFC 6901 §3.
        pointer.push('/');
        pointer.push_str(&claim.replace('~', "~0").replace('/', "~1"));
    }
    if let Some(index) = index {
        pointer.push_str(&format!("/{index}"));
    }
    Violation::new(pointer, error.to_string())
}

impl fmt::Debug for TrustRuleFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustRuleFlows").finish_non_exhaustive()
    }
}
