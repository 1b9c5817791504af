//! What the claim pages show: from what the service says to HTML. Pure; the templates are in `templates/pages/`.

use super::texts::{self, Texts, fill};
use crate::error::{Error, Result};
use crate::service::claims::{Done, LoginStep, PasswordFault, Seen, Welcome};
use actix_web::http::StatusCode;
use askama::Template;

/// The style sheet. It stands in every page; the Content-Security-Policy allows it by its hash.
pub const STYLE: &str = include_str!("../../../templates/pages/style.css");

/// What a page has to know of the request.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// The `Accept-Language` header.
    pub languages: String,
    /// The path that clients see before `/claim`; mostly empty.
    pub prefix: String,
    /// Goes into forms; see [`super::guard::form_key`].
    pub key: String,
    /// Names the request in the log.
    pub request_id: String,
    /// The code that was typed, for its second form.
    pub code: Option<String>,
}

/// A page with its status, and what else the answer needs.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub html: String,
    /// The origin that the page's form is redirected to.
    pub form_target: Option<String>,
    pub location: Option<String>,
    pub retry_after: Option<u64>,
}

impl Answer {
    fn page(status: StatusCode, page: &impl Template) -> Result<Self> {
        let html = page.render().map_err(|e| Error::Internal(format!("a page could not be rendered: {e}")))?;
        Ok(Self { status, html, form_target: None, location: None, retry_after: None })
    }

    fn see_other(location: String) -> Self {
        Self { status: StatusCode::SEE_OTHER, html: String::new(), form_target: None, location: Some(location), retry_after: None }
    }
}

/// Around every page.
struct Frame {
    t: &'static Texts,
    title: String,
    style: &'static str,
}

#[derive(Template)]
#[template(path = "pages/claim.html")]
struct ClaimPage {
    frame: Frame,
    welcome: Welcome,
    lead: String,
    what: &'static str,
    next: String,
    button: &'static str,
    /// Where the form goes; without one, to where it came from, so that no token needs to stand in the page.
    action: Option<String>,
    key: String,
    code: Option<String>,
    password: Option<PasswordField>,
    support: Option<Support>,
}

struct PasswordField {
    required: bool,
    shortest: usize,
    hint: String,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/code.html")]
struct CodePage {
    frame: Frame,
    action: String,
    key: String,
    code: String,
    missing: bool,
}

#[derive(Template)]
#[template(path = "pages/message.html")]
struct MessagePage {
    frame: Frame,
    heading: &'static str,
    text: String,
    link: Option<(String, &'static str)>,
    support: Option<Support>,
    reference: Option<String>,
}

/// Where to find help: a sentence, or an address that can be followed.
struct Support {
    href: Option<String>,
    text: String,
}

impl Support {
    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let address = text.contains('@') && !text.contains(char::is_whitespace);
        let href = if is_web(text) {
            Some(text.to_owned())
        } else if address {
            Some(format!("mailto:{}", text.strip_prefix("mailto:").unwrap_or(text)))
        } else {
            None
        };
        (!text.is_empty()).then(|| Self { href, text: text.to_owned() })
    }
}

/// What is wrong with what was typed.
enum Fault {
    None,
    Password(PasswordFault),
}

/// The answer to a look at a link or code.
///
/// # Errors
/// When a page cannot be rendered; it always can.
pub fn seen(seen: Seen, scene: &Scene) -> Result<Answer> {
    looked_at(seen, scene, &Fault::None)
}

/// As [`seen`], after two passwords that differ.
///
/// # Errors
/// As [`seen`].
pub fn mismatch(seen: Seen, scene: &Scene) -> Result<Answer> {
    looked_at(seen, scene, &Fault::Password(PasswordFault::Mismatch))
}

/// The answer to a claim.
///
/// # Errors
/// When the way to the sign-in page is no URL.
pub fn done(done: Done, scene: &Scene) -> Result<Answer> {
    match done {
        Done::Claimed { redirect: Some(url), .. } if is_web(&url) => Ok(Answer::see_other(url)),
        Done::Claimed { organisation, .. } => claimed(&organisation, scene),
        Done::Sso { redirect } if is_web(&redirect) => Ok(Answer::see_other(redirect)),
        Done::Sso { .. } => Err(Error::Internal("the address of the sign-in page is no URL".to_owned())),
        Done::Used { organisation, application } => looked_at(Seen::Used { organisation, application }, scene, &Fault::None),
        Done::Gone { organisation, support } => looked_at(Seen::Gone { organisation, support }, scene, &Fault::None),
        Done::Unknown => unknown(scene),
        Done::TooMany { seconds } => too_many(seconds, scene),
        Done::BadPassword(welcome, fault) => claim_page(welcome, scene, &Fault::Password(fault)),
    }
}

/// The form for a code. `code` is filled in; `missing` says that it was sent empty.
///
/// # Errors
/// As [`seen`].
pub fn code_form(code: &str, missing: bool, scene: &Scene) -> Result<Answer> {
    let t = texts::accepted(&scene.languages);
    let status = if missing { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = Frame { t, title: t.code_title.to_owned(), style: STYLE };
    Answer::page(status, &CodePage { frame, action: codes(scene), key: scene.key.clone(), code: code.to_owned(), missing })
}

/// The page for a link, code or path that leads nowhere. It is the same whatever the reason.
///
/// # Errors
/// As [`seen`].
pub fn unknown(scene: &Scene) -> Result<Answer> {
    let t = texts::accepted(&scene.languages);
    let mut page = message(t, t.unknown_heading, t.unknown_text.to_owned());
    page.link = Some((codes(scene), t.unknown_link));
    Answer::page(StatusCode::NOT_FOUND, &page)
}

/// The page for a request that failed with `status`.
///
/// # Errors
/// As [`seen`].
pub fn failed(status: StatusCode, scene: &Scene) -> Result<Answer> {
    let t = texts::accepted(&scene.languages);
    let (heading, text) = match status {
        StatusCode::NOT_FOUND => return unknown(scene),
        StatusCode::FORBIDDEN => (t.stale_heading, t.stale_text),
        StatusCode::SERVICE_UNAVAILABLE => (t.busy_heading, t.busy_text),
        status if status.is_client_error() => (t.odd_heading, t.odd_text),
        _ => (t.broken_heading, t.broken_text),
    };
    let mut page = message(t, heading, text.to_owned());
    // An empty address is that of the page itself, which needs no mention.
    page.link = Some((String::new(), t.again_link));
    page.reference = (status == StatusCode::INTERNAL_SERVER_ERROR && !scene.request_id.is_empty()).then(|| scene.request_id.clone());
    Answer::page(status, &page)
}

/// Whether a text is the URL of a web page, fit for a link or a Location header.
fn is_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|r| !r.is_empty() && r.chars().all(|c| c.is_ascii_graphic()))
}

/// Where codes are typed.
fn codes(scene: &Scene) -> String {
    format!("{}/claim", scene.prefix)
}

fn message(t: &'static Texts, heading: &'static str, text: String) -> MessagePage {
    let frame = Frame { t, title: heading.to_owned(), style: STYLE };
    MessagePage { frame, heading, text, link: None, support: None, reference: None }
}

/// A message of one organisation, whose name is in the title and in the text.
fn message_of(organisation: &str, t: &'static Texts, heading: &'static str, text: &str) -> MessagePage {
    let mut page = message(t, heading, fill(text, &[("organisation", organisation)]));
    page.frame.title = format!("{heading} – {organisation}");
    page
}

fn looked_at(seen: Seen, scene: &Scene, fault: &Fault) -> Result<Answer> {
    let t = texts::accepted(&scene.languages);
    match seen {
        Seen::Open(welcome) => claim_page(welcome, scene, fault),
        Seen::Used { organisation, application } => {
            let mut page = message_of(&organisation, t, t.used_heading, t.used_text);
            page.link = application.filter(|url| is_web(url)).map(|url| (url, t.used_link));
            Answer::page(StatusCode::GONE, &page)
        }
        Seen::Gone { organisation, support } => {
            let mut page = message_of(&organisation, t, t.gone_heading, t.gone_text);
            page.support = support.as_deref().and_then(Support::new);
            Answer::page(StatusCode::GONE, &page)
        }
        Seen::Unknown => unknown(scene),
        Seen::TooMany { seconds } => too_many(seconds, scene),
    }
}

fn claimed(organisation: &str, scene: &Scene) -> Result<Answer> {
    let t = texts::accepted(&scene.languages);
    Answer::page(StatusCode::OK, &message_of(organisation, t, t.done_heading, t.done_text))
}

fn too_many(seconds: u64, scene: &Scene) -> Result<Answer> {
    let t = texts::accepted(&scene.languages);
    let text = match seconds.div_ceil(60) {
        0 | 1 => t.many_soon.to_owned(),
        minutes => fill(t.many_later, &[("minutes", &minutes.to_string())]),
    };
    let answer = Answer::page(StatusCode::TOO_MANY_REQUESTS, &message(t, t.many_heading, text))?;
    Ok(Answer { retry_after: Some(seconds.max(1)), ..answer })
}

/// The form that claims: behind a link, or as the second step of a code.
fn claim_page(welcome: Welcome, scene: &Scene, fault: &Fault) -> Result<Answer> {
    let t = texts::of_locale(&welcome.locale).unwrap_or_else(|| texts::accepted(&scene.languages));
    let status = if matches!(fault, Fault::None) { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let organisation = ("organisation", welcome.organisation.as_str());
    let page = ClaimPage {
        frame: Frame { t, title: fill(t.claim_title, &[organisation]), style: STYLE },
        lead: match welcome.name.as_str() {
            "" => fill(t.claim_lead, &[organisation]),
            name => fill(t.claim_lead_named, &[organisation, ("name", name)]),
        },
        what: match welcome.login {
            LoginStep::None => t.what_button,
            LoginStep::Password { .. } => t.what_password,
            LoginStep::Sso => t.what_sso,
        },
        next: match &welcome.application {
            Some(application) => fill(t.next_application, &[("application", application)]),
            None => t.next_close.to_owned(),
        },
        button: if matches!(welcome.login, LoginStep::Sso) { t.sso_button } else { t.claim_button },
        action: scene.code.is_some().then(|| codes(scene)),
        key: scene.key.clone(),
        code: scene.code.clone(),
        password: password_field(&welcome.login, fault, t),
        support: welcome.support.as_deref().and_then(Support::new),
        welcome,
    };
    let form_target = page.welcome.redirect_origin.clone();
    Ok(Answer { form_target, ..Answer::page(status, &page)? })
}

fn password_field(login: &LoginStep, fault: &Fault, t: &'static Texts) -> Option<PasswordField> {
    let LoginStep::Password { required, shortest } = *login else { return None };
    let with = |text, name, value: usize| fill(text, &[(name, &value.to_string())]);
    let fault = match fault {
        Fault::Password(PasswordFault::Missing) => Some(t.password_missing.to_owned()),
        Fault::Password(PasswordFault::TooShort { shortest }) => Some(with(t.password_short, "shortest", *shortest)),
        Fault::Password(PasswordFault::TooLong { longest }) => Some(with(t.password_long, "longest", *longest)),
        Fault::Password(PasswordFault::Known) => Some(t.password_known.to_owned()),
        Fault::Password(PasswordFault::Mismatch) => Some(t.password_mismatch.to_owned()),
        Fault::None => None,
    };
    let hint = with(t.password_hint, "shortest", shortest);
    let hint = if required { hint } else { format!("{hint} {}", t.password_optional) };
    Some(PasswordField { required, shortest, hint, fault })
}
