//! Letters: what they say in each language, and what a mail server and a folder get of them.
//!
//! The mail server is `tests/smtp_server.py`, in the Python at `ROLLBOOK_TEST_PYTHON`, which `./test` sets. The same script
//! reads messages back, so that what is written here is not checked by the library that wrote it.

use rollbook::mail::render::{Rendered, render};
use rollbook::mail::{Address, Content, Failure, Letter, Mailer, Route, compose};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// 22 November 2026, 13:05 UTC.
const AT: i64 = 1_795_352_700_000_000;
const LINK: &str = "https://roll.example.com/claim/abc?x=1&y=2";
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

fn python() -> Command {
    #[expect(clippy::disallowed_methods, reason = "the tests have no other configuration")]
    let path = std::env::var("ROLLBOOK_TEST_PYTHON");
    let path = path.expect("ROLLBOOK_TEST_PYTHON must name a Python that has tests/requirements.txt; `./test quick` sets it");
    let mut command = Command::new(path);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp_server.py"));
    command
}

/// A mail server. It ends when it is dropped.
pub struct Receiver {
    port: u16,
    folder: tempfile::TempDir,
    process: Child,
}

impl Receiver {
    pub fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = python();
        command.arg("serve").arg(folder.path()).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().expect("the mail server did not start"), folder, process }
    }

    /// A mailer that sends here. `{}` in the URL is the port.
    pub fn mailer(&self, url: &str, trusted: bool) -> Mailer {
        let ca_file = trusted.then(|| self.folder.path().join("ca.pem"));
        Mailer::open(&Route::Smtp { url: url.replace("{}", &self.port.to_string()), ca_file }).unwrap()
    }

    /// The messages that came in, oldest first.
    pub fn messages(&self) -> Vec<Value> {
        let path = |n: usize| self.folder.path().join(format!("{n}.eml"));
        (1..100).map(path).take_while(|p| p.exists()).map(|p| read_back(&std::fs::read(p).unwrap())).collect()
    }

    /// What the client did: its port, `tls` or `clear`, and the step.
    fn steps(&self) -> Vec<String> {
        let steps = std::fs::read_to_string(self.folder.path().join("steps.txt")).unwrap_or_default();
        steps.lines().map(str::to_owned).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A message as Python reads it.
fn read_back(message: &[u8]) -> Value {
    let mut process = python().arg("read").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(message).unwrap();
    serde_json::from_slice(&process.wait_with_output().unwrap().stdout).unwrap()
}

pub fn header<'a>(message: &'a Value, name: &str) -> &'a str {
    let all = message["headers"].as_array().unwrap().iter().filter(|h| h[0].as_str().unwrap().eq_ignore_ascii_case(name));
    let found: Vec<_> = all.collect();
    assert_eq!(found.len(), 1, "{name} in {message}");
    found[0][1].as_str().unwrap()
}

fn names(message: &Value) -> Vec<&str> {
    message["headers"].as_array().unwrap().iter().map(|h| h[0].as_str().unwrap()).collect()
}

fn address(name: &str, address: &str) -> Address {
    Address { name: name.to_owned(), address: address.to_owned() }
}

fn letter(content: Content) -> Letter {
    Letter {
        id: "0198c1f2-0000-7000-8000-000000000001".to_owned(),
        from: address("Example Team", "roll@example.com"),
        to: address("Sam Example", "first@example.com"),
        locale: "en".to_owned(),
        organisation: "Example Org".to_owned(),
        date: AT,
        content,
    }
}

fn invitation(note: Option<&str>, sso: bool) -> Content {
    Content::Invitation {
        name: "Sam Example".to_owned(),
        link: LINK.to_owned(),
        expires: AT,
        time_zone: "Europe/Zurich".to_owned(),
        note: note.map(str::to_owned),
        sso,
    }
}

fn to(local: &str) -> Letter {
    Letter { to: address("", &format!("{local}@example.com")), ..letter(invitation(None, false)) }
}

/// Every kind of letter, with a name for its snapshot.
fn all_contents() -> Vec<(&'static str, Content)> {
    let (name, tenant, id) = (|| "Sam Example".to_owned(), || "example".to_owned(), "0198c1f2-0000-7000-8000-00000000000a");
    let reminder = Content::Reminder {
        name: String::new(),
        link: LINK.to_owned(),
        expires: AT,
        time_zone: "America/Sao_Paulo".to_owned(),
        note: None,
        sso: true,
    };
    let people = vec![(name(), id.to_owned(), AT), ("Second".to_owned(), "2".to_owned(), AT + 86_400_000_000)];
    vec![
        ("invitation", invitation(Some("Bring your badge.\nSecond floor."), false)),
        ("invitation_sso", invitation(None, true)),
        ("reminder", reminder),
        ("address_changed", Content::AddressChanged { name: name(), old: "old@example.com".to_owned(), new: "new@example.com".to_owned() }),
        ("group_added", Content::GroupChanged { name: name(), group: "Night Shift".to_owned(), added: true }),
        ("group_removed", Content::GroupChanged { name: name(), group: "Night Shift".to_owned(), added: false }),
        ("digest", Content::Digest { people, time_zone: "Europe/Zurich".to_owned(), tenant: tenant() }),
        ("frozen", Content::Frozen { count: 40, base: 120, tenant: tenant() }),
        ("recovered", Content::Recovered { name: name(), id: id.to_owned(), tenant: tenant() }),
        (
            "token_expires",
            Content::TokenExpires {
                name: "okta".to_owned(),
                id: id.to_owned(),
                expires: AT,
                time_zone: "Europe/Zurich".to_owned(),
                tenant: tenant(),
            },
        ),
    ]
}

fn rendered(content: Content, locale: &str) -> Rendered {
    render(&Letter { locale: locale.to_owned(), ..letter(content) }).unwrap()
}

#[test]
fn english_letters_read_well() {
    for (name, content) in all_contents() {
        let Rendered { subject, text, .. } = rendered(content, "en-GB");
        insta::assert_snapshot!(name, format!("Subject: {subject}\n\n{text}"));
    }
}

#[test]
fn every_letter_exists_in_every_language() {
    for (name, content) in all_contents() {
        let mut seen = std::collections::BTreeSet::new();
        for language in LANGUAGES {
            let letter = rendered(content.clone(), language);
            for part in [&letter.subject, &letter.text, &letter.html] {
                assert!(!part.trim().is_empty() && !part.contains(['{', '}']), "{name} in {language}: {part}");
            }
            assert!(letter.text.contains("Example Org") && letter.html.contains("Example Org"), "{name} in {language}");
            assert!(letter.html.contains(&format!("<html lang=\"{language}\">")), "{name} in {language}");
            seen.insert(letter.subject);
        }
        assert_eq!(seen.len(), LANGUAGES.len(), "{name}: {seen:?}");
    }
}

#[test]
fn an_invitation_has_its_link_and_its_end_in_both_parts() {
    let letter = rendered(invitation(None, false), "de-CH");
    assert!(letter.text.contains(&format!("\n{LINK}\n")), "{}", letter.text);
    assert!(letter.text.contains("22. November 2026, 14:05 Uhr (MEZ)"), "{}", letter.text);
    let escaped = LINK.replace('&', "&#38;");
    assert_eq!(letter.html.matches(&format!("href=\"{escaped}\"")).count(), 2, "{}", letter.html);
    assert!(letter.html.contains(&format!(">{escaped}</a>")) && letter.html.contains(">Einladung annehmen</a>"), "{}", letter.html);
    for tracker in ["<img", "<script", "<link", "<style", "url(", "src="] {
        assert!(!letter.html.contains(tracker), "{tracker} in {}", letter.html);
    }
}

#[test]
fn a_link_is_a_web_address() {
    for bad in ["javascript:alert(1)", "https://example.com/a b", "https://example.com/\r\nx", ""] {
        let Content::Invitation { name, expires, time_zone, note, sso, .. } = invitation(None, false) else { unreachable!() };
        let content = Content::Invitation { name, link: bad.to_owned(), expires, time_zone, note, sso };
        assert!(matches!(render(&letter(content)), Err(Failure::Refused(_))), "{bad}");
    }
}

#[test]
fn html_escapes_what_others_wrote() {
    let evil = "<script>alert('x')</script>";
    let Content::Invitation { link, expires, time_zone, sso, .. } = invitation(None, false) else { unreachable!() };
    let content = Content::Invitation { name: evil.to_owned(), link, expires, time_zone, note: Some(evil.to_owned()), sso };
    let html = render(&Letter { organisation: evil.to_owned(), ..letter(content) }).unwrap().html;
    assert!(!html.contains("<script"), "{html}");
    assert!(html.matches("&#60;script&#62;").count() >= 5, "{html}");
}

#[test]
fn a_note_stays_a_note() {
    let note = format!("one\r\n\r\nBest wishes\u{7},\t{}", "x".repeat(3_000));
    let letter = rendered(invitation(Some(&note), false), "en");
    assert!(letter.text.contains("\n> one\n> \n> Best wishes,xxx"), "{}", letter.text);
    let kept = letter.text.lines().filter(|l| l.starts_with('>')).map(|l| l.chars().filter(|c| *c == 'x').count()).sum::<usize>();
    assert!((1_900..2_000).contains(&kept), "{kept}");
    assert!(!letter.html.contains('\u{7}'));
    assert_eq!(rendered(invitation(Some(" \r\n\u{0}"), false), "en"), rendered(invitation(None, false), "en"));
}

#[test]
fn commands_hold_plain_words_only() {
    let content = Content::Recovered { name: "x".to_owned(), id: "$(reboot)".to_owned(), tenant: "a; b".to_owned() };
    assert!(rendered(content, "en").text.contains("    rollbook member timeline TENANT ID\n"));
    let many = (0..250).map(|n| (format!("p{n}"), n.to_string(), AT)).collect();
    let digest = rendered(Content::Digest { people: many, time_zone: String::new(), tenant: "example".to_owned() }, "en");
    assert!(digest.text.contains("p199 ") && !digest.text.contains("p200 ") && digest.text.contains("- and more: 50\n"), "{}", digest.text);
    assert!(digest.subject.contains("250"));
}

#[test]
fn a_message_has_its_headers_and_both_parts() {
    let letter =
        Letter { locale: "fr".to_owned(), organisation: "Épée & Sœur".to_owned(), ..letter(invitation(Some("ça va ?"), false)) };
    let bytes = compose(&letter).unwrap().formatted();
    assert_eq!(bytes, compose(&letter).unwrap().formatted(), "the same letter is the same message");
    assert!(bytes.is_ascii());
    let message = read_back(&bytes);
    assert_eq!(message["defects"], serde_json::json!([]));
    assert_eq!(header(&message, "From"), "Example Team <roll@example.com>");
    assert_eq!(header(&message, "To"), "Sam Example <first@example.com>");
    assert_eq!(header(&message, "Subject"), "Épée & Sœur vous invite");
    assert_eq!(header(&message, "Date"), "Sun, 22 Nov 2026 13:05:00 +0000");
    assert_eq!(header(&message, "Message-ID"), "<0198c1f2-0000-7000-8000-000000000001@example.com>");
    assert_eq!(header(&message, "Auto-Submitted"), "auto-generated");
    assert_eq!(message["type"], "multipart/alternative");
    let part = |n: usize, key: &str| message["parts"][n][key].as_str().unwrap().to_owned();
    assert_eq!([part(0, "type"), part(1, "type")], ["text/plain", "text/html"]);
    assert_eq!([part(0, "charset"), part(1, "charset")], ["utf-8", "utf-8"]);
    let wanted = render(&letter).unwrap();
    assert_eq!(part(0, "text").replace("\r\n", "\n").trim_end(), wanted.text.trim_end());
    assert_eq!(part(1, "text").replace("\r\n", "\n").trim_end(), wanted.html.trim_end());
}

#[test]
fn nothing_foreign_reaches_a_header() {
    let evil = "x\r\nBcc: other@example.com\r\n\r\nbody\u{0}\u{85}";
    let plain = read_back(&compose(&letter(invitation(None, false))).unwrap().formatted());
    let group = Content::GroupChanged { name: evil.to_owned(), group: evil.to_owned(), added: true };
    for content in [invitation(Some(evil), false), group] {
        let mut letter = Letter { organisation: evil.to_owned(), ..letter(content) };
        letter.from.name = evil.to_owned();
        letter.to.name = format!("=?utf-8?q?=0D=0ABcc:_other=40example.com?= {}", "y".repeat(300));
        let message = read_back(&compose(&letter).unwrap().formatted());
        assert_eq!(names(&message), names(&plain));
        assert_eq!(message["defects"], serde_json::json!([]));
        // What looks encoded is shown as it is, not decoded.
        let to = header(&message, "To");
        assert!(to.contains("=?utf-8?q?=0D=0ABcc:_other=40") && to.ends_with("y\" <first@example.com>"), "{to}");
        assert!(to.matches('y').count() < 100, "{to}");
        assert!(header(&message, "From").contains("Bcc: other@example.com"), "{message}");
        assert!(header(&message, "Subject").chars().count() <= 150 && !header(&message, "Subject").contains('\n'));
        assert_eq!(message["parts"].as_array().unwrap().len(), 2);
    }
    let long = Letter {
        organisation: "ö".repeat(400),
        ..letter(Content::GroupChanged { name: String::new(), group: "ß".repeat(400), added: true })
    };
    let message = read_back(&compose(&long).unwrap().formatted());
    assert_eq!(header(&message, "Subject").chars().count(), 150);
}

#[test]
fn unusable_addresses_are_refused_without_being_told() {
    for bad in ["first@example.com\r\nBcc: x@example.com", "first", "", "first@@example.com", "a b@example.com"] {
        let mut letter = to("first");
        letter.to.address = bad.to_owned();
        let Err(Failure::Refused(text)) = compose(&letter) else { panic!("{bad:?} was taken") };
        assert!(!text.contains("first") && !text.contains('@'), "{text}");
        letter.from.address = bad.to_owned();
        assert!(matches!(compose(&letter), Err(Failure::Broken(_))), "{bad:?}");
    }
}

#[test]
fn letters_go_to_a_server_on_this_machine_over_one_connection() {
    let server = Receiver::start(&["--mode", "plain"]);
    let mailer = server.mailer("smtp://127.0.0.1:{}?tls=none", false);
    mailer.send(&to("first")).unwrap();
    mailer.send(&letter(invitation(Some(".\r\n.hidden dots\n."), false))).unwrap();
    let messages = server.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(header(&messages[0], "Subject"), "Example Org invites you");
    let text = messages[1]["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains("\r\n> .\r\n> .hidden dots\r\n> .\r\n"), "{text}");
    let ports: std::collections::BTreeSet<_> = server.steps().iter().map(|s| s.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(ports.len(), 1, "{:?}", server.steps());
}

#[test]
fn letters_go_over_tls_with_a_login() {
    let login = ["--user", "roll@example.com", "--password", "p/ä"];
    for (mode, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        let server = Receiver::start(&[&["--mode", mode], &login[..]].concat());
        let mailer = server.mailer(&format!("{scheme}://roll%40example.com:p%2F%C3%A4@127.0.0.1:{{}}"), true);
        mailer.send(&to("first")).unwrap();
        assert_eq!(server.messages().len(), 1, "{mode}");
        let steps = server.steps();
        assert!(steps[0].ends_with("tls AUTH right") && steps.iter().all(|s| s.contains(" tls ")), "{steps:?}");
    }
}

/// Neither an unknown authority nor a certificate for another host is taken, and nothing is told to such a server.
#[test]
fn wrong_certificates_are_refused() {
    for (mode, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        for (name, trusted) in [("IP:127.0.0.1", false), ("DNS:other.example.com", true)] {
            let server = Receiver::start(&["--mode", mode, "--name", name]);
            let sent = server.mailer(&format!("{scheme}://u:p@127.0.0.1:{{}}"), trusted).send(&to("first"));
            let Err(Failure::Broken(text)) = sent else { panic!("{mode} {name}: {sent:?}") };
            assert!(text.contains(&server.port.to_string()) && text.contains("certificate"), "{text}");
            assert!(server.messages().is_empty() && server.steps().is_empty(), "{:?}", server.steps());
        }
    }
}

#[test]
fn without_starttls_nothing_is_sent() {
    let server = Receiver::start(&["--mode", "plain", "--user", "u", "--password", "p"]);
    let any_ca = Receiver::start(&["--mode", "implicit"]);
    let route = Route::Smtp { url: format!("smtp://u:p@127.0.0.1:{}", server.port), ca_file: Some(any_ca.folder.path().join("ca.pem")) };
    let sent = Mailer::open(&route).unwrap().send(&to("first"));
    assert!(matches!(&sent, Err(Failure::Broken(text)) if text.contains("STARTTLS")), "{sent:?}");
    assert!(server.messages().is_empty() && server.steps().is_empty(), "{:?}", server.steps());
}

#[test]
fn a_wrong_password_is_our_fault_and_stays_secret() {
    let server = Receiver::start(&["--mode", "plain", "--user", "u", "--password", "right"]);
    let sent = server.mailer("smtp://u:s3cret@127.0.0.1:{}?tls=none", false).send(&to("first"));
    let Err(Failure::Broken(text)) = sent else { panic!("{sent:?}") };
    assert!(text.contains("535") && !text.contains("s3cret"), "{text}");
    assert!(server.steps().iter().all(|s| s.ends_with("AUTH wrong")), "{:?}", server.steps());
    let sent = server.mailer("smtp://127.0.0.1:{}?tls=none", false).send(&to("first"));
    assert!(matches!(&sent, Err(Failure::Broken(text)) if text.contains("530")), "{sent:?}");
    assert!(server.messages().is_empty());
}

#[test]
fn answers_decide_whether_to_try_again() {
    let rcpt = ["--rcpt", "gone=550 5.1.1", "--rcpt", "full=452 4.2.2", "--rcpt", "closing=421 4.3.2"];
    let data = ["--data", "spam=554 5.7.1", "--data", "slow=451 4.7.1"];
    let server = Receiver::start(&[&rcpt[..], &data[..]].concat());
    let mailer = server.mailer("smtp://127.0.0.1:{}?tls=none", false);
    for (local, code) in [("gone", "550 5.1.1"), ("spam", "554 5.7.1")] {
        let Err(Failure::Refused(text)) = mailer.send(&to(local)) else { panic!("{local} was not refused") };
        assert!(text.contains(code) && !text.contains(local) && text.contains("<address>"), "{text}");
    }
    for (local, code) in [("full", "452 4.2.2"), ("closing", "421 4.3.2"), ("slow", "451 4.7.1")] {
        let Err(Failure::Later(text)) = mailer.send(&to(local)) else { panic!("{local} is not for later") };
        assert!(text.contains(code) && !text.contains(local) && text.contains("<address>"), "{text}");
    }
    assert!(server.messages().is_empty());
    mailer.send(&to("first")).unwrap();
    assert_eq!(server.messages().len(), 1);
}

#[test]
fn a_server_that_is_down_is_for_later() {
    let server = Receiver::start(&["--mode", "plain"]);
    let (port, mailer) = (server.port, server.mailer("smtp://127.0.0.1:{}?tls=none", false));
    mailer.send(&to("first")).unwrap();
    drop(server);
    let sent = mailer.send(&to("first"));
    assert!(matches!(&sent, Err(Failure::Later(text)) if text.contains(&port.to_string())), "{sent:?}");
}

#[test]
fn addresses_beyond_ascii_need_a_server_that_takes_them() {
    let (plain, able) = (Receiver::start(&[]), Receiver::start(&["--utf8"]));
    let url = "smtp://127.0.0.1:{}?tls=none";
    let sent = plain.mailer(url, false).send(&to("zoë"));
    assert!(matches!(&sent, Err(Failure::Refused(text)) if !text.contains("zoë")), "{sent:?}");
    able.mailer(url, false).send(&to("zoë")).unwrap();
    assert!(able.steps().iter().any(|s| s.ends_with("RCPT zoë@example.com")), "{:?}", able.steps());
    assert!(plain.messages().is_empty());
}

#[test]
fn routes_are_checked_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let no_pem = folder.path().join("no.pem");
    std::fs::write(&no_pem, "nothing").unwrap();
    let open = |url: &str, ca_file: Option<PathBuf>| Mailer::open(&Route::Smtp { url: url.to_owned(), ca_file }).err();
    let error = open("smtp://u:s3cret@mail.example.com?tls=none", None).unwrap();
    assert!(error.contains("same machine") && !error.contains("s3cret"), "{error}");
    assert!(open("smtps://mail.example.com", Some(no_pem)).unwrap().contains("no.pem"));
    assert!(open("smtps://mail.example.com", Some(folder.path().join("missing.pem"))).unwrap().contains("missing.pem"));
}

#[test]
fn a_folder_holds_each_letter_once() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/out");
    let mailer = Mailer::open(&Route::Folder(folder.clone())).unwrap();
    assert!(folder.is_dir());
    let letter = to("first");
    let file = folder.join(format!("{}.eml", letter.id));
    mailer.send(&letter).unwrap();
    let first = std::fs::read(&file).unwrap();
    mailer.send(&letter).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), first);
    let held: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(held, [file.file_name().unwrap()]);
    assert_eq!(header(&read_back(&first), "To"), "first@example.com");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let astray = Letter { id: "../astray".to_owned(), ..to("first") };
    assert!(matches!(mailer.send(&astray), Err(Failure::Refused(_))));
    std::fs::remove_dir_all(&folder).unwrap();
    mailer.send(&letter).unwrap();
    assert!(file.exists());
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    assert!(mailer.send(&letter).is_err());
}
