//! The claim pages: what they say, and what protects them.

use crate::clients::{Client, Reply};
use crate::harness::{Db, Server};
use crate::program::Place;
use rollbook::app::system_clock;
use rollbook::http::pages::guard::{form_key, policy};
use rollbook::http::pages::texts::{LANGUAGES, Texts};
use rollbook::http::pages::view::{self, Answer, STYLE, Scene};
use rollbook::service::claims::{Done, LoginStep, PasswordFault, Seen, Welcome};
use std::collections::BTreeSet;

const PASSWORD: LoginStep = LoginStep::Password { required: true, shortest: 12 };

fn scene(language: &str) -> Scene {
    Scene { languages: language.to_owned(), key: "KEY".to_owned(), request_id: "REQUEST".to_owned(), ..Scene::default() }
}

/// A page of the second step of a code.
fn with_code(language: &str) -> Scene {
    Scene { code: Some("ABCD-EFGH-IJKL-MNOP".to_owned()), ..scene(language) }
}

fn welcome(login: LoginStep) -> Welcome {
    Welcome {
        organisation: "Northern Library".to_owned(),
        name: "Sam Example".to_owned(),
        user_name: "first@example.com".to_owned(),
        locale: String::new(),
        login,
        application: Some("app.example.com".to_owned()),
        support: Some("help@example.com".to_owned()),
        redirect_origin: Some("https://app.example.com".to_owned()),
    }
}

/// One with as little as there can be.
fn nameless(login: LoginStep) -> Welcome {
    Welcome { name: String::new(), application: None, support: None, redirect_origin: None, ..welcome(login) }
}

/// Every kind of page in one language.
fn pages(language: &str) -> Vec<(&'static str, Answer)> {
    let library = || "Northern Library".to_owned();
    let s = &scene(language);
    let seen = |what| view::seen(what, s).unwrap();
    let fault = |fault| view::done(Done::BadPassword(welcome(PASSWORD), fault), s).unwrap();
    let failed = |status: u16| view::failed(status.try_into().unwrap(), s).unwrap();
    vec![
        ("claim_button", seen(Seen::Open(welcome(LoginStep::None)))),
        ("claim_password", seen(Seen::Open(welcome(PASSWORD)))),
        ("claim_password_optional", seen(Seen::Open(welcome(LoginStep::Password { required: false, shortest: 10 })))),
        ("claim_sso", seen(Seen::Open(welcome(LoginStep::Sso)))),
        ("claim_bare", seen(Seen::Open(nameless(LoginStep::None)))),
        ("password_missing", fault(PasswordFault::Missing)),
        ("password_short", fault(PasswordFault::TooShort { shortest: 12 })),
        ("password_long", fault(PasswordFault::TooLong { longest: 128 })),
        ("password_known", fault(PasswordFault::Known)),
        ("password_mismatch", view::mismatch(Seen::Open(welcome(PASSWORD)), s).unwrap()),
        ("code", view::code_form("", false, s).unwrap()),
        ("code_filled_in", view::code_form("ABCD-EFGH-IJKL-MNOP", false, s).unwrap()),
        ("code_missing", view::code_form("", true, s).unwrap()),
        ("second_step", view::seen(Seen::Open(nameless(PASSWORD)), &with_code(language)).unwrap()),
        ("second_step_button", view::seen(Seen::Open(welcome(LoginStep::None)), &with_code(language)).unwrap()),
        ("done", view::done(Done::Claimed { redirect: None, organisation: library() }, s).unwrap()),
        ("used", seen(Seen::Used { organisation: library(), application: Some("https://app.example.com/start?a=1&b=2".to_owned()) })),
        ("used_bare", view::done(Done::Used { organisation: library(), application: None }, s).unwrap()),
        ("gone", seen(Seen::Gone { organisation: library(), support: Some("Ask at the front desk.".to_owned()) })),
        ("gone_bare", view::done(Done::Gone { organisation: library(), support: None }, s).unwrap()),
        ("unknown", seen(Seen::Unknown)),
        ("too_many", seen(Seen::TooMany { seconds: 30 })),
        ("too_many_long", view::done(Done::TooMany { seconds: 301 }, s).unwrap()),
        ("stale", failed(403)),
        ("odd", failed(413)),
        ("broken", failed(500)),
        ("busy", failed(503)),
    ]
}

/// The values of an attribute in a page.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The tags of a kind in a page, without the angle brackets.
fn tags<'a>(html: &'a str, kind: &str) -> Vec<&'a str> {
    let start = format!("<{kind}");
    let after = |rest: &&str| rest.starts_with([' ', '>']);
    html.split(&start).skip(1).filter(after).map(|rest| rest.split('>').next().unwrap()).collect()
}

/// R-INV-3, R-UNI-5, R-CODE-3: what every page looks like, in English.
#[test]
fn every_page_reads_as_written_down() {
    for (name, answer) in pages("en") {
        let html = answer.html.replace(STYLE, "…");
        insta::assert_snapshot!(name, format!("{}\n{html}", answer.status));
    }
}

/// R-INV-3, R-INV-8: every page in every language is whole, has the landmarks that assistive software needs, and loads nothing.
#[test]
fn every_page_is_sound() {
    for language in LANGUAGES.map(|t| t.lang) {
        for (name, answer) in pages(language) {
            let (html, at) = (answer.html.replace(STYLE, ""), format!("{name} in {language}"));
            assert!(html.starts_with(&format!("<!DOCTYPE html>\n<html lang=\"{language}\">")), "{at}");
            for once in ["title", "main", "h1"] {
                assert_eq!(tags(&html, once).len(), 1, "{at}: {once}");
            }
            for never in ["{", "}", "<script", "javascript:", " src=", " style=", "<table", "<link", "url("] {
                assert!(!html.contains(never), "{at}: {never}\n{html}");
            }
            for empty in ["<title></", "<h1></", "<p></", "\"></p>", "<dt></", "<dd></", "\"></label>", "\"></button>", "\"></a>"] {
                assert!(!html.contains(empty), "{at}: {empty}\n{html}");
            }
            let ids = attributes(&html, "id");
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{at}: an id is there twice: {ids:?}");
            for id in
                attributes(&html, "for").into_iter().chain(attributes(&html, "aria-describedby").into_iter().flat_map(|v| v.split(' ')))
            {
                assert!(ids.contains(&id), "{at}: nothing has the id {id}");
            }
            for input in tags(&html, "input").into_iter().filter(|i| !i.contains("hidden")) {
                let id = attributes(input, "id")[0];
                assert!(attributes(&html, "for").contains(&id), "{at}: {id} has no label");
            }
            let faults = tags(&html, "p").into_iter().filter(|p| p.contains("role=\"alert\"")).count();
            assert_eq!(faults, usize::from(html.contains("aria-invalid")), "{at}");
            assert_eq!(faults, usize::from(answer.status == 422), "{at}");
        }
    }
}

/// R-INV-11: no language lacks a text or a value in it.
#[test]
fn every_language_says_the_same() {
    let places = |text: &str| text.split('{').skip(1).map(|p| p.split('}').next().unwrap().to_owned()).collect::<BTreeSet<_>>();
    let english = LANGUAGES[0].all();
    assert_eq!(LANGUAGES.map(|t: &Texts| t.lang), ["en", "de", "fr", "es"]);
    for texts in LANGUAGES {
        for ((name, text), (_, original)) in texts.all().into_iter().zip(&english) {
            assert!(!text.trim().is_empty() && text.trim() == text, "{name} in {}", texts.lang);
            assert_eq!(places(text), places(original), "{name} in {}", texts.lang);
            let same = ["organisation", "name"].contains(&name);
            assert!(same || texts.lang == "en" || text != *original, "{name} is not in {}", texts.lang);
        }
    }
}

/// R-INV-11: the invited person's language comes before the browser's, unless there are no texts in it.
#[test]
fn the_language_is_the_members() {
    for (locale, browser, lang) in
        [("fr-CA", "de", "fr"), ("", "de", "de"), ("nl-NL", "es,en;q=0.5", "es"), ("nl", "pl", "en"), ("de_AT", "", "de")]
    {
        let welcome = Welcome { locale: locale.to_owned(), ..welcome(PASSWORD) };
        let page = view::seen(Seen::Open(welcome), &scene(browser)).unwrap();
        assert_eq!(attributes(&page.html, "lang")[0], lang, "{locale} {browser}");
    }
}

/// R-INV-8: names are text, whatever they contain.
#[test]
fn names_are_escaped() {
    let nasty = "<b>\"'&{name}".to_owned();
    let welcome = Welcome {
        organisation: nasty.clone(),
        name: nasty.clone(),
        user_name: nasty.clone(),
        application: Some(nasty.clone()),
        support: Some(nasty.clone()),
        redirect_origin: Some(nasty.clone()),
        ..welcome(PASSWORD)
    };
    let scene = Scene { code: Some(nasty.clone()), ..scene("en") };
    let used = Seen::Used { organisation: nasty.clone(), application: Some(nasty.clone()) };
    let gone = Seen::Gone { organisation: nasty.clone(), support: Some(nasty.clone()) };
    for seen in [Seen::Open(welcome), used, gone] {
        let page = view::seen(seen, &scene).unwrap();
        assert!(!page.html.contains("<b>") && page.html.contains("&#60;b&#62;&#34;&#39;&#38;{name}"), "{}", page.html);
        assert!(policy(page.form_target.as_deref()).contains("form-action 'self' https:;"));
    }
    assert!(view::code_form(&nasty, false, &scene).unwrap().html.contains("value=\"&#60;b&#62;&#34;"));
}

/// R-INV-8: a page leads to web pages only.
#[test]
fn only_web_addresses_are_followed() {
    for odd in ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https://", "https://a b", "https://a\r\nX: y", ""] {
        let odd = odd.to_owned();
        let used = view::seen(Seen::Used { organisation: "O".into(), application: Some(odd.clone()) }, &scene("en")).unwrap();
        assert!(!used.html.contains("<a "), "{odd}");
        let claimed = view::done(Done::Claimed { redirect: Some(odd.clone()), organisation: "O".into() }, &scene("en")).unwrap();
        assert_eq!((claimed.status.as_u16(), claimed.location), (200, None), "{odd}");
        assert!(view::done(Done::Sso { redirect: odd.clone() }, &scene("en")).is_err(), "{odd}");
        let gone = view::seen(Seen::Gone { organisation: "O".into(), support: Some(odd.clone()) }, &scene("en")).unwrap();
        assert!(!gone.html.contains("<a "), "{odd}");
    }
    let url = "https://app.example.com/welcome?token=abc";
    for done in [Done::Claimed { redirect: Some(url.into()), organisation: "O".into() }, Done::Sso { redirect: url.into() }] {
        let answer = view::done(done, &scene("en")).unwrap();
        assert_eq!((answer.status.as_u16(), answer.location.as_deref()), (303, Some(url)));
    }
}

/// The brightness of a colour as WCAG 2 counts it.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(part(0)) + 0.7152 * linear(part(2)) + 0.0722 * linear(part(4))
}

/// Text stands out from its ground by 4.5:1, the edges of fields by 3:1, in both colour schemes.
#[test]
fn contrast_is_sufficient() {
    let schemes: Vec<&str> = STYLE.split(":root {").skip(1).map(|s| s.split('}').next().unwrap()).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let of = |name: &str| luminance(&scheme.split(&format!("--{name}: #")).nth(1).unwrap()[..6]);
        for (front, ground, least) in [
            ("text", "card", 4.5),
            ("quiet", "card", 4.5),
            ("link", "card", 4.5),
            ("fault", "card", 4.5),
            ("on-button", "button", 4.5),
            ("edge", "card", 3.0),
            ("button", "card", 3.0),
        ] {
            let (a, b) = (of(front), of(ground));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= least, "{front} on {ground}: {ratio:.2}");
        }
    }
}

/// A browser's side of a form: its cookie and the key of the page.
struct Browser {
    client: Client,
    origin: String,
    cookie: String,
    key: String,
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

impl Browser {
    /// Opens `/claim`.
    fn open(server: &Server) -> Self {
        let origin = server.base.strip_suffix("/scim/v2").unwrap().to_owned();
        let client = server.nobody();
        let page = client.get(&format!("{origin}/claim"));
        assert_eq!(page.status, 200, "{}", page.text);
        let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
        let key = key_in(&page);
        Self { client, origin, cookie, key }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.client.send("GET", &format!("{}{path}", self.origin), headers, None)
    }

    /// Sends a form with these headers beside the cookie; an empty value takes a header away.
    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut all = headers.to_vec();
        for usual in [FORM, ("cookie", self.cookie.as_str())] {
            if !headers.iter().any(|(n, _)| *n == usual.0) {
                all.push(usual);
            }
        }
        self.client.send("POST", &format!("{}{path}", self.origin), &all, Some(body))
    }

    fn body(&self) -> String {
        format!("code=ABCDEFGHIJKLMNOP&form_key={}", self.key)
    }
}

fn key_in(page: &Reply) -> String {
    page.text.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Fails unless an answer is a page with all that protects it.
#[track_caller]
fn is_protected(reply: &Reply) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-robots-tag", "noindex"),
        ("cross-origin-opener-policy", "same-origin"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(reply.header(name), value, "{name} of {reply:?}");
    }
    assert_eq!(reply.header("content-security-policy"), policy(None));
    assert!(!reply.header("permissions-policy").is_empty() && !reply.header("x-request-id").is_empty());
}

on_both! {
    /// R-INV-8: every answer below `/claim` is a page, errors too, and carries the headers.
    fn every_answer_is_a_protected_page(server) {
        let browser = Browser::open(server);
        let large = format!("{}&other={}", browser.body(), "x".repeat(9000));
        let json = [("content-type", "application/json")];
        let replies = [
            (200, browser.get("/claim", &[])),
            (200, browser.get("/claim/", &[])),
            (200, browser.get("/claim/code/ABCDEFGHIJKLMNOP", &[])),
            (404, browser.get("/claim/unknown", &[])),
            (404, browser.get("/claim/%FF%00", &[])),
            (404, browser.get("/claim/a/b/c", &[])),
            (404, browser.post("/claim", &[], &browser.body())),
            (404, browser.post("/claim/a/b/c", &[], "")),
            (405, browser.client.send("PUT", &format!("{}/claim", browser.origin), &[], None)),
            (405, browser.client.send("DELETE", &format!("{}/claim/unknown", browser.origin), &[], None)),
            (405, browser.post("/claim/code/ABCDEFGHIJKLMNOP", &[], &browser.body())),
            (413, browser.post("/claim", &[], &large)),
            (415, browser.post("/claim", &json, "{}")),
            (422, browser.post("/claim", &[], &format!("code=+&form_key={}", browser.key))),
        ];
        for (status, reply) in replies {
            assert_eq!(reply.status, status, "{}", reply.text);
            is_protected(&reply);
            assert!(reply.text.starts_with("<!DOCTYPE html>"), "{}", reply.text);
            assert_eq!(reply.header("allow").is_empty(), status != 405);
        }
        let head = browser.client.send("HEAD", &format!("{}/claim/unknown", browser.origin), &[], None);
        assert_eq!((head.status, head.text.as_str()), (404, ""));
        is_protected(&head);
        let german = browser.get("/claim/unknown", &[("accept-language", "de-CH")]);
        assert_eq!(attributes(&german.text, "lang")[0], "de");
    }

    /// R-UNI-5, R-CODE-3: the page for what is unknown is the same whatever it is, and does not repeat what was asked for.
    fn the_unknown_all_look_alike(server) {
        let browser = Browser::open(server);
        let link = browser.get("/claim/some-token", &[]);
        let key = form_key(&server.app.secret, browser.cookie.split_once('=').unwrap().1, "/claim/some-token");
        for other in [
            browser.get("/claim/another-token", &[]),
            browser.post("/claim/some-token", &[], &format!("form_key={key}")),
            browser.post("/claim", &[], &browser.body()),
            browser.post("/claim", &[], &format!("{}&step=claim", browser.body())),
            browser.get("/claim/a/b", &[]),
        ] {
            assert_eq!((other.status, &other.text), (404, &link.text));
        }
        assert!(!link.text.contains("some-token"));
    }

    /// R-INV-3: a form is taken from a page that was opened in the same browser, and from no other site.
    fn a_form_needs_its_page(server) {
        let browser = Browser::open(server);
        let body = browser.body();
        let taken = |reply: Reply| {
            assert_eq!(reply.status, 404, "{}", reply.text);
        };
        let refused = |reply: Reply| {
            assert_eq!(reply.status, 403, "{}", reply.text);
            is_protected(&reply);
            assert!(reply.text.contains("<a class=\"way\" href=\"\">") && !reply.text.contains("ABCDEFGH"), "{}", reply.text);
        };
        taken(browser.post("/claim", &[], &body));
        taken(browser.post("/claim", &[("origin", "null"), ("sec-fetch-site", "same-origin")], &body));
        taken(browser.post("/claim", &[("origin", browser.origin.as_str())], &body));
        let other = Browser::open(server);
        refused(browser.post("/claim", &[("cookie", "")], &body));
        refused(browser.post("/claim", &[("cookie", other.cookie.as_str())], &body));
        refused(browser.post("/claim", &[("cookie", "rollbook_claim=x")], &body));
        refused(browser.post("/claim", &[], "code=ABCDEFGHIJKLMNOP"));
        refused(browser.post("/claim", &[], &format!("{body}x")));
        refused(browser.post("/claim/other-path", &[], &body));
        refused(browser.post("/claim", &[("origin", "https://evil.example")], &body));
        refused(browser.post("/claim", &[("sec-fetch-site", "cross-site")], &body));
        refused(browser.post("/claim", &[("sec-fetch-site", "same-site")], &body));
    }

    /// R-INV-3: a cookie is set once and kept, so that two pages can be open; a personal link only fills the code in.
    fn the_cookie_is_kept(server) {
        let browser = Browser::open(server);
        let first = browser.client.get(&format!("{}/claim", browser.origin));
        let cookie = first.header("set-cookie");
        assert!(cookie.starts_with("rollbook_claim=") && cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/claim"), "{cookie}");
        assert_ne!(cookie.split(';').next().unwrap(), browser.cookie);
        let again = browser.get("/claim/code/abcd-EFGH-ijkl-MNOP", &[("cookie", &browser.cookie)]);
        assert_eq!((again.header("set-cookie"), key_in(&again)), ("", browser.key.clone()));
        assert!(again.text.contains("value=\"abcd-EFGH-ijkl-MNOP\"") && again.text.contains("action=\"/claim\""), "{}", again.text);
        let odd = browser.get("/claim/code/%3Cb%3E", &[]);
        assert!(odd.status == 200 && !odd.text.contains("b&#62;"), "{}", odd.text);
    }
}

/// R-INV-8: behind a trusted proxy the visitor that it names has to wait; from anybody else the header says nothing.
#[test]
fn wrong_codes_count_for_the_address_that_a_trusted_proxy_names() {
    let guess = |browser: &Browser, from: &str| browser.post("/claim", &[("x-forwarded-for", from)], &browser.body()).status;
    let proxied = Server::with(Db::Sqlite, |c| c.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()], system_clock());
    let browser = Browser::open(&proxied);
    for n in 0..10 {
        assert_eq!(guess(&browser, &format!("192.0.2.{n}, 198.51.100.1")), 404);
    }
    assert_eq!(guess(&browser, "192.0.2.99, 198.51.100.1:4711"), 429, "what it says of itself does not help");
    assert_eq!(guess(&browser, "198.51.100.2"), 404, "others do not wait for it");
    let open = Server::start(Db::Sqlite);
    let browser = Browser::open(&open);
    for n in 0..10 {
        assert_eq!(guess(&browser, &format!("198.51.100.{n}")), 404);
    }
    assert_eq!(guess(&browser, "198.51.100.99"), 429);
}

/// R-INV-8: behind https and below a path, the cookie and the forms follow suit.
#[test]
fn a_public_address_is_followed() {
    let server = Server::with(Db::Sqlite, |_| {}, system_clock());
    let mut app = rollbook::app::App::open(server.config.clone(), "https://scim.example.com/rb/", system_clock()).unwrap().0;
    app.config.workers = 1;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = rollbook::http::serve(&std::sync::Arc::new(app), listener, None).unwrap();
            tell.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    let handle = told.recv().unwrap();
    let page = server.nobody().get(&format!("{origin}/claim"));
    let cookie = page.header("set-cookie");
    assert!(cookie.starts_with("__Secure-rollbook_claim=") && cookie.ends_with("; Path=/rb/claim; Secure"), "{cookie}");
    assert!(page.text.contains("action=\"/rb/claim\""), "{}", page.text);
    drop(handle.stop(false));
    thread.join().unwrap();
}

/// R-INV-8: what opens an account does not get into the log, however the path is written.
#[test]
fn the_log_shows_no_token() {
    let place = Place::new(Db::Sqlite);
    let mut server = place.serve_with(&[("ROLLBOOK_LOG_FILTER", "rollbook=debug,info")], &[]);
    let origin = server.base().strip_suffix("/scim/v2").unwrap().to_owned();
    let client = Client::new(&server.base(), None, "");
    for path in [
        "/claim/SECRETTOKEN",
        "/claim/code/SECRETTOKEN",
        "//claim//SECRETTOKEN/",
        "/%63laim/SECRETTOKEN",
        "/claim/x/SECRETTOKEN?SECRETTOKEN",
    ] {
        for method in ["GET", "POST", "PUT"] {
            client.send(method, &format!("{origin}{path}"), &[], (method == "POST").then_some("code=SECRETTOKEN&password=SECRETTOKEN"));
        }
    }
    client.get("/Users");
    server.stop();
    let log = server.log();
    assert!(!log.contains("SECRETTOKEN"), "{log}");
    assert_eq!(log.matches("path=/claim/… ").count(), 15, "{log}");
    assert!(log.contains("path=/scim/v2/Users "), "{log}");
}
