//! What a tenant can set.

use super::self_service;
use serde::{Deserialize, Serialize};

/// The languages of mails and pages.
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

/// Microseconds of a day.
pub const DAY: i64 = 24 * 3600 * 1_000_000;

/// Whether the claim page asks for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasswordRule {
    /// The application takes care of signing in.
    #[default]
    None,
    Optional,
    Required,
}

/// What becomes of people without an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Emailless {
    /// They are provisioned and stay uninvited until they have an address.
    #[default]
    Wait,
    /// They get an access code at once; a name and an employee number are needed.
    Codes,
    /// They are refused.
    Refuse,
}

/// Which e-mail domains are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DomainRule {
    /// All of them: the operator vouches for the tenant.
    #[default]
    Trusted,
    /// Those in `verified_domains`.
    Verified,
}

/// Whether a location must be one of the configured ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LocationRule {
    /// A location that is not configured stays blank, and is kept until it is.
    #[default]
    Listed,
    Free,
}

/// When access ends on the day of termination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminationRule {
    #[default]
    EndOfDay,
    StartOfDay,
}

/// What a SCIM DELETE means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeleteRule {
    /// The person can be restored until the quarantine ends.
    #[default]
    Quarantine,
    /// The person is anonymised with the next sweep.
    Immediate,
}

/// What becomes of a password that a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Passwords {
    /// It is taken and not kept.
    #[default]
    Drop,
    /// Its hash is kept.
    Keep,
}

/// Which user names and passwords are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Usernames {
    /// All of them.
    #[default]
    Any,
    /// Those in the classes of RFC 8265.
    Precis,
}

/// What a tenant can set. Every setting has a default, so that a new tenant works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The organisation's name in mails and on pages; without it, the tenant's name.
    pub organisation: Option<String>,
    /// Whether people that the identity provider pushes are invited at once.
    pub auto_invite: bool,
    /// Days that an invitation link is valid, 1 to 30.
    pub invite_days: u16,
    /// Days after the invitation on which a reminder is sent, at most two.
    pub remind_days: Vec<u16>,
    /// Whether claimed members get a mail when their identity provider adds them to a group or removes them.
    pub group_mails: bool,
    /// Days that an access code is valid.
    pub code_days: u16,
    /// Days between deactivation and anonymisation, 0 to 365.
    pub quarantine_days: u16,
    pub scim_delete: DeleteRule,
    /// Where a member goes after a claim, with a signed token.
    pub application_url: Option<String>,
    /// Where a member signs in through single sign-on; without it, `application_url`.
    pub sso_url: Option<String>,
    /// The name that mails come from; without it, the organisation's.
    pub sender_name: Option<String>,
    /// A paragraph of plain text in every invitation.
    pub invitation_text: Option<String>,
    /// Whom a member can ask for help: shown on pages.
    pub support: Option<String>,
    /// The people who are told of anonymisations ahead, of freezes and of regained access.
    pub admin_emails: Vec<String>,
    pub password: PasswordRule,
    /// Characters of the shortest password, 8 to 64.
    pub password_length: u16,
    pub emailless: Emailless,
    /// An IANA name, for termination dates and times in mails.
    pub time_zone: String,
    pub termination: TerminationRule,
    pub domains: DomainRule,
    pub verified_domains: Vec<String>,
    pub locations: LocationRule,
    /// The language of mails and pages for people who have none of their own.
    pub locale: String,
    /// Days that an anonymised person is not brought back by a feed.
    pub suppression_days: u16,
    /// Resources of a page when a SCIM client names no number; without it, the server's.
    pub page_default: Option<u16>,
    /// Most resources of a page, 100 to 1000; without it, the server's. Providers lose people when it is below 100.
    pub page_max: Option<u16>,
    /// Most operations of one SCIM PATCH; without it, the server's.
    pub patch_operations: Option<u16>,
    /// What members may change of themselves with a token of their own.
    pub self_service: Vec<String>,
    pub passwords: Passwords,
    pub usernames: Usernames,
    /// Requests per second of the whole tenant; without it, the server's; 0 for no limit.
    pub requests_per_second_tenant: Option<u32>,
    /// Requests per second of one token; without it, the server's; 0 for no limit.
    pub requests_per_second_token: Option<u32>,
    /// Requests that may come at once; without it, the server's.
    pub request_burst: Option<u32>,
    /// Days that the provisioning log is kept, at most 365; 0 keeps none. Without it, the server's.
    pub log_days: Option<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            organisation: None,
            auto_invite: false,
            invite_days: 7,
            remind_days: vec![3, 5],
            group_mails: false,
            code_days: 90,
            quarantine_days: 7,
            scim_delete: DeleteRule::default(),
            application_url: None,
            sso_url: None,
            sender_name: None,
            invitation_text: None,
            support: None,
            admin_emails: Vec::new(),
            password: PasswordRule::default(),
            password_length: 12,
            emailless: Emailless::default(),
            time_zone: "UTC".to_owned(),
            termination: TerminationRule::default(),
            domains: DomainRule::default(),
            verified_domains: Vec::new(),
            locations: LocationRule::default(),
            locale: "en".to_owned(),
            suppression_days: 400,
            page_default: None,
            page_max: None,
            patch_operations: None,
            self_service: self_service::usual(),
            passwords: Passwords::default(),
            usernames: Usernames::default(),
            requests_per_second_tenant: None,
            requests_per_second_token: None,
            request_burst: None,
            log_days: None,
        }
    }
}

impl Settings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u16, least: u16, most: u16| match value {
            v if (least..=most).contains(&v) => Ok(()),
            v => Err(format!("{name} is {v}; {least} to {most} is expected")),
        };
        within("invite_days", self.invite_days, 1, 30)?;
        within("code_days", self.code_days, 1, 365)?;
        within("quarantine_days", self.quarantine_days, 0, 365)?;
        within("password_length", self.password_length, 8, 64)?;
        within("suppression_days", self.suppression_days, 0, 3650)?;
        for (name, value, least) in [("page_default", self.page_default, 1), ("page_max", self.page_max, 100)] {
            within(name, value.unwrap_or(least), least, 1000)?;
        }
        within("patch_operations", self.patch_operations.unwrap_or(1), 1, 10_000)?;
        self_service::check(&self.self_service)?;
        check_rates(self.requests_per_second_tenant, self.requests_per_second_token, self.request_burst)?;
        within("log_days", self.log_days.unwrap_or(0), 0, 365)?;
        let rising = self.remind_days.windows(2).all(|w| w.first() < w.last());
        if self.remind_days.len() > 2 || !rising || self.remind_days.iter().any(|d| *d == 0 || *d >= self.invite_days) {
            return Err("remind_days is at most two rising numbers of days, below invite_days".to_owned());
        }
        for (name, url) in [("application_url", &self.application_url), ("sso_url", &self.sso_url)] {
            if url.as_deref().is_some_and(|u| !is_url(u)) {
                return Err(format!("{name} must begin with https:// (or http://localhost for trials)"));
            }
        }
        if let Some(bad) = self.admin_emails.iter().find(|a| !is_address(a)) {
            return Err(format!("admin_emails: \"{bad}\" is no e-mail address"));
        }
        if self.time_zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(format!("time_zone: \"{}\" is no time zone; Europe/Zurich is an example", self.time_zone));
        }
        self.check_texts()
    }

    fn check_texts(&self) -> Result<(), String> {
        let language = self.locale.split(['-', '_']).next().unwrap_or_default();
        if !LANGUAGES.iter().any(|l| l.eq_ignore_ascii_case(language)) {
            return Err(format!("locale: there are no texts for \"{}\"; {} are known", self.locale, LANGUAGES.join(", ")));
        }
        let texts = [
            ("organisation", &self.organisation, 100),
            ("sender_name", &self.sender_name, 100),
            ("invitation_text", &self.invitation_text, 2000),
            ("support", &self.support, 200),
        ];
        for (name, text, most) in texts {
            let Some(text) = text else { continue };
            if text.chars().count() > most {
                return Err(format!("{name} is longer than {most} characters"));
            }
            if text.chars().any(|c| c.is_control() && (c != '\n' || name != "invitation_text")) {
                return Err(format!("{name} has control characters in it"));
            }
        }
        Ok(())
    }

    /// Whether the domain of an address is trusted.
    #[must_use]
    pub fn trusts(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, d)| d.trim_end_matches('.').to_lowercase());
        match self.domains {
            DomainRule::Trusted => true,
            DomainRule::Verified => domain.is_some_and(|d| self.verified_domains.iter().any(|v| v.eq_ignore_ascii_case(&d))),
        }
    }
}

/// Checks limits of requests, those that are set.
///
/// # Errors
/// A sentence that names the limit.
pub fn check_rates(tenant: Option<u32>, token: Option<u32>, burst: Option<u32>) -> Result<(), String> {
    for (name, value, least) in
        [("requests_per_second_tenant", tenant, 0), ("requests_per_second_token", token, 0), ("request_burst", burst, 1)]
    {
        if value.is_some_and(|v| !(least..=1_000_000).contains(&v)) {
            return Err(format!("{name} is {}; {least} to 1000000 is expected", value.unwrap_or_default()));
        }
    }
    Ok(())
}

fn is_url(url: &str) -> bool {
    let host = |rest: &str| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let port = authority.rfind(':').filter(|at| !authority.ends_with(']') && authority.get(at + 1..).is_some_and(|p| !p.is_empty()));
        authority.get(..port.unwrap_or(authority.len())).unwrap_or_default().to_owned()
    };
    let secure = url.strip_prefix("https://").is_some_and(|rest| !host(rest).is_empty());
    let local = url.strip_prefix("http://").is_some_and(|rest| ["localhost", "127.0.0.1", "[::1]"].contains(&host(rest).as_str()));
    (secure || local) && !url.contains('@') && !url.chars().any(|c| c.is_whitespace() || c.is_control() || c == '#')
}

/// Whether a text is an address that mail can be sent to: one `@` with something before it and a domain after it.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\@".contains(c));
    plain(local) && plain(domain) && text.len() <= 254 && !domain.starts_with(['.', '-']) && !domain.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sound() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn faults_name_the_setting() {
        let fault = |change: fn(&mut Settings)| {
            let mut s = Settings::default();
            change(&mut s);
            s.check().unwrap_err()
        };
        assert!(fault(|s| s.invite_days = 31).contains("invite_days"));
        assert!(fault(|s| s.remind_days = vec![5, 3]).contains("remind_days"));
        assert!(fault(|s| s.remind_days = vec![3, 9]).contains("remind_days"));
        assert!(fault(|s| s.time_zone = "Zurich".into()).contains("time_zone"));
        assert!(fault(|s| s.application_url = Some("http://example.com".into())).contains("application_url"));
        for url in ["http://localhost.evil.example/x", "http://127.0.0.1.example", "https://", "https://a@b.example", "http://x"] {
            let s = Settings { application_url: Some(url.into()), ..Settings::default() };
            assert!(s.check().unwrap_err().contains("application_url"), "{url}");
        }
        for url in ["http://localhost:3000/x", "http://[::1]/", "http://127.0.0.1", "https://app.example.com:8443/a?b=c"] {
            Settings { application_url: Some(url.into()), ..Settings::default() }.check().unwrap();
        }
        assert!(fault(|s| s.request_burst = Some(0)).contains("request_burst"));
        assert!(fault(|s| s.self_service = vec!["roles".into()]).contains("roles"));
        assert!(fault(|s| s.locale = "xx".into()).contains("locale"));
        assert!(fault(|s| s.sender_name = Some("a\r\nBcc: b".into())).contains("sender_name"));
        assert!(fault(|s| s.admin_emails = vec!["nobody".into()]).contains("admin_emails"));
    }

    #[test]
    fn addresses() {
        for good in ["a@b.example", "first.last+tag@sub.example.com", "ü@example.com"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a b@c.example", "a@b\r\nc", "a@@b", "<a@b.c>", "a@.b"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn domains_are_compared_whole() {
        let s = Settings { domains: DomainRule::Verified, verified_domains: vec!["example.com".into()], ..Settings::default() };
        assert!(s.trusts("a@Example.com") && !s.trusts("a@sub.example.com") && !s.trusts("a@notexample.com") && !s.trusts("a"));
        assert!(Settings::default().trusts("a@anything.example"));
    }
}
