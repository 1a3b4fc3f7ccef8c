//! `tigertrust trust-rule`.

use clap::{Args, Subcommand};
use tigertrust_model::TrustRuleId;

use super::parse;

/// Which jobs get tokens of a key without the key.
#[derive(Debug, Subcommand)]
pub enum TrustRule {
    /// Give a key a rule: jobs that fulfil it may have short-lived tokens of the key
    Create(CreateTrustRule),
    /// List the rules of a key, newest first
    List {
        /// The key's id, key_…
        key: String,
    },
    /// Take a rule from its key; tokens that were given out by it are good for 15 minutes at the most
    Delete {
        /// The rule's id, tru_…
        #[arg(value_parser = parse::<TrustRuleId>)]
        id: TrustRuleId,
    },
}

/// Give a key a rule.
#[derive(Debug, Args)]
pub struct CreateTrustRule {
    /// The key's id, key_…
    pub key: String,
    /// What people call it
    #[arg(long)]
    pub name: String,
    /// Whose word is taken, such as https://token.actions.githubusercontent.com
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// What the job's token has to be for, such as https://auth.example.com
    #[arg(long)]
    pub audience: String,
    /// What a claim of the job's token has to be, such as sub=repo:acme/api:*; may be given more than once
    #[arg(long = "claim", value_name = "CLAIM=TEXT", required = true, value_parser = claim)]
    pub claims: Vec<(String, String)>,
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (claim, value) = text
        .split_once('=')
        .ok_or("must be the name of a claim, = and a text")?;
    Ok((claim.to_owned(), value.to_owned()))
}
