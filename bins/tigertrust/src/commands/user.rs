//! `tigertrust user`.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde::Serialize;
use tigertrust::TigerTrust;
use tigertrust_accounts::NewUser;
use tigertrust_credentials::{OsRandom, Password, PasswordPolicy};
use tigertrust_model::{Email, UserId};
use zeroize::Zeroizing;

use super::instance;
use crate::{
    cli::{Common, User},
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

pub async fn run(common: &Common, verb: User) -> Result<(), Failure> {
    match verb {
        User::Create {
            email,
            name,
            password_file,
        } => {
            let (password, shown) = match password_file {
                Some(path) => (read_password(&path, &email)?, None),
                None => {
                    let password = Password::generate(&OsRandom)?;
                    let shown = password.reveal().to_owned();
                    (password, Some(shown))
                }
            };
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
    found.map(|user| user.id).ok_or_else(|| {
        Failure::new(format!(
            "there is no user {text}: `tigertrust user create` makes one"
        ))
    })
}
