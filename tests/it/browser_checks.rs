//! The browser of the tests itself, on a site of three pages.

use crate::browser::{Browser, processes};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const FIRST: &str = "<!DOCTYPE html><title>First</title><style>
    #size { display: none } @media (width: 390px) and (height: 844px) { #size { display: block } }</style>
    <p id=size>a telephone</p><p hidden>not to be seen</p><noscript>no script</noscript>
    <a id=next href=/second title='the way on'>on</a><script>document.title = 'Changed'</script>
    <a id=stay href=/second onclick=\"this.textContent = 'stayed'; return false\">stay</a>";
const SECOND: &str = "<!DOCTYPE html><title>Second</title>
    <form method=post action=/take><input name=who value=nobody required><button>Send</button></form>";
const DONE: &str = "<!DOCTYPE html><title>Done</title><p>Thank you";

/// A web site that remembers what was asked of it. It stops when it is dropped.
struct Site {
    origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Default)]
struct Asked {
    /// Method and path.
    what: String,
    cookie: bool,
    body: String,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (list, stop) = (asked.clone(), stopped.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                // A browser also opens connections that it does not use, so none may hold up another.
                let (stream, list) = (stream.unwrap(), list.clone());
                std::thread::spawn(move || answer(&stream, &list));
            }
        });
        Self { origin, asked, stopped, thread: Some(thread) }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The requests for one thing, such as `GET /`.
    fn asked(&self, what: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.what == what).cloned().collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.origin.trim_start_matches("http://"));
        let ended = woken.is_ok() && self.thread.take().is_some_and(|thread| thread.join().is_ok());
        assert!(ended || std::thread::panicking(), "the site did not stop");
    }
}

fn answer(mut stream: &TcpStream, list: &Mutex<Vec<Asked>>) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let Some(asked) = read(stream) else { return };
    let what = asked.what.clone();
    list.lock().unwrap().push(asked);
    let (status, header, page) = match what.as_str() {
        "GET /" => ("200 OK", "Set-Cookie: seen=1", FIRST),
        "GET /second" => ("200 OK", "X-Page: 2", SECOND),
        "POST /take" => {
            // So slow that whoever does not wait for the next page still sees the last one.
            std::thread::sleep(Duration::from_millis(300));
            ("303 See Other", "Location: /done", "")
        }
        "GET /done" => ("200 OK", "X-Page: 3", DONE),
        _ => ("404 Not Found", "X-Page: 0", ""),
    };
    let length = page.len();
    let reply = format!(
        "HTTP/1.1 {status}\r\n{header}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    );
    // The browser may have gone already; then nobody misses the answer.
    let _ = stream.write_all(reply.as_bytes());
}

/// Reads a request. None when the connection is closed without one.
fn read(stream: &TcpStream) -> Option<Asked> {
    let mut input = BufReader::new(stream);
    let mut head = input.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let (what, _version) = head.next()?.rsplit_once(' ').map(|(what, version)| (what.to_owned(), version.to_owned()))?;
    let headers: Vec<String> = head.map(|line| line.to_ascii_lowercase()).collect();
    let header = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let mut body = vec![0; header("content-length").map_or(Some(0), |length| length.parse().ok())?];
    input.read_exact(&mut body).ok()?;
    Some(Asked { what, cookie: header("cookie").is_some(), body: String::from_utf8(body).ok()? })
}

/// It goes from page to page by a link, runs scripts, and is as large as a telephone.
#[test]
fn follows_a_link() {
    let (site, browser) = (Site::start(), Browser::start());
    browser.open(&site.url("/"));
    assert_eq!(browser.title(), "Changed");
    assert_eq!(browser.text(), "a telephone\n\non stay");
    assert_eq!(browser.attribute("#next", "title").as_deref(), Some("the way on"));
    assert_eq!(browser.attribute("#next", "rel"), None);
    assert!(browser.has("#next") && !browser.has("form"));
    browser.click("#stay");
    assert_eq!(browser.text(), "a telephone\n\non stayed");
    assert_eq!(browser.url(), site.url("/"));
    browser.click("#next");
    assert_eq!((browser.url(), browser.title()), (site.url("/second"), "Second".into()));
    assert!(browser.has("form") && !browser.has("#next"));
}

/// A form is sent as it was filled, and the redirection after it is followed before `click` returns.
#[test]
fn sends_a_form() {
    sends(&Browser::start());
}

/// Without scripts, a page stays as it came, and links and forms work all the same.
#[test]
fn works_without_javascript() {
    let (site, browser) = (Site::start(), Browser::start_without_javascript());
    browser.open(&site.url("/"));
    assert_eq!(browser.title(), "First");
    assert_eq!(browser.text(), "a telephone\n\nno script on stay");
    browser.click("#stay");
    assert_eq!(browser.url(), site.url("/second"));
    sends(&browser);
}

fn sends(browser: &Browser) {
    let site = Site::start();
    browser.open(&site.url("/second"));
    browser.fill("[name=who]", "");
    browser.click("button");
    assert_eq!((browser.url(), site.asked("POST /take").len()), (site.url("/second"), 0), "the field is required");
    browser.fill("[name=who]", "Sam Example & Söhne");
    browser.click("button");
    assert_eq!((browser.url(), browser.title()), (site.url("/done"), "Done".into()));
    assert_eq!(browser.text(), "Thank you");
    let sent: Vec<_> = site.asked("POST /take").into_iter().map(|a| a.body).collect();
    assert_eq!(sent, ["who=Sam+Example+%26+S%C3%B6hne"]);
    assert_eq!(site.asked("GET /done").len(), 1);
}

/// Two browsers know nothing of each other.
#[test]
fn shares_nothing_with_another() {
    let (site, one, other) = (Site::start(), Browser::start(), Browser::start());
    for browser in [&one, &one, &other] {
        browser.open(&site.url("/"));
    }
    let cookies: Vec<_> = site.asked("GET /").iter().map(|a| a.cookie).collect();
    assert_eq!(cookies, [false, true, false]);
    assert_ne!(one.folder(), other.folder());
}

/// What is not there is named, with the page on which it was missed.
#[test]
fn says_what_is_missing() {
    let (site, browser) = (Site::start(), Browser::start());
    browser.open(&site.url("/done"));
    let missed = catch_unwind(AssertUnwindSafe(|| browser.click("#next"))).unwrap_err();
    let message = missed.downcast_ref::<String>().unwrap();
    assert!(message.starts_with(&format!("no #next at {}: ", site.url("/done"))), "{message}");
    assert!(message.ends_with("Thank you"), "{message}");
}

/// No process and no folder outlives the browser: not when it is done, not when its test fails, not when the driver crashes.
#[test]
fn leaves_nothing_behind() {
    let folder = |browser: &Browser| {
        assert!(!processes(browser.folder()).is_empty(), "the browser is not seen");
        browser.folder().to_owned()
    };
    let browser = Browser::start();
    let done = folder(&browser);
    drop(browser);

    let mut failed = PathBuf::new();
    let failure = catch_unwind(AssertUnwindSafe(|| {
        let browser = Browser::start();
        failed = folder(&browser);
        resume_unwind(Box::new("a test fails"));
    }));
    assert!(failure.is_err());

    let mut browser = Browser::start();
    let crashed = folder(&browser);
    browser.lose_driver();
    drop(browser);

    for folder in [done, failed, crashed] {
        assert!(!folder.exists(), "{} is left", folder.display());
        assert_eq!(processes(&folder), [0; 0]);
    }
}
