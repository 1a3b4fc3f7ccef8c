//! People's accounts.

use std::sync::Arc;

use tigertrust_credentials::{Password, PasswordHash, PasswordHasher};
use tigertrust_model::{Act, Clock, Email, RandomError, RandomSource, User, UserId};

use crate::{
    FlowError,
    ports::{AccountStore, Page},
    validation::Validation,
};

/// The longest name of a person, in characters.
pub(crate) const MAX_NAME: usize = 100;

/// What a new account is to be.
#[derive(Debug)]
pub struct NewUser {
    /// The address to sign in with.
    pub email: Email,
    /// How the person wants to be called.
    pub name: Option<String>,
    /// The password to sign in with.
    pub password: Password,
}

/// Makes, lists and disables accounts.
#[derive(Clone)]
pub struct UserFlows {
    accounts: Arc<dyn AccountStore>,
    hasher: PasswordHasher,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

impl UserFlows {
    /// Flows over the given store.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        hasher: PasswordHasher,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            accounts,
            hasher,
            clock,
            random,
        }
    }

    /// Hashes a password at the cost that new ones have. It blocks for tens of milliseconds.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn hash(&self, password: &Password) -> Result<PasswordHash, RandomError> {
        self.hasher.hash(password, &*self.random)
    }

    /// Makes an account. Hashing the password blocks for tens of milliseconds.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`Conflict::EmailTaken`](crate::Conflict::EmailTaken), [`FlowError::Store`] and
    /// [`FlowError::Random`].
    pub async fn create(&self, new: NewUser) -> Result<User, FlowError> {
        let (user, hash) = self.prepare(new)?;
        self.accounts
            .insert_user(Act::of_operator(), user.clone(), hash)
            .await?;
        Ok(user)
    }

    /// A page of all people, newest first: for the operator.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn list(&self, page: Page<UserId>) -> Result<Vec<User>, FlowError> {
        Ok(self.accounts.list_users(page).await?)
    }

    /// Disables an account, so that it and its personal keys are refused on every node within a second, or enables it
    /// again: for the operator. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn set_disabled(&self, id: UserId, disabled: bool) -> Result<User, FlowError> {
        let user = self.accounts.get_user(id).await?.ok_or(FlowError::NotFound)?;
        if user.disabled_at.is_some() == disabled {
            return Ok(user);
        }
        let at = disabled.then(|| self.clock.now());
        self.accounts.set_disabled(Act::of_operator(), id, at).await
    }

    pub(crate) fn prepare(
        &self,
        new: NewUser,
    ) -> Result<(User, tigertrust_credentials::PasswordHash), FlowError> {
        let mut validation = Validation::default();
        if let Some(name) = &new.name {
            validation.line("/name", name, MAX_NAME);
        }
        validation.finish()?;
        let now = self.clock.now();
        let hash = self.hasher.hash(&new.password, &*self.random)?;
        let user = User {
            id: UserId::new(now, &*self.random)?,
            email: new.email,
            name: new.name,
            email_verified_at: None,
            disabled_at: None,
            created_at: now,
        };
        Ok((user, hash))
    }
}

impl std::fmt::Debug for UserFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserFlows").finish_non_exhaustive()
    }
}
