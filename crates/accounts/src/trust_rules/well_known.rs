//! Issuers that vouch for everybody's jobs: a rule that does not say whose they must be would let in strangers.

use tigertrust_model::ClaimConditions;

/// By the issuer, the claims that say whose a job is; a rule must ask for one of them.
const SHARED: [(&str, &[&str]); 3] = [
    (
        "https://token.actions.githubusercontent.com",
        &[
            "sub",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "enterprise_id",
        ],
    ),
    (
        "https://gitlab.com",
        &[
            "sub",
            "project_id",
            "project_path",
            "namespace_id",
            "namespace_path",
        ],
    ),
    ("https://accounts.google.com", &["sub", "hd", "email"]),
];

/// What is wrong with a rule by which anybody would get in, if something is.
pub(super) fn opening(issuer: &str, claims: &ClaimConditions) -> Option<String> {
    let shared = SHARED.iter().find(|(known, _)| *known == issuer);
    if let Some((_, owners)) = shared
        && !owners.iter().any(|claim| claims.of(claim).is_some())
    {
        return Some(format!(
            "this issuer vouches for everybody's jobs: one of the claims has to say whose they are, such as {}",
            owners.join(", ")
        ));
    }
    // What a subject begins with says of what kind it is, and all that the issuer vouches for are of that kind.
    let subjects = claims.of("sub").unwrap_or_default();
    let is_wide = |beginning: &str| beginning.matches(['/', ':']).count() < 2;
    let wide = subjects
        .iter()
        .find(|pattern| pattern.beginning().is_some_and(is_wide));
    wide.map(|pattern| {
        format!("{pattern} would be fulfilled by every job of the issuer, or nearly so: more has to stand before the *")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(issuer: &str, claim: &str, text: &str) -> bool {
        let claims = [(claim.to_owned(), vec![text.to_owned()])].into();
        opening(issuer, &ClaimConditions::new(claims).unwrap()).is_some()
    }

    #[test]
    fn a_rule_says_whose_jobs_it_means() {
        const GITHUB: &str = "https://token.actions.githubusercontent.com";
        assert!(opens(GITHUB, "ref", "refs/heads/main"));
        assert!(opens(GITHUB, "actor", "jo"));
        assert!(opens(GITHUB, "sub", "repo:*"));
        assert!(!opens(GITHUB, "sub", "repo:acme/*"));
        assert!(!opens(GITHUB, "sub", "repo:acme/api:ref:refs/heads/main"));
        assert!(!opens(GITHUB, "repository_owner_id", "1234"));
        assert!(opens("https://gitlab.com", "ref", "main"));
        assert!(!opens("https://gitlab.com", "project_id", "7"));
        assert!(!opens("https://git.example.com", "ref", "main"));
        assert!(opens("https://git.example.com", "sub", "project_path:*"));
        assert!(!opens("https://git.example.com", "sub", "project_path:acme/*"));
    }
}
