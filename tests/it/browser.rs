//! A headless browser for tests: Chromium, driven through chromedriver. `./test` installs both.
//!
//! Every [`Browser`] has a driver, a profile and a folder of its own, so that several can run at once. All of it goes when the
//! browser is dropped, also when its test fails. What it shows is checked in `browser_checks`.

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// How long the driver and a page may take. Far more than they need, for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long an element that is not there yet is waited for.
const ELEMENT: Duration = Duration::from_secs(5);
/// How long processes may take to end by themselves before they are killed.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Says whether a click on an element leads to another page, and marks this one.
const LEADS_ON: &str = "
    document.left = true;
    for (const kind of ['click', 'submit']) addEventListener(kind, event => { if (event.defaultPrevented) document.left = false; });
    const element = arguments[0].closest('a[href], button, input'), form = element?.form;
    if (form) return element.type === 'submit' && (form.noValidate || element.formNoValidate || form.matches(':valid'));
    const [to, part] = element?.href?.split('#') ?? [''];
    return to.startsWith('http') && (part === undefined || to !== location.href.split('#')[0]);";
/// Says whether that page is there, or a script of this one has taken the click for itself.
const ARRIVED: &str = "return document.left === false || document.left === undefined && document.readyState === 'complete'";

/// A browser with one page, as wide and as high as a telephone. Its methods wait, and panic when something is not as they need it.
pub struct Browser {
    client: Client,
    runtime: Runtime,
    driver: Driver,
}

impl Browser {
    /// Starts a browser.
    pub fn start() -> Self {
        Self::with_preferences(&json!({}))
    }

    /// Starts a browser that runs no script of a page.
    pub fn start_without_javascript() -> Self {
        Self::with_preferences(&json!({ "profile.managed_default_content_settings.javascript": 2 }))
    }

    fn with_preferences(preferences: &Value) -> Self {
        let driver = Driver::start();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(&driver.folder, preferences));
        let client = match runtime.block_on(builder.connect(&driver.origin)) {
            Ok(client) => client,
            Err(error) => panic!("the browser did not start: {error}\n{}", driver.log()),
        };
        Self { client, runtime, driver }
    }

    /// Goes to an address and waits until its page is loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.wait(format_args!("open {url}"), self.client.goto(url));
    }

    /// The text that one can see on the page, with an empty line between paragraphs.
    #[track_caller]
    pub fn text(&self) -> String {
        // The driver's own way to read a text leaves out what is in <noscript>, even when it is shown.
        let text = self.wait("text", self.client.execute("return document.body.innerText", Vec::new()));
        text.as_str().unwrap().trim().to_owned()
    }

    /// Clicks on an element. If it is a link or sends a form, waits until the next page is loaded.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let element = self.element(css);
        let itself = serde_json::to_value(&element).unwrap();
        self.wait(format_args!("click {css}"), async {
            let leads = self.client.execute(LEADS_ON, vec![itself]).await?;
            element.click().await?;
            if leads == true {
                self.arrive().await;
            }
            Ok(())
        });
    }

    /// Waits for the page that a click leads to. The driver does that by itself, but only once it knows that the page is on its way,
    /// which can be after the click. Goes on all the same when none comes: the click may have fetched a file.
    async fn arrive(&self) {
        let began = Instant::now();
        while began.elapsed() < ELEMENT && !self.client.execute(ARRIVED, Vec::new()).await.is_ok_and(|yes| yes == true) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Types a text into a field, instead of what is in it.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let field = self.element(css);
        self.wait(format_args!("fill {css}"), async {
            field.clear().await?;
            field.send_keys(text).await
        });
    }

    /// The address of the page.
    #[track_caller]
    pub fn url(&self) -> String {
        self.wait("url", self.client.current_url()).into()
    }

    /// The title of the page.
    #[track_caller]
    pub fn title(&self) -> String {
        self.wait("title", self.client.title())
    }

    /// Whether the page has such an element now.
    #[track_caller]
    pub fn has(&self, css: &str) -> bool {
        !self.wait(format_args!("has {css}"), self.client.find_all(Locator::Css(css))).is_empty()
    }

    /// An attribute of an element, as the page has it in its text.
    #[track_caller]
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        self.wait(format_args!("attribute {name} of {css}"), self.element(css).attr(name))
    }

    /// The first such element, as soon as there is one.
    #[track_caller]
    fn element(&self, css: &str) -> Element {
        match self.runtime.block_on(self.client.wait().at_most(ELEMENT).for_element(Locator::Css(css))) {
            Ok(element) => element,
            Err(error) => panic!("no {css} at {}: {error}\n{}", self.url(), self.text()),
        }
    }

    #[track_caller]
    fn wait<T>(&self, what: impl Display, work: impl Future<Output = Result<T, CmdError>>) -> T {
        match self.runtime.block_on(work) {
            Ok(done) => done,
            Err(error) => panic!("{what}: {error}"),
        }
    }

    /// The folder of all that the browser writes.
    pub fn folder(&self) -> &Path {
        &self.driver.folder
    }

    /// Kills the driver, as a crash would. The browser itself still runs.
    pub fn lose_driver(&mut self) {
        self.driver.stop();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = self.client.clone().close();
        // Whatever does not end here is killed when the driver is dropped.
        let _ = self.runtime.block_on(async { tokio::time::timeout(GRACE, close).await });
    }
}

/// What the driver is asked for.
fn capabilities(folder: &Path, preferences: &Value) -> Capabilities {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let asked = json!({
        "browserName": "chrome",
        "timeouts": { "pageLoad": PATIENCE.as_millis() },
        "goog:chromeOptions": {
            // Root in a container: no sandbox, and /dev/shm is small.
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", profile],
            // No window can be narrower than 500 pixels, so the size of the page is set instead.
            "mobileEmulation": { "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 1, "touch": false, "mobile": false } },
            "prefs": preferences,
        },
    });
    serde_json::from_value(asked).unwrap()
}

/// A running chromedriver and its folder.
struct Driver {
    child: Child,
    origin: String,
    folder: PathBuf,
}

impl Driver {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rollbook-browser-").tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("chromedriver cannot be started: run ./test, which installs it");
        let mut driver = Self { child, origin: String::new(), folder: folder.keep() };
        driver.origin = format!("http://127.0.0.1:{}", driver.port());
        driver
    }

    /// The port that the driver took, as soon as it says so.
    fn port(&mut self) -> u16 {
        let began = Instant::now();
        loop {
            let log = self.log();
            let port = log.split_once("successfully on port ").and_then(|(_, rest)| rest.split_once('.')?.0.parse().ok());
            if let Some(port) = port {
                return port;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "chromedriver did not start: {ended:?}\n{log}");
            sleep(PAUSE);
        }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).unwrap()).into_owned()
    }

    fn stop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends what the driver left running and removes the folder. Says whether nothing is left.
    fn clear(&self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let left = processes(&self.folder);
            if left.is_empty() && (std::fs::remove_dir_all(&self.folder).is_ok() || !self.folder.exists()) {
                return true;
            }
            if began.elapsed() > GRACE {
                for id in left {
                    kill(id);
                }
            }
            sleep(PAUSE);
        }
        false
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
        let cleared = self.clear();
        assert!(cleared || std::thread::panicking(), "the browser left something in {}", self.folder.display());
    }
}

/// The processes that have an option with a path in the folder: Chromium and its crash reporters. Empty where there is no `/proc`.
pub fn processes(folder: &Path) -> Vec<u32> {
    let option = format!("={}/", folder.display());
    let names_folder = |id: &u32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&option)
    };
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(names_folder).collect()
}

fn kill(id: u32) {
    // It may have ended in the meantime.
    let _ = Command::new("sh").args(["-c", &format!("kill -KILL {id}")]).stderr(Stdio::null()).status();
}
