//! What a letter is: from whom, to whom, and about what.

/// Somebody who sends or receives.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// May be empty.
    pub name: String,
    pub address: String,
}

/// A letter. It holds a person's data and maybe a secret link, so it cannot be shown by `{:?}`.
#[derive(Clone)]
pub struct Letter {
    /// Names the letter for good: one that is sent twice has the same Message-ID. Letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Its name is the one that the tenant chose for its letters.
    pub from: Address,
    pub to: Address,
    /// BCP 47, such as `de-CH`.
    pub locale: String,
    /// The tenant's display name.
    pub organisation: String,
    /// The Date header, in microseconds since the epoch.
    pub date: i64,
    pub content: Content,
}

/// What a letter is about.
#[derive(Clone)]
pub enum Content {
    Invitation {
        name: String,
        link: String,
        /// Microseconds since the epoch.
        expires: i64,
        /// IANA, such as `Europe/Zurich`. UTC when it is unknown.
        time_zone: String,
        /// The tenant's own plain text.
        note: Option<String>,
        /// Whether one goes on with the organisation's sign-in.
        sso: bool,
    },
    /// An invitation, once more.
    Reminder { name: String, link: String, expires: i64, time_zone: String, note: Option<String>, sso: bool },
    /// Goes to both addresses.
    AddressChanged { name: String, old: String, new: String },
    GroupChanged {
        name: String,
        group: String,
        /// Whether the person came or went.
        added: bool,
    },
    /// To administrators: who will be anonymised soon.
    Digest {
        /// Display name, id, and when, in microseconds since the epoch.
        people: Vec<(String, String, i64)>,
        time_zone: String,
        tenant: String,
    },
    /// To administrators: many were deactivated at once, and nobody is anonymised until they confirm.
    Frozen { count: i64, base: i64, tenant: String },
    /// To administrators: somebody regained access with an access code.
    Recovered { name: String, id: String, tenant: String },
    /// To administrators: a token expires soon. `expires` is in microseconds since the epoch.
    TokenExpires { name: String, id: String, expires: i64, time_zone: String, tenant: String },
}
