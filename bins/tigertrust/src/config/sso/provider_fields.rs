//! What the fields of a provider of the whole server mean.

use super::super::catalog::{Documented, setting};

/// Every field, by its name alone.
pub(in super::super) const FIELDS: &[Documented] = &[
    setting(
        "issuer",
        "The issuer, exactly as the provider writes it: a slash at the end counts.",
    )
    .by_default("Google's; for others none, and it must be set"),
    setting("client_id", "What the provider knows this server by.").by_default("none: it must be set"),
    setting("client_secret", "The secret that goes with it.").by_default("none: a public client"),
    setting("client_secret_file", "The same from a file."),
    setting("scopes", "What is asked for beside `openid`."),
    setting(
        "allowed_domains",
        "The domains whose people may sign in. Google: those of Workspace, and without any each Workspace may, but no private account. Others: what follows the `@`.",
    )
    .by_default("none: all"),
    setting(
        "tenants",
        "The ids of the tenants whose people may sign in. Only in `[sso.azure]`, and needed with an issuer of `common` or `organizations`.",
    )
    .by_default("none: all of the issuer"),
    setting("groups_claim", "The claim with the person's groups."),
    setting(
        "metadata_file",
        "The path of the provider's metadata. It is read when the server starts.",
    )
    .by_default("none: it must be set"),
    setting(
        "entity_id",
        "Which provider is meant, where the metadata describes several.",
    )
    .by_default("the only one in it"),
    setting("subject_attribute", "The attribute by which a person is known.").by_default("the NameID"),
    setting("email_attribute", "The attribute with the address.").by_default("the usual ones"),
    setting("name_attribute", "The attribute with the name.").by_default("the usual ones"),
    setting("groups_attribute", "The attribute with the groups.").by_default("the usual ones"),
    setting(
        "allow_unsolicited",
        "Accept responses that answer no request, as when people begin at the provider. Whoever has such a response may sign somebody else's browser in.",
    ),
    setting(
        "signing_key_file",
        "The path of a key that requests are signed with: RSA of 2048 bits or more, PKCS #8 in PEM.",
    )
    .by_default("none: requests are not signed"),
    setting(
        "signing_certificate_file",
        "The path of a certificate of that key, in PEM. Set both or neither.",
    ),
    setting("name", "What people are shown.")
        .by_default("`Google`, `Microsoft`, `Okta`, or the name of the table"),
    setting(
        "domains",
        "Domains for whose addresses the provider speaks: an account that has such an address is signed in by its word, and is made where there is none. Name only domains whose addresses the provider gives out itself.",
    ),
    setting(
        "workspace",
        "A workspace that people join. Without it they join the one that has verified their domain and says as what.",
    ),
    setting(
        "sign_up",
        "Whether anybody gets an account whose address the provider has verified.",
    ),
    setting(
        "default_role",
        "What people become in `workspace` who sign in for the first time.",
    )
    .by_default("none: who is no member does not come in"),
    setting(
        "group_roles",
        "What groups become in `workspace`, each written `group=role`; the most of them counts, at each sign-in anew. What follows the last `=` is the role. A group with a comma in it can be written in TOML alone.",
    ),
    setting(
        "trusts_second_factor",
        "Whether the provider's word counts for a second factor.",
    ),
];
