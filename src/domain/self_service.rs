//! What members may change of themselves.

/// What a tenant can let its members change, and whether it does when it says nothing.
///
/// Left out is what gives rights or says who somebody is: `active`, `roles`, `entitlements`, `groups`, `userType`, `userName`,
/// `externalId`, `emails`, `x509Certificates`, and every extension. Names are the organisation's to give, unless it says otherwise.
const ATTRIBUTES: [(&str, bool); 13] = [
    ("name", false),
    ("displayName", false),
    ("title", false),
    ("nickName", true),
    ("profileUrl", true),
    ("preferredLanguage", true),
    ("locale", true),
    ("timezone", true),
    ("phoneNumbers", true),
    ("ims", true),
    ("photos", true),
    ("addresses", true),
    ("password", true),
];

/// What members may change in a tenant that says nothing of it.
#[must_use]
pub fn usual() -> Vec<String> {
    ATTRIBUTES.iter().filter(|(_, usual)| *usual).map(|(name, _)| (*name).to_owned()).collect()
}

/// Checks what a tenant lets its members change.
///
/// # Errors
/// A sentence that names what cannot be left to members.
pub fn check(names: &[String]) -> Result<(), String> {
    let Some(bad) = names.iter().find(|name| !ATTRIBUTES.iter().any(|(known, _)| known == name)) else { return Ok(()) };
    let known: Vec<&str> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
    Err(format!("self_service: \"{bad}\" cannot be left to members; {} can", known.join(", ")))
}
