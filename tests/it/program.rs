//! The program in a process of its own, as an operator runs it.

use crate::clients::Client;
use crate::harness::{Db, Fresh, Server};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder to run the program in, and a database.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub url: String,
    _database: Option<Fresh>,
}

impl Place {
    pub fn new(db: Db) -> Self {
        let database = Fresh::new(db);
        Self { dir: tempfile::tempdir().unwrap(), url: database.url.clone(), _database: Some(database) }
    }

    /// A place beside a server that runs in this process.
    pub fn beside(server: &Server) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), url: server.config.database.url.clone(), _database: None }
    }

    /// The program without any configuration.
    pub fn bare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollbook"));
        command.env_clear().current_dir(self.dir.path()).args(args);
        command
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare(args);
        command.args(["--database", &self.url]);
        command
    }

    /// What a command prints; it must succeed.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        succeeded(&self.command(args).output().unwrap())
    }

    /// What a command says when it fails; it must fail.
    #[track_caller]
    pub fn refused(&self, args: &[&str]) -> String {
        failed(&self.command(args).output().unwrap())
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args)).unwrap()
    }

    pub fn serve(&self) -> Running {
        self.serve_with(&[], &[])
    }

    /// Starts the server and waits until it listens.
    pub fn serve_with(&self, environment: &[(&str, &str)], args: &[&str]) -> Running {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied()).args(args);
        Running::start(command, self.dir.path().join("log"))
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.dir.path().join(file), text).unwrap();
    }

    /// A tenant and a token for it.
    pub fn acme(&self) -> String {
        self.run(&["tenant", "create", "acme"]);
        self.run(&["token", "issue", "acme", "--quiet"]).trim_end().to_owned()
    }
}

#[track_caller]
pub fn succeeded(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
pub fn failed(output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{} {error}", output.status);
    assert!(error.starts_with("error: "), "{error}");
    error
}

/// The program, serving.
pub struct Running {
    pub child: Child,
    pub origin: String,
    /// What it printed before it listened.
    pub said: Vec<String>,
    log: PathBuf,
    _out: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = Vec::new();
        let origin = loop {
            let mut line = String::new();
            let ended = out.read_line(&mut line).unwrap() == 0;
            assert!(!ended, "it did not start: {said:?} {}", std::fs::read_to_string(&log).unwrap());
            match line.trim_end().strip_prefix("listening on ") {
                Some(origin) => break origin.to_owned(),
                None => said.push(line.trim_end().to_owned()),
            }
        };
        Self { child, origin, said, log, _out: out }
    }

    pub fn base(&self) -> String {
        format!("{}/scim/v2", self.origin)
    }

    pub fn client(&self, token: &str) -> Client {
        Client::new(&self.base(), Some(token), "acme")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as a power cut would.
    pub fn cut(&mut self) {
        self.signal("KILL");
        self.ended();
    }

    /// Asks it to stop, once it works, and fails unless it does so cleanly.
    pub fn stop(&mut self) {
        self.client("none").get(&format!("{}/health", self.origin));
        self.signal("TERM");
        assert_eq!(self.ended().code(), Some(0), "{}", self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already when this fails.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
