//! `tigertrust user`.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde::Serialize;
use tigertrust::TigerTrust;
use tigertrust_accounts::ports::EndSessions;
use tigertrust_accounts::{FlowError, NewUser};
use tigertrust_credentials::{OsRandom, Password, PasswordPolicy};
use tigertrust_model::{Act, Email, User as Person, UserId};
use tigertrust_wire::{Page, format_rfc3339};
use zeroize::Zeroizing;

use super::{instance, key::with_cursor};
use crate::{
    cli::{Common, PageArgs, User},
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct Created {
    id: String,
    email: String,
    name: Option<String>,
    /// Only a password that was made up here is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// An account, as the command line shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    email: String,
    name: Option<String>,
    created_at: String,
    disabled_at: Option<String>,
}

impl From<&Person> for Account {
    fn from(user: &Person) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.to_string(),
            name: user.name.clone(),
            created_at: format_rfc3339(user.created_at),
            disabled_at: user.disabled_at.map(format_rfc3339),
        }
    }
}

pub async fn run(common: &Common, verb: User) -> Result<(), Failure> {
    match verb {
        User::Create {
            email,
            name,
            password_file,
        } => {
            let (password, shown) = choose_password(password_file.as_deref(), &email)?;
            let instance = instance(common).await?;
            let user = instance
                .users()
                .create(NewUser {
                    email,
                    name,
                    password,
                })
                .await?;
            instance.close().await;
            let created = Created {
                id: user.id.to_string(),
                email: user.email.to_string(),
                name: user.name,
                password: shown,
            };
            output::print(common.output, &created, |created| {
                let password = created.password.as_ref().map_or_else(String::new, |password| {
                    format!("\nPassword  {password}   (shown once: store it now)")
                });
                format!("User      {}\nE-mail    {}{password}", created.id, created.email)
            })
        }
        User::List(page) => list(common, &page).await,
        User::Disable { user } => set_disabled(common, &user, true).await,
        User::Enable { user } => set_disabled(common, &user, false).await,
        User::Erase { user, yes } => erase(common, &user, yes).await,
        User::ResetPassword { user, password_file } => {
            reset_password(common, &user, password_file.as_deref()).await
        }
        User::Reset2fa { user } => reset_second_factor(common, &user).await,
    }
}

/// The password in the file, or a random one, which is shown.
fn choose_password(file: Option<&Path>, owner: &Email) -> Result<(Password, Option<String>), Failure> {
    if let Some(path) = file {
        return Ok((read_password(path, owner)?, None));
    }
    let password = Password::generate(&OsRandom)?;
    let shown = password.reveal().to_owned();
    Ok((password, Some(shown)))
}

async fn reset_password(common: &Common, user: &str, file: Option<&Path>) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let id = find_person(&instance, user).await?;
    let account = instance.storage().sign_ins().account(id, None).await?;
    let person = account.ok_or_else(|| unknown(user))?.user;
    let (password, shown) = choose_password(file, &person.email)?;
    let hash = instance.users().hash(&password)?;
    let store = instance.storage().sign_ins();
    store
        .set_password(Act::of_operator(), id, hash, None, None)
        .await?;
    store.forgive(Act::of_operator(), id).await?;
    instance.close().await;
    let reset = Created {
        id: person.id.to_string(),
        email: person.email.to_string(),
        name: person.name,
        password: shown,
    };
    output::print(common.output, &reset, |reset| {
        let password = reset.password.as_ref().map_or_else(String::new, |password| {
            format!("\nPassword  {password}   (shown once: store it now)")
        });
        format!(
            "User      {}\nE-mail    {}{password}\nEvery session of the account has ended.",
            reset.id, reset.email
        )
    })
}

async fn reset_second_factor(common: &Common, user: &str) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let id = find_person(&instance, user).await?;
    let store = instance.storage().sign_ins();
    let removed = store.remove_factors(Act::of_operator(), id).await?;
    store
        .end_sessions(Act::of_operator(), id, EndSessions::All)
        .await?;
    store.forgive(Act::of_operator(), id).await?;
    instance.close().await;
    if !removed {
        return Err(Failure::new(format!("{user} has no second factor")));
    }
    output::print(common.output, &(), |()| {
        format!("{user} signs in with the password alone now. Every session of the account has ended.")
    })
}

async fn erase(common: &Common, user: &str, yes: bool) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let id = find_person(&instance, user).await?;
    if !yes {
        return Err(Failure::new(format!(
            "this would erase the account {user} for good: its sessions end, its personal keys are revoked, and its name, \
             address, factors and memberships are gone. Add --yes to do it"
        )));
    }
    let erased = instance.profiles().erase_as_operator(id).await;
    instance.close().await;
    erased.map_err(|error| match error {
        FlowError::OwnsAlone(workspaces) => {
            let names: Vec<String> = workspaces.iter().map(ToString::to_string).collect();
            Failure::new(format!(
                "{user} is the last owner of {}: make somebody else an owner with `tigertrust member set-role`, or delete it, \
                 first",
                names.join(", ")
            ))
        }
        FlowError::NotFound => unknown(user),
        other => other.into(),
    })?;
    output::print(common.output, &(), |()| {
        format!("Erased {user}. The id {id} stays, and names nobody.")
    })
}

async fn list(common: &Common, page: &PageArgs<UserId>) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let found = instance.users().list(page.request()).await?;
    instance.close().await;
    let body = Page::of(
        found,
        page.limit,
        |user| user.id.to_string(),
        |user| Account::from(user),
    );
    output::print(common.output, &body, |body| {
        let rows = body.items.iter().map(|user| {
            [
                user.id.clone(),
                state(user).to_owned(),
                user.created_at.clone(),
                user.email.clone(),
                user.name.clone().unwrap_or_default(),
            ]
        });
        let table = output::table(["ID", "STATE", "CREATED", "E-MAIL", "NAME"], rows);
        with_cursor(table, body.next_cursor.as_deref())
    })
}

async fn set_disabled(common: &Common, user: &str, disabled: bool) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let id = find_person(&instance, user).await?;
    let changed = instance.users().set_disabled(id, disabled).await?;
    instance.close().await;
    output::print(common.output, &Account::from(&changed), |user| {
        format!(
            "User      {}\nE-mail    {}\nState     {}",
            user.id,
            user.email,
            state(user)
        )
    })
}

const fn state(user: &Account) -> &'static str {
    if user.disabled_at.is_some() {
        "disabled"
    } else {
        "active"
    }
}

/// The first line of the file, or of standard input for `-`.
fn read_password(path: &Path, owner: &Email) -> Result<Password, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = if path == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| {
        Failure::new(format!(
            "the password cannot be read from {}: {error}",
            path.display()
        ))
    })?;
    let policy = PasswordPolicy {
        owner,
        second_factor: false,
    };
    Password::chosen(text.lines().next().unwrap_or_default(), &policy)
        .map_err(|error| Failure::new(format!("the password {error}")))
}

/// The person that an e-mail address or a user's id names.
pub async fn find_person(instance: &TigerTrust, text: &str) -> Result<UserId, Failure> {
    let accounts = instance.storage().accounts();
    let found = match text.parse::<UserId>() {
        Ok(id) => accounts.get_user(id).await?,
        Err(_) => {
            let email: Email = text
                .parse()
                .map_err(|_| Failure::new(format!("{text:?} must be an e-mail address or a user's id")))?;
            accounts.find_user_by_email(&email.canonical()).await?
        }
    };
    found.map(|user| user.id).ok_or_else(|| unknown(text))
}

fn unknown(user: &str) -> Failure {
    Failure::new(format!(
        "there is no user {user}: `tigertrust user create` makes one"
    ))
}
